"""The adult simulator tells the truth about itself: each pattern is what its table says, and three types are one pattern."""

import json
from dataclasses import asdict, replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal as sps
from scipy import stats

import data.simulator.adults.cohort as planning
from data.frontend import FrontEnd
from data.montage import ELECTRODES, TCP_20, derive
from data.recording import Recording
from data.seizure_types import TUH_TYPES
from data.simulator.adults import (
    ADULT_SITES,
    PATTERN_OF,
    AdultParams,
    AdultSettings,
    annotations_of,
    draw_adult,
    draw_person,
    params_from,
    plan_adults,
    render,
)
from data.simulator.adults.artefacts import KINDS, SHAPES, draw_artefacts
from data.simulator.adults.background import eyes_open
from data.simulator.adults.parts import Part, render_part
from data.simulator.disturbance import Artefact
from data.simulator.mains import Mains
from data.simulator.patient import PatientSettings
from data.simulator.recorder import add
from data.simulator.scalp import ADULT, HOMOLOGUES, TCP, index_of

NORTH, SOUTH, EAST = ADULT_SITES
FOCAL = ("FNSZ", "CPSZ", "SPSZ")
PATTERNS = {"focal": "FNSZ", "generalised": "GNSZ", "absence": "ABSZ", "tonic": "TNSZ", "tonic_clonic": "TCSZ"}
few = settings(max_examples=15, deadline=None)
seeds = st.integers(0, 10**6)
types = st.sampled_from(sorted(PATTERN_OF))


def drawn(seed: int, *kinds: str, site=SOUTH, minutes: float = 1.0, artefact_rate: float = 0.0) -> AdultParams:
    return draw_adult(
        np.random.default_rng(seed), site, kinds, PatientSettings(minutes=minutes, artefact_rate=artefact_rate)
    )


def bipolar(recording: Recording) -> np.ndarray:
    return derive(recording.channels, "tcp_20")(recording.segments[0].signal)


@cache
def rendered(params: AdultParams) -> np.ndarray:
    return bipolar(render(params))


def during(params: AdultParams, from_s: float = 0.0, until_s: float | None = None) -> np.ndarray:
    """(20, samples) of the first seizure, seconds counted from its onset."""
    seizure, rate_hz = params.seizures[0], params.site.rate_hz
    until_s = seizure.duration_s if until_s is None else until_s
    first, last = ((round((seizure.onset_s + at_s) * rate_hz)) for at_s in (from_s, until_s))
    return rendered(params)[:, first:last]


def waves(params: AdultParams, *kinds: str) -> np.ndarray:
    """(19, samples) µV at the electrodes: the waves of the first seizure alone, of these kinds."""
    seizure, rate_hz = params.seizures[0], params.site.rate_hz
    out = np.zeros((19, round(seizure.duration_s * rate_hz)))
    for part in (p for p in seizure.parts if p.wave in kinds):
        add(out, part.onset_s - seizure.onset_s, rate_hz, render_part(part, rate_hz))
    return out


def power(signal: np.ndarray, rate_hz: float, low_hz: float, high_hz: float) -> np.ndarray:
    frequency, density = sps.welch(signal, rate_hz, nperseg=min(round(2 * rate_hz), signal.shape[1]))
    return density[:, (frequency >= low_hz) & (frequency <= high_hz)].sum(axis=1)


def strongest_hz(signal: np.ndarray, rate_hz: float, low_hz: float = 1.0, high_hz: float = 30.0) -> float:
    """Where the spectrum of the loudest channel is highest."""
    loudest = signal[signal.std(axis=1).argmax()]
    frequency, density = sps.periodogram(loudest, rate_hz, window="hann", nfft=8 * len(loudest))
    inside = (frequency >= low_hz) & (frequency <= high_hz)
    return float(frequency[inside][density[inside].argmax()])


@cache
def many(kind: str) -> tuple[AdultParams, ...]:
    """100 patients with one seizure each, drawn and not rendered; every type has patients of its own."""
    first = 1000 * sorted(PATTERN_OF).index(kind)
    return tuple(drawn(first + n, kind, minutes=2.0) for n in range(100))


def test_the_same_seed_gives_the_same_samples_and_another_seed_others():
    one, same, other = (render(drawn(seed, "TCSZ", artefact_rate=5)).segments[0].signal for seed in (1, 1, 2))
    assert one.tobytes() == same.tobytes()
    assert one.tobytes() != other.tobytes()


