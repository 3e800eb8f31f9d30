"""Open the auditor's pages over a workspace: the console is given its questions and its one decision, and served here."""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from console.acts import Acts, Candidate, Proof, Room, Wish
from console.app import serve
from flows import audit, audit_impact, evidence, records, rehearsals
from flows.approvals import list_approvals
from flows.approve import approve_shown, record_to_sign
from flows.audit_why import why
from flows.authenticate import attested
from flows.compare import compare_shadow
from flows.look import put_aside, shelves, where_seen
from flows.look import recorded as recorded_in
from flows.promote import list_candidate, list_candidates
from flows.workspace import TASKS, Workspace, open_workspace
from lineage.approvals import NotApproved, Revocation, check, read_revocations, recorded
from lineage.digest import Digest, sha256_file
from lineage.ledger import Ledger
from lineage.people import People
from lineage.refused import Refused
from lineage.run_history import runs_in
from serving.auth import open_keys, sites_of
from serving.store import NotInForce, read_pointer
from serving.terms import Terms, revocations_folder

SHADOWS_COMPARED, SHADOWS_SHOWN = 1000, 100
"""Of how many recordings a page compares a shadow, and how many of those in which it differs it shows."""


def open_console(port: int) -> None:
    """Serve the console of the workspace on 127.0.0.1 until it is stopped."""
    serve(room_of(open_workspace()), port)


def room_of(workspace: Workspace) -> Room:
    """The workspace as the console sees it; refuses one without a ledger."""
    if not workspace.has_ledger:
        raise Refused(
            "this workspace has no ledger, so there is nothing to look at: run `ictal demo`, or `ictal check`"
        )
    acts = Acts(
        candidates=lambda now: candidates(workspace, now),
        candidate=lambda digest, now: candidate(workspace, digest, now),
        card=lambda digest: _card(workspace, digest),
        evaluation=partial(_evaluation, workspace),
        why=why,
        verify=audit.verify_ledger,
        impact=audit_impact.impact,
        shadow=partial(compare_shadow, examples=SHADOWS_SHOWN, newest=SHADOWS_COMPARED),
        shelves=partial(shelves, workspace),
        put_aside=partial(put_aside, workspace),
        recording=partial(recorded_in, workspace),
        seen=partial(where_seen, workspace),
        runs=lambda: runs_in(workspace.run_events),
        approvals=lambda: list_approvals()["approvals"],
        sites=lambda: _sites(workspace),
        rehearsal=partial(rehearsals.kept, workspace),
        record=_record,
        sign=_sign,
    )
    return Room(
        records.open_ledger(workspace),
        acts,
        workspace.root / "reports",
        demo=workspace.is_demo,
        made=workspace.marker["made"],
        run_server=run_server(os.environ),
    )


def run_server(environment: Mapping[str, str]) -> str:
    """Where a Prefect server shows its runs: PREFECT_UI_URL, or beside PREFECT_API_URL; empty where neither is an address.
    Without the name and password that it may hold: pages show it."""
    named = environment.get("PREFECT_UI_URL") or environment.get("PREFECT_API_URL", "").removesuffix("/").removesuffix(
        "/api"
    )
    scheme, _, place = named.removesuffix("/").partition("://")
    host, *path = place.split("/")
    return f"{scheme}://{'/'.join([host.rpartition('@')[2], *path])}" if scheme in ("http", "https") else ""


def _sites(workspace: Workspace) -> set[str]:
    """Every site that was ever given a key here; looking makes no store of keys."""
    known = (workspace.root / "jobs" / "serving.db").exists() or not isinstance(workspace.ledger_place, Path)
    return sites_of(open_keys(workspace.root)) if known else set()


def candidates(workspace: Workspace, now: datetime) -> list[Candidate]:
    """Every candidate with its approval and what speaks against it at `now`, in the order of the tasks."""
    asked = _Asked.of(workspace, now)
    found = [_candidate(workspace.of(c["task"]), c, asked) for c in list_candidates()["candidates"]]
    order = list(TASKS)
    return sorted(found, key=lambda c: (order.index(c.proposed["task"]), not c.pointed_at, c.name))


def candidate(workspace: Workspace, digest: Digest, now: datetime) -> Candidate | None:
    """The same of one alone, whatever else was proposed; None where there is no such candidate."""
    proposed = list_candidate(workspace, digest)
    if proposed is None:
        return None
    return _candidate(workspace.of(proposed["task"]), proposed, _Asked.of(workspace, now))


