"""The memory of the watch: what was said of each site in each period, kept so that an alarm can be told from its return, and
so that what is over is not compared again each time."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from data.cohorts.bids import Entry
from flows.stages.files import digest_of_entry, read_json, write_json
from flows.workspace import Workspace
from lineage.digest import Digest, digest_of
from lineage.ledger import Ledger
from monitoring.acquisition import Checked
from monitoring.drift import compare_sites
from monitoring.findings import DriftReport, DriftSettings
from monitoring.performance import week_of
from monitoring.tables import periods_of


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
        rng = np.random.default_rng([workspace.params.drift.seed, *map(int, week.split("-W"))])
        judge = partial(compare_sites, reference, rows, settings, rng, week, all_came)
        found.append(_judged_once(report_path(workspace, week), of, week == weeks[-1], judge))
    return found


def reports_by_month(
    workspace: Workspace, question: str, model: str, answers: pd.DataFrame, settings: DriftSettings
) -> list[DriftReport]:
    """The report of every month but the first in which one model answered a question (rows as of
    `monitoring.tables.served_table`), beside all that it answered before, oldest first.

    A month that is over is judged once, and again only where what was answered until then (or what readers said of it
    since) or the settings are others than then; the last one always. Each is kept.
    """
    found, until = [], hashlib.sha256()
    of_rows = pd.util.hash_pandas_object(answers, index=False)
    months = sorted(answers["period"].unique())
    until.update(_bytes_of(of_rows, answers["period"] == months[0]))
    for month, then, now in periods_of(answers):
        until.update(_bytes_of(of_rows, answers["period"] == month))
        of = {"answers": until.hexdigest(), "settings": digest_of(_plain(settings))}
        path = workspace.store / "watch" / "answers" / question / (model or "no-model") / f"{month}.json"
        rng = np.random.default_rng([workspace.params.drift.seed, *map(int, month.split("-"))])
        judge = partial(compare_sites, then, now, settings, rng, month)
        found.append(_judged_once(path, of, month == months[-1], judge))
    return found


def _bytes_of(of_rows: pd.Series, these: pd.Series) -> bytes:
    return np.sort(of_rows[these].to_numpy()).tobytes()


def _judged_once(path: Path, of: Mapping[str, Digest], is_last: bool, judge: Callable[[], DriftReport]) -> DriftReport:
    """What is kept in `path` where that is `of` the same, and the period is over; otherwise what `judge` says, kept there."""
    kept = read_json(path) if path.exists() and not is_last else {}
    if kept.get("of") == of:
        return DriftReport.from_json(kept["report"])
    report = judge()
    write_json(path, {"of": of, "report": report.to_json()})
    return report


def report_path(workspace: Workspace, week: str) -> Path:
    """Where what was said in a week is kept."""
    return workspace.store / "watch" / workspace.task / f"{week}.json"


def _plain(settings: DriftSettings) -> dict[str, object]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in vars(settings).items()}
