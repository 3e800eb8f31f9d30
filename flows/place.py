"""Which approved model answers where: in force, back to the one before, at some sites, or beside. None of it signs anything.

Whatever is placed here has two people's signatures that are in force at this moment, and a service looks at them again.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flows import records, rehearsals
from flows.authenticate import attested, operator
from flows.evidence import evidence_signed
from flows.promote import approval_path, find_candidate, is_pointed_at
from flows.stages.champions import keep_evaluation, name_champion
from flows.workspace import TASKS, Workspace, open_workspace
from lineage import deployments
from lineage.approvals import Approval, check, read_revocations, recorded
from lineage.digest import Digest, digest_of
from lineage.entries import Entry
from lineage.ledger import Actor, Draft, Subject
from lineage.lifecycle import IN_FORCE, Lifecycle, Standing, Steps, standing
from lineage.people import People
from lineage.refused import Refused
from models import detectors
from serving.store import NotInForce, import_bundle, pointer_path, read_pointer, write_pointer
from serving.terms import revocations_folder


def deploy_approved(digest: str, now: datetime | None = None) -> dict[str, Any]:
    """Put in force what two people have approved, where that was cut off or put off after the last signature, or where
    it was rolled back since. Ends what is on trial for its task.

    Refused where `digest` does not begin exactly one candidate's, StepSkipped where it is not approved, NotApproved
    where its approval is not in force at `now` (None: this moment).
    """
    now = now or datetime.now(UTC)
    workspace, candidate = _candidate(digest)
    state = candidate["state"]
    if state != "deployed" or is_pointed_at(workspace, candidate["candidate"]):
        state = Lifecycle(state).advance("deployed").state
    path = _approved(workspace, candidate["record"], approval_path(workspace, candidate), now)
    put_in_force(workspace, candidate, path, now, operator())
    text = f"candidate {candidate['candidate'][:12]} is {state}, as two people have approved"
    return {"candidate": candidate["candidate"], "state": state, "record": candidate["record"], "text": text}


def put_in_force(
    workspace: Workspace,
    candidate: dict[str, Any],
    approval_path: Path,
    now: datetime,
    actor: Actor = records.PIPELINE,
    reason: str = "",
    *,
    type: str = "deployment.promoted",
) -> None:
    """Import an approved bundle into the BentoML store and point at it; services follow within seconds.

    Of a detector the evaluation that was signed is what the next challenger is held against: refused without it.
    """
    bundle = candidate["candidate"]
    if workspace.task == "detection":
        signed = Approval.read(approval_path).record.evidence["evaluation"]
        keep_evaluation(workspace, bundle, evidence_signed(workspace, approval_path), signed)
    _place(workspace, "in_force", type, bundle, approval_path, now, actor, reason)
    if workspace.task == "detection":
        name_champion(workspace, bundle, candidate["detector"])


def roll_back(task: str, reason: str, now: datetime | None = None) -> dict[str, Any]:
    """Put the model that was in force before back, if its approval still is. Going back twice goes two models back.

    Refused where there was none before, and with the reason where it may not answer any more: none further back is
    tried, for that is somebody's choice (`deploy_approved`).
    """
    now = now or datetime.now(UTC)
    check_reason(reason)
    workspace = _of_task(task)
    before = _before(workspace)
    if before is None:
        raise Refused(f"no other model was in force for {task} before: `ictal revoke` stops the one that is")
    path = workspace.root / before["approval"]
    _refuse_ended(workspace, before["bundle"], before["record"])
    _approved(workspace, before["record"], path, now)
    name = before["tag"].split(":")[0]
    back = {"candidate": before["bundle"], "detector": name}
    put_in_force(workspace, back, path, now, operator(), reason, type="deployment.rolled_back")
    text = f"{name} {before['bundle'][:12]} is in force again for {task}: {reason}"
    return {"task": task, "candidate": before["bundle"], "record": before["record"], "text": text}


def begin_canary(digest: str, sites: list[str], reason: str, now: datetime | None = None) -> dict[str, Any]:
    """Have an approved model answer at these sites only; the others keep the one in force. A line in the ledger.
    Refused without a site, for one that its approval does not cover, and as `begin_shadow` is."""
    if not sites:
        raise Refused("a canary answers at some sites: name them with --sites")
    return _begin("canary", digest, reason, now, sites=tuple(sites))


def begin_shadow(digest: str, share: float, reason: str, now: datetime | None = None) -> dict[str, Any]:
    """Ask an approved model beside the one in force about a share (above 0, at most 1) of the recordings; no site sees
    what it says. A line in the ledger. Refused for any other share, without a reason, for a model without two
    signatures in force, and where no other model is in force."""
    if not 0 < share <= 1:
        raise Refused(f"a shadow is asked about a share of the recordings above 0 and at most 1, got {share:g}")
    return _begin("shadow", digest, reason, now, share=share)


def end_trials(task: str, reason: str) -> dict[str, Any]:
    """End canary and shadow of a task without another model in force. Refused without a reason, for an unknown task,
    and where nothing is on trial."""
    check_reason(reason)
    workspace = _of_task(task)
    ledger = records.open_ledger(workspace)
    going = {kind: trial.bundle for (kind, of), trial in deployments.deployments(ledger).trials.items() if of == task}
    if not going:
        raise Refused(f"nothing is on trial for {task}")
    ledger.append_many([Draft("deployment.ended", operator(), deployments.what(task), reason)])
    ended = ", ".join(f"{kind} {bundle[:12]}" for kind, bundle in going.items())
    return {"task": task, "ended": going, "text": f"ended: {ended}"}


REASON_SIGNS = 200


def check_reason(reason: str) -> None:
    """Sites may read it, and the ledger keeps it for good: refused unless it has 1 to `REASON_SIGNS` signs."""
    if not reason.strip() or len(reason) > REASON_SIGNS:
        raise Refused(f"say why in 1 to {REASON_SIGNS} signs, without naming a patient: give --reason")


def _begin(
    kind: str,
    digest: str,
    reason: str,
    now: datetime | None,
    sites: tuple[str, ...] = (),
    share: float | None = None,
) -> dict[str, Any]:
    now = now or datetime.now(UTC)
    check_reason(reason)
    workspace, candidate = _candidate(digest)
    bundle, record = candidate["candidate"], candidate["record"]
    if candidate["state"] not in IN_FORCE:
        raise Refused(
            f"a {kind} reads patients' recordings, so it needs two people's signatures as any model: candidate "
            f"{bundle[:12]} is {candidate['state']}; `ictal approve --hold`"
        )
    current = _bundle_in_force(workspace)
    if current in ("", bundle):
        raise Refused(f"a {kind} runs beside another model in force: " + ("this one is" if current else "none is"))
    path = _approved(workspace, record, approval_path(workspace, candidate), now)
    scope = Approval.read(path).record.scope
    if outside := [site for site in sites if not scope.covers_site(site)]:
        raise Refused(f"the approval does not cover {', '.join(outside)}: it is for {', '.join(scope.sites)}")
    _place(workspace, kind, f"deployment.{kind}", bundle, path, now, operator(), reason, sites, share)
    where = f"answers at {', '.join(sites)}" if sites else f"is asked beside, about {share:.0%} of the recordings"
    text = f"{kind} {candidate['detector']} {bundle[:12]} {where}: {reason}"
    return {"task": workspace.task, "candidate": bundle, "sites": list(sites), "share": share, "text": text}


def _candidate(digest: str) -> tuple[Workspace, dict[str, Any]]:
    """A candidate that goes on, with the workspace of its task."""
    workspace = open_workspace()
    candidate = find_candidate(workspace, digest)
    Standing(Lifecycle(candidate["state"]), candidate["record"], candidate["ended"]).refuse_ended()
    return workspace.of(candidate["task"]), candidate


def _of_task(task: str) -> Workspace:
    if task not in TASKS:
        raise Refused(f"no task {task[:30]!r}; tasks are {', '.join(TASKS)}")
    return open_workspace().of(task)


def _approved(workspace: Workspace, record: Digest, path: Path, now: datetime) -> Path:
    """The approval's file, written again as the ledger has it; refuses one that was edited, or is not in force now."""
    approval = recorded(records.open_ledger(workspace), record)
    refuse_edited(path, approval)
    check_in_force(workspace, approval, attested(workspace), now)
    approval.write(path)
    return path


