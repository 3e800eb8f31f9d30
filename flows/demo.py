"""The whole house once, on a simulated cohort: what `ictal demo` runs inside the workspace that is being made."""

import secrets
import socket
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from data.ages import DAYS
from data.cohorts.bids import Entry
from flows import approve, audit, deploy, engine, promote, watch
from flows.audit_why import why
from flows.check import check_all
from flows.evaluate import evaluate
from flows.ingest import ingest
from flows.progress import shown_with
from flows.register import platform_key, register
from flows.site_keys import issue_site_key
from flows.stages.files import cohort_of, read_json, splits, write_json
from flows.train import train
from flows.workspace import Workspace, open_workspace
from lineage.keys import platform_public_path
from lineage.onetime import code_at, step_at
from serving.client import Client
from serving.journal import verify_answer
from serving.naming import QUESTIONS

SIGNERS = {"demo-reviewer-1": "review", "demo-reviewer-2": "approval"}
PER_SITE = 1
WHY = {
    "ingest": "simulate newborns, infants and adults at 3 sites, in EEG, poses and films, put the recordings under DVC, register their digests",
    "check": "Great Expectations judges every recording; broken ones are put aside by name",
    "train": "patient-wise nested folds, and a leaky control beside them",
    "evaluate": "score patients that no model had seen",
    "promote": "choose on inner patients; gates; two people sign by named deviation",
    "serve": "signed and approved bundles only; answers come with receipts",
    "watch": "compare sites patient by patient",
    "audit": "follow one prediction back to the raw bytes, verify the ledger",
}


def run_demo(workspace: Workspace) -> None:
    """Every step, each timed; the facts for the closing table go to reports/demo.json.

    The sites are compared while models are signed and served: neither needs the other, and each uses one core.
    """
    facts: dict[str, Any] = {"seconds": {}}
    platform_key(workspace)
    home = str(workspace.root)
    with _progress(Console()) as progress, ThreadPoolExecutor(1) as beside:

        def step(name: str, act: Callable[[], Any]) -> None:
            _timed(progress, facts, name, act)

        step("ingest", lambda: engine.run_flow(ingest, home=home))
        step("check", lambda: engine.run_flow(check_all, home=home))
        step("train", lambda: engine.run_flow(train, home=home))
        step("evaluate", lambda: engine.run_flow(evaluate, home=home))
        watched = beside.submit(step, "watch", watch.watch_sites)
        step("promote", lambda: _promote(workspace))
        step("serve", lambda: _serve(workspace))
        watched.result()
        step("audit", lambda: _audit(facts))
    write_json(workspace.reports / "demo.json", facts)


def _timed(progress: Progress, facts: dict[str, Any], name: str, act: Callable[[], Any]) -> None:
    """Of a step without a bar, as in a file or where nobody looks, a line when it begins and one when it is done."""
    task = progress.add_task(f"[bold]{name}[/bold]  {WHY[name]}", total=None)
    started = time.monotonic()
    if progress.disable:
        print(f"{name}: {WHY[name]}", flush=True)
    with shown_with(_shower(progress, task, name)):
        facts[name] = act()
    facts["seconds"][name] = time.monotonic() - started
    if progress.disable:
        print(f"{name}: done after {facts['seconds'][name]:.0f} s", flush=True)
    progress.update(task, total=1, completed=1, description=f"[bold]{name}[/bold]  {WHY[name]}")


