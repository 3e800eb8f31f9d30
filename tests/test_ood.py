"""What the model was never shown is said to be strange, and what it knows is refused no more often than declared."""

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from data.frontend import FrontEnd, Prepared
from data.readers.edf import read_edf
from data.recording import Segment
from data.simulator.patient import PatientSettings, annotations_of, draw_patient, render
from data.simulator.site import SITES
from models.look import FEATURES, WINDOW_S, Look, Looking, look
from models.ood import CEILING, FALSE_REFUSALS, WINDOWS_OUTSIDE, Ood, Strangeness, TooFewPatients
from tests import SHARED, needs_shared

RATE_HZ = 128.0
N = len(FEATURES)


def prepared(signal: np.ndarray, *more: Segment) -> Prepared:
    channels = tuple(f"derivation {i}" for i in range(len(signal)))
    segments = (Segment(0.0, signal.astype(np.float32)), *more)
    return Prepared(channels, RATE_HZ, segments, 300.0, "")


def noise(seconds: int = 20, size: float = 20.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, size, (4, int(seconds * RATE_HZ)))


def column(name: str, signal: np.ndarray) -> np.ndarray:
    return look(prepared(signal)).x[:, list(FEATURES).index(name)]


def patients(rng: np.random.Generator, count: int, windows: int = 80) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Windows (rows, features), whose they are, and which seize: patients lie as far apart as their own windows."""
    own = rng.normal(0, 0.3, (count, 1, N)) + rng.normal(0, 0.3, (count, windows, N))
    seizing = np.tile(np.arange(windows) < windows // 4, count)
    return own.reshape(-1, N), np.repeat(np.arange(count), windows), seizing


def test_a_wave_of_10_hz_has_its_power_at_8_to_12_hz() -> None:
    """30 µV at 10 Hz carry 30² / 2 = 450 µV²."""
    t = np.arange(20 * RATE_HZ) / RATE_HZ
    wave = np.tile(30 * np.sin(2 * np.pi * 10 * t), (4, 1))
    assert column("alpha", wave) == pytest.approx(np.log10(450), abs=0.01)
    assert max(column(band, wave).max() for band in ("delta", "theta", "beta")) < np.log10(1)


def test_twice_the_amplitude_moves_levels_by_its_logarithm_and_leaves_shapes_alone() -> None:
    once, twice = look(prepared(noise())).x, look(prepared(2 * noise())).x
    moved = [2 * np.log10(2)] * 4 + [np.log10(2)] + [0.0] * (N - 5)  # powers, line length, shapes
    np.testing.assert_allclose(np.median(twice - once, axis=0), moved, atol=0.01)


def test_a_silent_derivation_and_equal_derivations_show() -> None:
    silent = noise()
    silent[2] /= 100
    assert np.median(column("quietest", silent)) == pytest.approx(4, abs=0.5)  # 100² in power
    assert np.median(column("alike", np.tile(noise()[:1], (4, 1)))) == pytest.approx(1, abs=0.01)
    assert np.median(column("alike", noise())) < 0.2


@given(st.integers(0, 100), st.integers(2, 17))
@settings(max_examples=15)
def test_a_window_looks_alike_alone_and_in_company(seed: int, at: int) -> None:
    signal = noise(seed=seed)
    alone = look(prepared(signal[:, int(at * RATE_HZ) : int((at + WINDOW_S) * RATE_HZ)]))
    np.testing.assert_allclose(alone.x[0], look(prepared(signal)).x[at], rtol=1e-5, atol=1e-5)


@given(st.lists(st.integers(0, 9 * 128), max_size=8))
@settings(max_examples=20)
def test_looking_at_chunks_is_looking_at_the_whole(cuts: list[int]) -> None:
    whole = prepared(noise(9)).segments[0].signal
    looking = Looking(RATE_HZ)
    looking.start(4.0)
    parts = [looking(part) for part in np.split(whole, sorted(cuts), axis=1)]
    assert np.concatenate([p.x for p in parts]).tobytes() == look(prepared(noise(9))).x.tobytes()
    assert np.concatenate([p.onset_s for p in parts]).tolist() == list(range(4, 12))
    assert looking.next_end_s == 14.0


def test_no_window_spans_a_gap() -> None:
    seen = look(prepared(noise(5), Segment(10.0, noise(4).astype(np.float32)), Segment(20.0, noise(1))))
    assert seen.onset_s.tolist() == [0, 1, 2, 3, 10, 11, 12]
    assert look(prepared(noise(1))).x.shape == (0, N)


def test_a_new_patient_is_refused_as_often_as_declared() -> None:
    """30 cohorts of 8 patients, 40 new ones each: the declared 5 % within what 30 cohorts can tell."""
    rng, refused = np.random.default_rng(1), []
    for _ in range(30):
        x, patient, seizing = patients(rng, 48)
        known = patient < 8
        ood = Ood.fit(x[known], patient[known], seizing[known])
        strange = [ood.judge(Look(x[patient == p], np.zeros(0))).is_refused for p in range(8, 48)]
        refused.append(np.mean(strange))
    assert np.mean(refused) == pytest.approx(FALSE_REFUSALS, abs=3 * np.std(refused) / np.sqrt(30))
    assert np.mean(refused) < 2 * FALSE_REFUSALS


def test_limits_are_those_of_patients_left_out_one_by_one() -> None:
    """Of each the median score by what the others showed: mean + t · s · √(1 + 1/n) of their logarithms. Of windows the
    middle patient's 99 % point, of background and of seizure, whichever is higher."""
    x, patient, seizing = patients(np.random.default_rng(10), 7)
    scores = np.empty(len(x))
    for one in range(7):
        others = patient != one
        scores[~others] = Ood.fit(x[others], patient[others], seizing[others]).scores(x[~others])
    ood, logs = Ood.fit(x, patient, seizing), np.log([np.median(scores[patient == one]) for one in range(7)])
    beyond = stats.t.ppf(0.95, 6) * logs.std(ddof=1) * np.sqrt(8 / 7)
    assert ood.recording_limit == pytest.approx(np.exp(logs.mean() + beyond))
    ends = [
        np.median([np.quantile(scores[kind & (patient == one)], 0.99) for one in range(7)])
        for kind in (seizing, ~seizing)
    ]
    assert ood.window_limit == pytest.approx(max(ends))


