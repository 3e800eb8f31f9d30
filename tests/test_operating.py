"""How the rule of drift works, on simulated site-months: that they are what they say, and that the figures may fail."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from monitoring import operating
from monitoring.drift import by_patient
from monitoring.findings import BUDGET, DriftSettings
from monitoring.operating import Block, blocks, evidently_columns, ks_columns, measure, stated, summary
from monitoring.operating_page import lines, operating_page
from monitoring.power import SHIFTS_SD
from monitoring.showing import THEIR_WARNINGS
from monitoring.site_months import World, draw_month

RULE = DriftSettings()
SMALL = World(features=4, windows=(20, 60))


@pytest.mark.parametrize("shape", ["normal", "heavy", "skewed"])
def test_patients_differ_by_what_the_world_says(shape):
    world = World(features=6, shape=shape, windows=(20, 60))
    then, now = draw_month(world, 10, 6000, np.random.default_rng(1)).tables()
    values = then[list(world.names)].to_numpy()
    assert values.std(axis=0) == pytest.approx(world.patient_sd, rel=0.12 if shape == "heavy" else 0.06)
    assert values.mean(axis=0) == pytest.approx(0, abs=0.05) and len(now) == 10


def test_windows_of_a_patient_resemble_each_other_as_they_should():
    world = World(features=2, windows=(400, 400), likeness=(0.4,), autocorrelation=0.5, common=0.0)
    month = draw_month(world, 2, 300, np.random.default_rng(2))
    windows = month.reference.reshape(300, 400, 2)
    assert windows.var() == pytest.approx(1.0, rel=0.1)
    near, far = (np.mean(windows[:, lag:] * windows[:, :-lag]) for lag in (1, 100))
    assert far == pytest.approx(0.4, abs=0.08)  # what is the patient's
    assert near == pytest.approx(0.4 + 0.6 * 0.5, abs=0.08)


def test_a_shift_is_in_sd_between_patients_and_of_one_feature():
    month = draw_month(SMALL, 8, 12, np.random.default_rng(3))
    moved = month.shifted(1, 1.5)
    difference = moved.tables()[1][list(SMALL.names)] - month.tables()[1][list(SMALL.names)]
    assert difference.to_numpy() == pytest.approx(np.outer(np.ones(8), [0, 1.5 * SMALL.patient_sd[1], 0, 0]))
    assert np.array_equal(moved.reference, month.reference)


def test_its_tables_are_those_that_windows_are_averaged_to():
    month = draw_month(SMALL, 5, 7, np.random.default_rng(4))
    sizes = np.diff([*month.current_starts, len(month.current)])
    windows = pd.DataFrame(month.current, columns=list(SMALL.names))
    windows = windows.assign(site="site", patient=np.repeat([f"now-{n}" for n in range(5)], sizes))
    pd.testing.assert_frame_equal(
        by_patient(windows, SMALL.names), by_patient(month.tables()[1], SMALL.names), check_exact=False
    )


def test_rules_on_windows_alarm_without_any_drift():
    """Why the unit is the patient."""
    months = [draw_month(World(), 12, 60, np.random.default_rng(seed)) for seed in range(2)]
    assert all(ks_columns(month).mean() > 0.5 for month in months)
    assert all(evidently_columns(month).any() for month in months)


def test_evidentlys_rule_is_the_one_that_its_own_report_follows():
    import warnings

    month = draw_month(replace(SMALL, windows=(40, 60)), 6, 30, np.random.default_rng(5))
    with warnings.catch_warnings():
        for message in THEIR_WARNINGS:
            warnings.filterwarnings("ignore", message, DeprecationWarning)
        from evidently import DataDefinition, Dataset, Report
        from evidently.presets import DataDriftPreset

        made = DataDefinition(numerical_columns=list(SMALL.names))
        then, now = (
            Dataset.from_pandas(pd.DataFrame(rows, columns=list(SMALL.names)), data_definition=made)
            for rows in (month.reference, month.current)
        )
        count, *columns = Report([DataDriftPreset()]).run(now, then).dict()["metrics"]
    assert {c["config"]["method"] for c in columns} == {"Wasserstein distance (normed)"}
    assert [c["value"] >= c["config"]["threshold"] for c in columns] == evidently_columns(month).tolist()
    assert count["value"]["count"] == evidently_columns(month).sum()


def test_every_month_of_a_block_is_looked_at_once_and_a_large_shift_is_found():
    null = measure(Block("as the power table", SMALL, 8, 4, (1,), (), 2, RULE))
    assert [null[f"{rule} months"] for rule in operating.RULES] == [4, 2, 2] and null["null"]
    power = measure(Block("8 patients", SMALL, 8, 4, (1,), (0.5, 20.0), 0, RULE))
    assert power["ictal months"] == 4 and power["found"]["ictal", 20.0] == 4 and power["found"]["ks", 20.0] == 0
    assert measure(Block("8 patients", SMALL, 8, 4, (1,), (0.5, 20.0), 0, RULE)) == power  # by the seed alone


def test_the_months_of_a_cell_are_dealt_out_without_loss():
    made = blocks(RULE, runs=50)
    cells = {(b.cell, bool(b.shifts_sd)) for b in made}
    assert len(cells) == len(operating.NULLS) + len(operating.PATIENTS)
    for cell in cells:
        own = [b for b in made if (b.cell, bool(b.shifts_sd)) == cell]
        assert sum(b.runs for b in own) == 50 and len({b.seed for b in own}) == len(own)
    assert sum(b.beside for b in made if not b.shifts_sd) == 50


def counted(alarms: int, found: dict[float, int], runs: int = 400) -> list[dict]:
    """As blocks count: `alarms` of the months without drift, and what was found with 12 patients."""
    zero = {f"{rule} {what}": 0 for rule in operating.RULES for what in ("months", "alarms", "share")}
    null = zero | {"ictal months": runs, "ictal alarms": alarms, "ictal share": alarms / 16}
    power = zero | {"ictal months": runs}
    of_rules = {(rule, sd): found[sd] if rule == "ictal" else 0 for rule in operating.RULES for sd in SHIFTS_SD}
    return [
        {"cell": "as the power table", "null": True, "patients": 12, **null, "found": {}},
        {"cell": "12 patients", "null": False, "patients": 12, **power, "found": of_rules},
    ]


def as_stated(runs: int = 400) -> dict[float, int]:
    return {sd: round(runs * stated(sd, 12, World().features, RULE)) for sd in SHIFTS_SD}


def test_promises_are_kept_by_figures_as_stated_and_broken_by_others():
    kept = summary(counted(16, as_stated()), RULE)
    assert all(kept["promises"].values()) and kept["nulls"][0]["ictal"]["share"] == 16 / 400
    assert kept["nulls"][0]["ictal"]["low"] < 0.04 < kept["nulls"][0]["ictal"]["high"]
    assert list(summary(counted(21, as_stated()), RULE)["promises"].values()) == [False, True, True]
    off = as_stated() | {1.0: as_stated()[1.0] + 24}  # 6 points
    assert list(summary(counted(16, off), RULE)["promises"].values()) == [True, False, True]
    few = as_stated() | {1.5: 359}
    assert list(summary(counted(16, few), RULE)["promises"].values())[2] is False


def test_what_is_not_tested_is_stated_to_be_found_never():
    assert stated(2.0, RULE.min_patients - 1, 16, RULE) == 0.0 < stated(2.0, RULE.min_patients, 16, RULE)


def test_the_page_and_the_terminal_say_the_same_and_say_what_is_broken():
    found = summary(counted(16, as_stated()), RULE)
    html = operating_page(found, RULE, {"calibration.json": "ab" * 32})
    assert "Not measured here: rules of acquisition, of refused recordings among them" in html
    assert "in the same direction, in 2 of 3 periods" in html
    assert "The rule works as it says." in html and "4.0 % (2.3 to 6.4)" in html.replace("\u00a0", " ")
    assert "4.0 % (2.3 to 6.4)" in "\n".join(lines(found)) and f"{100 * BUDGET:g}" in html
    broken = summary(counted(40, as_stated()), RULE)
    assert "does not work as it says" in operating_page(broken, RULE)
    assert "BROKEN: at most 5% of months" in "\n".join(lines(broken))
