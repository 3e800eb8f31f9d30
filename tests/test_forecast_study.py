"""The study of transfer on a few clips: who learns from whom, and what may be said of it."""

from functools import cache
from typing import Any

import numpy as np
import pytest

from flows.forecast_study import (
    BOTH,
    FLOOR,
    NOTHING,
    PEOPLE,
    Clips,
    StudySettings,
    composition_study,
    dose_study,
    few_shot_study,
    tasks_of,
)
from models.detector import Examples
from models.detectors.recent_motion import motion
from tests.test_forecaster import TINY, clip

QUICK = {
    **TINY, "epochs": 1, "windows_per_epoch": 32, "patience": 1,
    "pretraining": {**TINY["pretraining"], "contents": ["rodentseizure", "rodentnormal", "human"], "steps": 2},
}  # fmt: skip
SETTINGS = StudySettings(tasks=4, tuned_tasks=2, shots=(2, 3), steps=2, mask_ratios=(0.3,))
PERSONS = [f"sub-{n}" for n in range(9)]


@cache
def clips(cue: bool = True) -> Clips:
    per = 6
    x = np.stack([clip(cue and n % 3 == 2, 100 * p + n) for p in range(len(PERSONS)) for n in range(per)])
    label = np.tile((np.arange(per) % 3 == 2).astype(np.int8), len(PERSONS))
    who, event = np.repeat(PERSONS, per), np.tile(np.arange(per), len(PERSONS))
    made = Examples(x, event * 2.5, who, who, 4.0, label, event)
    moved = np.stack([motion(own, 0.06) for own in x])
    watched = np.stack([clip(True, 900 + n) for n in range(9)])
    content = np.tile(["rodentseizure", "rodentnormal", "human"], 3)
    floor = Examples(moved, made.onset_s, who, who, 4.0, label, event)
    return Clips(made, floor, watched, content, {p: f"site-{n % 2}" for n, p in enumerate(PERSONS)})


def test_every_method_answers_the_same_tasks_and_each_is_compared_with_what_it_should_beat() -> None:
    found = few_shot_study(clips(), QUICK, SETTINGS)
    assert set(found["methods"]) == {
        FLOOR,
        *(f"{how}, {s}" for how in ("frozen", "fine-tuned") for s in (BOTH, PEOPLE, NOTHING)),
    }
    for method, by_shots in found["methods"].items():
        assert [own["tasks"] for own in by_shots.values()] == [2 if method.startswith("fine") else 4] * 2
    pairs = {(one["method"], one["against"]) for one in found["differences"]}
    assert (f"fine-tuned, {BOTH}", f"fine-tuned, {NOTHING}") in pairs and (f"frozen, {BOTH}", FLOOR) in pairs


def test_tasks_do_not_depend_on_the_method_and_share_nobody_between_support_and_query() -> None:
    for own in tasks_of(clips(), SETTINGS).values():
        for task in own:
            assert not set(clips().person[task.support]) & set(clips().person[task.query])
    one, again = (tasks_of(clips(), SETTINGS)[2][0].support.tolist() for _ in range(2))
    assert one == again


def test_every_composition_and_ratio_has_its_cell() -> None:
    cells = composition_study(clips(), QUICK, SETTINGS)["cells"]
    assert [c["composition"] for c in cells] == ["+H", "+R(Y)", "+R(N)", "+R(Y/N)", "+R(Y/N)+H"]
    assert all(c["mask_ratio"] == 0.3 and c["tasks"] == 8 for c in cells)


def test_a_dose_is_answered_with_patients_apart_and_only_in_the_same_people() -> None:
    found: dict[str, Any] = dose_study({0.0: clips(False), 1.0: clips()}, QUICK, SETTINGS)
    assert [p["cue"] for p in found["points"]] == [0.0, 1.0] and set(found["null"]) == {"forecaster", FLOOR}
    assert found["persons"] == len(PERSONS)
    others = Clips(clips().forecaster, clips().floor, clips().watched, clips().content, {"sub-x": "site-0"})
    with pytest.raises(ValueError, match="cues are compared in the same persons"):
        dose_study({0.0: clips(), 1.0: others}, QUICK, SETTINGS)
