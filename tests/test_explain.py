"""What drove an event: the derivations that bear the rhythm and no others, and with other weights others."""

import os
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.signal import lfilter
from scipy.stats import spearmanr

from data.events import Annotations, Event
from data.montage import ELECTRODES, NEONATAL_18
from data.recording import Recording, Segment
from models import detectors
from models.analysis import analyse
from models.bundle import Bundle
from models.calibration import Calibration
from models.decisions import Decision, second_of
from models.detectors.da_stnet import DaStNet
from models.explain import KEPT, MOST_EVENTS, PEAKS, Peaks, drivers_of
from models.fitting import label
from models.live import LiveAnalysis
from serving.answering import _channels, told_of
from tests.served import HAS_SEEN_ALL, SURE, saved_bundle

RHYTHMIC = ("F7", "F3", "C3", "P3")
BEAR_IT = tuple(d for d in NEONATAL_18 if sum(e in RHYTHMIC for e in d.split("-")) == 1)
"""F3-C3 and C3-P3 do not: the same rhythm on both sides is taken away."""
SECONDS, SEIZURE_S = 150, (90, 150)


def seizing(seed: int) -> Recording:
    """Noise, and behind it a minute of one rhythm on four electrodes."""
    rng, time_s = np.random.default_rng(seed), np.arange(SECONDS * 256) / 256
    signal = np.stack([lfilter([4.0], [1, -0.98], rng.standard_normal(len(time_s))) for _ in range(19)])
    rhythm = 60 * np.sign(np.sin(2 * np.pi * 2.5 * time_s)) * (time_s >= SEIZURE_S[0])
    signal[[ELECTRODES.index(e) for e in RHYTHMIC]] += rhythm
    truth = Annotations((Event(SEIZURE_S[0], SEIZURE_S[1] - SEIZURE_S[0]),), float(SECONDS))
    segment = Segment(0.0, signal.astype(np.float32))
    return Recording(ELECTRODES, 256.0, (segment,), float(SECONDS), age_days=3.0, annotations=truth)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    detector = detectors.build(
        "da_stnet", {**detectors.params_of("da_stnet", "demo"), "epochs": 3, "windows_per_epoch": 640}
    )
    made = seizing(0)
    assert made.annotations
    examples = label(detector.examples(detector.front_end.prepare(made), "rec", "sub"), made.annotations)
    detector.fit(examples, examples, seed=0)
    assert examples.label is not None
    calibration = Calibration.fit(detector.score(examples), examples.label)
    return Bundle(detector, calibration, Decision(0.5), SURE, HAS_SEEN_ALL)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_an_event_is_driven_by_the_derivations_that_bear_the_rhythm(bundle: Bundle) -> None:
    found = analyse(seizing(1), bundle)
    assert found.events is not None and len(found.events.events) == len(found.drivers) == 1
    (event,), (drivers,) = found.events.events, found.drivers
    assert drivers is not None and sum(share for _, share in drivers.channels) == pytest.approx(1)
    assert sum(share for name, share in drivers.channels if name in BEAR_IT) >= 0.8
    assert {name for name, _ in drivers.channels[: len(BEAR_IT)]} == set(BEAR_IT)
    assert 1 <= len(drivers.moments) <= PEAKS
    assert all(event.onset_s - 2 < onset < event.end_s and lasts == 2.0 for onset, lasts in drivers.moments)


def test_windows_that_the_answer_left_out_as_strange_explain_nothing(bundle: Bundle) -> None:
    before = analyse(seizing(1), bundle)
    assert before.drivers[0] is not None
    seconds = [second_of(np.asarray(onset + lasts)) for onset, lasts in before.drivers[0].moments]
    limit = float(before.ood_trend[seconds].max()) - 1e-6
    strict = replace(bundle, ood=replace(bundle.ood, window_limit=limit))
    found = analyse(seizing(1), strict)
    assert found.events is not None and any(drivers is not None for drivers in found.drivers)
    for drivers in filter(None, found.drivers):
        at = [int(second_of(np.asarray(onset + lasts))) for onset, lasts in drivers.moments]
        assert not (found.ood_trend[at] > limit).any(), "a moment is a window that was set aside"
    live = LiveAnalysis(strict, ELECTRODES, 256.0, age_days=3.0)
    (signal,) = (segment.signal for segment in seizing(1).segments)
    for at_sample in range(0, signal.shape[1], 700):
        live(signal[:, at_sample : at_sample + 700])
    assert live.finish().drivers == found.drivers


def test_an_explanation_is_the_same_every_time_and_in_any_company(bundle: Bundle) -> None:
    assert analyse(seizing(1), bundle).drivers == analyse(seizing(1), bundle).drivers
    detector = bundle.detector
    assert isinstance(detector, DaStNet)
    x = detector.examples(detector.front_end.prepare(seizing(1))).x[100:103]
    assert np.array_equal(detector.shares(x)[1], detector.shares(x[1:2])[0])


