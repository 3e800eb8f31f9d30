"""A patient takes consent back: nobody learns from them from now on, their bytes go everywhere, and it is accounted for.

First the line in the ledger, by which every stage leaves them out; then models are decided on; then files, DVC's objects
and payloads go. Every step may be done twice, so that a run that was stopped is finished by running it again.
"""

import getpass
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flows import books
from flows.approve import revoke_model
from flows.audit_impact import impact_of, withdrawals
from flows.consent import withdrawn
from flows.dvc_objects import Change, Stores, changed, delete, refuse_while_running, rewrite_locks
from flows.patients import Patient, find_patient
from flows.records import PIPELINE, person_subject
from flows.searching import Found, both_digests, pieces_of, search
from flows.stages.files import read_json, write_json
from flows.taking_out import REPORTS_OF_WITHDRAWALS, forget_scratch, take_out
from flows.traces import Traces, relative
from flows.workspace import Workspace, git, keep, open_workspace
from lineage import dsse, graph
from lineage.digest import canonical, digest_of, sha256_bytes
from lineage.keys import create_platform_key, platform_key
from lineage.ledger import Actor, Draft, Edge, Entry, Ledger, Subject
from lineage.refused import Refused

REPORT_TYPE = "application/vnd.ictal.withdrawal+json"
DECISIONS = ("keep", "retrain", "withdraw")
NEVER = "never proposed"

Ask = Callable[[dict[str, Any]], str]
"""What is to become of a model, asked of whoever is there."""

Components = Callable[[str], tuple[str, str]]
"""Passphrase and code of a person, typed now."""

STAYS = (
    "figures of evaluations, gates, cards and reports in numbers, of models that were approved on them",
    "splits and logs of training: who trained whom, by pseudonym",
    "the digests in the ledger and in this report: the tombstone",
    "weights of the models, unless they are decided to be withdrawn or replaced",
)


@dataclass(frozen=True)
class Case:
    """A withdrawal: who it is about, what the first line in the ledger says of it, and what was to be found here."""

    workspace: Workspace
    ledger: Ledger
    person: str
    plan: dict[str, Any]

    @property
    def traces(self) -> list[Traces]:
        """Where to look, one for each cohort in which they are or were."""
        by_cohort: dict[str, list[dict[str, Any]]] = {}
        for one in self.plan["recordings"]:
            if one["cohort"]:
                by_cohort.setdefault(one["cohort"], []).append(one)
        return [
            Traces(
                cohort,
                self._tasks(cohort),
                frozenset(o["patient"] for o in own),
                frozenset(o["recording"] for o in own),
            )
            for cohort, own in sorted(by_cohort.items())
        ]

    def _tasks(self, cohort: str) -> frozenset[str]:
        tasks = ("detection", "typing", "spasms", "semiology", "forecasting")
        return frozenset(task for task in tasks if self.workspace.of(task).cohort_name == cohort)

    @property
    def files(self) -> list[dict[str, str]]:
        return [file for one in self.plan["recordings"] for file in one["files"]]

    @property
    def md5s(self) -> list[str]:
        return [file["md5"] for file in self.files]

    @property
    def digests(self) -> set[str]:
        return {file[kind] for file in self.files for kind in ("sha256", "md5")}

    @property
    def unfinished(self) -> Path:
        """Where pieces and doomed objects are noted until nothing of them is left."""
        name = person_subject(self.person).digest[:16]
        return self.workspace.root / "reports" / REPORTS_OF_WITHDRAWALS / f".unfinished-{name}.json"