def _refuse_ended(workspace: Workspace, bundle: Digest, record: Digest) -> None:
    stands = standing(Steps(records.open_ledger(workspace)), bundle, record)
    if stands.ended:
        raise Refused(f"the model before ({bundle[:12]}) may not answer any more: it was {stands.ended}")


def _place(
    workspace: Workspace,
    place: str,
    type: str,
    bundle: Digest,
    approval: Path,
    now: datetime,
    actor: Actor,
    reason: str = "",
    sites: tuple[str, ...] = (),
    share: float | None = None,
) -> None:
    """Import the bundle, point at it, and say so. A trial counts from its line on, which names its bundle."""
    tag = import_bundle(workspace.root, workspace.store / "bundles" / bundle)
    pointer = write_pointer(
        workspace.root, bundle=bundle, tag=tag, approval=approval, now=now, task=workspace.task, place=place
    )
    record = Approval.read(approval).record
    ledger, answered = records.open_ledger(workspace), sites or record.scope.sites
    deployment = Subject("deployment", ", ".join(answered), digest_of(vars(pointer)))
    rests_on = rehearsals.rehearsed(workspace, ledger, answered)
    what = deployments.what(workspace.task, sites=sites, share=share)
    subjects = (deployment, *what, *rehearsals.subjects_of(rests_on))
    edges = (
        *deployments.edges(deployment.digest, bundle, record.digest),
        *rehearsals.edges_of(deployment.digest, rests_on),
    )
    ledger.append_many([Draft(type, actor, subjects, reason, vars(pointer), edges)])


