"""What is seen of a recording's technical quality, and who is turned away at the door."""

import time
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data import measures
from data.door import Door, door
from data.montage import ELECTRODES, NEONATAL_18
from data.outcomes import Refusal
from data.quality import channel_facts, check_amplitude, check_rate
from data.readers.edf import read_edf
from data.recording import Recording, Segment
from tests import SHARED, needs_shared

RATE_HZ = 256.0
TIME_S = np.arange(60 * 256) / RATE_HZ


def eeg(rate_hz: float = RATE_HZ) -> np.ndarray:
    """60 s of 19 channels whose power falls with the square of the frequency, sd about 20 µV."""
    return _eeg(rate_hz).copy()


@cache
def _eeg(rate_hz: float) -> np.ndarray:
    shape = (19, round(60 * rate_hz))
    white = np.fft.rfft(np.random.default_rng(0).normal(0, 1, shape), axis=1)
    frequencies = np.maximum(np.fft.rfftfreq(shape[1], 1 / rate_hz), 0.5)
    signal = np.fft.irfft(white / frequencies, shape[1], axis=1)
    return (signal / signal.std() * 20).astype(np.float32)


def recording(signal: np.ndarray, rate_hz: float = RATE_HZ, age_days: float | None = 3.0) -> Recording:
    duration_s = signal.shape[1] / rate_hz
    return Recording(ELECTRODES, rate_hz, (Segment(0.0, signal),), duration_s, name="sub-001", age_days=age_days)


def fact(signal: np.ndarray, column: str) -> float:
    """The fact of the first channel, when its signal is `signal` (60 s at 256 Hz)."""
    table = channel_facts(recording(np.concatenate([signal[None].astype(np.float32), eeg()[1:]])))
    return float(table[column].iloc[0])


def with_rows(rows: list[int], values: np.ndarray | float) -> np.ndarray:
    signal = eeg()
    signal[rows] = values
    return signal


def test_there_is_one_row_per_eeg_channel_and_every_fact_has_its_column() -> None:
    one = recording(eeg())
    table = channel_facts(replace(one, channels=(*ELECTRODES[:-1], "ECG")))
    assert table["channel"].tolist() == list(ELECTRODES[:-1])
    assert table.columns.tolist() == [
        "recording", "channel", "duration_s", "recorded_s", "rate_hz", "n_channels", "n_eeg", "gaps_n", "gap_s",
        "missing_derivations", "flat_share", "clipped_share", "rms_uv", "p2p_p99_uv", "mains50_ratio", "mains60_ratio",
        "mains_ratio", "slope", "nan_share",
    ]  # fmt: skip
    assert table["n_channels"].unique().tolist() == [19]
    assert table["n_eeg"].unique().tolist() == [18]
    assert table["missing_derivations"].unique().tolist() == ["P4-O2, T6-O2"]
    assert table["recording"].unique().tolist() == ["sub-001"]


def test_gaps_are_counted_and_do_not_count_as_signal() -> None:
    signal = eeg()
    segments = (
        Segment(0.0, signal[:, : 20 * 256]),
        Segment(25.0, signal[:, 20 * 256 : 30 * 256]),
        Segment(37.5, signal[:, :256]),
    )
    first = channel_facts(Recording(ELECTRODES, RATE_HZ, segments, 38.5)).iloc[0]
    assert (first["duration_s"], first["recorded_s"], first["gaps_n"], first["gap_s"]) == (38.5, 31.0, 2, 7.5)


def test_amplitudes_are_those_of_a_known_tone() -> None:
    tone = 50 * np.sin(2 * np.pi * 5 * TIME_S)
    assert fact(tone, "rms_uv") == pytest.approx(50 / np.sqrt(2), rel=1e-3)
    assert fact(tone, "p2p_p99_uv") == pytest.approx(100, rel=0.01)


def test_rms_is_blind_to_offset_and_to_a_short_artefact() -> None:
    artefact = eeg()[0] + 5000
    artefact[1000:1400] += 3000 * np.sin(np.arange(400))
    assert fact(artefact, "rms_uv") == pytest.approx(fact(eeg()[0], "rms_uv"), rel=0.05)


@pytest.mark.parametrize("flat_s", [0, 15, 60])
def test_the_flat_share_is_the_time_without_a_microvolt(flat_s: int) -> None:
    signal = eeg()[0] + 40
    signal[: flat_s * 256] = 40 + 0.4 * np.sin(np.arange(flat_s * 256))
    assert fact(signal, "flat_share") == flat_s / 60


@pytest.mark.parametrize("share", [0.0, 0.05, 0.3])
def test_the_clipped_share_is_the_time_at_the_rails(share: float) -> None:
    signal = np.sin(2 * np.pi * TIME_S) * 100 + eeg()[0] / 10
    low, high = np.quantile(signal, [share / 2, 1 - share / 2])
    assert fact(np.clip(signal, low, high), "clipped_share") == pytest.approx(share, abs=0.003)


def test_a_single_peak_is_not_clipped() -> None:
    assert fact(eeg()[0], "clipped_share") == 0.0


