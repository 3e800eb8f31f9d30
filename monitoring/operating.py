"""How the rule of `monitoring.drift` works: how often it alarms without drift, and what it finds beside what it states.

The comparison of patients runs as it always does, on simulated site-months, one at a time. Rules of acquisition (of refused
recordings too) have nothing to judge in them, and whether a shift returns in the same direction, which confirms it, is not
asked. Two rules that look at windows see the same months: Kolmogorov–Smirnov at .05, and what Evidently does unless it is told
otherwise.
"""

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from monitoring.drift import compare_sites, draws_for
from monitoring.findings import BUDGET, DriftSettings
from monitoring.power import SHIFTS_SD, power_of_rule
from monitoring.showing import THEIR_WARNINGS
from monitoring.site_months import Month, World, draw_month
from validation.abstention import binomial_interval

REFERENCE_PATIENTS = 60
PATIENTS = (6, 8, 12, 24, 48)
RUNS, BESIDE_RUNS, BLOCK = 400, 100, 20
"""Months of each cell; months of a cell with a shift in which the other rules are looked at too; months drawn at a time."""
WITHIN = 0.05
"""How far measured power may lie from what is stated."""
FOUND, FOUND_SD, FOUND_PATIENTS = 0.9, 1.5, 12
"""Of shifts of 1.5 SD at least 90 % are found with 12 patients."""

NULLS = {
    "as the power table": (World(), 12),
    "6 patients": (World(), 6),
    "48 patients": (World(), 48),
    "heavy tails between patients": (World(shape="heavy"), 12),
    "skewed between patients": (World(shape="skewed"), 12),
    "independent features": (World(common=0.0), 12),
    "recordings half as long as the reference's": (World(length=0.5), 12),
    "recordings a quarter as long": (World(length=0.25), 12),
}
"""Site-months without drift. In the last two a patient's value is less certain than in the reference: what the exchange of
patients takes for granted does not hold."""

RULES = ("ictal", "ks", "evidently")
RULE = DriftSettings()


@dataclass(frozen=True)
class Block:
    """Some months of one cell, by a seed of their own. `shifts_sd` is () for months without drift; in the first `beside`
    months the rules on windows are looked at too."""

    cell: str
    world: World
    patients: int
    runs: int
    seed: tuple[int, ...]
    shifts_sd: tuple[float, ...] = ()
    beside: int = 0
    settings: DriftSettings = RULE


def blocks(settings: DriftSettings, runs: int = RUNS, seed: int = 0) -> list[Block]:
    """All that is measured, in pieces for worker processes: `runs` site-months of each cell, the same for the same
    `seed`."""
    made = []
    for number, (cell, (world, patients)) in enumerate(NULLS.items()):
        beside = runs if number == 0 else 0
        made += _pieces(Block(cell, world, patients, runs, (seed, 0, number), (), beside, settings))
    for number, patients in enumerate(PATIENTS):
        beside = min(runs, BESIDE_RUNS) if patients == FOUND_PATIENTS else 0
        cell = f"{patients} patients"
        made += _pieces(Block(cell, World(), patients, runs, (seed, 1, number), SHIFTS_SD, beside, settings))
    return made


def measure(block: Block) -> dict[str, Any]:
    """Counts of a block: of each rule how many months it looked at and in how many it alarmed; of each shift how often
    it was found."""
    rng = np.random.default_rng(block.seed)
    rule = replace(block.settings, features=block.world.names)
    counts: dict[str, float] = {f"{name} {what}": 0 for name in RULES for what in ("months", "alarms", "share")}
    found = {(name, sd): 0 for name in RULES for sd in block.shifts_sd}
    for run in range(block.runs):
        month, beside = draw_month(block.world, block.patients, REFERENCE_PATIENTS, rng), run < block.beside
        if not block.shifts_sd:
            for name, columns in _alarms(month, rule, rng, beside).items():
                counts[f"{name} months"] += 1
                counts[f"{name} alarms"] += bool(columns.any())
                counts[f"{name} share"] += float(columns.mean())
        feature = run % block.world.features
        for sd in block.shifts_sd:
            for name, columns in _alarms(month.shifted(feature, sd), rule, rng, beside).items():
                counts[f"{name} months"] += sd == block.shifts_sd[0]
                found[name, sd] += bool(columns[feature])
    return {"cell": block.cell, "null": not block.shifts_sd, "patients": block.patients, **counts, "found": found}


