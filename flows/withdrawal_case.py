"""What a withdrawal is about, from its first line in the ledger on: who, which recordings, and what is still to be done."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.dvc_objects import Change
from flows.records import person_subject
from flows.searching import pieces_of
from flows.stages.files import read_json, write_json
from flows.taking_out import REPORTS_OF_WITHDRAWALS
from flows.traces import Traces
from flows.workspace import TASKS, Workspace
from lineage.ledger import Ledger
from serving.facts import has_facts, kept_of

OF_NOTHING = frozenset({hashlib.sha256().hexdigest(), hashlib.md5(usedforsecurity=False).hexdigest()})
"""An empty file of a patient's goes by its place and name: by its digest every empty file would go with it."""


@dataclass(frozen=True)
class Case:
    """A withdrawal: who it is about, what the first line in the ledger says of it, and what was to be found here."""

    workspace: Workspace
    ledger: Ledger
    person: str
    plan: dict[str, Any]

    @property
    def traces(self) -> list[Traces]:
        """Where to look, one for each cohort in which they are or were; and by the digests of their recordings and by their own
        name in tables of what a service answered, which know no cohort."""
        by_cohort: dict[str, list[dict[str, Any]]] = {}
        for one in self.plan["recordings"]:
            if one["cohort"]:
                by_cohort.setdefault(one["cohort"], []).append(one)
        person, digests = frozenset({self.person}), frozenset(self.recordings)
        by_digest = [Traces("", frozenset(TASKS), frozenset(), digests, person)] if digests else []
        return [
            *(
                Traces(
                    cohort,
                    self._tasks(cohort),
                    frozenset(o["patient"] for o in own),
                    frozenset(o["recording"] for o in own),
                    person,
                )
                for cohort, own in sorted(by_cohort.items())
            ),
            *by_digest,
        ]

    @property
    def recordings(self) -> set[str]:
        """The digests by which the lineage knows their recordings."""
        return {one["digest"] for one in self.plan["recordings"]}

    def _tasks(self, cohort: str) -> frozenset[str]:
        return frozenset(task for task in TASKS if self.workspace.of(task).cohort_name == cohort)

    @property
    def files(self) -> list[dict[str, str]]:
        """Each file of their recordings as it lay here at the plan: `path` below the workspace, `sha256`, `md5`."""
        return [file for one in self.plan["recordings"] for file in one["files"]]

    @property
    def md5s(self) -> list[str]:
        """What DVC calls these files; one that lies in two cohorts stands twice."""
        return [file["md5"] for file in self.files if file["md5"] not in OF_NOTHING]

    @property
    def digests(self) -> set[str]:
        """SHA-256 and MD5 of these files together: either tells a copy."""
        return {file[kind] for file in self.files for kind in ("sha256", "md5")} - OF_NOTHING

    @property
    def unfinished(self) -> Path:
        """Where pieces and doomed objects are noted until nothing of them is left."""
        name = person_subject(self.person).digest[:16]
        return self.workspace.root / "reports" / REPORTS_OF_WITHDRAWALS / f".unfinished-{name}.json"


def payloads_of(case: Case) -> list[str]:
    """What the ledger still says in full of this person's recordings: answers, verdicts on them, why one was put aside."""
    return [digest for digest in payloads_ever(case) if case.ledger.payload(digest) is not None]


def payloads_ever(case: Case) -> dict[str, list[int]]:
    """What it ever said of them, erased or not, and the numbers of the lines that said it."""
    ledger = case.ledger
    recordings = case.recordings
    entries = [e for digest in sorted(recordings) for e in ledger.entries(subject_digest=digest)]
    kept = [
        e for e in entries if e.type.startswith("prediction.") or e.type in ("recording.quarantined", "label.arrived")
    ]
    answered = {s.digest for e in kept for s in e.subjects if s.kind == "prediction"}
    about = [e for digest in sorted(answered) for e in ledger.entries(subject_digest=digest)]
    said: dict[str, list[int]] = {}
    for entry in sorted([*kept, *about], key=lambda e: e.seq):
        if entry.payload_digest:
            said.setdefault(entry.payload_digest, []).append(entry.seq)
    return said


def answers_of(case: Case) -> list[Path]:
    """Saved answers about this person's recordings."""
    recordings = case.recordings
    found = []
    for path in sorted((case.workspace.root / "reports").rglob("*.json")):
        text = path.read_text(errors="replace")
        if '"recording_digest"' in text and any(digest in text for digest in recordings):
            said = json.loads(text)
            if isinstance(said, dict) and said.get("recording_digest") in recordings:
                found.append(path)
    return found


def facts_of(case: Case) -> int:
    """How many rows a service keeps of answers about their recordings; none where there never was a service."""
    return kept_of(case.ledger.engine, case.recordings) if has_facts(case.ledger.engine) else 0


def unfinished(case: Case) -> dict[str, Any]:
    """What earlier runs noted: pieces of the bytes, objects and lists that are still to go, and how many runs began."""
    empty: dict[str, Any] = {"pieces": [], "doomed": [], "lists": [], "runs": 0}
    return {**empty, **(read_json(case.unfinished) if case.unfinished.exists() else {})}


def note_pieces(case: Case) -> None:
    """Keep a few pieces of the bytes until they have been looked for: afterwards there is nothing to look for them by."""
    here = [case.workspace.root / file["path"] for file in case.files]
    pieces = {piece.hex() for path in here if path.is_file() for piece in pieces_of(path)}
    noted = unfinished(case)
    write_json(case.unfinished, {**noted, "pieces": sorted({*noted["pieces"], *pieces})})


def note_run(case: Case) -> None:
    """Count the runs that begin to take something out: what one that was cut off took is in no other's numbers."""
    noted = unfinished(case)
    write_json(case.unfinished, {**noted, "runs": noted["runs"] + 1})


def note(case: Case, change: Change) -> None:
    """Keep which objects are to be deleted until they are: their lists may be gone already when this is run again."""
    noted = unfinished(case)
    more = {"doomed": sorted({*noted["doomed"], *change.doomed}), "lists": sorted({*noted["lists"], *change.renamed})}
    write_json(case.unfinished, {**noted, **more})