def _bundle_in_force(workspace: Workspace) -> Digest:
    """What is pointed at, whether or not it may answer; empty where nothing ever was. Refuses a pointer that cannot be
    trusted: what was in force before is not known without knowing what is."""
    if not pointer_path(workspace.root, workspace.task).exists():
        return ""
    try:
        return read_pointer(workspace.root, workspace.task).bundle
    except NotInForce as error:
        raise Refused(
            f"{error.reason}, so that it is not known which model answers for {workspace.task}: `ictal deploy promote "
            "CANDIDATE` points at the one that is to, and signs that anew"
        ) from error


def _before(workspace: Workspace) -> dict[str, Any] | None:
    """The pointer, with its `record`, to the model that was in force before the present one; None where there was none.

    Each roll-back takes the model away that it went back from. Where pointing to a new model was cut off before its line in the
    ledger, the ledger's last model is the one before; where it was to one that had been in force, it is refused, as nobody can
    tell whether that was a roll-back.
    """
    stack: list[dict[str, Any]] = []
    for pointer in _pointers(workspace):
        back = [at for at, known in enumerate(stack) if known["bundle"] == pointer["bundle"]]
        if pointer["rolled_back"] and back:
            stack = stack[: back[-1]]
        elif stack and stack[-1]["bundle"] == pointer["bundle"]:
            stack.pop()  # the same model under another approval
        stack.append(pointer)
    now = _bundle_in_force(workspace)
    if stack and stack[-1]["bundle"] == now:
        stack.pop()
    elif any(known["bundle"] == now for known in stack):
        raise Refused(
            f"model {now[:12]} is pointed at, and the ledger's last word is {stack[-1]['bundle'][:12]}: pointing was cut off. "
            "`ictal deploy promote CANDIDATE` says which of them is to answer"
        )
    return stack[-1] if stack else None


def _pointers(workspace: Workspace) -> Iterator[dict[str, Any]]:
    ledger = records.open_ledger(workspace)
    for line in ledger.entries(deployments.IN_FORCE):
        pointer = ledger.payload(line.payload_digest)
        if pointer is not None and _task_of(line, pointer) == workspace.task:
            rolled_back = line.type == "deployment.rolled_back"
            yield {**pointer, "record": deployments.of_line(line)[1], "rolled_back": rolled_back}


def _task_of(line: Entry, pointer: dict[str, Any]) -> str:
    """Lines of earlier versions do not name the task; the detector does."""
    named = deployments.named(line, deployments.TASK)
    return named[0] if named else str(detectors.facts(pointer["tag"].split(":")[0])["task"])


def check_in_force(workspace: Workspace, approval: Approval, people: People, now: datetime) -> None:
    """The very check that a service makes, for the first site of the scope; NotApproved says what stands against it."""
    check(
        approval,
        people,
        site=approval.record.scope.sites[0],
        now=now,
        bundle_digest=approval.record.bundle_digest,
        revoked=read_revocations(revocations_folder(workspace.root)),
        allow_demo=workspace.is_demo,
    )


def refuse_edited(path: Path, approval: Approval) -> None:
    """The file may lack the last signature, where writing it was cut off; refused where it holds anything else than the
    ledger, or cannot be read. One that is not there is written anew by whoever asks."""
    if not path.exists():
        return
    try:
        kept = Approval.read(path)
    except ValueError as error:
        raise Refused(f"the approval in store/approvals/{path.name[:12]}… cannot be read: move it away") from error
    if kept.record != approval.record or kept.signatures != approval.signatures[: len(kept.signatures)]:
        raise Refused(f"the approval in store/approvals/{path.name[:12]}… is not what was signed: move it away")
