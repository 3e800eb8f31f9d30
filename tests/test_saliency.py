"""The images that SeizureNet looks at: fast equals obvious, and each map shows what it is there to show."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.saliency import (
    CHUNK_WINDOWS,
    SpectralSetting,
    amplitude_spectrum,
    centre_surround,
    scaled,
    spectral_residual,
)
from data.spectra import log_band_power
from tests.references import saliency as reference

RATE_HZ = 250.0


def noise(seed: int, *shape: int) -> np.ndarray:
    return (20 * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 12))
@settings(max_examples=20, deadline=None)
def test_a_fast_image_equals_the_obvious_one(seed: int, derivations: int, f_max_hz: int) -> None:
    window = noise(seed, derivations, 50)
    (image,) = SpectralSetting(f_max_hz, 2.0, 0.5).images(window[None])
    np.testing.assert_allclose(image, reference.image(window.tolist(), 2 * f_max_hz), atol=2e-4)


@pytest.mark.parametrize(
    ("f_max_hz", "window_s", "bins"), [(24, 1, 24), (24, 4, 96), (48, 2, 96), (96, 1, 96), (64, 16, 1024)]
)
def test_an_image_has_a_row_per_derivation_and_a_column_per_bin(f_max_hz, window_s, bins) -> None:
    setting = SpectralSetting(f_max_hz, window_s, 0.5)
    images = setting.images(noise(0, 2, 20, int(window_s * RATE_HZ)))
    assert images.shape == (2, 3, 20, bins) and images.dtype == np.float32
    assert images.min() == 0 and images.max() == 1


def test_a_sine_stands_in_its_own_bin_and_derivation() -> None:
    """10 µV of 6 Hz for 2 s fill the bin 6 · 2 = 12, which is column 11, of the third derivation."""
    t = np.arange(500) / RATE_HZ
    window = noise(1, 8, 500) / 20
    window[2] += 10 * np.sin(2 * np.pi * 6 * t)
    spectrum = amplitude_spectrum(window, 48)
    assert abs(spectrum[2, 11]) == pytest.approx(10, abs=0.5)
    log, _, surround = SpectralSetting(24, 2, 0.5).images(window[None])[0]
    assert np.unravel_index(log.argmax(), log.shape) == (2, 11)
    assert surround[2, 11] > 0.9 * surround.max()


def test_a_click_is_brightest_at_its_own_time() -> None:
    """The residual is power over the window's time: of 96 columns in 4 s, second 2.5 is column 2.5 / 4 · 96 = 60."""
    window = np.zeros((5, 1000), dtype=np.float32)
    window[:, 625] = 50
    residual = SpectralSetting(24, 4, 0.5).images(window[None])[0, 1]
    assert (residual.argmax(axis=1) == 60).all()
    assert residual[:, :50].max() < 0.1 and residual[:, 70:].max() < 0.1


@given(st.integers(0, 1000), st.integers(1, 95))
@settings(max_examples=20, deadline=None)
def test_a_signal_turned_round_in_its_window_turns_the_residual_and_nothing_else(seed: int, columns: int) -> None:
    """Moved by `columns` of 96 in 4 s (a whole number of samples at 240 Hz): inside of the smoothing's edges all moves along."""
    window = noise(seed, 4, 960)

    def maps(signal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        spectrum = amplitude_spectrum(signal, 96)
        log = np.log10(np.abs(spectrum) + 1e-3)
        return log, spectral_residual(log, spectrum)

    (log, before), (log_after, after) = maps(window), maps(np.roll(window, 10 * columns, axis=1))
    np.testing.assert_allclose(log_after, log, atol=2e-3)
    moved = np.roll(before, columns, axis=1)
    inside = [c for c in range(1, 95) if c not in ((columns - 1) % 96, columns % 96)]
    np.testing.assert_allclose(after[:, inside], moved[:, inside], rtol=0.05, atol=before.max() * 0.02)


def test_an_amplifier_gain_does_not_change_the_image() -> None:
    windows = noise(3, 2, 20, 500)
    setting = SpectralSetting(24, 2, 0.5)
    np.testing.assert_allclose(setting.images(windows), setting.images(windows * 4), atol=0.01)


def test_a_flat_window_is_an_empty_image_and_no_error() -> None:
    assert not SpectralSetting(24, 1, 0.5).images(np.zeros((1, 20, 250), dtype=np.float32))[0, 0].any()
    assert np.isfinite(SpectralSetting(24, 1, 0.5).images(np.zeros((1, 20, 250), dtype=np.float32))).all()


def test_the_centre_stands_above_the_lowest_of_its_surround() -> None:
    log = np.array([[0.0, 1.0, 5.0], [1.0, 2.0, 5.0], [4.0, 4.0, 4.0]])
    expected = [[0 - 0, 1 - 0, 5 - 1], [1 - 0, 2 - 0, 5 - 1], [4 - 1, 4 - 1, 4 - 2]]
    assert centre_surround(log).tolist() == expected


def test_maps_are_scaled_each_by_its_own_lowest_and_highest() -> None:
    maps = np.array([[[2.0, 4.0], [3.0, 2.0]], [[7.0, 7.0], [7.0, 7.0]]])
    assert scaled(maps).tolist() == [[[0, 1], [0.5, 0]], [[0, 0], [0, 0]]]


def test_an_image_does_not_depend_on_those_beside_it() -> None:
    windows = noise(4, CHUNK_WINDOWS + 3, 6, 250)
    setting = SpectralSetting(24, 1, 0.5)
    together, alone = setting.images(windows), np.concatenate([setting.images(w[None]) for w in windows])
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize(
    ("window_s", "overlap", "count"), [(4, 0.5, 1), (2, 0.5, 3), (2, 0.75, 5), (1, 0.5, 7), (1, 0, 4)]
)
def test_a_clip_is_seen_in_windows_that_overlap_as_stated(window_s, overlap, count) -> None:
    """4 s hold (4 − window) / (window · (1 − overlap)) + 1 windows."""
    clips = noise(5, 2, 3, 1000)
    setting = SpectralSetting(24, window_s, overlap)
    windows = setting.windows(clips, RATE_HZ)
    assert windows.shape == (2, count, 3, int(250 * window_s)) and setting.count(1000, RATE_HZ) == count
    hop = round(window_s * (1 - overlap) * RATE_HZ)
    last = windows[1, -1]
    np.testing.assert_array_equal(last, clips[1, :, (count - 1) * hop :][:, : last.shape[1]])


def test_a_setting_that_the_signal_cannot_serve_is_refused_with_the_values() -> None:
    with pytest.raises(ValueError, match="a clip of 500 samples is shorter than its window of 1000"):
        SpectralSetting(24, 4, 0.5).windows(noise(0, 1, 2, 500), RATE_HZ)
    with pytest.raises(ValueError, match="spectra up to 96 Hz need twice that rate, got 128 Hz"):
        SpectralSetting(96, 1, 0.5).windows(noise(0, 1, 2, 500), 128.0)


def test_band_power_of_a_sine_is_half_its_squared_amplitude_in_its_band() -> None:
    """10 µV: 10² / 2 = 50 µV², spread over a band of 8–13 Hz: 50 / 5 = 10 µV²/Hz, in log10 1.0."""
    t = np.arange(1000) / RATE_HZ
    sine = (10 * np.sin(2 * np.pi * 10 * t))[None, None]
    delta, theta, alpha, beta = log_band_power(sine, RATE_HZ, (0.5, 4, 8, 13, 30))[0, 0]
    assert alpha == pytest.approx(1.0, abs=0.01)
    assert max(delta, theta, beta) < -2
