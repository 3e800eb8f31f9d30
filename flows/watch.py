"""Is it still true? Each site's later recordings against its earlier ones, patient by patient."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from flows import engine, records
from flows.alarms import announce
from flows.engine import NO_CACHE, flow, task
from flows.parallel import over
from flows.stages.files import accepted, write_json
from flows.watching import answers_of, features_of_checks, features_of_recording
from flows.workspace import TASKS, Workspace, open_workspace
from lineage.digest import digest_of, sha256_file
from lineage.entries import Entry
from lineage.ledger import Draft, Subject
from lineage.refused import Refused
from monitoring.causes import named
from monitoring.drift import DriftReport, DriftSettings, compare_sites
from monitoring.features import FEATURES, SERVED_FEATURES, WATCHED
from monitoring.report import summary_page
from monitoring.showing import site_pages, write_site_page
from monitoring.tables import patient_table, periods_of
from validation.pages import write_page

EARLIER, LATER = "development", "surveillance"
"""Periods of a cohort that are compared."""

SIGNAL = tuple(name for name, feature in FEATURES.items() if feature.group != "answers")
"""Watched here: the signal. Answers of two periods can be compared once one model has answered in both."""

WORKERS_NEED = ("evidently.presets",)
"""Imported once for all workers: those that measure come from the same server as those that write pages."""


@flow(name="watch")
def watch(home: str) -> dict[str, Any]:
    """Compare every site, write the pages, put each alarm into the ledger: recordings of every task that has later ones
    and, month by month, what a service answered."""
    workspace = open_workspace(Path(home))
    found = [_watch_recordings(workspace.of(task)) for task in watched_tasks(workspace)]
    answers = _watch_answers(workspace)
    return {**found[0], "tasks": {one["task"]: one for one in found}, "answers": answers}


def watched_tasks(workspace: Workspace) -> list[str]:
    """The tasks with accepted recordings of a later period, detection first; refuses where there is none."""
    checked = [t for t in workspace.tasks if (workspace.of(t).interim / "checks" / "accepted.json").exists()]
    found = [task for task in checked if accepted(workspace.of(task), LATER)]
    if not found:
        raise Refused(f"there is no accepted recording of the period {LATER!r}: nothing to compare")
    return found


def _watch_recordings(workspace: Workspace) -> dict[str, Any]:
    home, drift = str(workspace.root), workspace.params.drift
    reference, current = (features_of(home, period, workspace.task) for period in (EARLIER, LATER))
    watched = SIGNAL if workspace.modality == "eeg" else tuple(WATCHED[workspace.modality])
    settings = DriftSettings(features=watched, draws=drift.draws)
    report = compare_sites(reference, current, settings, np.random.default_rng(drift.seed), LATER)
    write_pages(workspace, report, reference, current)
    found = {"task": workspace.task, **_in_values(report)}
    announce(workspace, found, _record(workspace, report))
    return found


def _watch_answers(workspace: Workspace) -> dict[str, Any]:
    """Each month's answers beside those of the months before; of every question for itself, and of one model: another
    model answers otherwise although nothing changed at the sites."""
    table = answers_of(records.open_ledger(workspace))
    if table.empty:
        return {"recordings": 0}
    out, drift = workspace.reports / "drift", workspace.params.drift
    out.mkdir(parents=True, exist_ok=True)
    table.to_parquet(out / "served.parquet")
    patient_table(table, SERVED_FEATURES).to_parquet(out / "served_patients.parquet")
    settings, found = DriftSettings(features=tuple(SERVED_FEATURES), draws=drift.draws), {}
    for question, asked in table.groupby("question"):
        rng, models = np.random.default_rng(drift.seed), asked.loc[asked["model"] != "", "model"]
        same_model = asked[asked["model"].isin(["", *models[-1:]])]
        history = [compare_sites(then, now, settings, rng, month) for month, then, now in periods_of(same_model)]
        if history:
            page = out / f"answers-{question}.html"
            write_page(page, summary_page(history, simulated=workspace.is_demo))
            found[str(question)] = _in_values(history[-1])
            _record_of(workspace, history[-1], f"answers to {question}, {history[-1].period}", page)
    return {"recordings": len(table), "months": sorted(table["period"].unique()), "questions": found}


@task(cache_policy=NO_CACHE, task_run_name="features:{period}")
def features_of(home: str, period: str, task: str = "detection") -> pd.DataFrame:
    """One row per recording of a period: of EEG from the front end that the detectors read, of films and poses from what
    the checks measured."""
    workspace = open_workspace(Path(home)).of(task)
    facts = pd.read_parquet(workspace.interim / "checks" / "facts.parquet")
    entries = accepted(workspace, period)
    if not entries:
        raise Refused(f"there is no accepted recording of the period {period!r}: nothing to compare")
    if workspace.modality != "eeg":
        return features_of_checks(workspace, entries)
    work = [(e, facts[facts["recording"] == e.name]) for e in entries]
    rows = over(features_of_recording, work, f"features of {period}", engine.shown(), WORKERS_NEED)
    return pd.concat(rows, ignore_index=True)


def write_pages(workspace: Workspace, report: DriftReport, reference: pd.DataFrame, current: pd.DataFrame) -> None:
    """Our page first, Evidently's page of each site behind it, and the tables they were made from."""
    out = workspace.reports / "drift"
    out.mkdir(parents=True, exist_ok=True)
    reference.to_parquet(out / "reference.parquet")
    current.to_parquet(out / "current.parquet")
    both = pd.concat([reference, current], ignore_index=True)
    patient_table(both, report.settings.features).to_parquet(out / "patients.parquet")
    write_json(out / "drift.json", _in_values(report))
    shown = tuple(WATCHED[workspace.modality])
    pages = site_pages(reference, current, shown)
    over(write_site_page, [(page, out) for page in pages], "pages of sites", engine.shown(), WORKERS_NEED)
    links = {page.site: page.file for page in pages}
    simulated = (workspace.cohort / "sourcedata" / "draws.json").exists()
    tables = {"reference": sha256_file(out / "reference.parquet"), "current": sha256_file(out / "current.parquet")}
    write_page(out / "index.html", summary_page([report], links, simulated=simulated, provenance=tables))


