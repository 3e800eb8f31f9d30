"""Sites compared over a table of windows: by whole patients, or by Evidently's own tests on the windows as they are."""

import os
import warnings
from typing import Any

import numpy as np
import pandas as pd

from monitoring.drift import compare_sites
from monitoring.findings import DriftSettings
from monitoring.showing import THEIR_WARNINGS
from monitoring.site_months import World, draw_month
from tests.benchmarks.case import Case, Work

SITES, FEATURES, PATIENTS = 20, 30, 25
"""Of each site so many patients are in the reference, and as many in the month."""
PLANTED = ("site-03", "feature_5")
THEIR_SITES = 2
"""Sites that the alternative looks at, the one with the shift among them; all would take minutes."""

Tables = tuple[pd.DataFrame, pd.DataFrame]
Found = set[tuple[str, str]]


def make(windows: float) -> Tables:
    """Reference and month, together `windows` rows; one feature of one site is shifted by 2 SD between patients."""
    each = max(3, round(windows / (SITES * 2 * PATIENTS)))
    world, rng = World(features=FEATURES, windows=(each, each)), np.random.default_rng(0)
    then, now = [], []
    for number in range(SITES):
        site, month = f"site-{number:02}", draw_month(world, PATIENTS, PATIENTS, rng)
        if site == PLANTED[0]:
            month = month.shifted(world.names.index(PLANTED[1]), 2.0)
        for tables, rows, who in ((then, month.reference, "then"), (now, month.current, "now")):
            patients = np.repeat([f"{site}-{who}-{n}" for n in range(PATIENTS)], each)
            tables.append(pd.DataFrame(rows, columns=list(world.names)).assign(site=site, patient=patients))
    return pd.concat(then, ignore_index=True), pd.concat(now, ignore_index=True)


def ours(data: Tables) -> Found:
    """The features in alarm, by site."""
    rule = DriftSettings(features=World(features=FEATURES).names)
    report = compare_sites(*data, rule, np.random.default_rng(1))
    return {(s.site, shift.feature) for s in report.sites for shift in s.alarms}


def theirs(data: Tables) -> Found:
    """The columns that drifted by Evidently's preset, of the sites that are looked at."""
    os.environ.setdefault("DO_NOT_TRACK", "1")
    with warnings.catch_warnings():
        for message in THEIR_WARNINGS:
            warnings.filterwarnings("ignore", message, DeprecationWarning)
        return {(site, column) for site in _their_sites() for column in _drifted(*data, site)}


def least(data: Tables) -> Work:
    """Every value read once."""
    return Work(sum(table.memory_usage(index=False).sum() for table in data))


def same(our: Found, their: Found) -> str:
    """Both must find what was planted: what else is in alarm is counted, and is no drift."""
    if PLANTED in our and PLANTED in their:
        return ""
    return f"{PLANTED[1]} of {PLANTED[0]} was found by {'us' if PLANTED in our else 'them' if PLANTED in their else 'nobody'}"


def figures(our: Any, their: Any) -> dict[str, float]:
    """Share of the features without drift that are in alarm, of those that each looked at."""
    kept = SITES * FEATURES - 1, THEIR_SITES * FEATURES - 1
    shares = {"false_share": len(our[0] - {PLANTED}) / kept[0]}
    return shares | ({"false_share_theirs": len(their[0] - {PLANTED}) / kept[1]} if their else {})


def _their_sites() -> list[str]:
    return [PLANTED[0], *(f"site-{n:02}" for n in range(THEIR_SITES - 1))]


def _drifted(then: pd.DataFrame, now: pd.DataFrame, site: str) -> list[str]:
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    columns = list(World(features=FEATURES).names)
    definition = DataDefinition(numerical_columns=columns)
    before, after = (
        Dataset.from_pandas(table.loc[table["site"] == site, columns], data_definition=definition)
        for table in (then, now)
    )
    said = Report([DataDriftPreset()]).run(after, before).dict()["metrics"]
    drifted = []
    for metric in said:
        config = metric["config"]
        if "column" in config:
            distance = "distance" in str(config["method"])
            beyond = metric["value"] >= config["threshold"] if distance else metric["value"] < config["threshold"]
            drifted += [config["column"]] if beyond else []
    return drifted


CASE = Case(
    name="drift",
    claim=f"{FEATURES} features of {SITES} sites compared, patient by patient",
    alternative="Evidently's DataDriftPreset on the windows of each site",
    sizes=(100_000, 1_000_000),
    quick_sizes=(3_000,),
    unit="windows",
    make=make,
    ours=ours,
    theirs=theirs,
    theirs_share=lambda size: THEIR_SITES / SITES,
    same=same,
    figures=figures,
    least=least,
    rounds=3,
    target={"ratio": 1, "cpu_seconds": 60, "peak_mib": 2048},
)
