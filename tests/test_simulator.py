"""The simulator tells the truth about itself: what was drawn is what can be measured, and nothing else gives it away."""

import json
from dataclasses import asdict, replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal as sps
from scipy import stats

from data.events import Annotations
from data.frontend import FrontEnd
from data.montage import NEONATAL_18, derive
from data.recording import Recording
from data.simulator import (
    SITES,
    PatientParams,
    PatientSettings,
    annotations_of,
    draw_patient,
    draw_person,
    params_from,
    render,
    site_named,
    with_changed_amplifier,
)
from data.simulator.artefacts import KINDS
from data.simulator.disturbance import Artefact
from data.simulator.eeg import draw_background
from data.simulator.mains import Mains
from data.simulator.seizures import Seizure

NORTH, SOUTH, EAST = SITES
QUIET = Mains(50.0, (0.0,) * 19, (0.0,) * 19)
MIRROR = str.maketrans("12345678", "21436587")
few = settings(max_examples=15, deadline=None)
seeds = st.integers(0, 10**6)


def drawn(seed: int, site=NORTH, seizes: bool | None = None, minutes: float = 1.0, artefact_rate: float = 0.0):
    rng = np.random.default_rng(seed)
    person = draw_person(rng, site, seizes=seizes)
    return draw_patient(rng, site, PatientSettings(minutes=minutes, artefact_rate=artefact_rate), person)


def bipolar(recording: Recording) -> np.ndarray:
    return derive(recording.channels)(recording.segments[0].signal)


def power_between(signal: np.ndarray, rate_hz: float, low_hz: float, high_hz: float) -> np.ndarray:
    frequency, density = sps.welch(signal, rate_hz, nperseg=round(4 * rate_hz))
    return density[:, (frequency >= low_hz) & (frequency <= high_hz)].sum(axis=1)


def auc(positive: np.ndarray, negative: np.ndarray) -> float:
    return float(stats.mannwhitneyu(positive, negative).statistic / len(positive) / len(negative))


@cache
def many() -> tuple[PatientParams, ...]:
    """600 newborns with ten minutes each, drawn and not rendered."""
    return tuple(draw_patient(np.random.default_rng([5, i]), SITES[i % 3]) for i in range(600))


def test_the_same_seed_gives_the_same_samples_and_another_seed_others():
    one, same, other = (render(drawn(seed, artefact_rate=5)).segments[0].signal for seed in (1, 1, 2))
    assert one.tobytes() == same.tobytes()
    assert one.tobytes() != other.tobytes()


def test_a_recording_follows_from_the_json_of_what_was_drawn():
    params = drawn(3, EAST, seizes=True, artefact_rate=5)
    read = params_from(json.loads(json.dumps(asdict(params))))
    assert read == params and params.artefacts
    assert render(read).segments[0].signal.tobytes() == render(params).segments[0].signal.tobytes()


def test_the_artefact_rate_leaves_brain_and_baby_as_they_were():
    clean, disturbed = drawn(4, seizes=True), drawn(4, seizes=True, artefact_rate=20)
    assert not clean.artefacts and disturbed.artefacts
    assert (clean.background, clean.seizures, clean.mains) == (
        disturbed.background,
        disturbed.seizures,
        disturbed.mains,
    )


@few
@given(seeds)
def test_the_background_of_a_baby_does_not_know_whether_it_seizes(seed):
    seizing, free = drawn(seed, seizes=True), drawn(seed, seizes=False)
    assert seizing.background == free.background
    assert seizing.seizures and not free.seizures


def test_background_amplitude_does_not_separate_seizing_from_seizure_free_babies():
    amplitudes = np.array([p.background.rms_uv for p in many()])
    seizing = np.array([bool(p.seizures) for p in many()])
    assert abs(auc(amplitudes[seizing], amplitudes[~seizing]) - 0.5) < 0.07
    coupled = amplitudes * np.where(seizing, 0.6, 1)  # suppressed in the sick: such a shortcut would be seen
    assert abs(auc(coupled[seizing], coupled[~seizing]) - 0.5) > 0.1


def test_the_energy_of_a_window_hardly_tells_a_seizure_across_babies():
    energy, ictal = [], []
    for number in range(18):
        params = drawn(number, SITES[number % 3], minutes=3.0, artefact_rate=1)
        signal = FrontEnd(rate_hz=64.0).prepare(render(params)).segments[0].signal[:, : 90 * 128]
        energy.append(signal.reshape(18, -1, 128).std(axis=2).mean(axis=0))
        ictal.append(annotations_of(params).covered(np.arange(0, 2 * energy[-1].size, 2), 2.0) > 0.5)
    windows, seizing = np.concatenate(energy), np.concatenate(ictal)
    assert 0.2 < seizing.mean() < 0.5
    assert auc(windows[seizing], windows[~seizing]) < 0.75