def test_a_recording_follows_from_the_json_of_what_was_drawn():
    params = drawn(3, "FNSZ", "TCSZ", site=EAST, minutes=2.0, artefact_rate=5)
    read = params_from(json.loads(json.dumps(asdict(params))))
    assert read == params and params.artefacts and params.background.states
    assert render(read).segments[0].signal.tobytes() == render(params).segments[0].signal.tobytes()


def test_the_artefact_rate_leaves_brain_and_patient_as_they_were():
    clean, disturbed = drawn(4, "GNSZ"), drawn(4, "GNSZ", artefact_rate=20)
    assert not clean.artefacts and disturbed.artefacts
    for part in ("person", "background", "seizures", "mains"):
        assert getattr(clean, part) == getattr(disturbed, part)


@few
@given(
    seeds,
    st.lists(st.sampled_from(FOCAL), min_size=3, max_size=3),
    st.lists(st.sampled_from(FOCAL), min_size=3, max_size=3),
)
def test_simple_complex_and_focal_seizures_are_drawn_alike_to_the_last_number(seed, one, other):
    first, second = (drawn(seed, *kinds, minutes=3.0, artefact_rate=2) for kinds in (one, other))
    assert replace(first, types=()) == replace(second, types=())
    assert [e.type for e in annotations_of(first).events] == [TUH_TYPES[k] for k in one]


def test_no_sample_knows_a_simple_from_a_complex_partial_seizure_but_a_generalised_one_shows():
    signals = {k: render(drawn(5, k, artefact_rate=2)).segments[0].signal.tobytes() for k in (*FOCAL, "GNSZ")}
    assert signals["FNSZ"] == signals["CPSZ"] == signals["SPSZ"] != signals["GNSZ"]


def features(params: AdultParams) -> tuple[float, ...]:
    seizure = params.seizures[0]
    part = seizure.parts[0]
    return (
        seizure.duration_s,
        part.frequency_hz[0][1],
        part.frequency_hz[-1][1],
        max(uv for _, uv in part.amplitude_uv),
        len(seizure.channels),
        index_of(params.person.habits.focus),
        params.person.age_days,
        params.person.rhythms.alpha_uv,
    )


def test_patients_with_simple_and_complex_partial_seizures_do_not_differ_in_anything_drawn():
    simple, complex_, absence = (np.array([features(p) for p in many(k)]) for k in ("SPSZ", "CPSZ", "ABSZ"))
    alike = [stats.ks_2samp(a, b).pvalue for a, b in zip(simple.T, complex_.T, strict=True)]
    assert min(alike) * len(alike) > 0.001
    assert stats.ks_2samp(simple[:, 0], absence[:, 0]).pvalue < 1e-6  # such a difference would be seen


def test_who_a_patient_is_does_not_depend_on_the_types_that_are_dealt(monkeypatch):
    before = plan_adults(AdultSettings(patients_per_site=12))
    monkeypatch.setattr(planning, "DEALT", planning.DEALT[5:] + planning.DEALT[:5])
    after = plan_adults(AdultSettings(patients_per_site=12))
    assert [p.person for p in before] == [p.person for p in after]
    assert [p.background for p in before] == [p.background for p in after]
    assert [p.types for p in before] != [p.types for p in after]


@pytest.mark.parametrize("kind", PATTERNS.values())
def test_the_strength_of_a_seizure_is_drawn_alike_for_all_patterns(kind):
    strength = np.log([p.person.habits.strength_uv for p in many(kind)])
    assert np.exp(np.median(strength)) == pytest.approx(180, rel=0.12)
    largest = np.array([max(uv for p in one.seizures[0].parts for _, uv in p.amplitude_uv) for one in many(kind)])
    assert 85 < np.percentile(largest, 5) < np.percentile(largest, 95) < 420


@few
@given(seeds, st.lists(types, min_size=1, max_size=4), st.sampled_from([4.0, 5.0, 8.0]))
def test_seizures_lie_inside_the_recording_with_gaps_of_15_s(seed, kinds, minutes):
    truth = annotations_of(drawn(seed, *kinds, minutes=minutes))
    assert [e.type for e in truth.events] == [TUH_TYPES[k] for k in kinds]
    assert all(5 <= e.duration_s <= min(75, 36 * minutes / len(kinds)) for e in truth.events)
    assert all(e.channels and set(e.channels) <= set(TCP_20) for e in truth.events)
    assert truth.events[0].onset_s >= 9.99 and truth.events[-1].end_s <= truth.duration_s - 4.9
    assert all(b.onset_s - a.end_s >= 14.9 for a, b in zip(truth.events, truth.events[1:], strict=False))


