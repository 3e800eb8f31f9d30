"""Filtering and resampling as at the bedside: no look ahead, and the same result in any chunks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.filters import BandPass, Resampler, RunningBaseline
from data.frontend import FrontEnd
from data.montage import ELECTRODES
from data.outcomes import Refusal
from data.recording import Recording, Segment
from data.spectra import stft_log_power
from data.threads import shares
from data.windows import cut

RATES_HZ = (100.0, 128.0, 173.5, 200.0, 250.0, 256.0, 500.0, 512.0, 1000.0, 1024.0, 2048.0)


def noise(rate_hz: float, seconds: float, seed: int = 0) -> np.ndarray:
    shape = (len(ELECTRODES), round(seconds * rate_hz))
    return np.random.default_rng(seed).normal(5000, 30, shape).astype(np.float32)


def in_chunks(signal: np.ndarray, rate_hz: float, cuts: list[int]) -> np.ndarray:
    stream = FrontEnd().stream(ELECTRODES, rate_hz)
    return np.concatenate([stream(part) for part in np.split(signal, sorted(cuts), axis=1)], axis=1)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_any_chunking_gives_the_same_bits(rate_hz: float, data: st.DataObject) -> None:
    signal = noise(rate_hz, 3.0)
    whole = in_chunks(signal, rate_hz, [])
    cuts = data.draw(st.lists(st.integers(0, signal.shape[1]), max_size=12))  # equal cuts make empty chunks
    assert in_chunks(signal, rate_hz, cuts).tobytes() == whole.tobytes()


@pytest.mark.parametrize("rate_hz", [100.0, 256.0, 500.0])
def test_sample_by_sample_gives_the_same_bits(rate_hz: float) -> None:
    signal = noise(rate_hz, 1.5)
    every = list(range(1, signal.shape[1]))
    assert in_chunks(signal, rate_hz, every).tobytes() == in_chunks(signal, rate_hz, []).tobytes()


@pytest.mark.parametrize("rate_hz", [100.0, 250.0, 512.0])
def test_a_whole_recording_is_prepared_as_its_stream_is(rate_hz: float) -> None:
    signal = noise(rate_hz, 130.0)  # more than two of the pieces that a recording is prepared in
    recording = Recording(ELECTRODES, rate_hz, (Segment(0.0, signal),), 130.0)
    prepared = FrontEnd().prepare(recording)
    assert prepared.segments[0].signal.tobytes() == in_chunks(signal, rate_hz, [777]).tobytes()
    assert prepared.segments[0].signal.dtype == np.float32


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_the_future_does_not_change_the_past(rate_hz: float) -> None:
    signal, other = noise(rate_hz, 3.0), noise(rate_hz, 3.0)
    now = round(1.7 * rate_hz)
    other[:, now:] = noise(rate_hz, 3.0, seed=1)[:, now:] * 10
    one, two = (in_chunks(s, rate_hz, []) for s in (signal, other))
    past = (now - 1) * 128 // round(rate_hz) - 1
    assert past > 150
    assert one[:, :past].tobytes() == two[:, :past].tobytes()
    assert one.tobytes() != two.tobytes()


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_a_second_of_input_gives_a_second_of_output(rate_hz: float) -> None:
    assert abs(in_chunks(noise(rate_hz, 4.0), rate_hz, []).shape[1] - 4 * 128) <= 1


def gain(tone_hz: float, rate_hz: float) -> float:
    """Amplitude of a tone behind the front end relative to before, after the first 8 s."""
    time_s = np.arange(round(20 * rate_hz)) / rate_hz
    signal = np.zeros((len(ELECTRODES), len(time_s)))
    signal[ELECTRODES.index("Fz")] = np.sin(2 * np.pi * tone_hz * time_s)
    out = in_chunks(signal, rate_hz, [])[FrontEnd().channels.index("Fz-Cz"), 8 * 128 :]
    return float(np.sqrt(2) * out.std())


@pytest.mark.parametrize("rate_hz", [200.0, 250.0, 256.0, 512.0, 2048.0])
def test_mains_are_removed_and_seizure_rhythms_kept(rate_hz: float) -> None:
    assert gain(5.0, rate_hz) == pytest.approx(1.0, abs=0.02)
    assert gain(1.0, rate_hz) > 0.9
    assert gain(50.0, rate_hz) < 0.06  # sixth order above 30 Hz: (30/50)^6 = 0.047
    assert gain(60.0, rate_hz) < 0.02
    assert gain(0.05, rate_hz) < 0.02  # an electrode's drift


def test_an_electrode_offset_makes_no_step_at_the_start() -> None:
    assert np.abs(BandPass((0.5, 30.0), 256.0)(np.full((1, 2560), 1e4))).max() < 1e-3


def test_frequencies_above_the_new_rate_do_not_fold_back() -> None:
    time_s = np.arange(20 * 512) / 512
    folded = Resampler(512.0, 128.0)(np.sin(2 * np.pi * 118.0 * time_s)[None])  # would appear at 10 Hz
    assert folded[:, 256:].std() < 0.01


def test_the_resamplers_delay_is_as_stated() -> None:
    time_s = np.arange(4 * 512) / 512
    resample = Resampler(512.0, 128.0)
    pulse = np.exp(-(((time_s - 2.0) / 0.05) ** 2))[None]
    assert resample(pulse).argmax() / 128 == pytest.approx(2.0 + resample.delay_s, abs=1 / 128)


def test_rates_without_an_exact_ratio_are_refused() -> None:
    with pytest.raises(Refusal, match="unsupported_format"):
        Resampler(173.61, 128.0)


def test_a_baseline_knows_only_the_past() -> None:
    values = np.random.default_rng(0).normal(size=(50, 3))
    changed = values.copy()
    changed[20:] = 1e6
    one, two = RunningBaseline(5.0)(values), RunningBaseline(5.0)(changed)
    np.testing.assert_array_equal(one[:21], two[:21])  # row 20 itself is compared with rows before 20
    assert (one[21:] != two[21:]).any()
    np.testing.assert_array_equal(one[0], values[0])


def test_a_baseline_forgets_by_half_in_its_half_life() -> None:
    step = np.concatenate([np.ones((1, 1)), np.zeros((20, 1))])
    baseline = RunningBaseline(4.0)(step)[:, 0]
    assert baseline[[1, 5, 9, 13]] == pytest.approx([1.0, 0.5, 0.25, 0.125])
    assert RunningBaseline(4.0)(np.zeros((0, 2))).shape == (0, 2)


@given(st.lists(st.integers(0, 60), max_size=8))
def test_a_baseline_of_chunks_is_that_of_the_whole(cuts: list[int]) -> None:
    values = np.random.default_rng(0).normal(size=(60, 3))
    baseline = RunningBaseline(5.0)
    parts = np.concatenate([baseline(part) for part in np.split(values, sorted(cuts))])
    assert parts.tobytes() == RunningBaseline(5.0)(values).tobytes()


@pytest.mark.parametrize("count", ["2", "3", "40"])
def test_any_number_of_threads_gives_the_same_bits(count: str, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = Recording(ELECTRODES, 250.0, (Segment(0.0, noise(250.0, 65.0)),), 65.0)
    alone = FrontEnd().prepare(recording).segments[0]
    monkeypatch.setenv("OMP_NUM_THREADS", count)
    together = FrontEnd().prepare(recording).segments[0]
    assert together.signal.tobytes() == alone.signal.tobytes()
    spectra = stft_log_power(cut(alone, 128.0, 2.0, 1.0)[0], 128.0)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert spectra.tobytes() == stft_log_power(cut(alone, 128.0, 2.0, 1.0)[0], 128.0).tobytes()


@given(st.integers(0, 200), st.integers(1, 9))
def test_shares_are_contiguous_and_leave_nothing_out(count: int, parts: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", str(parts))
        found = shares(count)
    assert [i for share in found for i in range(share.start, share.stop)] == list(range(count))
    assert len(found) == min(parts, count)


@pytest.mark.parametrize("rate_hz", [200.0, 250.0, 512.0])
def test_a_drift_leaves_no_tone_behind(rate_hz: float) -> None:
    """An electrode drifts by 1 mV in 10 s, thirty times an EEG's amplitude; its images would be rhythms."""
    ramp = np.linspace(0, 1000, round(10 * rate_hz))[None]
    out = Resampler(rate_hz, 128.0)(ramp)[:, 128:]
    assert np.abs(np.diff(out, n=2)).max() < 0.02


def test_spectra_are_those_of_the_definition() -> None:
    windows = np.random.default_rng(0).normal(0, 20, (3, 2, 256)).astype(np.float32)
    taper = np.hanning(65)[:-1]
    frames = np.stack([windows[..., 16 * i : 16 * i + 64] for i in range(13)], axis=-2) * taper
    power = np.abs(np.fft.rfft(frames, axis=-1))[..., 1:16] ** 2 / np.sum(taper**2)
    expected = np.log10(power + 1e-2).swapaxes(-1, -2)
    np.testing.assert_allclose(stft_log_power(windows, 128.0), expected, atol=1e-4)
