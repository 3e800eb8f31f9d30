"""The floor of forecasting: what it takes of the last seconds, and what it can tell apart."""

from pathlib import Path

import numpy as np
import pytest

from data.outcomes import Refusal
from data.readers.video import read_film
from data.readers.video_writer import write_video
from models import detectors
from models.detector import Examples
from models.detectors.recent_motion import FEATURES, RecentMotion, motion
from models.training import auc

PARAMS = detectors.params_of("recent_motion", "demo")


def frames(step: int, seed: int = 0, times: int = 24) -> np.ndarray:
    """A bright square that moves by `step` pixels from frame to frame, to and fro."""
    shown = np.full((times, 32, 32), 40, dtype=np.uint8)
    for number in range(times):
        at = 8 + (seed % 5) + step * (number % 2)
        shown[number, at : at + 6, 10:16] = 200
    return shown


def of(steps: list[int], who: str, label: int) -> Examples:
    x = np.stack([motion(frames(step, seed), 0.06) for seed, step in enumerate(steps)])
    n = len(x)
    named = np.full(n, who)
    return Examples(x, np.arange(n, dtype=float), named, named, 4.0, np.full(n, label, np.int8), np.arange(n))


def cohort(*patients: int) -> Examples:
    rng = np.random.default_rng(patients[0])
    parts = [of(list(rng.integers(0, 3, 6)), f"sub-{p}", 0) for p in patients]
    parts += [of(list(rng.integers(2, 5, 6)), f"sub-{p}", 1) for p in patients]
    return Examples.join(parts)


def test_of_a_still_scene_nothing_moves() -> None:
    energy, spread, largest, rise, area = motion(frames(0), 0.06)
    assert energy == spread == largest == area == np.float32(np.log(1e-4)) and rise == pytest.approx(0, abs=1e-6)


def test_motion_energy_is_the_mean_change_of_a_pixel() -> None:
    # A square of 6 × 6 that moves by one pixel uncovers 6 and covers 6 others, each by 160 of 255.
    energy, _, largest, rise, area = motion(frames(1), 0.06)
    assert np.exp(energy) == pytest.approx(12 / 32**2 * 160 / 255 + 1e-4, rel=1e-4)
    assert largest == pytest.approx(energy) and rise == pytest.approx(0, abs=1e-3)
    assert np.exp(area) == pytest.approx(12 / 32**2 + 1e-4, rel=1e-4)


def test_motion_that_grows_rises() -> None:
    grown = np.concatenate([frames(0, times=12), frames(3, times=12)])
    assert motion(grown, 0.06)[FEATURES.index("rise")] > 2 > -2 > motion(grown[::-1], 0.06)[FEATURES.index("rise")]


def test_it_tells_who_moves_more_and_is_rebuilt_bit_equally() -> None:
    floor = RecentMotion(PARAMS)
    log = floor.fit(cohort(*range(6)), cohort(6, 7), seed=1)
    unseen = cohort(8, 9, 10)
    assert unseen.label is not None
    assert auc(floor.score(unseen)[:, 1], unseen.label) > 0.8 and log["classes_seen"] == ["interictal", "preictal"]
    back = RecentMotion(PARAMS)
    back.load_state(floor.state())
    assert np.array_equal(back.score(unseen), floor.score(unseen))
    np.testing.assert_allclose(floor.score(unseen.take(np.array([3])))[0], floor.score(unseen)[3])


def test_the_threshold_of_the_best_balanced_accuracy_in_inner_patients_lies_at_equal_scores() -> None:
    floor, inner = RecentMotion(PARAMS), cohort(6, 7)
    floor.fit(cohort(*range(6)), inner, seed=1)
    score = floor.score(inner)
    assert inner.label is not None

    def reached(shift: float) -> float:
        said = score[:, 1] - score[:, 0] + shift > 0
        return float((said[inner.label == 1].mean() + (~said[inner.label == 0]).mean()) / 2)

    assert reached(0.0) == max(map(reached, np.linspace(-10, 10, 401))) and floor.offset != 0


def test_a_class_never_trained_on_is_not_named_by_its_threshold() -> None:
    floor, quiet = RecentMotion(PARAMS), cohort(*range(6))
    assert quiet.label is not None
    floor.fit(quiet.take(np.flatnonzero(quiet.label == 0)), cohort(6, 7), seed=1)
    assert floor.offset == 0 and (floor.score(cohort(8, 9)).argmax(axis=1) == 0).all()


def test_only_the_last_seconds_of_a_clip_count(tmp_path: Path) -> None:
    path = tmp_path / "sub-1_task-rest_video.mp4"
    still, moving = frames(0, times=40), frames(3, times=40)
    write_video(path, np.concatenate([still, moving]), rate_hz=8.0)
    floor = RecentMotion({**PARAMS, "size_px": 32})
    prepared = floor.front_end.prepare(read_film([path]))
    early, late = (floor.examples(prepared.between(a, a + 4), "rec", "sub") for a in (0.5, 6.0))
    assert early.x.shape == (1, len(FEATURES)) and early.onset_s.tolist() == [0.5]
    assert late.x[0, 0] > early.x[0, 0] + 1
    with pytest.raises(Refusal, match=r"the clip has 3\.0 s, needed are 4 s"):
        floor.examples(prepared.between(0.0, 3.0))