@dataclass(frozen=True)
class _Asked:
    """What is the same for all candidates, asked once: a year of retrainings proposes hundreds."""

    now: datetime
    ledger: Ledger
    people: People
    revocations: Path
    in_force: Mapping[str, Digest]
    """The bundle to which services are pointed, by task."""

    @classmethod
    def of(cls, workspace: Workspace, now: datetime) -> "_Asked":
        in_force = {}
        for task in TASKS:
            with suppress(NotInForce):
                in_force[task] = read_pointer(workspace.root, task).bundle
        folder = revocations_folder(workspace.root)
        return cls(now, records.open_ledger(workspace), attested(workspace), folder, in_force)

    @cached_property
    def revoked(self) -> tuple[Revocation, ...]:
        """What was revoked; NotApproved, which then stands against every candidate, where that cannot be read."""
        return read_revocations(self.revocations)


def _candidate(workspace: Workspace, proposed: dict[str, Any], asked: _Asked) -> Candidate:
    is_pointed_at = asked.in_force.get(workspace.task) == proposed["candidate"]
    found = Candidate(proposed, pages=dict(_pages(workspace, proposed)), pointed_at=is_pointed_at)
    if not proposed["record"]:
        return replace(found, against=(proposed["ended"] or "nobody has signed it",))
    try:
        found = replace(found, approval=recorded(asked.ledger, proposed["record"]))
        _check(workspace, found, asked)
    except (NotApproved, NotInForce) as refused:
        return replace(found, against=tuple(refused.reason.split("; ")))
    return found


def _check(workspace: Workspace, candidate: Candidate, asked: _Asked) -> None:
    """What a service checks, for the first site of the scope, where one is pointed at the candidate; else its approval
    alone."""
    if candidate.pointed_at:
        terms = Terms.read(workspace.root, workspace.task)
        terms.check(terms.any_site, asked.now, workspace.is_demo)
        return
    assert candidate.approval is not None
    check(
        candidate.approval,
        asked.people,
        site=candidate.approval.record.scope.sites[0],
        now=asked.now,
        bundle_digest=candidate.digest,
        revoked=asked.revoked,
        allow_demo=workspace.is_demo,
    )


def _pages(workspace: Workspace, candidate: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The card and the evaluation that were kept for the signers, by the addresses that the console gives them; then the
    pages that the last run left, which may be of another model."""
    digest, detector = candidate["candidate"], candidate["detector"]
    if _card_path(workspace, candidate).exists():
        yield "Model card", f"/models/{digest}/card"
    kept = evidence.evidence_folder(workspace, candidate) / evidence.PAGE
    if kept.exists():
        yield "Evaluation", f"/models/{digest}/evaluation/{detector}.html"
    newest = workspace.reports / "evaluation" / f"{detector}.html"
    if newest.exists() and not (kept.exists() and kept.read_bytes() == newest.read_bytes()):
        yield "Last evaluation, not of this model as proposed", _address(workspace, newest)
    if (every := newest.with_name("index.html")).exists():
        yield "All detectors, last evaluation", _address(workspace, every)


def _address(workspace: Workspace, page: Path) -> str:
    return f"/reports/{page.relative_to(workspace.root / 'reports').as_posix()}"


def _evaluation(workspace: Workspace, digest: str, name: str) -> bytes | None:
    """The page of the evaluation that the signers were shown, or the report or the card to which it leads, by the name
    that they had when it was made."""
    candidate = list_candidate(workspace, digest)
    if candidate is None:
        return None
    detector, own = candidate["detector"], workspace.of(candidate["task"])
    named = {".html": evidence.PAGE, ".json": evidence.REPORT, ".card.md": evidence.CARD}
    kept = {f"{detector}{ending}": file for ending, file in named.items()}.get(name)
    ledger = records.open_ledger(workspace)
    return evidence.shown_to_signers(own, ledger, candidate, kept) if kept else None


def _card(workspace: Workspace, digest: str) -> str | None:
    """The card that the signers were shown, as long as it is still that one; else the one inside the signed bundle."""
    candidate = list_candidate(workspace, digest)
    if candidate is None:
        return None
    path = _card_path(workspace.of(candidate["task"]), candidate)
    if path.exists() and sha256_file(path) == candidate["evidence"]["card"]:
        return path.read_text()
    inside = workspace.store / "bundles" / digest / "card.md"
    return inside.read_text() if inside.exists() else None


def _card_path(workspace: Workspace, candidate: dict[str, Any]) -> Path:
    return workspace.reports / "evaluation" / f"{candidate['detector']}.card.md"


def _record(wish: Wish) -> Any:
    return record_to_sign(wish.candidate, wish.meaning, _deviations(wish), wish.begins)


def _sign(wish: Wish, proof: Proof, shown: str) -> dict[str, Any]:
    return approve_shown(
        wish.candidate, proof.person, proof.passphrase, proof.code, wish.meaning, _deviations(wish),
        begins=wish.begins, shown=shown, now=datetime.now(UTC),
    )  # fmt: skip


def _deviations(wish: Wish) -> list[str]:
    return [f"{d.gate}={d.justification}" for d in wish.deviations]