def test_one_window_in_a_hundred_of_the_middle_patient_lies_outside() -> None:
    x, patient, seizing = patients(np.random.default_rng(2), 40, windows=400)
    known = patient < 20
    ood = Ood.fit(x[known], patient[known], seizing[known])
    outside = [np.mean(ood.scores(x[patient == p]) > ood.window_limit) for p in range(20, 40)]
    assert np.median(outside) == pytest.approx(WINDOWS_OUTSIDE, abs=0.01)


def test_seizures_that_look_unlike_background_are_not_what_is_set_aside() -> None:
    rng = np.random.default_rng(3)
    x, patient, seizing = patients(rng, 20)
    x[seizing] = x[seizing] * 3 + 1.0
    rare = seizing & (np.arange(len(x)) % 80 < 2)  # 2 of 80 windows
    kept = rare | ~seizing
    ood = Ood.fit(x[kept], patient[kept], rare[kept])
    assert np.mean(ood.scores(x[rare]) > ood.window_limit) < 0.15
    # Without their labels a limit on all windows sets most of them aside.
    unlabelled = Ood.fit(x[kept], patient[kept], np.zeros(kept.sum(), dtype=bool))
    assert unlabelled.window_limit < ood.window_limit


def test_one_patient_with_a_loose_electrode_does_not_set_the_limit_for_all() -> None:
    x, patient, seizing = patients(np.random.default_rng(4), 12)
    clean = Ood.fit(x, patient, seizing)
    x[(patient == 3) & (np.arange(len(x)) % 80 < 20)] += 20.0
    assert Ood.fit(x, patient, seizing).window_limit < 2 * clean.window_limit


def test_missing_samples_are_outside_and_do_not_spoil_the_fit() -> None:
    x, patient, seizing = patients(np.random.default_rng(5), 6)
    holes = x.copy()
    holes[::50] = np.nan
    ood = Ood.fit(holes, patient, seizing)
    assert np.isfinite(ood.window_limit) and ood.scores(np.full((1, N), np.nan)).tolist() == [CEILING]


def two_far_apart(spread: float) -> Ood:
    """Two patients 30 apart in every feature; the first is scattered by 1e-4, the second by `spread`."""
    rng = np.random.default_rng(9)
    x = np.concatenate([rng.normal(0, 1e-4, (60, N)), rng.normal(30, spread, (60, N))])
    return Ood.fit(x, np.repeat([0, 1], 60), np.tile(np.arange(60) < 20, 2))


def test_missing_samples_are_refused_even_where_the_limit_is_the_highest_score() -> None:
    ood = two_far_apart(20.0)
    judged = ood.judge(Look(np.full((50, N), np.nan), np.zeros(50)))
    assert judged.score == judged.limit == CEILING and judged.is_refused
    assert "its score is 1000 or more, the highest there is, the limit 1000.00" in judged.refusal(2).reason


