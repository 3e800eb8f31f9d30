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
from flows.watching import features_of_recording
from flows.workspace import Workspace, open_workspace
from lineage.digest import digest_of, sha256_file
from lineage.entries import Entry
from lineage.ledger import Draft, Subject
from lineage.refused import Refused
from monitoring.causes import named
from monitoring.drift import DriftReport, DriftSettings, compare_sites
from monitoring.features import FEATURES
from monitoring.report import summary_page
from monitoring.showing import site_pages, write_site_page
from validation.pages import write_page

SIGNAL = tuple(name for name, feature in FEATURES.items() if feature.group != "answers")
"""Watched here: the signal. Answers of two periods can be compared once one model has answered in both."""

WORKERS_NEED = ("evidently.presets",)
"""Imported once for all workers: those that measure come from the same server as those that write pages."""


@flow(name="watch")
def watch(home: str) -> dict[str, Any]:
    """Compare every site, write the pages, put each alarm into the ledger."""
    workspace = open_workspace(Path(home))
    reference = features_of(home, "development")
    current = features_of(home, "surveillance")
    settings = DriftSettings(features=SIGNAL, draws=workspace.params.drift.draws)
    rng = np.random.default_rng(workspace.params.drift.seed)
    report = compare_sites(reference, current, settings, rng, "surveillance")
    write_pages(workspace, report, reference, current)
    found = _in_values(report)
    announce(workspace, found, _record(workspace, report))
    return found


@task(cache_policy=NO_CACHE, task_run_name="features:{period}")
def features_of(home: str, period: str) -> pd.DataFrame:
    """One row per patient of a period, from the front end that the detectors read."""
    workspace = open_workspace(Path(home))
    facts = pd.read_parquet(workspace.interim / "checks" / "facts.parquet")
    work = [(e, facts[facts["recording"] == e.name]) for e in accepted(workspace, period)]
    if not work:
        raise Refused(f"there is no accepted recording of the period {period!r}: nothing to compare")
    rows = over(features_of_recording, work, f"features of {period}", engine.shown(), WORKERS_NEED)
    return pd.concat(rows, ignore_index=True)


def write_pages(workspace: Workspace, report: DriftReport, reference: pd.DataFrame, current: pd.DataFrame) -> None:
    """Our page first, Evidently's page of each site behind it, and the tables they were made from."""
    out = workspace.reports / "drift"
    out.mkdir(parents=True, exist_ok=True)
    reference.to_parquet(out / "reference.parquet")
    current.to_parquet(out / "current.parquet")
    write_json(out / "drift.json", _in_values(report))
    pages = site_pages(reference, current)
    over(write_site_page, [(page, out) for page in pages], "pages of sites", engine.shown(), WORKERS_NEED)
    links = {page.site: page.file for page in pages}
    simulated = (workspace.cohort / "sourcedata" / "draws.json").exists()
    tables = {"reference": sha256_file(out / "reference.parquet"), "current": sha256_file(out / "current.parquet")}
    write_page(out / "index.html", summary_page([report], links, simulated=simulated, provenance=tables))


def watch_sites() -> dict[str, Any]:
    """`ictal drift`."""
    workspace = open_workspace()
    if not (workspace.interim / "checks" / "facts.parquet").exists():
        raise Refused("no recording has been checked here: run `ictal check` with the name of the cohort first")
    found: dict[str, Any] = engine.run_flow(watch, home=str(workspace.root))
    lines = [
        f"{s['site']}: {s['state']}" + (f": {', '.join(s['causes'])}" if s["causes"] else "") for s in found["sites"]
    ]
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