def _progress(console: Console) -> Progress:
    columns = (
        SpinnerColumn(finished_text="[green]✓[/green]"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
    )
    shown = (*columns, MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*shown, console=console, redirect_stderr=False, disable=not console.is_terminal)


def _shower(progress: Progress, task: Any, name: str) -> Any:
    def show(what: str, done: int, total: int) -> None:
        progress.update(task, completed=done, total=total, description=f"[bold]{name}[/bold]  {what}")

    return show


def _promote(workspace: Workspace) -> dict[str, Any]:
    """The demo's two signers: keys made for this workspace, valid only here, for demo sites, for 24 hours.

    Of every task the detector that did best on inner patients is signed, with a deviation for each gate that did not pass.
    """
    candidates = {task: _proposed(workspace, task) for task in workspace.tasks}
    deviations = {c["candidate"]: _deviations(c) for c in candidates.values()}
    for person, meaning in SIGNERS.items():
        signed = _signed_by_new_person(workspace, person, meaning, deviations)
    in_force = {task: candidate["detector"] for task, candidate in candidates.items()}
    gates = {candidate["detector"]: candidate["gates"] for candidate in candidates.values()}
    return {**signed[0], "gates": gates, "inner_auc": promote.inner_auc(workspace), "in_force": in_force}


def _proposed(workspace: Workspace, task: str) -> dict[str, Any]:
    digest = engine.run_flow(promote.propose, home=str(workspace.root), author="demo-author", task=task)
    return promote.read_candidate(workspace, digest)


def _deviations(candidate: dict[str, Any]) -> list[str]:
    return [f"{g['name']}={justification(g)}" for g in candidate["gates"] if g["outcome"] != "pass"]


def justification(gate: Mapping[str, Any]) -> str:
    """Why the demo's signers let a model pass although this gate did not: what it came to, and what excuses it.

    A deviation is signed, and shown everywhere, with the gate's name before it.
    """
    how, excuse = {
        "fail": ("failed", " and the small preset was not meant to meet it"),
        "insufficient_evidence": ("could not be decided", " and so few patients cannot show it"),
    }.get(gate["outcome"], ("could not be decided", ""))
    return f"{how} ({gate['reason']}); the data are simulated{excuse}; demo sites only, 24 hours"


def _signed_by_new_person(
    workspace: Workspace, id: str, meaning: str, deviations: dict[str, list[str]]
) -> list[dict[str, Any]]:
    """Somebody who is made for this demo, signs everything in one go, and whose passphrase nobody knows afterwards."""
    passphrase, name, now = secrets.token_urlsafe(24), id.replace("-", " ").capitalize(), datetime.now(UTC)
    made = register(workspace, id, name, "reviewer", passphrase, demo=True, now=now)
    code = code_at(made.secret, step_at(now))
    return approve.approve_candidates(deviations, id, passphrase, code, meaning)


def _serve(workspace: Workspace) -> dict[str, Any]:
    """Start the service, send held-out recordings of every site and a broken one, check every receipt, stop it."""
    public_key = platform_public_path(workspace.keys).read_bytes()
    answers = []
    with deploy.service(workspace, _free_port()) as url:
        for entry in [*_held_out(workspace), *_broken(workspace)]:
            key = issue_site_key(entry.site, days=1)
            age = None if entry.age_days is None else f"{entry.age_days / DAYS['d']:g}d"
            with Client(url, key) as client:
                said = client.detect(entry.path, age)
            answers.append({**_short(said, entry), "receipt_ok": verify_answer(said, public_key).ok})
            write_json(workspace.reports / "answers" / f"{entry.name}.json", said)
        for task in (t for t in workspace.tasks if t in QUESTIONS):
            answers.append(_asked(workspace.of(task), url, public_key))
    return {"answers": answers}


def _asked(workspace: Workspace, url: str, public_key: bytes) -> dict[str, Any]:
    """One held-out recording of a task, with the stretches that its detector is evaluated on left to the service."""
    entry, age = _held_out(workspace)[0], None
    if entry.age_days is not None:
        age = f"{entry.age_days / DAYS['d']:g}d"
    with Client(url, issue_site_key(entry.site, days=1)) as client:
        said = client.name(workspace.task, entry.views or (entry.path,), age)
    write_json(workspace.root / "reports" / "answers" / f"{workspace.task}-{entry.name}.json", said)
    return {**_short(said, entry), "receipt_ok": verify_answer(said, public_key).ok}


def _held_out(workspace: Workspace) -> list[Entry]:
    """Of every site the first test recordings of the fold whose model is served: it never saw them."""
    fold = splits(workspace)["patient"].folds[workspace.params.promote.fold]
    chosen: dict[str, list[Entry]] = {}
    for entry in cohort_of(workspace).entries:
        if entry.name in fold.test and len(chosen.setdefault(entry.site, [])) < PER_SITE:
            chosen[entry.site].append(entry)
    return [e for entries in chosen.values() for e in entries]


def _broken(workspace: Workspace) -> list[Entry]:
    aside = {
        v["recording"]
        for v in read_json(workspace.interim / "checks" / "verdicts.json")
        if v["outcome"] == "quarantined"
    }
    return [e for e in cohort_of(workspace).entries if e.name in aside][:1]


def _short(said: dict[str, Any], entry: Entry) -> dict[str, Any]:
    return {
        "recording": entry.name,
        "site": entry.site,
        "outcome": said["outcome"],
        "code": said["code"],
        "question": said.get("question", "detection"),
        "events": None if said.get("events") is None else len(said["events"]),
        "stretches": None if said.get("stretches") is None else len(said["stretches"]),
        "prediction": said["prediction_id"],
    }


def _audit(facts: dict[str, Any]) -> dict[str, Any]:
    """The lineage of the first prediction, and the whole ledger hashed again."""
    answered = [a for a in facts["serve"]["answers"] if a["outcome"].startswith("completed")]
    found = why(answered[0]["prediction"])
    verified = audit.verify_ledger()
    if not verified["ok"]:
        raise RuntimeError("the ledger does not verify: " + "; ".join(verified["problems"]))
    return {"why": found["text"], "ledger": verified["text"], "prediction": answered[0]["prediction"]}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main() -> None:
    """Run in the workspace ICTAL_HOME, in a process of its own (see flows/fresh.py)."""
    run_demo(open_workspace())