@pytest.mark.parametrize("exponent", [1.5, 2.0, 2.4])
@pytest.mark.parametrize("site", SITES, ids=lambda s: s.name)
def test_the_spectrum_of_the_background_falls_with_the_drawn_exponent(exponent, site):
    params = drawn(6, site, seizes=False)
    loud = replace(params.background, exponents=(exponent,) * len(params.background.exponents), rms_uv=40.0)
    recording = render(replace(params, background=loud, mains=QUIET))
    assert background_slope(bipolar(recording), site.rate_hz) == pytest.approx(-exponent, abs=0.15)


def test_the_spectrum_of_drawn_backgrounds_falls_with_about_the_square_of_frequency():
    slopes = [background_slope(bipolar(render(drawn(seed, seizes=False))), 256.0) for seed in range(12)]
    assert np.median(slopes) == pytest.approx(-2, abs=0.25)


def background_slope(signal: np.ndarray, rate_hz: float) -> float:
    frequency, density = sps.welch(signal, rate_hz, nperseg=round(4 * rate_hz))
    used = (frequency >= 2) & (frequency <= 12)
    return float(np.polyfit(np.log(frequency[used]), np.log(np.median(density, axis=0)[used]), 1)[0])


@few
@given(seeds)
def test_the_median_derivation_has_the_drawn_amplitude(seed):
    params = replace(drawn(seed, seizes=False, minutes=2.0), mains=QUIET)
    signal = FrontEnd().prepare(render(params)).segments[0].signal[:, 1280:]
    assert np.median(signal.std(axis=1)) == pytest.approx(params.person.background_uv, rel=0.2)


def test_background_amplitudes_are_spread_like_those_of_real_newborns():
    low, median, high = np.percentile([p.background.rms_uv for p in many()], [5, 50, 95])
    assert 4 < low < 6 and 11 < median < 15 and 28 < high < 42


@few
@given(seeds, st.floats(0, 28), st.sampled_from([60.0, 180.0, 600.0]))
def test_the_pauses_of_quiet_sleep_keep_the_mean_power(seed, age_days, duration_s):
    background = draw_background(np.random.default_rng(seed), 10.0, age_days, duration_s)
    times_s, gains = np.transpose(background.envelope)
    assert np.all(np.diff(times_s) > 0) and times_s[-1] > duration_s
    power = np.interp(np.arange(0, duration_s, 0.1), times_s, gains) ** 2
    assert power.mean() == pytest.approx(1)


@few
@given(seeds, st.sampled_from([1.0, 2.5, 3.0, 10.0]))
def test_seizures_lie_inside_the_recording_last_10_s_and_do_not_touch(seed, minutes):
    params = drawn(seed, seizes=True, minutes=minutes)
    truth = annotations_of(params)
    assert truth.events and truth.duration_s == minutes * 60
    assert all(10 <= e.duration_s <= min(180, minutes * 30) for e in truth.events)
    assert all(e.end_s <= truth.duration_s and set(e.channels) <= set(NEONATAL_18) for e in truth.events)
    assert all(a.end_s < b.onset_s for a, b in zip(truth.events, truth.events[1:], strict=False))


def test_seizures_are_as_long_as_often_and_as_wide_as_the_sources_say():
    all_seizures = [s for p in many() for s in p.seizures]
    counts = [len(p.seizures) for p in many() if p.seizures]
    widths = np.array([len(s.channels) for s in all_seizures])
    assert np.mean(np.isin(counts, [1, 2, 3, 4])) > 0.75
    assert 0.3 < np.mean([not p.seizures for p in many()]) < 0.4
    assert np.median([s.duration_s for s in all_seizures]) == pytest.approx(46, abs=8)
    assert np.median([s.frequency_hz[0] for s in all_seizures]) == pytest.approx(1.27, abs=0.1)
    assert np.median(widths) == 2 and np.mean(widths <= 2) == pytest.approx(0.53, abs=0.1)


@few
@given(st.floats(0.7, 3.0), st.sampled_from(SITES))
def test_the_fundamental_frequency_is_found_in_the_ictal_derivations(frequency_hz, site):
    params = with_seizure(
        drawn(7, site, seizes=False), frequency_hz=(frequency_hz,) * 4, harmonics=(1.0, 0.5, 0.4, 0.3, 0.3)
    )
    ictal = [NEONATAL_18.index(c) for c in params.seizures[0].channels]
    inside = bipolar(render(params))[ictal, round(20 * site.rate_hz) : round(50 * site.rate_hz)]
    frequency, density = sps.periodogram(inside, site.rate_hz, window="hann")
    assert np.all(np.abs(frequency[density.argmax(axis=1)] - frequency_hz) < 0.05)


def test_a_seizure_has_the_drawn_power_in_its_strongest_derivation():
    params = drawn(8, seizes=False)
    ictal = with_seizure(params, modulation=(1.0, 1.0, 1.0), power_ratio=9.0, rms_uv=30.0)
    added = (bipolar(render(ictal)) - bipolar(render(params)))[:, 20 * 256 : 45 * 256]
    assert added.std(axis=1).max() == pytest.approx(30.0, rel=0.05)