def test_durations_are_those_of_the_table():
    seconds = {k: np.array([p.seizures[0].duration_s for p in many(k)]) for k in PATTERN_OF}
    assert seconds["ABSZ"].min() >= 10 and seconds["ABSZ"].max() <= 20
    assert seconds["TNSZ"].min() >= 5 and seconds["TNSZ"].max() <= 20
    assert seconds["TCSZ"].min() >= 30 and np.median(seconds["TCSZ"]) == pytest.approx(50, abs=5)
    for kind in (*FOCAL, "GNSZ"):
        assert seconds[kind].min() >= 10 and np.median(seconds[kind]) == pytest.approx(30, abs=6)
        assert np.mean(seconds[kind] >= 72) < 0.1  # no heap at the longest


@pytest.mark.parametrize("seed", range(4))
def test_an_absence_is_a_regular_three_hertz_from_the_first_second_to_the_last(seed):
    params = drawn(seed, "ABSZ")
    rate_hz, seizure = params.site.rate_hz, params.seizures[0]
    ictal = during(params)
    assert 2.5 <= strongest_hz(ictal, rate_hz) <= 3.7
    early, late = ictal[:, : round(4 * rate_hz)], ictal[:, -round(4 * rate_hz) :]
    assert strongest_hz(early, rate_hz, 2, 5) > strongest_hz(late, rate_hz, 2, 5)
    before, first = during(params, -2.0, -0.2), during(params, 0.3, 2.0)
    last, after = (
        during(params, seizure.duration_s - 2, seizure.duration_s - 0.3),
        during(params, seizure.duration_s + 0.2, seizure.duration_s + 2),
    )
    loud = ictal.std(axis=1).argmax()
    assert first[loud].std() > 1.8 * before[loud].std() and last[loud].std() > 1.8 * after[loud].std()


def test_an_absence_is_largest_over_the_frontal_electrodes():
    largest = [ELECTRODES[waves(drawn(seed, "ABSZ"), "spike_wave").std(axis=1).argmax()] for seed in range(12)]
    assert np.mean([e in ("F3", "Fz", "F4") for e in largest]) > 0.8


