"""Causal filtering and resampling with carried state, so that a stream in any chunks equals the whole recording.

Zero-phase filters belong in a viewer only: a detector that looks ahead in training cannot be run at the bedside.
"""

from fractions import Fraction
from functools import lru_cache

import numpy as np

from data.outcomes import Refusal

MAX_RATIO_TERM = 4096


def refuse_slow(rate_hz: float, band_hz: tuple[float, float]) -> None:
    """Refuses (`rate_too_low`) a sampling rate that is not above twice the band's upper end."""
    if rate_hz <= 2 * band_hz[1]:
        raise Refusal(
            "rate_too_low",
            f"signals up to {band_hz[1]:g} Hz are needed, so the sampling rate must be above {2 * band_hz[1]:g} Hz, "
            f"got {rate_hz:g}: record it faster",
        )


class BandPass:
    """Causal Butterworth band-pass (high-pass of order 2, low-pass of order 6) with carried state.

    The first sample is taken as the signal's past, so that an electrode offset makes no step at the start.
    Refuses with `rate_too_low` a rate that does not hold the band.
    """

    def __init__(self, band_hz: tuple[float, float], rate_hz: float):
        refuse_slow(rate_hz, band_hz)
        self._sos, self._settled = _band_pass(tuple(band_hz), rate_hz)
        self._state: np.ndarray | None = None

    def __call__(self, signal: np.ndarray) -> np.ndarray:
        """(channels, samples) → the same shape; continues where the last call ended."""
        from scipy import signal as sps

        if signal.shape[1] == 0:
            return signal  # SciPy cannot filter nothing, but a stream may bring an empty chunk
        if self._state is None:
            self._state = self._settled[:, None, :] * signal[None, :, :1]
        out, self._state = sps.sosfilt(self._sos, signal, axis=-1, zi=self._state)
        return np.asarray(out)


