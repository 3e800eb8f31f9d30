"""What the pages may ask for and have done: functions that whoever starts the console hands in, and what they speak of.

The pages decide nothing and know no workspace: a question or a signature goes out through one of these.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from console.shelf import Recorded, Shelf
from lineage.approvals import Approval, ApprovalRecord, Deviation
from lineage.digest import Digest
from lineage.ledger import Ledger
from lineage.run_history import Ran


@dataclass(frozen=True)
class Candidate:
    """A model that was proposed, where it stands now, who signed it, and what speaks against using it.

    `proposed` is the proposal as it was written, with `state` and why it has `ended` by the ledger. `against` is empty where two people's approval holds
    now; `pointed_at` says whether services are pointed at it. `pages` are reports of its evaluation (text → address).
    """

    proposed: Mapping[str, Any]
    approval: Approval | None = None
    against: tuple[str, ...] = ()
    pointed_at: bool = False
    pages: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> Digest:
        """The bundle's digest, by which pages, ledger and signatures name the model."""
        return str(self.proposed["candidate"])

    @property
    def name(self) -> str:
        """Detector and version, as people read them."""
        return f"{self.proposed['detector']} {self.proposed['version']}"

    @property
    def state(self) -> str:
        """One of `lineage.lifecycle.STATES`, by the ledger; `edited` where the proposal's file was changed."""
        return str(self.proposed["state"])

    @property
    def in_force(self) -> bool:
        """Whether services answer with it: they are pointed at it, and its approval holds."""
        return self.pointed_at and self.approval is not None and not self.against

    @property
    def open_gates(self) -> list[Mapping[str, Any]]:
        """Gates that did not pass, those that failed first; each needs a deviation that names it."""
        found = [gate for gate in self.proposed["gates"] if gate["outcome"] != "pass"]
        return sorted(found, key=lambda gate: bool(gate["outcome"] != "fail"))

    @property
    def failed_gates(self) -> list[Mapping[str, Any]]:
        """Those of the open gates that had enough evidence, and failed."""
        return [gate for gate in self.open_gates if gate["outcome"] == "fail"]

    @property
    def despite(self) -> str:
        """What deviations were needed for: “1 gate failed and 6 could not be decided”; empty where all passed."""
        failed, undecided = len(self.failed_gates), len(self.open_gates) - len(self.failed_gates)
        told = [f"{failed} gate{'' if failed == 1 else 's'} failed"] if failed else []
        if undecided:
            gates = "" if failed else " gate" if undecided == 1 else " gates"
            told.append(f"{undecided}{gates} could not be decided")
        return " and ".join(told)

    @property
    def rehearsals(self) -> dict[str, Digest]:
        """Site → digest of the rehearsal of drift that the proposal names; sites without one are left out."""
        return {site: one["digest"] for site, one in self.proposed.get("rehearsals", {}).items() if one}

    @property
    def next_meaning(self) -> str | None:
        """What the next signature would mean; None where no signature is waited for."""
        return None if self.proposed["ended"] else {"evaluated": "review", "reviewed": "approval"}.get(self.state)

    @property
    def stopped(self) -> bool:
        """Whether gates failed and nobody has signed in spite of it: nobody is asked to. Two people still may."""
        return self.next_meaning is not None and self.approval is None and bool(self.failed_gates)

    @property
    def waits(self) -> bool:
        """Whether somebody is asked for a signature."""
        return self.next_meaning is not None and not self.stopped


@dataclass(frozen=True)
class Wish:
    """What somebody wants to sign: a candidate, with which meaning (`Candidate.next_meaning`), despite which open
    gates, from when on (a time with its zone)."""

    candidate: Digest
    meaning: str
    begins: datetime
    deviations: tuple[Deviation, ...] = ()


@dataclass(frozen=True)
class Proof:
    """Who signs and how they show that it is them: passphrase and the six digits of their device. The secrets are in no
    text of this object."""

    person: str
    passphrase: str = field(repr=False)
    code: str = field(repr=False)


@dataclass(frozen=True)
class Acts:
    """The questions and the one decision that pages offer. All may raise `lineage.refused.Refused`.

    `candidate` is one of `candidates` by its digest, without a look at the others; None where there is none.
    `why`, `verify`, `impact` and `shadow` answer with plain JSON values, as their commands do with `--json`. `record` gives what
    a wish would have signed; `sign` signs it if it is still the record whose digest was shown. `card` is the signed
    card of a model, None where there is none; `evaluation` the file of this name of its evaluation, as its signers were shown it.
    `shelves` are the cohorts, `put_aside` counts what the checks put aside, `recording` is one of a cohort by its name (None where
    there is none), `seen` the address at which the recording with a digest and name can be looked at. `runs` are the flows that
    ran, newest first, `approvals` all that were ever signed, `sites` those that were ever given a key. `rehearsal`
    is the table of one by its digest, refused where it is gone or was changed.
    """

    candidates: Callable[[datetime], list[Candidate]]
    candidate: Callable[[Digest, datetime], Candidate | None]
    card: Callable[[Digest], str | None]
    evaluation: Callable[[Digest, str], bytes | None]
    why: Callable[[str], dict[str, Any]]
    verify: Callable[[], dict[str, Any]]
    impact: Callable[[str], dict[str, Any]]
    shadow: Callable[[Digest], dict[str, Any]]
    shelves: Callable[[], list[Shelf]]
    put_aside: Callable[[], int]
    recording: Callable[[str, str], Recorded | None]
    seen: Callable[[Digest, str], str]
    runs: Callable[[], list[Ran]]
    approvals: Callable[[], list[dict[str, Any]]]
    sites: Callable[[], set[str]]
    rehearsal: Callable[[Digest], Mapping[str, Any]]
    record: Callable[[Wish], ApprovalRecord]
    sign: Callable[[Wish, Proof, Digest], dict[str, Any]]


@dataclass(frozen=True)
class Room:
    """What a console looks at: one workspace's ledger and reports. `demo` workspaces say so on every page.

    `run_server` is the address of the server at which runs can be followed; empty where there is none. `made` says when
    the workspace was made, `clock` what time it is, with a zone.
    """

    ledger: Ledger
    acts: Acts
    reports: Path
    demo: bool = False
    made: str = ""
    run_server: str = ""
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