def test_a_flat_channel_is_not_clipped() -> None:
    assert fact(np.zeros(60 * 256), "clipped_share") == 0.0


@pytest.mark.parametrize("line_hz", [50.0, 60.0])
def test_mains_interference_is_seen_at_its_own_frequency(line_hz: float) -> None:
    hum = eeg() + 10 * np.sin(2 * np.pi * line_hz * TIME_S).astype(np.float32)
    first = channel_facts(recording(hum), line_hz=line_hz).iloc[0]
    other = 110 - line_hz
    assert first[f"mains{line_hz:.0f}_ratio"] > 50
    assert first["mains_ratio"] == first[f"mains{line_hz:.0f}_ratio"]
    assert 0.5 < first[f"mains{other:.0f}_ratio"] < 2


def test_mains_are_unknown_where_the_rate_is_too_low() -> None:
    first = channel_facts(recording(eeg(100.0), 100.0)).iloc[0]
    assert np.isnan(first["mains50_ratio"])
    assert np.isnan(first["mains60_ratio"])
    assert not np.isnan(channel_facts(recording(eeg(128.0), 128.0)).iloc[0]["mains60_ratio"])


def test_the_slope_is_that_of_the_noise() -> None:
    assert fact(eeg()[0], "slope") == pytest.approx(-2.0, abs=0.2)
    assert fact(eeg()[0] + 50_000, "slope") == pytest.approx(fact(eeg()[0], "slope"), abs=0.05)
    assert fact(np.random.default_rng(0).normal(0, 20, 60 * 256), "slope") == pytest.approx(0.0, abs=0.2)


def test_missing_samples_are_counted_and_spoil_no_other_fact() -> None:
    signal = eeg()[0]
    whole = {c: fact(signal, c) for c in ("rms_uv", "slope", "p2p_p99_uv", "flat_share")}
    signal[3 * 256 : 6 * 256] = np.nan
    assert fact(signal, "nan_share") == 3 / 60
    assert {c: fact(signal, c) for c in whole} == pytest.approx(whole, rel=0.1)
    assert fact(np.full(60 * 256, np.nan), "nan_share") == 1.0


def test_a_recording_without_signal_has_rows_without_values() -> None:
    table = channel_facts(Recording(ELECTRODES, RATE_HZ, (), 0.0))
    assert len(table) == 19
    assert table["rms_uv"].isna().all()


@settings(max_examples=5, deadline=None)
@given(st.integers(1, 59))
def test_facts_do_not_depend_on_where_whole_seconds_are_divided(at_s: int) -> None:
    signal = eeg()
    parts = tuple(Segment(float(a), signal[:, a * 256 : b * 256]) for a, b in ((0, at_s), (at_s, 60)))
    columns = ["flat_share", "clipped_share", "rms_uv", "p2p_p99_uv", "recorded_s", "gaps_n"]
    divided, whole = (
        channel_facts(Recording(ELECTRODES, RATE_HZ, s, 60.0))[columns] for s in (parts, (Segment(0.0, signal),))
    )
    pd.testing.assert_frame_equal(divided, whole)


def test_ten_minutes_of_19_channels_take_less_than_half_a_second_of_processor_time() -> None:
    one = recording(np.tile(eeg(512.0), 10), 512.0)
    spent_s = []
    for _ in range(3):
        start = time.process_time()
        channel_facts(one)
        spent_s.append(time.process_time() - start)
    assert min(spent_s) < 0.5


@needs_shared
def test_a_real_preterm_recording_passes_the_door() -> None:
    one = read_edf(SHARED / "neonatal_edf" / "eeg_burst_eg.edf", age_days=1.0)
    assert door(one, age_range_days=(0, 28)) == ()
    table = channel_facts(one)
    assert len(table) == 19
    assert 1 < table["rms_uv"].median() < 100
    assert table.set_index("channel")["rms_uv"].idxmin() == "EEG Cz-Ref"  # the reference lies beside it


def test_a_good_recording_passes_and_loses_nothing() -> None:
    assert door(recording(eeg()), montage="neonatal_18", min_duration_s=60, age_range_days=(0, 28)) == ()


def refusal_of(one: Recording, **settings: object) -> Refusal:
    with pytest.raises(Refusal) as caught:
        door(one, **settings)  # type: ignore[arg-type]
    return caught.value


def pieces(*lengths_s: int) -> Recording:
    """Segments of these lengths with gaps of 10 s."""
    signal, segments, at_s = eeg(), [], 0.0
    for length_s in lengths_s:
        segments.append(Segment(at_s, signal[:, : length_s * 256]))
        at_s += length_s + 10
    return Recording(ELECTRODES, RATE_HZ, tuple(segments), at_s, age_days=3.0)