def summary(measured: Sequence[dict[str, Any]], settings: DriftSettings) -> dict[str, Any]:
    """Shares and exact 95 % intervals of all blocks together, what is stated beside what was measured, and whether the
    promises hold."""
    nulls = [_null(cell, [m for m in measured if m["null"] and m["cell"] == cell]) for cell in NULLS]
    tests = World().features
    cells = []
    for patients in PATIENTS:
        of_cell = [m for m in measured if not m["null"] and m["patients"] == patients]
        for sd in SHIFTS_SD if of_cell else ():
            found = {name: _share(of_cell, f"{name} months", lambda m, k=(name, sd): m["found"][k]) for name in RULES}
            cells.append(
                {"patients": patients, "shift_sd": sd, "stated": stated(sd, patients, tests, settings), **found}
            )
    return {
        "reference_patients": REFERENCE_PATIENTS,
        "features": tests,
        "nulls": [n for n in nulls if n],
        "power": cells,
        "promises": _promises([n for n in nulls if n], cells),
    }


def stated(shift_sd: float, patients: int, tests: int, settings: DriftSettings) -> float:
    """What the report of such a month says; 0 where it says that nothing was tested."""
    if patients < settings.min_patients:
        return 0.0
    draws = draws_for(tests, settings)
    return power_of_rule(shift_sd, patients, REFERENCE_PATIENTS, tests, settings.q, settings.effect_floor, draws)


def ks_columns(month: Month) -> np.ndarray:
    """(features,) of bool: p < .05 of Kolmogorov and Smirnov's test on windows."""
    from scipy.stats import ks_2samp

    pairs = zip(month.reference.T, month.current.T, strict=True)
    return np.array([ks_2samp(then, now, method="asymp").pvalue < 0.05 for then, now in pairs])


def evidently_columns(month: Month) -> np.ndarray:
    """(features,) of bool: drifted by the test and the threshold that Evidently chooses itself, on windows."""
    import pandas as pd

    os.environ.setdefault("DO_NOT_TRACK", "1")
    with warnings.catch_warnings():
        for message in THEIR_WARNINGS:
            warnings.filterwarnings("ignore", message, DeprecationWarning)
        from evidently.legacy.calculations.stattests import get_stattest
        from evidently.legacy.core import ColumnType

        drifted = []
        for then, now in zip(month.reference.T, month.current.T, strict=True):
            before, after = pd.Series(then), pd.Series(now)
            chosen = get_stattest(before, after, ColumnType.Numerical, None)
            drifted.append(bool(chosen(before, after, ColumnType.Numerical, None).drifted))
    return np.array(drifted)


def _alarms(month: Month, rule: DriftSettings, rng: np.random.Generator, beside: bool) -> dict[str, np.ndarray]:
    """Of each rule which features are in alarm."""
    (site,) = compare_sites(*month.tables(), rule, rng).sites
    alarmed = {s.feature for s in site.alarms}
    found = {"ictal": np.array([name in alarmed for name in rule.features])}
    return {**found, "ks": ks_columns(month), "evidently": evidently_columns(month)} if beside else found


def _pieces(block: Block) -> list[Block]:
    starts = range(0, block.runs, BLOCK)
    return [
        replace(
            block,
            runs=min(BLOCK, block.runs - start),
            beside=min(BLOCK, max(0, block.beside - start)),
            seed=(*block.seed, start),
        )
        for start in starts
    ]


def _null(cell: str, of_cell: list[dict[str, Any]]) -> dict[str, Any]:
    if not of_cell:
        return {}
    rules = {}
    for name in RULES:
        share = _share(of_cell, f"{name} months", lambda m, k=f"{name} alarms": m[k])
        months = sum(m[f"{name} months"] for m in of_cell)
        rules[name] = share and {**share, "columns": sum(m[f"{name} share"] for m in of_cell) / months}
    return {"cell": cell, "patients": of_cell[0]["patients"], **rules}


def _share(of_cell: list[dict[str, Any]], months: str, hits: Any) -> dict[str, float] | None:
    """A share with its exact interval (Clopper and Pearson); None where nobody looked."""
    n, k = sum(m[months] for m in of_cell), sum(hits(m) for m in of_cell)
    if not n:
        return None
    low, high = binomial_interval(k, n)
    return {"share": k / n, "low": low, "high": high, "months": n}


def _promises(nulls: list[dict[str, Any]], cells: list[dict[str, Any]]) -> dict[str, bool]:
    """What was promised, and whether the figures keep it; the first row of the nulls is the one that the budget is about."""
    key = [c for c in cells if c["patients"] == FOUND_PATIENTS and c["shift_sd"] == FOUND_SD]
    return {
        f"at most {BUDGET:.0%} of months without drift raise an alarm": nulls[0]["ictal"]["share"] <= BUDGET,
        f"measured power within ±{100 * WITHIN:.0f} points of what is stated": all(
            abs(c["ictal"]["share"] - c["stated"]) <= WITHIN for c in cells
        ),
        f"at least {FOUND:.0%} of shifts of {FOUND_SD:g} SD found with {FOUND_PATIENTS} patients": all(
            c["ictal"]["share"] >= FOUND for c in key
        ),
    }