def watch_sites() -> dict[str, Any]:
    """`ictal drift`."""
    workspace = open_workspace()
    if not any((workspace.of(task).interim / "checks" / "facts.parquet").exists() for task in TASKS):
        raise Refused("no recording has been checked here: run `ictal check` with the name of the cohort first")
    found: dict[str, Any] = engine.run_flow(watch, home=str(workspace.root))
    lines = [
        f"{s['site']}: {s['state']}" + (f": {', '.join(s['causes'])}" if s["causes"] else "") for s in found["sites"]
    ]
    for name, one in list(found["tasks"].items())[1:]:
        lines += [f"{name}: {s['site']}: {s['state']}" for s in one["sites"]]
    for question, one in found["answers"].get("questions", {}).items():
        lines += [f"answers to {question} in {one['period']}: {s['site']}: {s['state']}" for s in one["sites"]]
    return {**found, "text": "\n".join([*lines, f"page: {workspace.reports / 'drift' / 'index.html'}"])}


def _in_values(report: DriftReport) -> dict[str, Any]:
    sites: list[dict[str, Any]] = [
        {
            "site": s.site,
            "state": s.state,
            "patients": s.patients,
            "reference_patients": s.reference_patients,
            "causes": [c.name for c in named(s)],
            "shifts": {shift.feature: round(shift.effect_sd, 3) for shift in s.alarms},
            "power": s.power,
            "detectable_sd": s.detectable_sd if np.isfinite(s.detectable_sd) else None,
        }
        for s in report.sites
    ]
    changed = [f"{s['site']} ({', '.join(s['causes']) or 'no single cause'})" for s in sites if s["state"] == "alarm"]
    headline = "changed: " + "; ".join(changed) if changed else "no site changed"
    return {"period": report.period, "headline": headline, "alarmed": list(report.alarmed), "sites": sites}


def _record(workspace: Workspace, report: DriftReport) -> list[Entry]:
    ledger = records.open_ledger(workspace)
    page = sha256_file(workspace.reports / "drift" / "drift.json")
    drafts = [
        Draft("drift.alarm", records.PIPELINE, (Subject("drift", name, digest_of([page, name])),), f"at {name}")
        for name in report.alarmed
    ]
    return ledger.append_many(drafts)


def _record_of(workspace: Workspace, report: DriftReport, what: str, page: Path) -> None:
    """A line for every site in alarm about answers; asked again about the same tables, none is added."""
    of = sha256_file(page)
    for name in report.alarmed:
        subject = Subject("drift", name, digest_of([of, name]))
        records.record_once(workspace, Draft("drift.alarm", records.PIPELINE, (subject,), f"at {name}: {what}"))