@pytest.mark.parametrize(
    ("one", "settings", "code", "said"),
    [
        (pieces(), {}, "no_signal", "0 s"),
        (pieces(20), {}, "too_short", "20.0 s"),
        (pieces(20, 20), {}, "discontinuous", "20.0 s of 40.0 s"),
        (recording(eeg(), 99.0), {}, "rate_too_low", "99"),
        (recording(eeg(), 4096.0), {}, "unsupported_format", "4096"),
        (replace(recording(eeg()), channels=("ECG", *ELECTRODES[1:])), {}, "montage_missing", "Fp1-F3"),
        (recording(eeg(), age_days=None), {"age_range_days": (0, 28)}, "age_unknown", "0 to 28 days"),
        (recording(eeg(), age_days=29.0), {"age_range_days": (0, 28)}, "age_out_of_scope", "0 to 28 days, the patient's age is 29 days"),
        (recording(eeg(), age_days=40 * 365.25), {"age_range_days": (0, 28)}, "age_out_of_scope", "40 years"),
        (recording(eeg() * 1000), {}, "unit_suspect", "µV"),
        (recording(eeg() / 1000), {}, "unit_suspect", "0.3–1500"),
        (recording(with_rows(list(range(10)), 0.0)), {}, "flat", "10 of 19"),
        (recording(np.zeros((19, 60 * 256))), {}, "flat", "19 of 19"),
        (recording(np.full((19, 60 * 256), np.nan)), {}, "flat", "19 of 19"),
        (recording(np.clip(eeg(), -10, 10)), {}, "clipped", "19 of 19"),
    ],
)  # fmt: skip
def test_what_cannot_be_judged_is_turned_away_with_its_reason(
    one: Recording, settings: dict[str, object], code: str, said: str
) -> None:
    refusal = refusal_of(one, **settings)
    assert refusal.code == code
    assert said in refusal.reason


def test_limits_of_the_door_are_inclusive() -> None:
    assert door(pieces(20, 30), min_duration_s=30) == ()
    assert door(recording(eeg(), age_days=28.0), age_range_days=(0, 28)) == ()
    assert door(recording(eeg(), age_days=0.0), age_range_days=(0, 28)) == ()


def test_an_unknown_age_passes_where_none_is_asked_for() -> None:
    assert door(recording(eeg(), age_days=None)) == ()


def test_a_few_flat_or_clipped_channels_cost_only_their_derivations() -> None:
    signal = with_rows([ELECTRODES.index("Cz")], 0.0)
    signal[ELECTRODES.index("O2")] = np.clip(signal[ELECTRODES.index("O2")], -10, 10)
    assert door(recording(signal)) == ("P4-O2", "T6-O2", "Fz-Cz", "Cz-Pz")


def test_half_the_channels_may_be_lost_and_not_one_more() -> None:
    assert len(door(recording(with_rows(list(range(9)), 0.0)))) > 0
    assert refusal_of(recording(with_rows(list(range(10)), 0.0))).code == "flat"


def test_exactly_half_of_an_even_number_may_be_lost() -> None:
    def bipolar(lost: int) -> Recording:
        segments = (Segment(0.0, with_rows(list(range(1, lost + 1)), 0.0)),)
        return replace(recording(eeg()), channels=("ECG", *NEONATAL_18), segments=segments)

    assert door(bipolar(9)) == NEONATAL_18[:9]
    assert refusal_of(bipolar(10)).code == "flat"


def test_channels_that_no_derivation_needs_are_not_judged() -> None:
    signal = np.concatenate([eeg(), np.zeros((30, 60 * 256), np.float32)])
    names = (*ELECTRODES, *(f"Fp1-{i}" for i in range(30)))
    assert door(replace(recording(eeg()), channels=names, segments=(Segment(0.0, signal),))) == ()


@pytest.mark.parametrize("rate_hz", [100.0, 2048.0])
def test_rates_at_the_limits_pass(rate_hz: float) -> None:
    check_rate(rate_hz)


def test_one_channel_with_a_wrong_gain_does_not_make_the_unit_suspect() -> None:
    check_amplitude(recording(with_rows([0], eeg()[0] * 1e6)))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(-2, 2), min_size=1, max_size=40), st.lists(st.integers(0, 40), max_size=6), st.integers(0, 40)
)
def test_clipped_samples_counted_in_chunks_are_those_of_the_definition(
    values: list[int], cuts: list[int], gap: int
) -> None:
    """Those at the highest or lowest value of all, with a neighbour in the same stretch that is there too."""
    signal = np.array([values], dtype=np.float32)
    rails, stuck = measures.Rails(1), 0
    for stretch in np.split(signal, [min(gap, len(values))], axis=1):
        rails.start()
        for part in np.split(stretch, sorted(cuts), axis=1):
            rails(part)
        row = stretch[0].tolist()
        ends = (max(values), min(values))
        beside = [[v for j, v in enumerate(row) if abs(i - j) == 1] for i in range(len(row))]
        stuck += sum(v in ends and v in near for v, near in zip(row, beside, strict=True))
    assert rails.shares()[0] == (stuck / len(values) if min(values) < max(values) else 0.0)


def test_the_door_judges_a_recording_in_chunks_as_the_whole() -> None:
    signal = with_rows([3], 0.0)
    signal[5] = np.clip(signal[5], -10, 10)
    one = recording(signal)
    judge = Door(one.channels, one.rate_hz, one.age_days)
    for part in np.array_split(signal, 977, axis=1):
        judge(part)
    assert judge.verdict() == door(one) != ()
