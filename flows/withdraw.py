"""A patient takes consent back: nobody learns from them from now on, their bytes go everywhere, and it is accounted for.

First the line in the ledger, by which every stage leaves them out; then models are decided on; then files, DVC's objects
and payloads go. Every step may be done twice, so that a run that was stopped is finished by running it again.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flows import books, register
from flows.approve import revoke_model
from flows.audit_impact import NEVER_PROPOSED, impact_of, withdrawals
from flows.authenticate import operator
from flows.backup import backups_holding
from flows.consent import withdrawn
from flows.dvc_objects import Change, changed, delete, refuse_while_running, rewrite_locks
from flows.dvc_stores import Stores, Unreached
from flows.listing import SHOWN
from flows.patients import Patient, find_patient
from flows.progress import on_terminal, shown
from flows.records import PIPELINE, person_subject
from flows.searching import both_digests, search
from flows.stages.files import read_json
from flows.taking_out import forget_scratch, take_out
from flows.traces import relative
from flows.withdrawal_case import (
    Case,
    answers_of,
    facts_of,
    note,
    note_pieces,
    note_run,
    payloads_ever,
    payloads_of,
    unfinished,
)
from flows.withdrawal_report import backups_in_words, enter, in_words, report_of, reported, save
from flows.workspace import Workspace, keep, open_workspace
from lineage import dsse, graph
from lineage.digest import digest_of
from lineage.ledger import Draft, Edge, Entry, Ledger, Subject
from lineage.refused import Refused
from serving.facts import forget, has_facts

DECISIONS = ("keep", "retrain", "withdraw")

Ask = Callable[[dict[str, Any]], str]
"""What is to become of a model, asked of whoever is there."""

STEPS = 5
"""Of a withdrawal, as its progress counts them."""

Components = Callable[[str], tuple[str, str]]
"""Passphrase and code of a person, typed now."""


def withdraw(
    patient: str,
    reason: str,
    decisions: Mapping[str, str],
    *,
    signer: str | None = None,
    components: Components | None = None,
    ask: Ask | None = None,
    dry_run: bool = False,
    limit: int | None = SHOWN,
) -> dict[str, Any]:
    """Carry out a withdrawal of consent, or finish one that was begun; `dry_run` only says what would go.

    `decisions` say of each model (digest or its beginning, detector, or `all`) keep, retrain or withdraw; of proposed
    models that are not named `ask` is asked. What is withdrawn is revoked by `signer`, who gives both `components`.
    `limit`: of how many predictions about them a dry run tells (None: of all).

    Refused without a reason, for an unknown patient, while DVC runs a stage, as by `decide`, and where a remote of DVC
    cannot be reached: then the line stands in the ledger and nothing is taken out yet.
    """
    workspace = open_workspace()
    ledger = books.books_of(workspace)
    refuse_while_running(workspace)
    found = find_patient(workspace, ledger, patient)
    begun = _begun(workspace, ledger, found.person)
    case = Case(workspace, ledger, found.person, _plan(workspace, ledger, found, reason, begun))
    if dry_run:
        with on_terminal():
            return _what_would_go(case, limit)
    register.platform_key(workspace)
    if begun is None:
        _refuse_unreasoned(reason)
        decided = decide(case.plan["impact"]["models"], decisions, ask)
        _refuse_unsigned(decided, signer)
        case.plan["decisions"] = decided
        note_pieces(case)
        _record(case)
    note_pieces(case)
    unrevoked = _revoke(case, signer, components)
    stores = Stores.of(workspace)
    _refuse_unreached(stores)
    with on_terminal():
        return _finish(case, stores, begun is None, unrevoked)


def decide(models: list[dict[str, Any]], decisions: Mapping[str, str], ask: Ask | None) -> list[dict[str, Any]]:
    """A decision for every model. What was never proposed is fitted anew by the next training if it learnt from them.
    Refused for a word that is none of `DECISIONS`, for a proposed model of which nobody says, and for `withdraw` of one
    that was never proposed."""
    unknown = {choice for choice in decisions.values() if choice not in DECISIONS}
    if unknown:
        raise Refused(f"a decision is {', '.join(DECISIONS)}; got {', '.join(sorted(unknown))[:40]}")
    made = []
    for model in models:
        choice = _named(model, decisions)
        if choice is None and model["state"] == NEVER_PROPOSED:
            choice = "keep" if model["role"].startswith("tested") else "retrain"
        if choice is None and ask is not None:
            choice = ask(model)
        if choice not in DECISIONS:
            raise Refused(
                f"{model['label']} {model['digest'][:12]} ({model['role']}; {model['state']}) needs a decision: "
                f"--decision {model['digest'][:12]}=keep, =retrain or =withdraw"
            )
        if choice == "withdraw" and model["state"] == NEVER_PROPOSED:
            raise Refused(
                f"{model['label']} {model['digest'][:12]} was {NEVER_PROPOSED}, so it is in force nowhere: keep or retrain it"
            )
        made.append({name: model[name] for name in ("digest", "label", "role", "state")} | {"decision": choice})
    return made


def _named(model: dict[str, Any], decisions: Mapping[str, str]) -> str | None:
    """The decision that names this model most closely."""
    by_digest = [c for name, c in decisions.items() if len(name) >= 6 and model["digest"].startswith(name)]
    by_detector = [c for name, c in decisions.items() if name == model["label"].split()[0]]
    return next(iter([*by_digest, *by_detector, *([decisions["all"]] if "all" in decisions else [])]), None)


def _begun(workspace: Workspace, ledger: Ledger, person: str) -> Entry | None:
    """The withdrawal that is in force for this person, if there is one."""
    said = withdrawals(ledger, person) if person in withdrawn(workspace).persons else []
    return said[-1] if said else None


def _plan(workspace: Workspace, ledger: Ledger, found: Patient, reason: str, begun: Entry | None) -> dict[str, Any]:
    """What the ledger keeps of a withdrawal: pseudonyms, digests and decisions, by which it can be finished at any time."""
    earlier = ledger.payload(begun.payload_digest) if begun else None
    here = [
        {**one.in_short(), "files": [_digests(workspace, file) for file in one.files]}
        for one in found.recordings
        if one.files or begun is None
    ]
    if earlier is None:
        impact = {k: v for k, v in impact_of(ledger, found).items() if k != "text"}
        return {"person": found.person, "reason": reason, "recordings": here, "impact": impact, "decisions": []}
    known = {(one["cohort"], one["digest"]) for one in earlier["recordings"]}
    new = [one for one in here if (one["cohort"], one["digest"]) not in known]
    return {**earlier, "recordings": [*earlier["recordings"], *new]}


def _digests(workspace: Workspace, file: Path) -> dict[str, str]:
    sha256, md5 = both_digests(file)
    return {"path": str(relative(file, workspace.root)), "sha256": sha256, "md5": md5}


def _refuse_unreasoned(reason: str) -> None:
    if not reason.strip():
        raise Refused(
            "a withdrawal needs a reason that stands in the ledger: --reason 'letter of the guardian, 2026-11-20'"
        )


def _refuse_unsigned(decided: list[dict[str, Any]], signer: str | None) -> None:
    taken_back = [d["label"] for d in decided if d["decision"] == "withdraw"]
    if taken_back and signer is None:
        raise Refused(f"{', '.join(taken_back)} would be revoked, which a person signs: say who with --as PERSON")


def _record(case: Case) -> None:
    """The first of all steps: from here on nobody learns from this person."""
    person, ledger = person_subject(case.person), case.ledger
    plan = case.plan
    subject = Subject("withdrawal", case.person, digest_of([plan, datetime.now(UTC).isoformat()]))
    recordings = {one["digest"]: one["recording"] for one in plan["recordings"]}
    subjects = (subject, person, *(Subject("recording", name, digest) for digest, name in recordings.items()))
    edges = (Edge(subject.digest, "withdraws_consent_of", person.digest),)
    drafts = [Draft("consent.withdrawn", operator(), subjects, plan["reason"], plan, edges)]
    again = [d["label"] for d in plan["decisions"] if d["decision"] == "retrain"]
    if again:
        why = f"consent of a patient was withdrawn: {len(again)} models to be fitted anew"
        drafts.append(Draft("retrain.triggered", PIPELINE, (Subject("retraining", "consent withdrawn"),), why))
    ledger.append_many(drafts)


def _revoke(case: Case, signer: str | None, components: Components | None) -> list[str]:
    """Take back the models that were decided to be withdrawn and are not yet; returns why some could not be.

    What cannot be signed for holds up nothing else: the bytes go all the same.
    """
    refused = []
    for decided in case.plan["decisions"]:
        done = graph.hanging(case.ledger, decided["digest"], ("revokes",))
        if decided["decision"] != "withdraw" or done:
            continue
        if signer is None or components is None:
            refused.append(f"{decided['label']} is still to be revoked, which a person signs: say who with --as PERSON")
            continue
        try:
            revoke_model(decided["digest"], signer, *components(signer), f"consent withdrawn: {case.plan['reason']}")
        except Refused as why:
            refused.append(f"{decided['label']} could not be revoked: {why}")
    return refused


def _what_would_go(case: Case, limit: int | None) -> dict[str, Any]:
    show, stores = shown(), Stores.of(case.workspace)
    show("files looked through", 0, 3)
    taken = take_out(case.workspace, case.traces, act=False)
    show("DVC's objects looked through", 1, 3)
    try:
        change = changed(case.workspace, stores, case.traces, case.md5s, write=False)
    except Unreached as why:
        raise Refused(f"{why}; nothing was changed. Ask again when the remote lets its objects be read") from None
    show("the ledger looked through", 2, 3)
    payloads = payloads_of(case)
    backups = backups_holding(case.ledger, payloads_ever(case))
    would = {
        "files": taken.files, "bytes": taken.size, "lists": taken.lists, "objects": len(change.doomed),
        "lists_of_dvc": len(change.renamed), "payloads": len(payloads), "answers": len(answers_of(case)),
        "facts": facts_of(case), "scratch": forget_scratch(case.workspace, act=False),
        "remotes_not_reached": list(stores.unreached), "backups_that_hold_payloads": backups,
    }  # fmt: skip
    lines = [
        f"would go: {taken.files} files ({taken.size / 1e6:.1f} MB) and rows of {taken.lists} lists; "
        f"{would['objects']} objects and {would['lists_of_dvc']} lists of DVC in {len(stores.all)} stores; "
        f"{would['payloads']} payloads of the ledger, {would['answers']} saved answers, {would['facts']} rows of facts about "
        f"answers, {would['scratch']} files of scratch",
        *(f"remote {name}; while it is so, nothing would be taken out" for name in stores.unreached),
        *backups_in_words(backups),
        "nothing was changed: --withdraw --reason '…' carries it out",
    ]
    impact = impact_of(case.ledger, find_patient(case.workspace, case.ledger, case.person), limit)
    return {**impact, "would_go": would, "text": "\n".join([impact["text"], *lines])}


def _refuse_unreached(stores: Stores) -> None:
    """Nothing is taken out anywhere while a remote cannot be: lists that are rewritten here would be old there."""
    if stores.unreached:
        raise Refused(
            "nothing was taken out yet, because not every remote of DVC can be reached: remote "
            f"{'; remote '.join(stores.unreached)}. The withdrawal stands in the ledger, so that nobody learns from them; "
            "run this again when the remote answers, or when `dvc remote remove` took it away"
        )


def _finish(case: Case, stores: Stores, first: bool, unrevoked: list[str]) -> dict[str, Any]:
    """Everything that goes, goes; then it is looked whether anything is left, and a signed report says so."""
    try:
        return _taken_and_searched(case, stores, first, unrevoked)
    except Unreached as why:
        raise Refused(
            f"{why}. The withdrawal was cut off there and stands in the ledger, so that nobody learns from them; what was "
            "taken out until then is gone. Run this again when the remote lets objects be read, put and deleted"
        ) from None


def _taken_and_searched(case: Case, stores: Stores, first: bool, unrevoked: list[str]) -> dict[str, Any]:
    workspace = case.workspace
    pieces = [bytes.fromhex(piece) for piece in unfinished(case)["pieces"]]
    note_run(case)
    gone = _take_everything(case, stores)
    shown()("every file looked through for what is left", 4, STEPS)
    places, shows = [workspace.root, *stores.folders], {case.person, *case.recordings}
    found = search(places, case.digests, pieces, [case.unfinished], stores.remotes, shows)
    if found.same:  # copies under other names, such as an upload that a killed service left
        for copy in found.same:
            Path(copy).unlink()
        gone["copies"] = len(found.same)
        found = search(places, case.digests, pieces, [case.unfinished], stores.remotes, shows)
    left = changed(workspace, stores, case.traces, case.md5s, write=False)
    earlier = reported(case)
    if not first and earlier and not any(gone.values()) and found.nothing and not (left.renamed or unrevoked):
        done = read_json(earlier)
        enter(case, json.loads(dsse.payload_of(done)))  # where it was cut off between the report and its line
        case.unfinished.unlink(missing_ok=True)
        return _result(case, earlier, json.loads(dsse.payload_of(done)), again=True)
    report = report_of(case, gone, found, left, unrevoked)
    path = save(case, report)
    if report["clean"]:
        case.unfinished.unlink(missing_ok=True)
    return _result(case, path, report, again=False)


def _take_everything(case: Case, stores: Stores) -> dict[str, int]:
    workspace, show = case.workspace, shown()
    show("DVC's lists rewritten", 0, STEPS)
    answers = answers_of(case)
    for path in answers:
        path.unlink()
    change = changed(workspace, stores, case.traces, case.md5s, write=True)
    note(case, change)
    show("files taken out", 1, STEPS)
    taken = take_out(workspace, case.traces, act=True)
    scratch = forget_scratch(workspace, act=True)
    rewrite_locks(workspace, change)
    noted = unfinished(case)
    everything = Change(dict.fromkeys([*change.renamed, *noted["lists"]], ""), {*change.doomed, *noted["doomed"]})
    show("objects deleted", 2, STEPS)
    objects = delete(stores, everything)
    show("payloads erased", 3, STEPS)
    payloads = payloads_of(case)
    case.ledger.erase(*payloads, actor=operator(), reason=f"consent withdrawn: {case.plan['reason']}")
    facts = forget(case.ledger.engine, case.recordings) if has_facts(case.ledger.engine) else 0
    keep(workspace, "Take out what a withdrawn consent no longer covers")
    return {
        "files": taken.files, "bytes": taken.size, "lists": taken.lists, "objects": objects,
        "lists_of_dvc": len(change.renamed), "payloads": len(payloads), "answers": len(answers), "scratch": scratch,
        "facts": facts,
    }  # fmt: skip


def _result(case: Case, path: Path, report: dict[str, Any], again: bool) -> dict[str, Any]:
    lines = in_words(report)
    if again:
        lines = ["it was carried out before, and nothing was left to do", *lines]
    lines.append(f"signed report: {path}")
    return {**report, "ok": report["clean"], "again": again, "report": str(path), "text": "\n".join(lines)}
