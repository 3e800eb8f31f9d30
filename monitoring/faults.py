"""What goes wrong at a site without anybody writing it down, put into its own EEG on purpose: one fault each, nothing else.

Each takes a recording as a reader gave it and gives it as the reader would have given it with the fault. Faults of film
are in `monitoring.film_faults`; another age group is no change of a recording but other recordings.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

import numpy as np

from data.montage import electrode
from data.recording import Recording, Segment

GAIN = 1000.0
SWAPPED = ("C3", "O2")
REFERENCE = "Cz"
RATES_HZ = (200.0, 256.0)
"""A recording is sent at the first of these rates that is not its own."""
GAP_SHARE = 0.25
CLOCK_SHIFT_S = 60.0
MAINS_HZ = {50.0: 60.0, 60.0: 50.0}
MAINS_WIDTH_HZ = 1.0
"""What lies this close to the mains frequency is taken for hum and moved with it."""

Modality = Literal["eeg", "video"]


class CannotBeShown(Exception):
    """A fault that this recording cannot have; the message says why, without naming anybody."""


@dataclass(frozen=True)
class Fault:
    """`name` is what the command line and the JSON call it, `meaning` what a technician would."""

    name: str
    meaning: str
    modality: Modality = "eeg"


NO_FAULT = "none"
CLOCK_SHIFT, OTHER_AGE = "clock_shift", "other_age"

FAULTS: "Mapping[str, Fault]" = {
    fault.name: fault
    for fault in (
        Fault("mains", "mains of 60 Hz instead of 50 Hz, or of 50 instead of 60"),
        Fault("gain", "amplitudes 1000 times too large"),
        Fault("swapped", f"electrodes {' and '.join(SWAPPED)} exchanged"),
        Fault("reference", f"recorded against {REFERENCE}"),
        Fault("resampled", "exported at another sampling rate"),
        Fault(CLOCK_SHIFT, f"marks {CLOCK_SHIFT_S:g} s later than the signal they belong to"),
        Fault("gap", f"a gap of {100 * GAP_SHARE:.0f} % of the recording"),
        Fault("infrared", "infrared night mode: no colour, light from the camera", "video"),
        Fault("slow_film", "12 frames per second", "video"),
        Fault("half_resolution", "half the width and half the height", "video"),
        Fault(OTHER_AGE, "patients of another age group"),
    )
}
"""The faults of a rehearsal, in the order in which they are told."""


def other_mains(recording: Recording, line_hz: float, rng: np.random.Generator) -> Recording:
    """What hums at `line_hz` hums at the other of 50 and 60 Hz, as loud and as unsteady as before. CannotBeShown where
    the sampling rate does not hold both."""
    other_hz = MAINS_HZ.get(line_hz, 50.0)
    if max(line_hz, other_hz) + MAINS_WIDTH_HZ >= recording.rate_hz / 2:
        raise CannotBeShown(f"{recording.rate_hz:g} Hz are too slow to hold mains of {max(line_hz, other_hz):g} Hz")
    return _changed(recording, lambda signal: _moved(signal, recording.rate_hz, line_hz, other_hz))


def louder(recording: Recording, line_hz: float, rng: np.random.Generator) -> Recording:
    """A file in nanovolts that says microvolts."""
    return _changed(recording, lambda signal: signal * signal.dtype.type(GAIN))


def swapped_electrodes(recording: Recording, line_hz: float, rng: np.random.Generator) -> Recording:
    """Two plugs in each other's socket: the names stay where they were. CannotBeShown without a channel of each
    alone."""
    one, other = _rows(recording, *SWAPPED)
    order = np.arange(len(recording.channels))
    order[[one, other]] = other, one
    return _changed(recording, lambda signal: signal[order])


def other_reference(recording: Recording, line_hz: float, rng: np.random.Generator) -> Recording:
    """Every electrode against `REFERENCE`, whose own channel is empty then. CannotBeShown without such a channel."""
    (reference,) = _rows(recording, REFERENCE)
    single = np.array([electrode(channel) is not None for channel in recording.channels])
    return _changed(recording, lambda signal: signal - signal[reference] * single[:, None].astype(signal.dtype))


def resampled(recording: Recording, line_hz: float, rng: np.random.Generator) -> Recording:
    """The same signal at another rate, as an export makes it: low-passed first."""
    from scipy.signal import resample_poly

    rate_hz = next(rate for rate in RATES_HZ if rate != recording.rate_hz)
    ratio = Fraction(rate_hz / recording.rate_hz).limit_denominator(10_000)

    def changed(signal: np.ndarray) -> np.ndarray:
        made = resample_poly(signal, ratio.numerator, ratio.denominator, axis=1)
        return np.asarray(made[:, : int(signal.shape[1] * ratio)], dtype=signal.dtype)

    return replace(_changed(recording, changed), rate_hz=rate_hz)


def with_gap(recording: Recording, line_hz: float, rng: np.random.Generator) -> Recording:
    """The longest stretch loses a piece of `GAP_SHARE` of its length somewhere in its middle, where `rng` says."""
    longest = max(recording.segments, key=lambda s: s.signal.shape[1])
    samples, missing = longest.signal.shape[1], round(GAP_SHARE * longest.signal.shape[1])
    begin = int(rng.integers(1, max(2, samples - missing)))
    after = Segment(longest.onset_s + (begin + missing) / recording.rate_hz, longest.signal[:, begin + missing :])
    parts = [Segment(longest.onset_s, longest.signal[:, :begin]), after]
    segments = [part for s in recording.segments for part in (parts if s is longest else [s])]
    return replace(recording, segments=tuple(segments), digest="")


EEG_FAULTS: "Mapping[str, Callable[[Recording, float, np.random.Generator], Recording]]" = {
    "mains": other_mains,
    "gain": louder,
    "swapped": swapped_electrodes,
    "reference": other_reference,
    "resampled": resampled,
    "gap": with_gap,
}
"""Each takes a recording, the site's mains frequency in Hz and a generator; `CannotBeShown` where it has no meaning.

A shifted clock changes no signal, only where its marks lie.
"""


def _changed(recording: Recording, change: Callable[[np.ndarray], np.ndarray]) -> Recording:
    """The recording with every segment changed; it has no digest, as it is nobody's file."""
    segments = tuple(Segment(s.onset_s, change(s.signal)) for s in recording.segments)
    return replace(recording, segments=segments, digest="")


def _rows(recording: Recording, *names: str) -> list[int]:
    """The channels of these electrodes, each alone against the reference."""
    rows = {electrode(channel): row for row, channel in reversed(list(enumerate(recording.channels)))}
    missing = [name for name in names if name not in rows]
    if missing:
        raise CannotBeShown(f"no channel of electrode {missing[0]} alone")
    return [rows[name] for name in names]


def _moved(signal: np.ndarray, rate_hz: float, from_hz: float, to_hz: float) -> np.ndarray:
    """(channels, samples) with what lies within `MAINS_WIDTH_HZ` of one frequency moved to the other."""
    from scipy import fft

    spectrum = fft.rfft(signal, axis=1)
    bin_hz = rate_hz / signal.shape[1]
    low, high = (round((from_hz + side * MAINS_WIDTH_HZ) / bin_hz) for side in (-1, 1))
    by = round((to_hz - from_hz) / bin_hz)
    hum = spectrum[:, low : high + 1].copy()
    spectrum[:, low : high + 1] = 0
    spectrum[:, low + by : high + 1 + by] += hum
    return np.asarray(fft.irfft(spectrum, signal.shape[1], axis=1), dtype=signal.dtype)
