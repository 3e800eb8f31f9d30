"""The memory of the watch: what was said of each site in each week, kept so that an alarm can be told from its return."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from data.cohorts.bids import Entry
from flows.stages.files import digest_of_entry, read_json, write_json
from flows.workspace import Workspace
from lineage.digest import digest_of
from lineage.ledger import Ledger
from monitoring.acquisition import Checked
from monitoring.drift import compare_sites
from monitoring.findings import DriftReport, DriftSettings
from monitoring.performance import week_of


def weeks_of(ledger: Ledger, entries: Sequence[Entry]) -> dict[str, str]:
    """In which week each recording came: the week in which the ledger first heard of its bytes, under whatever name.

    One that it never heard of belongs to no week and is left out.
    """
    first: dict[str, str] = {}
    for line in ledger.entries("recording.registered"):
        first.setdefault(line.subjects[0].digest, week_of(line.recorded_at))
    digests = {entry.name: digest_of_entry(entry) for entry in entries}
    return {name: first[digest] for name, digest in digests.items() if digest in first}


def reports_by_week(
    workspace: Workspace,
    reference: pd.DataFrame,
    current: pd.DataFrame,
    settings: DriftSettings,
    checked: Checked | None = None,
) -> list[DriftReport]:
    """The report of every `week` (a column of `current`, empty where it is not known) in which recordings came, oldest first.

    A week that is over is judged once, and again only where its recordings or the settings are others than then; the last
    one always, as more may have come. Each is kept. `checked` (its `now` with recording and week) tells of what was refused.
    """
    found = []
    weeks = sorted({*current["week"].dropna(), *(checked.now["week"].dropna() if checked else ())})
    for week in weeks:
        rows = current[current["week"] == week]
        all_came = checked._replace(now=checked.now[checked.now["week"] == week]) if checked else None
        refused = all_came.now.loc[all_came.now["refused"], "recording"] if all_came else ()
        names = {"recordings": digest_of(sorted(rows["recording"])), "refused": digest_of(sorted(refused))}
        of = {**names, "settings": digest_of(_plain(settings))}
        path = report_path(workspace, week)
        kept = read_json(path) if path.exists() and week != weeks[-1] else {}
        if kept.get("of") == of:
            found.append(DriftReport.from_json(kept["report"]))
            continue
        rng = np.random.default_rng([workspace.params.drift.seed, *map(int, week.split("-W"))])
        report = compare_sites(reference, rows, settings, rng, week, all_came)
        write_json(path, {"of": of, "report": report.to_json()})
        found.append(report)
    return found


def report_path(workspace: Workspace, week: str) -> Path:
    """Where what was said in a week is kept."""
    return workspace.store / "watch" / workspace.task / f"{week}.json"


def _plain(settings: DriftSettings) -> dict[str, object]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in vars(settings).items()}