@pytest.mark.parametrize("seed", range(4))
def test_a_tonic_seizure_is_fast_and_tenses_the_muscles(seed):
    params = drawn(seed, "TNSZ")
    length_s = params.seizures[0].duration_s
    before, ictal = during(params, -4.0, -0.2), during(params, 0.3 * length_s, 0.9 * length_s)
    central, temporal = TCP_20.index("F4-C4"), TCP_20.index("F8-T4")
    brain = waves(params, "fast")
    assert 10 <= strongest_hz(brain[:, brain.shape[1] // 4 :], 200.0, 1, 90) <= 25
    assert power(ictal, 200.0, 10, 25)[central] > 2 * power(before, 200.0, 10, 25)[central]
    assert power(ictal, 200.0, 35, 90)[temporal] > 5 * power(before, 200.0, 35, 90)[temporal]


@pytest.mark.parametrize("seed", range(4))
def test_a_tonic_clonic_seizure_is_tonic_then_clonic_then_silent(seed):
    params = replace(drawn(seed, "TCSZ"), mains=Mains(60.0, (0.0,) * 19, (0.0,) * 19))
    length_s = params.seizures[0].duration_s
    before, tonic = during(params, -5.0, -0.5), during(params, 0.12 * length_s, 0.25 * length_s)
    clonic, after = during(params, 0.55 * length_s, length_s), during(params, length_s + 0.5, length_s + 5)
    assert 6.5 <= strongest_hz(waves(params, "fast"), 200.0) <= 11.5
    temporal = TCP_20.index("F8-T4")
    assert power(tonic, 200.0, 35, 90)[temporal] > 5 * power(before, 200.0, 35, 90)[temporal]
    first_half, second_half = np.array_split(waves(params, "jerks")[:, round(0.45 * length_s * 200) :], 2, axis=1)
    assert 3.5 > jerks_per_s(first_half) > jerks_per_s(second_half) > 1
    louder = [np.median(part.std(axis=1) / before.std(axis=1)) for part in (clonic, after)]
    assert louder[0] > 1.5 and louder[1] < 0.4


def jerks_per_s(muscle: np.ndarray) -> float:
    """Bursts of all muscles together, at 200 Hz."""
    envelope = np.convolve(np.abs(muscle).mean(axis=0), np.hanning(30), "same")
    found, _ = sps.find_peaks(envelope, height=0.4 * envelope.max(), distance=40, prominence=0.25 * envelope.max())
    return len(found) / (muscle.shape[1] / 200)


def test_jerks_of_the_muscles_come_with_the_spikes():
    params = drawn(2, "TCSZ")
    high_pass = sps.butter(4, 8.0, "highpass", fs=200.0, output="sos")
    brain = -sps.sosfiltfilt(high_pass, waves(params, "spike_wave")[index_of("Fz")])
    muscle = np.abs(waves(params, "jerks")[index_of("T3")])
    spiking = brain > np.percentile(brain[muscle > 0], 95)
    between = (muscle > 0) & ~spiking
    assert muscle[spiking].mean() > 1.5 * muscle[between].mean()
    late = np.roll(muscle, 60)  # by 0.3 s: such a disagreement would be seen
    assert late[spiking].mean() < 0.8 * muscle[spiking].mean()


@pytest.mark.parametrize("seed", range(4))
def test_a_focal_seizure_gets_slower_and_larger(seed):
    params = drawn(seed, "FNSZ")
    rhythm, count = waves(params, "rhythm"), waves(params, "rhythm").shape[1]
    start, end = rhythm[:, : count // 4], rhythm[:, -count // 3 : -count // 12]
    start_hz, end_hz = strongest_hz(start, 200.0), strongest_hz(end, 200.0)
    assert 4.5 <= start_hz <= 9.2 and end_hz < 0.85 * start_hz
    assert end.std(axis=1).max() > 1.5 * start.std(axis=1).max()
    ictal = rendered(params)
    chosen = [TCP_20.index(c) for c in params.seizures[0].channels]
    onset, stop = (round(s * 200) for s in (params.seizures[0].onset_s, annotations_of(params).events[0].end_s))
    assert ictal[chosen, onset:stop].std() > ictal[chosen, onset - 1600 : onset].std()


def test_a_focal_seizure_reaches_more_electrodes_later_nearest_first():
    grown = []
    for seed in range(20):
        seizure = drawn(seed, "CPSZ").seizures[0]
        core, around = seizure.parts[:2]
        focus = int(np.argmax(core.weights))
        by_distance = np.argsort(ADULT.distance_cm[focus], kind="stable")
        assert np.all(np.diff(np.array(around.arrival_s)[by_distance]) >= 0)
        rhythm = waves(drawn(seed, "CPSZ"), "rhythm")
        tenth, peak = rhythm.shape[1] // 10, np.abs(rhythm).max()
        early, late = rhythm[:, tenth : 2 * tenth], rhythm[:, -3 * tenth : -tenth]
        reached = [int((np.abs(part).max(axis=1) > 0.25 * peak).sum()) for part in (early, late)]
        grown.append(reached[1] - reached[0])
    assert np.min(grown) >= 0 and np.median(grown) >= 3


def test_one_focal_seizure_in_five_joins_in_on_the_other_side():
    sides = [sum(p.wave == "rhythm" for p in one.seizures[0].parts) == 3 for k in FOCAL for one in many(k)]
    assert np.mean(sides) == pytest.approx(0.2, abs=0.06)
    two = next(
        one.seizures[0] for one in many("CPSZ") if len([p for p in one.seizures[0].parts if p.wave == "rhythm"]) == 3
    )
    here, there = (ELECTRODES[int(np.argmax(p.weights))] for p in (two.parts[0], two.parts[2]))
    assert HOMOLOGUES[here] == there and two.parts[2].onset_s > two.onset_s


@pytest.mark.parametrize("seed", range(4))
def test_a_generalised_seizure_is_on_both_sides_from_its_first_second(seed):
    brain = waves(drawn(seed, "GNSZ"), "spike_wave")
    first = brain[:, 60:260].std(axis=1)
    assert all(first[index_of(e)] > 0.15 * first.max() for e in ("F3", "F4", "C3", "C4", "T3", "T4", "O1", "O2"))
    assert 0.6 < first[index_of("F3")] / first[index_of("F4")] < 1.7
    assert 1.8 <= strongest_hz(brain, 200.0, 1.5, 5.6) <= 5.5


def test_a_generalised_seizure_is_less_regular_than_an_absence():
    def share_near_peak(kind: str, seed: int) -> float:
        brain = waves(drawn(seed, kind), "spike_wave")[:, :2000]
        peak_hz = strongest_hz(brain, 200.0, 1.5, 5.6)
        loudest = brain[[brain.std(axis=1).argmax()]]
        return float(power(loudest, 200.0, peak_hz - 0.5, peak_hz + 0.5)[0] / power(loudest, 200.0, 1.5, 6)[0])

    regular, irregular = (np.median([share_near_peak(k, s) for s in range(6)]) for k in ("ABSZ", "GNSZ"))
    assert regular > 1.2 * irregular


def test_what_follows_a_seizure_is_not_part_of_it():
    after = {
        k: np.mean([any(p.wave == "slowing" for p in one.seizures[0].parts) for one in many(k)]) for k in PATTERN_OF
    }
    assert after["CPSZ"] == pytest.approx(0.7, abs=0.1) and after["GNSZ"] == pytest.approx(0.5, abs=0.12)
    assert after["ABSZ"] == 0
    for one in many("TCSZ")[:20]:
        seizure = one.seizures[0]
        slow = next(p for p in seizure.parts if p.wave == "slowing")
        end_s = seizure.onset_s + seizure.duration_s
        assert slow.onset_s > end_s and seizure.background[-1][0] > end_s + 20


@pytest.mark.parametrize("wave", ["rhythm", "fast", "spike_wave"])
def test_waves_of_the_brain_are_as_high_as_drawn(wave):
    still = (0.0,) * 19
    part = Part(wave, 0.0, 10.0, ((0.0, 3.0),), ((0.0, 100.0),), (1.0,) * 19, still, still, 0.0, 1, 0.1, 0.1, 1)
    assert np.ptp(render_part(part, 512.0)[0, 1024:4096]) == pytest.approx(100, rel=0.06)


def test_amplitude_tells_the_patterns_far_less_than_bands_do():
    """30 patients, nearest mean of five patterns with the tested patient left out; chance is one in five."""
    signals, labels = zip(
        *((during(drawn(s, k), 1.0, 5.0), k) for k in PATTERNS.values() for s in range(40, 46)), strict=True
    )
    bands = [(0.5, 4), (4, 8), (8, 13), (13, 30), (30, 70)]
    amplitude = np.log([[x.std(axis=1).mean(), x.std(axis=1).max()] for x in signals])
    spectrum = np.array([[f(np.log(power(x, 200.0, *b))) for b in bands for f in (np.mean, np.std)] for x in signals])
    by_amplitude, by_band = (np.mean(left_out(f, np.array(labels)) == np.array(labels)) for f in (amplitude, spectrum))
    assert by_band > 0.6 and by_amplitude < by_band - 0.25


def left_out(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The label whose mean over all other patients is nearest, features scaled."""
    scaled, names, said = stats.zscore(features, axis=0), np.unique(labels), []
    for n, own in enumerate(scaled):
        others = np.arange(len(scaled)) != n
        means = [scaled[others & (labels == name)].mean(axis=0) for name in names]
        said.append(names[int(np.argmin([np.linalg.norm(own - m) for m in means]))])
    return np.array(said)


def test_alpha_is_posterior_and_comes_with_closed_eyes():
    ratios = []
    for seed in range(8):
        params = drawn(seed, minutes=3.0)
        signal = FrontEnd(montage="tcp_20", rate_hz=100.0).prepare(render(params)).segments[0].signal
        parts = {
            name: [
                signal[:, round(a * 100) : round(b * 100)]
                for s, a, b in params.background.states
                if s == name and b - a > 6
            ]
            for name in ("open", "closed")
        }
        if parts["open"] and parts["closed"]:
            open_, closed = (np.mean([power(p, 100.0, 8, 12) for p in parts[n]], axis=0) for n in ("open", "closed"))
            ratios.append((closed / open_)[[TCP_20.index("P3-O1"), TCP_20.index("Fp1-F3")]])
    assert len(ratios) >= 4
    back, front = np.median(ratios, axis=0)
    assert back > 3 > 1.5 > front


def test_the_spectrum_falls_with_the_drawn_exponent():
    params = drawn(6, minutes=3.0)
    awake = replace(
        params.background,
        states=(("open", 0.0, 180.0),),
        runs=(),
        rhythms=replace(params.background.rhythms, alpha_uv=0.0, rms_uv=30.0),
    )
    signal = bipolar(render(replace(params, background=awake)))
    frequency, density = sps.welch(signal, 200.0, nperseg=800)
    used = (frequency >= 2) & (frequency <= 25)
    slope = np.polyfit(np.log(frequency[used]), np.log(np.median(density, axis=0)[used]), 1)[0]
    assert slope == pytest.approx(-params.person.rhythms.exponent, abs=0.12)


def test_the_median_derivation_has_the_drawn_amplitude():
    params = drawn(7, minutes=3.0)
    still = replace(
        params.background,
        states=(("open", 0.0, 180.0),),
        runs=(),
        rhythms=replace(params.background.rhythms, alpha_uv=0.0),
    )
    signal = FrontEnd(montage="tcp_20").prepare(render(replace(params, background=still))).segments[0].signal[:, 1280:]
    assert np.median(signal.std(axis=1)) == pytest.approx(0.94 * params.person.rhythms.rms_uv, rel=0.15)


def test_benign_rhythms_come_without_seizures_and_do_not_change_their_frequency():
    runs = [run for k in PATTERN_OF for one in many(k) for run in one.background.runs]
    assert len(runs) / (len(PATTERN_OF) * 100 * 2) == pytest.approx(0.3, rel=0.1)
    assert all(len(run.frequency_hz) == 1 and 1.5 <= run.frequency_hz[0][1] <= 7 for run in runs)


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("site", ADULT_SITES, ids=lambda s: s.name)
def test_a_fault_at_an_electrode_shows_in_the_derivations_that_share_it_and_no_other(kind, site):
    params = drawn(10, site=site)
    rhythm_hz = 0.5 if kind not in KINDS else float(np.mean(KINDS[kind].rhythm_hz))
    fault = Artefact(kind, 20.0, 12.0, ("T4",), (1.0,), 50.0, rhythm_hz, 99)
    added = bipolar(render(replace(params, artefacts=(fault,)))) - bipolar(render(params))
    reached = np.abs(added).max(axis=1)
    shared = np.array(["T4" in c.split("-") for c in TCP_20])
    assert np.all(reached[shared] > 10) and np.all(reached[~shared] < 1e-9)
    assert np.abs(added[shared][:, : round(19.9 * site.rate_hz)]).max() == 0


def test_blinks_come_with_open_eyes_only():
    for seed in range(10):
        params = drawn(seed, "GNSZ", minutes=3.0, artefact_rate=1)
        blinks = [a.onset_s for a in params.artefacts if a.kind == "blink"]
        assert blinks == [start_s for start_s, end_s in eyes_open(params.background) if end_s - start_s > 1]


def test_chewing_and_tension_in_a_seizure_come_with_any_pattern_alike():
    def share(kind: str) -> float:
        found = []
        for seed in range(60):
            params = drawn(seed, kind, minutes=1.0, artefact_rate=1e-9)
            found.append(any(a.kind in ("chewing", "muscle") for a in params.artefacts))
        return float(np.mean(found))

    shares = {kind: share(kind) for kind in ("FNSZ", "ABSZ", "TCSZ")}
    assert len(set(shares.values())) == 1 and 0.2 < shares["FNSZ"] < 0.5


def test_artefacts_come_at_the_rates_of_the_table():
    found = [a.kind for n in range(600) for a in draw_artefacts(np.random.default_rng(n), 300.0, (), (), 0.0)]
    for kind, rates in KINDS.items():
        assert found.count(kind) / 50 == pytest.approx(rates.per_hour, rel=0.25), kind


def test_the_numbers_of_patients_by_type_are_those_of_the_table():
    plans = plan_adults(AdultSettings())
    counts = {code: sum(code in p.types for p in plans) for code in PATTERN_OF}
    assert counts == {"FNSZ": 11, "CPSZ": 6, "SPSZ": 3, "GNSZ": 7, "ABSZ": 5, "TNSZ": 3, "TCSZ": 5}
    assert sum(not p.types for p in plans) == 3 and sum(len(set(p.types)) == 2 for p in plans) == 7
    for code in PATTERN_OF:
        assert len({p.site.name for p in plans if code in p.types}) >= 2, code
    assert all(2 <= len(p.types) <= 4 for p in plans if p.types)


@pytest.mark.parametrize("patients", [3, 4, 6, 12, 15])
def test_every_type_occurs_and_somebody_has_no_seizures_from_three_patients_per_site_on(patients):
    plans = plan_adults(AdultSettings(patients_per_site=patients))
    assert {t for p in plans for t in p.types} == set(PATTERN_OF)
    assert 0.05 < np.mean([bool(p.types) for p in plans]) <= 0.95
    assert len({p.person.key for p in plans}) == len(plans)


def test_a_larger_cohort_begins_like_a_smaller_one_at_every_site():
    small, large = (plan_adults(AdultSettings(patients_per_site=n)) for n in (2, 4))
    for site in ADULT_SITES:
        few_, more = ([replace(p, name="") for p in plans if p.site == site] for plans in (small, large))
        assert more[:2] == few_


def test_ages_run_from_4_to_89_years_at_every_site():
    people = [[draw_person(np.random.default_rng([n, m]), s) for n in range(80)] for m, s in enumerate(ADULT_SITES)]
    ages = np.array([[p.age_days / 365.25 for p in at_site] for at_site in people])
    assert ages.min() >= 4 and ages.max() <= 89
    assert np.all(np.abs(np.median(ages, axis=1) - 46) < 12)


def test_the_adult_head_is_larger_and_its_neighbours_further_apart():
    assert ADULT.distance_cm[index_of("Fz"), index_of("Cz")] == pytest.approx(7.4, abs=0.05)
    assert TCP.shape == (20, 19)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"patients_per_site": 0}, "patients_per_site must be ≥ 1, got 0"),
        ({"minutes": 3.0}, "minutes must be ≥ 4 for 4 seizures, got 3"),
        ({"seizures_per_patient": (1, 3)}, "2 ≤ fewest ≤ most, got 1 and 3"),
        ({"artefact_rate": -1.0}, "artefact_rate must be ≥ 0, got -1"),
    ],
)
def test_settings_that_cannot_be_simulated_are_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        replace(AdultSettings(), **wrong)


def test_a_type_without_a_pattern_is_answered_with_those_that_have_one():
    with pytest.raises(ValueError, match="MYSZ; there are FNSZ, CPSZ, SPSZ, GNSZ"):
        drawn(1, "MYSZ")


def test_more_seizures_than_fit_are_refused():
    with pytest.raises(ValueError, match="3 seizures need at least 180 s, got 120 s"):
        drawn(1, "FNSZ", "FNSZ", "FNSZ", minutes=2.0)


def test_the_parameters_are_frozen():
    """Whoever changes one, or a shape, changes every figure that was ever made: that is a numbered decision."""
    plans = plan_adults(AdultSettings())
    seizures = [s for p in plans for s in p.seizures]
    found = {
        "seizures_s": sum(s.duration_s for s in seizures),
        "onsets_s": sum(s.onset_s for s in seizures),
        "waves_uv": sum(sum(uv for _, uv in part.amplitude_uv) * sum(part.weights) for s in seizures for part in s.parts),
        "waves_hz": sum(hz for s in seizures for part in s.parts for _, hz in part.frequency_hz),
        "artefacts_uv": sum(a.amplitude_uv * a.duration_s for p in plans for a in p.artefacts),
        "backgrounds": sum(p.person.rhythms.rms_uv * p.person.rhythms.alpha_hz + len(p.background.runs) for p in plans),
        "signals_uv": sum(float(render(drawn(s, k, artefact_rate=3)).segments[0].signal.std()) for s, k in enumerate(PATTERN_OF)),
    }  # fmt: skip
    assert found == pytest.approx(FROZEN, rel=1e-6)


FROZEN = {
    "seizures_s": 2549,
    "onsets_s": 14091.47,
    "waves_uv": 445393.3602,
    "waves_hz": 2032.635225,
    "artefacts_uv": 209009.9216,
    "backgrounds": 3461.113788,
    "signals_uv": 121.2121324,
}
