"""Stretches that are looked at together are said the same of, bit by bit, as each alone; what is no EEG is refused alone."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from data.door import Door, verdicts
from data.montage import ELECTRODES
from data.outcomes import Refusal
from models.bundle import Bundle
from models.engines import export, sessions
from models.live import asked_for
from models.look import FEATURES, WINDOW_S, Looking
from models.ood import Ood
from models.together import Judged, judge_together
from tests.served import WEIGHTS
from tests.test_engines import da_stnet_bundle, drawn

CHANNELS = (*ELECTRODES, "ECG")
STRICT = Ood((1.0,) * len(FEATURES), tuple(map(tuple, np.eye(len(FEATURES)).tolist())), 0.87, 1e3, 9)
"""Finds the quietest or loudest of `stretches` strange, the middle ones not."""


def stretches(seconds: float, rate_hz: float, count: int) -> list[np.ndarray]:
    """Noise of various sizes on electrodes of various offsets."""
    rng, shape = np.random.default_rng(5), (len(CHANNELS), round(seconds * rate_hz))
    return [
        (rng.normal(0, size, shape) + rng.normal(0, 500, (shape[0], 1))).astype(np.float32)
        for size in np.geomspace(3, 60, count)
    ]


@cache
def bundle_of(which: str) -> Bundle:
    if which == "line_length":
        detector = drawn("line_length")
        detector.coefficients = np.array(WEIGHTS)  # type: ignore[attr-defined]
        return replace(da_stnet_bundle(), detector=detector, ood=STRICT)
    made = replace(da_stnet_bundle(), ood=STRICT)
    if which == "da_stnet by ONNX Runtime":
        with TemporaryDirectory() as folder:
            export(made.detector.networks(), Path(folder))
            made.detector.sessions = sessions(made.detector.networks(), Path(folder))
    return made


def alone(bundle: Bundle, signal: np.ndarray, rate_hz: float) -> Judged:
    """By what hears a recording while it goes on."""
    detector = bundle.detector
    judge = Door(
        CHANNELS, rate_hz, 3.0, montage="neonatal_18", min_duration_s=detector.window_s, age_range_days=(0.0, 28.0)
    )
    judge(signal)
    judge.verdict()
    prepared = bundle.front_end.stream(CHANNELS, rate_hz)(signal)
    examples = detector.listen()(prepared)  # type: ignore[attr-defined]
    probability = bundle.calibration(detector.score(examples))
    seen = Looking(bundle.front_end.rate_hz)(prepared)
    strange_s = seen.onset_s[bundle.ood.scores(seen.x) > bundle.ood.window_limit]
    outside = [
        any(at >= onset_s and at + WINDOW_S <= onset_s + examples.window_s for at in strange_s)
        for onset_s in examples.onset_s
    ]
    return Judged(examples.onset_s, np.where(outside, np.nan, probability))


@pytest.mark.parametrize("which", ["line_length", "da_stnet", "da_stnet by ONNX Runtime"])
@pytest.mark.parametrize(
    ("seconds", "rate_hz"), [(2, 256.0), (2, 250.0), (7.3, 512.0), (3, 128.0), (2, 100.0), (40, 256.0)]
)
def test_together_is_as_alone_bit_by_bit(which: str, seconds: float, rate_hz: float) -> None:
    bundle, signals = bundle_of(which), stretches(seconds, rate_hz, 5)
    together = judge_together(bundle, signals, CHANNELS, rate_hz)
    for signal, found in zip(signals, together, strict=True):
        wanted = alone(bundle, signal, rate_hz)
        assert isinstance(found, Judged)
        assert found.onset_s.tobytes() == wanted.onset_s.tobytes()
        assert found.probability.tobytes() == wanted.probability.tobytes()
    given = np.concatenate([found.probability for found in together if isinstance(found, Judged)])
    if rate_hz > 100:
        assert 0 < np.isnan(given).sum() < len(given), "some are strange and some are not"
        assert len(np.unique(given[~np.isnan(given)])) > 1 or (seconds, which) == (2, "line_length")  # its own baseline
    else:
        assert not len(given), "one sample is missing of two seconds at the front end's rate"


def test_fault_what_is_no_eeg_is_refused_alone_among_others() -> None:
    bundle, good = bundle_of("line_length"), stretches(4, 256.0, 3)
    flat, loud = np.zeros_like(good[0]), 1000 * good[1]
    middle = good[2].mean(axis=1, keepdims=True)
    clipped = middle + np.clip(good[2] - middle, -20, 20)
    first, is_flat, second, is_loud, is_clipped, third = judge_together(
        bundle, [good[0], flat, good[1], loud, clipped, good[2]], CHANNELS, 256.0
    )
    for found, wanted in zip((first, second, third), judge_together(bundle, good, CHANNELS, 256.0), strict=True):
        assert isinstance(found, Judged) and isinstance(wanted, Judged)
        assert found.probability.tobytes() == wanted.probability.tobytes()
    codes = [found.code for found in (is_flat, is_loud, is_clipped) if isinstance(found, Refusal)]
    assert codes == ["flat", "unit_suspect", "clipped"]


@pytest.mark.parametrize("seconds", [0.5, 1.5, 4, 61.2])
def test_the_door_says_together_what_it_says_of_each(seconds: float) -> None:
    signals = stretches(seconds, 256.0, 4)
    signals[1][:9] = 0.0
    signals[2][:4] = np.clip(signals[2][:4], -1, 1)
    signals[3] *= 1000
    together = verdicts(np.stack(signals), CHANNELS, 256.0, montage="neonatal_18", min_duration_s=2.0)
    assert [heard(signal) for signal in signals] == [_said(verdict) for verdict in together]


def heard(signal: np.ndarray) -> object:
    asked = {**asked_for(bundle_of("line_length")), "min_duration_s": 2.0}
    judge = Door(CHANNELS, 256.0, 3.0, **asked)
    judge(signal)
    try:
        return judge.verdict()
    except Refusal as refusal:
        return _said(refusal)


def _said(verdict: object) -> object:
    return (verdict.code, verdict.reason) if isinstance(verdict, Refusal) else verdict