def test_windows_with_missing_samples_are_outside_even_where_the_limit_is_the_highest_score() -> None:
    ood = two_far_apart(1e-4)
    assert ood.window_limit == CEILING
    assert ood.judge(Look(np.full((50, N), np.nan), np.zeros(50))).share_outside == 1.0
    assert ood.is_outside(np.array([CEILING, CEILING - 1, np.nan])).tolist() == [True, False, False]


def test_a_score_at_the_limit_is_no_reason_to_refuse() -> None:
    at, below = (Strangeness(score, 1.5, 0.0, "delta") for score in (1.5, np.nextafter(1.5, 0)))
    above = Strangeness(np.nextafter(1.5, 2), 1.5, 0.0, "delta")
    assert [s.is_refused for s in (below, at, above)] == [False, False, True]


def test_it_travels_as_json_and_back_to_the_bit() -> None:
    ood = Ood.fit(*patients(np.random.default_rng(6), 5))
    assert Ood.from_json(json.loads(json.dumps(ood.to_json(), allow_nan=False))) == ood
    with pytest.raises(ValueError, match="measured are"):
        Ood.from_json({**ood.to_json(), "features": ["delta"]})


def test_one_patient_tells_nothing_about_how_far_patients_lie_apart() -> None:
    x, patient, seizing = patients(np.random.default_rng(7), 1)
    with pytest.raises(TooFewPatients, match="at least 2 training patients, got 1"):
        Ood.fit(x, patient, seizing)
    assert Ood.fit(*patients(np.random.default_rng(7), 2)).patients == 2, "two are enough"


def test_a_recording_without_a_window_is_refused_and_nothing_is_said_to_differ() -> None:
    ood = Ood.fit(*patients(np.random.default_rng(8), 6))
    judged = ood.judge(Look(np.zeros((0, N)), np.zeros(0)))
    said = judged.refusal(ood.patients)
    assert judged.is_refused and said.code == "ood" and "no window" in said.reason and "nan" not in said.reason


def test_a_refusal_says_value_limit_and_what_differs() -> None:
    ood = Ood.fit(*patients(np.random.default_rng(8), 6))
    off = np.zeros((50, N))
    off[:, list(FEATURES).index("beta")] = 9.0
    judged = ood.judge(Look(off, np.zeros(50)))
    assert judged.is_refused and judged.share_outside == 1.0
    said = judged.refusal(ood.patients)
    assert said.code == "ood" and "6 patients" in said.reason and "power at 13–30 Hz" in said.reason
    assert f"{judged.score:.2f}" in said.reason and f"{judged.limit:.2f}" in said.reason


@cache
def simulated_ward() -> Ood:
    """Fitted on twelve simulated newborns of one minute at three hospitals."""
    drawn = [draw_patient(np.random.default_rng([3, i]), SITES[i % 3], PatientSettings(minutes=1.0)) for i in range(12)]
    looks = [look(FrontEnd().prepare(render(params))) for params in drawn]
    seizing = [annotations_of(p).covered(s.onset_s, WINDOW_S) >= 0.5 for p, s in zip(drawn, looks, strict=True)]
    whose = np.repeat(np.arange(12), [len(seen.onset_s) for seen in looks])
    return Ood.fit(np.concatenate([seen.x for seen in looks]), whose, np.concatenate(seizing))


@needs_shared
def test_a_real_preterm_is_unlike_simulated_term_newborns() -> None:
    preterm = read_edf(SHARED / "neonatal_edf" / "eeg_burst_eg.edf")
    assert simulated_ward().judge(look(FrontEnd().prepare(preterm))).is_refused


@pytest.mark.parametrize(("what", "is_strange"), [("as it is", False), ("white noise", True), ("muscle", True)])
def test_of_a_simulated_newborn_the_eeg_is_known_and_what_is_no_eeg_is_strange(what: str, is_strange: bool) -> None:
    made = render(draw_patient(np.random.default_rng([3, 100]), SITES[0], PatientSettings(minutes=1.0)))
    signal, rng = made.segments[0].signal, np.random.default_rng(0)
    white = rng.normal(0, 30, signal.shape)
    heard = {"as it is": signal, "white noise": white, "muscle": signal + np.diff(white, axis=1, prepend=0)}[what]
    changed = replace(made, segments=(Segment(0.0, heard.astype(np.float32)),))
    assert simulated_ward().judge(look(FrontEnd().prepare(changed))).is_refused == is_strange
