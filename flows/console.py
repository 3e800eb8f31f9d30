"""Open the auditor's pages over a workspace: the console is given its questions and its one decision, and served here."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from console.acts import Acts, Proof, Room, Standing, Wish
from console.app import serve
from flows import audit, audit_impact, records
from flows.approve import approve_shown, record_to_sign
from flows.promote import approval_path, list_candidates
from flows.workspace import TASKS, Workspace, open_workspace
from lineage.approvals import Approval, NotApproved, read_revocations, refusals
from lineage.digest import sha256_file
from lineage.keys import People
from lineage.refused import Refused
from serving.store import NotInForce, read_pointer
from serving.terms import revocations_folder


def open_console(port: int) -> None:
    """Serve the console of the workspace on this machine until it is stopped."""
    serve(room_of(open_workspace()), port)


def room_of(workspace: Workspace) -> Room:
    """The workspace as the console sees it; refuses one without a ledger."""
    if not workspace.ledger.exists():
        raise Refused(
            "this workspace has no ledger, so there is nothing to look at: run `ictal demo`, or `ictal check`"
        )
    acts = Acts(
        standings=lambda now: standings(workspace, now),
        card=lambda digest: _card(workspace, digest),
        why=audit.why,
        verify=audit.verify_ledger,
        impact=audit_impact.impact,
        record=_record,
        sign=_sign,
    )
    return Room(
        records.open_ledger(workspace),
        acts,
        workspace.root / "reports",
        demo=workspace.is_demo,
        made=workspace.marker["made"],
    )


def standings(workspace: Workspace, now: datetime) -> list[Standing]:
    """Every candidate with its approval and what speaks against it at `now`, in the order of the tasks."""
    people = People.read(workspace.keys)
    found = [_standing(workspace.of(c["task"]), c, people, now) for c in list_candidates()["candidates"]]
    order = list(TASKS)
    return sorted(found, key=lambda s: (order.index(s.candidate["task"]), not s.pointed_at, s.name))


def _standing(workspace: Workspace, candidate: dict[str, Any], people: People, now: datetime) -> Standing:
    standing = Standing(
        candidate, pages=dict(_pages(workspace, candidate)), pointed_at=_pointed_at(workspace, candidate)
    )
    path = approval_path(workspace, candidate)
    if not path.exists():
        return replace(standing, against=("nobody has signed it",))
    try:
        approval = Approval.read(path)
        against = _against(workspace, approval, people, now)
    except (ValueError, NotApproved) as error:
        return replace(standing, against=(str(error),))
    return replace(standing, approval=approval, against=tuple(against))


def _against(workspace: Workspace, approval: Approval, people: People, now: datetime) -> list[str]:
    """What the service would say, for the first site of the scope."""
    return refusals(
        approval,
        people,
        site=approval.record.scope.sites[0],
        now=now,
        bundle_digest=approval.record.bundle_digest,
        revoked=read_revocations(revocations_folder(workspace.root)),
        allow_demo=workspace.is_demo,
    )


def _pointed_at(workspace: Workspace, candidate: dict[str, Any]) -> bool:
    with suppress(NotInForce):
        return read_pointer(workspace.root, workspace.task).bundle == candidate["candidate"]
    return False


def _pages(workspace: Workspace, candidate: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The card and the reports of the evaluation, where they are there, by the addresses that the console gives them."""
    if _card_path(workspace, candidate).exists():
        yield "Model card", f"/models/{candidate['candidate']}/card"
    for text, name in (("Evaluation", f"{candidate['detector']}.html"), ("All detectors", "index.html")):
        path = workspace.reports / "evaluation" / name
        if path.exists():
            yield text, f"/reports/{path.relative_to(workspace.root / 'reports').as_posix()}"


def _card(workspace: Workspace, digest: str) -> str | None:
    """The card that the signers were shown, as long as it is still that one; else the one inside the signed bundle."""
    for candidate in list_candidates()["candidates"]:
        if candidate["candidate"] == digest:
            path = _card_path(workspace.of(candidate["task"]), candidate)
            if path.exists() and sha256_file(path) == candidate["evidence"]["card"]:
                return path.read_text()
            inside = workspace.store / "bundles" / digest / "card.md"
            return inside.read_text() if inside.exists() else None
    return None


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
