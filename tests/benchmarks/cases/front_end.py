"""EDF to spectrograms: our front end, or MNE's filter and resampling and SciPy's transform window by window.

MNE's filter is zero-phase and FIR, ours causal: its spectrograms are ours once its signal is taken 13 samples later
(our delay at 128 Hz: 10 samples of resampling, about 3 of the low-pass), up to how each falls off. Compared are the
bins of 6–22 Hz, where both pass everything: their log powers have to correlate at 0.98 and lie within 0.02 on average.
"""

from math import prod
from pathlib import Path

import mne
import numpy as np
from scipy import signal as sps

from data.montage import NEONATAL_18
from data.readers.edf import read_edf
from models import detectors
from tests.benchmarks.case import Case, Work
from tests.benchmarks.recordings import RATE_HZ, edf_of

WARM_UP_MIN = 1
DELAY = 13
SPECTROGRAM = (15, 13)
"""Bins and frames of a window; there is a window every second."""
KEPT = 400
"""Windows of the answer, evenly spaced: enough to compare."""
CORRELATION, LEVEL = 0.98, 0.02


def make(hours: float) -> Path:
    return warm(edf_of(round(60 * hours)))


def warm(path: Path) -> Path:
    """Both ways once on a minute, so that nothing is imported late."""
    ours(edf_of(WARM_UP_MIN))
    theirs(edf_of(WARM_UP_MIN))
    return path


def ours(path: Path) -> np.ndarray:
    detector = detectors.build("da_stnet")
    prepared = detector.front_end.prepare(read_edf(path, age_days=3.0))
    return thinned(detector.examples(prepared).x)


def theirs(path: Path) -> np.ndarray:
    return thinned(spectrograms(path))


def spectrograms(path: Path) -> np.ndarray:
    """(windows, 18, 15, 13) log10 power, the way that a reader of MNE's and SciPy's pages would write it."""
    raw = mne.io.read_raw_edf(path, preload=True, verbose="error")
    raw.filter(0.5, 30.0, verbose="error")
    raw.resample(128, verbose="error")
    anodes, cathodes = zip(*(pair.split("-") for pair in NEONATAL_18), strict=True)
    bipolar = mne.set_bipolar_reference(raw, list(anodes), list(cathodes), ch_name=list(NEONATAL_18), verbose="error")
    signal = np.pad(bipolar.get_data(picks=list(NEONATAL_18)) * 1e6, ((0, 0), (DELAY, 0)))[:, :-DELAY]
    return np.array([stft_of_window(signal[:, at : at + 256]) for at in range(0, signal.shape[1] - 255, 128)])


def stft_of_window(window: np.ndarray) -> np.ndarray:
    frequencies, _, spectrum = sps.stft(window, 128, nperseg=64, noverlap=48, boundary=None, padded=False)
    kept = spectrum[:, (frequencies >= 0.5) & (frequencies <= 30)]
    taper = sps.get_window("hann", 64)
    return np.log10(np.abs(kept) ** 2 * taper.sum() ** 2 / (taper**2).sum() + 1e-2).astype(np.float32)


def least(path: Path) -> Work:
    """The file read and the spectrograms written once; the filters' own operations are not counted."""
    seconds = path.stat().st_size / (19 * 2 * RATE_HZ)
    return Work(path.stat().st_size + 4 * len(NEONATAL_18) * prod(SPECTROGRAM) * (seconds - 1))


def thinned(x: np.ndarray) -> np.ndarray:
    return x[:: max(1, len(x) // KEPT)]


def same(our: np.ndarray, their: np.ndarray) -> str:
    if our.shape != their.shape:
        return f"shapes {our.shape} and {their.shape}"
    one, two = (x[5:, :, 2:11] for x in (our, their))  # behind MNE's edge, 6 to 22 Hz
    correlation = min(float(np.corrcoef(one[:, :, b].ravel(), two[:, :, b].ravel())[0, 1]) for b in range(9))
    level = float(np.abs((one - two).mean(axis=(0, 1, 3))).max())
    close = correlation >= CORRELATION and level <= LEVEL
    return "" if close else f"log powers correlate at {correlation:.3f} and differ by {level:.3f} on average"


CASE = Case(
    name="front_end",
    claim="EDF to spectrograms of 2-s windows, 19 channels at 256 Hz",
    alternative="MNE's filter, resampling and bipolar reference, SciPy's STFT of each window",
    sizes=(1, 4, 24),
    quick_sizes=(0.2,),
    unit="hours",
    make=make,
    ours=ours,
    theirs=theirs,
    theirs_up_to=1,
    same=same,
    least=least,
    threads=2,
    clock="seconds",
    target={"ratio": 5, "mib_per_unit": 250, "excess_over_n": 0.15},
)
