"""Numbers that describe one EEG channel: amplitude, flatness, clipping, mains interference, spectral slope."""

import numpy as np
from scipy import fft as spfft

from data.recording import Recording

FLAT_UV = 1.0
"""Peak-to-peak below which a second counts as flat: even isoelectric EEG carries more amplifier noise."""


def pieces(recording: Recording, index: int, seconds: float, at_most: int | None = None) -> np.ndarray:
    """(pieces, samples) of one channel: whole pieces that hold no missing sample, evenly thinned to `at_most`."""
    length = max(1, round(seconds * recording.rate_hz))
    parts = [s.signal[index, : s.signal.shape[1] // length * length].reshape(-1, length) for s in recording.segments]
    count = sum(len(p) for p in parts)
    step = 1 if at_most is None else max(1, -(-count // at_most))
    pieces = np.concatenate([p[::step] for p in parts]) if parts else np.zeros((0, length))
    return pieces[np.isfinite(pieces).all(axis=1)]


def within(seconds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Peak to peak and standard deviation within each second (…, samples); NaN where a sample is missing."""
    with np.errstate(invalid="ignore"):  # missing samples
        height = np.asarray(seconds.max(axis=-1) - seconds.min(axis=-1))
        centred = seconds - seconds.mean(axis=-1, keepdims=True)
        deviation = np.sqrt(np.einsum("...s,...s->...", centred, centred) / seconds.shape[-1])
    whole = np.isfinite(height)
    return np.where(whole, height, np.nan), np.where(whole, deviation, np.nan)


def flat_share(height: np.ndarray) -> float:
    """Share (0–1) of seconds that hold no EEG, by their peak to peak (seconds,) in µV; NaN where no second is whole."""
    return float(flat_shares(height[:, None])[0])


def flat_shares(height: np.ndarray) -> np.ndarray:
    """`flat_share` of each channel, (channels,), of (seconds, channels)."""
    whole = (~np.isnan(height)).sum(axis=0)
    return np.where(whole, (height < FLAT_UV).sum(axis=0) / np.maximum(whole, 1), np.nan)


def spread(height: np.ndarray, deviation: np.ndarray) -> float:
    """Median of the `deviation` of the seconds that are not constant (`height` above 0); 0 where all are.

    Both (seconds,), as `within` gives them, and in their unit.
    """
    return float(spreads(height[:, None], deviation[:, None])[0])


def spreads(height: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """`spread` of each channel of (seconds, channels): NumPy's own median takes longer than all else at the door."""
    living = (height > 0).sum(axis=0)
    if not living.any():
        return np.zeros(height.shape[1])
    ordered = np.sort(np.where(height > 0, deviation, np.inf).astype(float), axis=0)
    channels = np.arange(height.shape[1])
    middle = (ordered[np.maximum(living - 1, 0) // 2, channels] + ordered[living // 2 * (living > 0), channels]) / 2
    return np.where(living, middle, 0.0)


class Rails:
    """Counts samples at each channel's extreme value whose neighbour is there too (a single peak is not clipped).

    Fed chunk by chunk, with `start` before every gapless stretch; remembers two samples.
    """

    def __init__(self, channels: int):
        self._samples = 0
        self._extreme = np.full((2, channels), -np.inf)  # of the signal, and of the signal turned round
        self._stuck = np.zeros((2, channels), dtype=np.int64)
        self.start()

    def start(self) -> None:
        """A new gapless stretch begins: no sample before it is a neighbour. What was counted stays."""
        self._before: np.ndarray | None = None

    def __call__(self, signal: np.ndarray) -> None:
        """(channels, samples) in any unit, the next of this stretch."""
        if signal.shape[1] == 0:
            return
        joined = signal if self._before is None else np.concatenate([self._before, signal], axis=1)
        for side, (extreme, sign) in enumerate(((np.fmax, 1), (np.fmin, -1))):
            found = extreme.reduce(signal, axis=1)
            reached = sign * found
            which, further = np.flatnonzero(reached >= self._extreme[side]), reached > self._extreme[side]
            self._extreme[side, further], self._stuck[side, further] = reached[further], 0
            rows = joined if len(which) == len(joined) else joined[which]
            self._stuck[side, which] += _beside(rows == found[which, None], joined.shape[1] - signal.shape[1])
        self._before = joined[:, -2:].copy()
        self._samples += signal.shape[1]

    def shares(self) -> np.ndarray:
        """(channels,) share (0–1) of clipped samples so far; 0 for a constant channel: that is flat, not clipped."""
        varies = -self._extreme[1] < self._extreme[0]
        return np.where(varies, self._stuck.sum(axis=0) / max(1, self._samples), 0.0)


def _beside(at: np.ndarray, first: int) -> np.ndarray:
    """How many True of each row have a True beside them, as known with the last of it and not yet with sample `first` − 1."""
    pairs = at[:, 1:] & at[:, :-1]
    if not pairs.any():
        return np.zeros(len(at), dtype=np.int64)
    new_runs = pairs.copy()
    new_runs[:, 1:] &= ~pairs[:, :-1]  # the first pair of a run counts for both of its samples
    since = max(0, first - 1)
    return np.asarray(np.count_nonzero(pairs[:, since:], axis=1) + np.count_nonzero(new_runs[:, since:], axis=1))


def clipped_share(recording: Recording, index: int) -> float:
    """Share (0–1) of one channel's samples that are clipped, as `Rails` counts them; 0 for a constant channel."""
    rails = Rails(1)
    for segment in recording.segments:
        rails.start()
        rails(segment.signal[index : index + 1])
    return float(rails.shares()[0])


def nan_share(recording: Recording, index: int) -> float:
    """Share (0–1) of one channel's samples that are not finite; time between segments does not count."""
    missing = sum(int(np.count_nonzero(~np.isfinite(s.signal[index]))) for s in recording.segments)
    return missing / max(1, sum(s.signal.shape[1] for s in recording.segments))


def spectrum(pieces: np.ndarray, rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies (bins,) in Hz, and the median (bins,) over pieces of their Hann-windowed power.

    `pieces` (pieces, samples); artefacts in a few of them do not count. The power is not scaled to a density: only
    ratios and slopes of it mean anything. NaN without any piece.
    """
    length = pieces.shape[1]
    frequencies = spfft.rfftfreq(length, 1 / rate_hz)
    if len(pieces) == 0:
        return frequencies, np.full(len(frequencies), np.nan)
    centred = (pieces - pieces.mean(axis=1, keepdims=True)) * np.hanning(length).astype(np.float32)
    power = np.abs(spfft.rfft(centred, axis=1)) ** 2
    return frequencies, np.median(power, axis=0)


def line_ratio(frequencies: np.ndarray, power: np.ndarray, line_hz: float) -> float:
    """Mean power within 1 Hz of `line_hz` over that 2–5 Hz away on either side; both arrays (bins,), as of `spectrum`.

    NaN where the spectrum does not reach 2 Hz beyond `line_hz`, or there is no power to compare with.
    """
    away = np.abs(frequencies - line_hz)
    near, beside = away <= 1.0, (away >= 2.0) & (away <= 5.0)
    if frequencies[-1] < line_hz + 2.0 or not beside.any() or not np.mean(power[beside]) > 0:
        return float("nan")
    return float(np.mean(power[near]) / np.mean(power[beside]))


def slope(frequencies: np.ndarray, power: np.ndarray) -> float:
    """Slope of log power over log frequency, 2–12 Hz: −γ of a 1/f^γ spectrum; NaN where a power is not positive.

    Both arrays (bins,), as of `spectrum`.
    """
    band = (frequencies >= 2.0) & (frequencies <= 12.0)
    if not (power[band] > 0).all():
        return float("nan")
    return float(np.polyfit(np.log10(frequencies[band]), np.log10(power[band]), 1)[0])