def test_other_weights_give_another_explanation(bundle: Bundle) -> None:
    """Adebayo et al. 2018: an explanation that stays when the weights are drawn anew is none of the network."""
    detector = bundle.detector
    assert isinstance(detector, DaStNet)
    x = detector.examples(detector.front_end.prepare(seizing(1))).x[100:110]
    learnt, alike = detector.shares(x).mean(axis=0), list[float]()
    for seed in range(5):
        torch.manual_seed(seed)
        other = DaStNet(detector.params)
        other.network.mean.copy_(detector.network.mean)  # type: ignore[operator]
        other.network.spread.copy_(detector.network.spread)  # type: ignore[operator]
        told = other.shares(x).mean(axis=0)
        alike.append(float(spearmanr(learnt, told).statistic) if np.ptp(told) else 0.0)  # it may tell nothing at all
    again = detector.shares(x[::2]).mean(axis=0)
    assert float(spearmanr(learnt, again).statistic) > 0.8, "of half of the windows it is much the same"
    assert np.mean(alike) < 0.6 and any(alike), alike


def test_a_detector_that_cannot_tell_says_nothing(tmp_path: os.PathLike[str]) -> None:
    from pathlib import Path

    floor = saved_bundle(Path(tmp_path) / "bundle")
    made = seizing(1)
    found = analyse(made, floor)
    assert found.drivers == () and found.events is not None


class Even:
    window_s = 2.0
    asked = 0

    def shares(self, x: np.ndarray) -> np.ndarray:
        Even.asked += len(x)
        return np.where(x.sum(axis=1, keepdims=True) > 0, x / np.maximum(x.sum(axis=1, keepdims=True), 1), 0.0)


def told(probability: list[float], events: list[tuple[float, float]], x: np.ndarray | None = None):  # type: ignore[no-untyped-def]
    p, peaks = np.array(probability), Peaks(0.5)
    x = np.tile([1.0, 3.0], (len(p), 1)) if x is None else x
    for at in range(0, len(p), 3):  # in chunks
        peaks(np.arange(len(p), dtype=float)[at : at + 3], p[at : at + 3], x[at : at + 3])
    marked = Annotations(tuple(Event(*e) for e in events), float(len(p)))
    return drivers_of(marked, peaks, Even(), ("a", "b"))


def test_the_highest_windows_of_an_event_are_asked_and_of_equal_ones_the_earlier() -> None:
    (drivers,) = told([0.1, 0.6, 0.9, 0.7, 0.9, 0.9, 0.2, 0.1], [(1.0, 5.0)])
    assert drivers.moments == ((2.0, 2.0), (4.0, 2.0))
    assert drivers.channels == (("b", 0.75), ("a", 0.25))


def test_each_event_has_its_own_and_one_without_a_window_has_none() -> None:
    first, none, last = told([0.9] * 3 + [0.1] * 6 + [0.9] * 2 + [0.1] * 5, [(0.0, 3.0), (6.0, 1.0), (9.0, 3.0)])
    assert first.moments[0][0] == 0.0 and last.moments[0][0] == 9.0 and none is None
    (nothing,) = told([0.9] * 4, [(0.0, 4.0)], np.zeros((4, 2)))
    assert nothing is None


def test_no_recording_is_explained_for_ever() -> None:
    Even.asked = 0
    found = told([0.9, 0.1, 0.1] * 3000, [(3.0 * k, 1.0) for k in range(60)])
    assert Even.asked <= MOST_EVENTS * PEAKS and all(d is None for d in found[MOST_EVENTS:])
    peaks = Peaks(0.5)
    peaks(np.arange(6000.0), np.tile([0.9, 0.1], 3000), np.zeros((6000, 2)))
    assert len(peaks._past) == KEPT


def test_an_answer_names_those_above_an_equal_share(bundle: Bundle) -> None:
    (drivers,) = analyse(seizing(1), bundle).drivers
    assert drivers is not None

    class Loaded:
        detection = bundle

    assert set(_channels(drivers, Loaded())) == set(BEAR_IT)  # type: ignore[arg-type]
    equal = 1 / len(bundle.front_end.channels)
    few = replace(drivers, channels=(("a", 1.5 * equal), ("b", 1.01 * equal), ("c", equal), ("d", 0.5 * equal)))
    assert _channels(few, Loaded()) == ("a", "b")  # type: ignore[arg-type]
    many = replace(drivers, channels=tuple((name, 1.1 * equal) for name in "abcdefg"))
    assert _channels(many, Loaded()) == tuple("abcde")  # type: ignore[arg-type]
    said = told_of(drivers)
    assert len(said.channels) == 5 and said.channels[0].share == round(drivers.channels[0][1], 4)