def withdraw(
    patient: str,
    reason: str,
    decisions: Mapping[str, str],
    *,
    signer: str | None = None,
    components: Components | None = None,
    ask: Ask | None = None,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Carry out a withdrawal of consent, or finish one that was begun; `dry_run` only says what would go.

    `decisions` say of each model (digest or its beginning, detector, or `all`) keep, retrain or withdraw; of proposed
    models that are not named `ask` is asked. What is withdrawn is revoked by `signer`, who gives both `components`.
    """
    workspace = open_workspace()
    ledger = books.books_of(workspace)
    refuse_while_running(workspace)
    found = find_patient(workspace, ledger, patient)
    begun = _begun(workspace, ledger, found.person)
    case = Case(workspace, ledger, found.person, _plan(workspace, ledger, found, reason, begun))
    if dry_run:
        return _what_would_go(case)
    if begun is None:
        _refuse_unreasoned(reason)
        decided = decide(case.plan["impact"]["models"], decisions, ask)
        _refuse_unsigned(decided, signer)
        case.plan["decisions"] = decided
        _note_pieces(case)
        _record(case)
    _note_pieces(case)
    _revoke(case, signer, components)
    return _finish(case, first=begun is None)


def decide(models: list[dict[str, Any]], decisions: Mapping[str, str], ask: Ask | None) -> list[dict[str, Any]]:
    """A decision for every model. What was never proposed is fitted anew by the next training if it learnt from them."""
    unknown = {choice for choice in decisions.values() if choice not in DECISIONS}
    if unknown:
        raise Refused(f"a decision is {', '.join(DECISIONS)}; got {', '.join(sorted(unknown))[:40]}")
    made = []
    for model in models:
        choice = _named(model, decisions)
        if choice is None and model["state"] == NEVER:
            choice = "keep" if model["role"].startswith("tested") else "retrain"
        if choice is None and ask is not None:
            choice = ask(model)
        if choice not in DECISIONS:
            raise Refused(
                f"{model['label']} {model['digest'][:12]} ({model['role']}; {model['state']}) needs a decision: "
                f"--decision {model['digest'][:12]}=keep, =retrain or =withdraw"
            )
        if choice == "withdraw" and model["state"] == NEVER:
            raise Refused(
                f"{model['label']} {model['digest'][:12]} was {NEVER}, so it is in force nowhere: keep or retrain it"
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
        impact = {k: v for k, v in impact_of(workspace, ledger, found).items() if k != "text"}
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
    actor = Actor(getpass.getuser(), role="operator", auth_method="local")
    drafts = [Draft("consent.withdrawn", actor, subjects, plan["reason"], plan, edges)]
    again = [d["label"] for d in plan["decisions"] if d["decision"] == "retrain"]
    if again:
        why = f"consent of a patient was withdrawn: {len(again)} models to be fitted anew"
        drafts.append(Draft("retrain.triggered", PIPELINE, (Subject("retraining", "consent withdrawn"),), why))
    ledger.append_many(drafts)


def _revoke(case: Case, signer: str | None, components: Components | None) -> None:
    """Take back the models that were decided to be withdrawn and are not yet."""
    for decided in case.plan["decisions"]:
        done = graph.hanging(case.ledger, decided["digest"], ("revokes",))
        if decided["decision"] != "withdraw" or done:
            continue
        if signer is None or components is None:
            raise Refused(f"{decided['label']} is still to be revoked, which a person signs: say who with --as PERSON")
        revoke_model(decided["digest"], signer, *components(signer), f"consent withdrawn: {case.plan['reason']}")


def _what_would_go(case: Case) -> dict[str, Any]:
    stores = Stores.of(case.workspace)
    taken = take_out(case.workspace, case.traces, act=False)
    change = changed(case.workspace, stores, case.traces, case.md5s, write=False)
    payloads = _payloads(case)
    would = {
        "files": taken.files, "bytes": taken.size, "lists": taken.lists, "objects": len(change.doomed),
        "lists_of_dvc": len(change.renamed), "payloads": len(payloads), "answers": len(_answers(case)),
        "scratch": forget_scratch(case.workspace, act=False), "remotes_not_reached": list(stores.unreached),
    }  # fmt: skip
    lines = [
        f"would go: {taken.files} files ({taken.size / 1e6:.1f} MB) and rows of {taken.lists} lists; "
        f"{would['objects']} objects and {would['lists_of_dvc']} lists of DVC in {len(stores.folders)} stores; "
        f"{would['payloads']} payloads of the ledger, {would['answers']} saved answers, {would['scratch']} files of scratch",
        *(f"not reached: remote {name}; its objects have to be deleted there" for name in stores.unreached),
        "nothing was changed: --withdraw --reason '…' carries it out",
    ]
    impact = impact_of(case.workspace, case.ledger, find_patient(case.workspace, case.ledger, case.person))
    return {**impact, "would_go": would, "text": "\n".join([impact["text"], *lines])}


def _finish(case: Case, first: bool) -> dict[str, Any]:
    """Everything that goes, goes; then it is looked whether anything is left, and a signed report says so."""
    workspace, stores = case.workspace, Stores.of(case.workspace)
    pieces = [bytes.fromhex(piece) for piece in _unfinished(case)["pieces"]]
    gone = _take_everything(case, stores)
    places = [workspace.root, *stores.folders]
    found = search(places, case.digests, pieces, [case.unfinished])
    if found.same:  # copies under other names, such as an upload that a killed service left
        for copy in found.same:
            Path(copy).unlink()
        gone["copies"] = len(found.same)
        found = search(places, case.digests, pieces, [case.unfinished])
    left = changed(workspace, stores, case.traces, case.md5s, write=False)
    earlier = _reported(case)
    if not first and earlier and not any(gone.values()) and found.nothing and not left.renamed:
        done = read_json(earlier)
        return _result(case, earlier, json.loads(dsse.payload_of(done)), again=True)
    report = _report(case, gone, found, left, stores)
    path = _save(case, report)
    if report["clean"]:
        case.unfinished.unlink(missing_ok=True)
    return _result(case, path, report, again=False)


def _take_everything(case: Case, stores: Stores) -> dict[str, int]:
    workspace = case.workspace
    answers = _answers(case)
    for path in answers:
        path.unlink()
    change = changed(workspace, stores, case.traces, case.md5s, write=True)
    _note(case, change)
    taken = take_out(workspace, case.traces, act=True)
    scratch = forget_scratch(workspace, act=True)
    rewrite_locks(workspace, change)
    noted = _unfinished(case)
    everything = Change(dict.fromkeys([*change.renamed, *noted["lists"]], ""), {*change.doomed, *noted["doomed"]})
    objects = delete(stores, everything)
    payloads = _payloads(case)
    actor = Actor(getpass.getuser(), role="operator", auth_method="local")
    for digest in payloads:
        case.ledger.erase(digest, actor=actor, reason=f"consent withdrawn: {case.plan['reason']}")
    keep(workspace, "Take out what a withdrawn consent no longer covers")
    return {
        "files": taken.files, "bytes": taken.size, "lists": taken.lists, "objects": objects,
        "lists_of_dvc": len(change.renamed), "payloads": len(payloads), "answers": len(answers), "scratch": scratch,
    }  # fmt: skip


def _payloads(case: Case) -> list[str]:
    """What the ledger still says in full of this person's recordings: answers, verdicts on them, why one was put aside."""
    ledger = case.ledger
    recordings = {one["digest"] for one in case.plan["recordings"]}
    entries = [e for digest in sorted(recordings) for e in ledger.entries(subject_digest=digest)]
    kept = [e for e in entries if e.type.startswith("prediction.") or e.type == "recording.quarantined"]
    answered = {s.digest for e in kept for s in e.subjects if s.kind == "prediction"}
    about = [e for digest in sorted(answered) for e in ledger.entries(subject_digest=digest)]
    digests = dict.fromkeys(e.payload_digest for e in [*kept, *about] if e.payload_digest)
    return [digest for digest in digests if ledger.payload(digest) is not None]


def _answers(case: Case) -> list[Path]:
    """Saved answers about this person's recordings."""
    recordings = {one["digest"] for one in case.plan["recordings"]}
    found = []
    for path in sorted((case.workspace.root / "reports").rglob("*.json")):
        text = path.read_text(errors="replace")
        if '"recording_digest"' in text and any(digest in text for digest in recordings):
            said = json.loads(text)
            if isinstance(said, dict) and said.get("recording_digest") in recordings:
                found.append(path)
    return found


def _report(case: Case, gone: dict[str, int], found: Found, left: Change, stores: Stores) -> dict[str, Any]:
    clean = found.nothing and not left.renamed and not stores.unreached
    return {
        "kind": "withdrawal of consent",
        "person": case.person,
        "reason": case.plan["reason"],
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "by": getpass.getuser(),
        "impact": case.plan["impact"],
        "decisions": case.plan["decisions"],
        "recordings": case.plan["recordings"],
        "gone": gone,
        "search": found.to_json(),
        "lists_of_dvc_that_name_them": len(left.renamed),
        "remotes_not_reached": list(stores.unreached),
        "objects_to_delete_there": sorted(case.md5s) if stores.unreached else [],
        "git": _git(case.workspace),
        "stays": list(STAYS),
        "clean": clean,
    }


def _git(workspace: Workspace) -> str:
    """Git keeps digests and settings only; told of the history as it is, not as it is meant to be."""
    named = {line for line in git(workspace, "log", "--all", "--name-only", "--format=").splitlines() if line}
    held = sorted(
        n for n in named if n.startswith(("data/", "store/", "reports/", "ledger/")) and not n.endswith(".dvc")
    )
    held = [n for n in held if not n.startswith("reports/metrics/")]
    if held:
        return f"the history of the workspace's Git repository holds {len(held)} files of data or reports: look at {held[0]}"
    return f"no patient's bytes are in the history of the workspace's Git repository ({len(named)} files): digests, settings, figures"


def _save(case: Case, report: dict[str, Any]) -> Path:
    """The report under the platform's signature, and its line in the ledger."""
    create_platform_key(case.workspace.keys)
    content = canonical(report)
    digest = sha256_bytes(content)
    path = case.unfinished.parent / f"{report['at'][:10]}-{digest[:12]}.json"
    write_json(path, dsse.envelope(platform_key(case.workspace.keys), REPORT_TYPE, content))
    (path.with_suffix(".txt")).write_text("\n".join(_lines(report)) + "\n")
    subject = Subject("withdrawal report", case.person, digest)
    begun = withdrawals(case.ledger, case.person)[-1].subjects[0].digest
    edges = (Edge(subject.digest, "reports", begun),)
    payload = {"clean": report["clean"], "gone": report["gone"]}
    case.ledger.append_many([Draft("erase.executed", PIPELINE, (subject,), case.plan["reason"], payload, edges)])
    return path


def _reported(case: Case) -> Path | None:
    """The last report of this withdrawal that says that all is gone."""
    folder = case.unfinished.parent
    reports = [(p, json.loads(dsse.payload_of(read_json(p)))) for p in sorted(folder.glob("[0-9]*.json"))]
    mine = [(report["at"], p) for p, report in reports if report["person"] == case.person and report["clean"]]
    return max(mine)[1] if mine else None


def _result(case: Case, path: Path, report: dict[str, Any], again: bool) -> dict[str, Any]:
    lines = _lines(report)
    if again:
        lines = ["it was carried out before, and nothing was left to do", *lines]
    lines.append(f"signed report: {path}")
    return {**report, "ok": report["clean"], "again": again, "report": str(path), "text": "\n".join(lines)}


def _lines(report: dict[str, Any]) -> list[str]:
    gone, found = report["gone"], report["search"]
    lines = [f"consent of {report['person']} is withdrawn: {report['reason']}"]
    lines += [
        f"model {d['label']} {d['digest'][:12]} ({d['role']}; {d['state']}): {d['decision']}"
        for d in report["decisions"]
    ]
    lines.append(
        f"gone: {gone['files']} files ({gone['bytes'] / 1e6:.1f} MB), rows of {gone['lists']} lists, {gone['objects']} objects "
        f"of DVC, {gone['payloads']} payloads, {gone['answers']} saved answers"
    )
    how = f"{found['files']} files ({found['size'] / 1e6:.0f} MB) searched by SHA-256, MD5 and {found['pieces']} pieces of the bytes"
    lines.append(f"{how}: " + ("nothing was found" if report["clean"] else "NOT ALL IS GONE"))
    lines += [f"  found again: {place}" for kind in ("same", "named", "holding") for place in found[kind]]
    lines += [f"  remote not reached: {name}" for name in report["remotes_not_reached"]]
    return [*lines, report["git"], *(f"stays: {what}" for what in report["stays"])]


def _unfinished(case: Case) -> dict[str, Any]:
    empty: dict[str, Any] = {"pieces": [], "doomed": [], "lists": []}
    return {**empty, **(read_json(case.unfinished) if case.unfinished.exists() else {})}


def _note_pieces(case: Case) -> None:
    """Keep a few pieces of the bytes until they have been looked for: afterwards there is nothing to look for them by."""
    here = [case.workspace.root / file["path"] for file in case.files]
    pieces = {piece.hex() for path in here if path.is_file() for piece in pieces_of(path)}
    noted = _unfinished(case)
    write_json(case.unfinished, {**noted, "pieces": sorted({*noted["pieces"], *pieces})})


def _note(case: Case, change: Change) -> None:
    """Keep which objects are to be deleted until they are: their lists may be gone already when this is run again."""
    noted = _unfinished(case)
    more = {"doomed": sorted({*noted["doomed"], *change.doomed}), "lists": sorted({*noted["lists"], *change.renamed})}
    write_json(case.unfinished, {**noted, **more})