def with_seizure(params: PatientParams, **changes) -> PatientParams:
    """`params` with one seizure from 12 to 52 s at C3, strong and in two derivations."""
    seizure = drawn(9, seizes=True).seizures[0]
    changes = {"power_ratio": 16.0, "rms_uv": 4 * params.person.background_uv, "width_cm": 2.0} | changes
    placed = replace(
        seizure, onset_s=12.0, duration_s=40.0, foci=("C3",), channels=("F3-C3", "C3-P3"), rise_s=4.0, fall_s=2.0
    )
    return replace(params, seizures=(replace(placed, **changes),))


def test_ictal_derivations_have_more_power_in_the_seizure_band_than_the_other_side():
    ratios = [ratio for seed in range(25) for ratio in side_ratios(drawn(seed, seizes=True, minutes=3.0))]
    assert len(ratios) > 20
    assert np.mean(np.array(ratios) > 1) > 0.85 and np.median(ratios) > 2


def side_ratios(params: PatientParams) -> list[float]:
    """Power of the ictal derivations over that of their mirror images, for each seizure on one side."""
    signal, rate_hz = bipolar(render(params)), params.site.rate_hz
    return [ratio_of(s, signal, rate_hz) for s in params.seizures if is_one_sided(s)]


def is_one_sided(seizure: Seizure) -> bool:
    mirrored = {c.translate(MIRROR) for c in seizure.channels}
    return not mirrored & set(seizure.channels)


def ratio_of(seizure: Seizure, signal: np.ndarray, rate_hz: float) -> float:
    part = signal[:, round(seizure.onset_s * rate_hz) : round((seizure.onset_s + seizure.duration_s) * rate_hz)]
    power = dict(zip(NEONATAL_18, power_between(part, rate_hz, 0.5, 6.0), strict=True))
    mirror = [power[c.translate(MIRROR)] for c in seizure.channels]
    return float(sum(power[c] for c in seizure.channels) / sum(mirror))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("site", SITES, ids=lambda s: s.name)
def test_a_fault_at_an_electrode_shows_in_both_derivations_that_share_it_and_no_other(kind, site):
    params = drawn(10, site)
    fault = Artefact(kind, 20.0, 12.0, ("T4",), (1.0,), 50.0, sum(KINDS[kind].rhythm_hz) / 2, 99)
    added = bipolar(render(replace(params, artefacts=(fault,)))) - bipolar(render(params))
    reached = np.abs(added).max(axis=1)
    shared = np.array([c in ("F8-T4", "T4-T6") for c in NEONATAL_18])
    assert np.all(reached[shared] > 10) and np.all(reached[~shared] < 1e-9)
    assert np.abs(added[shared][:, : round(19.9 * site.rate_hz)]).max() == 0


def test_artefacts_come_at_the_rates_that_experts_labelled():
    hours = sum(p.duration_s for p in many()) / 3600
    for kind, rates in KINDS.items():
        found = sum(a.kind == kind for p in many() for a in p.artefacts) / hours
        assert found == pytest.approx(rates.per_hour, rel=0.3), kind


def test_frontal_and_temporal_electrodes_suffer_most_and_the_midline_least():
    touched = [e for p in many() for a in p.artefacts if a.kind in ("emg", "pop") for e in a.electrodes]
    share = {e: touched.count(e) / len(touched) for e in ("Fp1", "T3", "O1", "Cz")}
    assert min(share["Fp1"], share["T3"]) > share["O1"] > share["Cz"]


def test_a_new_amplifier_is_louder_and_loses_slow_waves():
    params = drawn(11, EAST, seizes=False)
    before, after = (bipolar(render(replace(params, site=s))) for s in (EAST, with_changed_amplifier(EAST)))
    fast = power_between(after, 512.0, 6, 12) / power_between(before, 512.0, 6, 12)
    slow = power_between(after, 512.0, 0.4, 0.6) / power_between(before, 512.0, 0.4, 0.6)
    assert np.median(fast) == pytest.approx(1.8**2, rel=0.1)
    assert np.median(slow) < 0.25 * 1.8**2


@pytest.mark.parametrize("site", SITES, ids=lambda s: s.name)
def test_every_site_can_be_read_with_the_montage_and_hums_at_its_own_mains(site):
    params = drawn(12, site, seizes=False)
    recording = render(replace(params, background=replace(params.background, rms_uv=5.0)))
    assert derive(recording.channels).channels == NEONATAL_18 and site.name.startswith("demo-")
    other = 110.0 - site.line_hz
    hum, silence = (
        power_between(recording.segments[0].signal, site.rate_hz, f - 0.5, f + 0.5).sum() for f in (site.line_hz, other)
    )
    assert hum > 5 * silence
    low, high = site.age_days
    assert recording.age_days is not None and low <= recording.age_days <= high


def test_an_unknown_site_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="demo-north, demo-south, demo-east"):
        site_named("demo-west")


def test_the_truth_travels_with_the_recording():
    params = drawn(13, seizes=True)
    assert render(params).annotations == annotations_of(params)
    assert annotations_of(drawn(13, seizes=False)) == Annotations((), 60.0)