@lru_cache(16)
def _band_pass(band_hz: tuple[float, float], rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """The filter's sections, and their state behind a signal that has always been 1. To design it takes as long as to
    filter some seconds, and it is the same for every recording."""
    from scipy import signal as sps

    high = sps.butter(2, band_hz[0], "highpass", fs=rate_hz, output="sos")
    low = sps.butter(6, band_hz[1], "lowpass", fs=rate_hz, output="sos")
    sections = np.concatenate([high, low])
    return sections, sps.sosfilt_zi(sections)  # SciPy takes no sections that may not be written to


def _shared(made: np.ndarray) -> np.ndarray:
    made.setflags(write=False)
    return made


class Resampler:
    """Causal polyphase resampler with carried history, in the numbers' own precision.

    Output sample m stands for the time m / to_hz and uses no later input; its anti-alias filter delays the signal
    by `delay_s`, which is the same for every chunking (law: any chunks, bit-equal output). The first sample is taken
    as the signal's past, and each phase of the filter sums to 1, so that an offset or a drift leaves no tone behind.
    Refuses (`unsupported_format`) rates whose ratio is no fraction of numbers up to 4096.
    """

    def __init__(self, from_hz: float, to_hz: float, half_length: int = 10):
        ratio = Fraction(to_hz).limit_denominator(MAX_RATIO_TERM) / Fraction(from_hz).limit_denominator(MAX_RATIO_TERM)
        self.up, self.down = ratio.numerator, ratio.denominator
        if max(self.up, self.down) > MAX_RATIO_TERM:
            raise Refusal("unsupported_format", f"no exact ratio between {from_hz:g} Hz and {to_hz:g} Hz")
        self._phases, taps = _phases(self.up, self.down, half_length)
        self.delay_s = (taps - 1) / 2 / (from_hz * self.up)
        self._history: np.ndarray | None = None
        self._history_at = 0  # absolute index of the first kept input sample
        self._made = 0  # output samples given so far

    def __call__(self, signal: np.ndarray) -> np.ndarray:
        """(channels, samples) at from_hz → the output samples whose time has come, (channels, fewer or more samples)."""
        if signal.shape[1] == 0:
            return signal
        length = self._phases.shape[1]
        if self._history is None:
            self._history, self._history_at = np.repeat(signal[:, :1], length - 1, axis=1), 1 - length
        buffer = np.concatenate([self._history, signal], axis=1)
        seen = self._history_at + buffer.shape[1]
        out = self._outputs(buffer, (seen - 1) * self.up // self.down + 1 - self._made)
        self._made += out.shape[1]
        # Kept is what the next output needs; a copy, because a view would keep the whole chunk.
        start = self._made * self.down // self.up - length + 1 - self._history_at
        self._history, self._history_at = buffer[:, max(0, start) :].copy(), self._history_at + max(0, start)
        return out

    def _outputs(self, buffer: np.ndarray, count: int) -> np.ndarray:
        """The next `count` output samples, phase by phase: each is a sum over the same number of input samples."""
        phases, length = self._phases.astype(buffer.dtype), self._phases.shape[1]
        if self.up == 1:
            return _decimated(
                buffer[:, self._made * self.down - length + 1 - self._history_at :], phases[0], self.down, count
            )
        out = np.empty((len(buffer), count), dtype=buffer.dtype)
        ending = np.lib.stride_tricks.sliding_window_view(buffer, length, axis=1) if count else buffer
        for offset in range(min(self.up, count)):
            at, phase = divmod((self._made + offset) * self.down, self.up)
            first = at - length + 1 - self._history_at
            mine = out[:, offset :: self.up]
            inputs = ending[:, first :: self.down][:, : mine.shape[1]]
            mine[:] = np.einsum("cot,t->co", inputs, phases[phase])
        return out


def _decimated(signal: np.ndarray, taps: np.ndarray, down: int, count: int) -> np.ndarray:
    """`count` sums of len(taps) samples, `down` apart, for symmetric taps: tap by tap over all of them at once.

    Faster than sum by sum, as two samples share a tap, and of a filter that halves the rate every other tap is 0.
    """
    columns = [np.ascontiguousarray(signal[:, q::down]) for q in range(down)]

    def at(tap: int) -> np.ndarray:
        return columns[tap % down][:, tap // down : tap // down + count]

    middle = len(taps) // 2
    out = at(middle) * taps[middle]
    pair = np.empty_like(out)
    for tap in np.flatnonzero(np.abs(taps[:middle]) > 1e-9).tolist():
        np.add(at(tap), at(len(taps) - 1 - tap), out=pair)
        pair *= taps[tap]
        out += pair
    return np.asarray(out)


@lru_cache(16)
def _phases(up: int, down: int, half_length: int) -> tuple[np.ndarray, int]:
    """(up, taps of each, in the order of time) of the anti-alias filter, and how many taps it has in all."""
    from scipy import signal as sps

    widest = max(up, down)
    if widest == 1:
        return _shared(np.ones((1, 1))), 1
    kernel = sps.firwin(2 * half_length * widest + 1, 1 / widest, window=("kaiser", 5.0))
    padded = np.pad(kernel, (0, -len(kernel) % up)).reshape(-1, up)
    return _shared(padded[::-1].T / padded.sum(axis=0)[:, None]), len(kernel)


class RunningBaseline:
    """Exponential mean of the *past* of each column, with carried state, so that any chunking gives the same bits.

    `half_life` is in rows: what lies so far back weighs half as much as the last row.
    """

    def __init__(self, half_life: float):
        self._keep = 0.5 ** (1 / half_life)
        self._mean: np.ndarray | None = None

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """(time, features) → what row t is compared with: rows before t only; the very first row is its own."""
        from scipy import signal as sps

        if len(values) == 0:
            return values
        mean = values[:1] if self._mean is None else self._mean
        smoothed, _ = sps.lfilter([1 - self._keep], [1, -self._keep], values, axis=0, zi=self._keep * mean)
        self._mean = smoothed[-1:]
        return np.concatenate([mean, smoothed[:-1]])
