"""Causal filtering and resampling with carried state, so that a stream in any chunks equals the whole recording.

Zero-phase filters belong in a viewer only: a detector that looks ahead in training cannot be run at the bedside.
"""

from fractions import Fraction

import numpy as np
from scipy import signal as sps

from data.outcomes import Refusal

MAX_RATIO_TERM = 4096


class BandPass:
    """Causal Butterworth band-pass (high-pass of order 2, low-pass of order 6) with carried state.

    The first sample is taken as the signal's past, so that an electrode offset makes no step at the start.
    """

    def __init__(self, band_hz: tuple[float, float], rate_hz: float):
        high = sps.butter(2, band_hz[0], "highpass", fs=rate_hz, output="sos")
        low = sps.butter(6, band_hz[1], "lowpass", fs=rate_hz, output="sos")
        self._sos = np.concatenate([high, low])
        self._state: np.ndarray | None = None

    def __call__(self, signal: np.ndarray) -> np.ndarray:
        """(channels, samples) → the same shape; continues where the last call ended."""
        if signal.shape[1] == 0:
            return signal  # SciPy cannot filter nothing, but a stream may bring an empty chunk
        if self._state is None:
            self._state = sps.sosfilt_zi(self._sos)[:, None, :] * signal[None, :, :1]
        out, self._state = sps.sosfilt(self._sos, signal, axis=-1, zi=self._state)
        return np.asarray(out)


class Resampler:
    """Causal polyphase resampler with carried history.

    Output sample m stands for the time m / to_hz and uses no later input; its anti-alias filter delays the signal
    by `delay_s`, which is the same for every chunking (law: any chunks, bit-equal output).
    """

    def __init__(self, from_hz: float, to_hz: float, half_length: int = 10):
        ratio = Fraction(to_hz).limit_denominator(MAX_RATIO_TERM) / Fraction(from_hz).limit_denominator(MAX_RATIO_TERM)
        self.up, self.down = ratio.numerator, ratio.denominator
        if max(self.up, self.down) > MAX_RATIO_TERM:
            raise Refusal("unsupported_format", f"no exact ratio between {from_hz:g} Hz and {to_hz:g} Hz")
        widest = max(self.up, self.down)
        taps = 2 * half_length * widest + 1
        self._kernel = sps.firwin(taps, 1 / widest, window=("kaiser", 5.0)) * self.up if widest > 1 else np.ones(1)
        self.delay_s = (len(self._kernel) - 1) / 2 / (from_hz * self.up)
        self._history: np.ndarray | None = None
        self._history_at = 0  # absolute index of the first kept input sample, a multiple of `down`
        self._made = 0  # output samples given so far

    def __call__(self, signal: np.ndarray) -> np.ndarray:
        """(channels, samples) at from_hz → the output samples whose time has come, (channels, fewer or more samples)."""
        buffer = signal if self._history is None else np.concatenate([self._history, signal], axis=1)
        seen = self._history_at + buffer.shape[1]
        ready = 0 if seen == 0 else (seen - 1) * self.up // self.down + 1
        first = self._history_at // self.down * self.up  # output index that stands at the buffer's start
        if ready > self._made:
            every = sps.upfirdn(self._kernel, buffer, self.up, self.down, axis=1)
            out = every[:, self._made - first : ready - first]
        else:
            out = np.zeros((signal.shape[0], 0))
        self._keep(buffer)
        self._made = ready
        return out

    def _keep(self, buffer: np.ndarray) -> None:
        needed = len(self._kernel) // self.up + 2 * self.down + 2
        start = max(0, buffer.shape[1] - needed) // self.down * self.down
        self._history = buffer[:, start:].copy()  # a view would keep the whole chunk
        self._history_at += start


class RunningBaseline:
    """Exponential mean of the *past* of each column, with carried state, so that any chunking gives the same bits."""

    def __init__(self, half_life: float):
        self._keep = 0.5 ** (1 / half_life)
        self._mean: np.ndarray | None = None

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """(time, features) → what row t is compared with: rows before t only; the very first row is its own."""
        if len(values) == 0:
            return values
        mean = values[:1] if self._mean is None else self._mean
        smoothed, _ = sps.lfilter([1 - self._keep], [1, -self._keep], values, axis=0, zi=self._keep * mean)
        self._mean = smoothed[-1:]
        return np.concatenate([mean, smoothed[:-1]])


def running_baseline(values: np.ndarray, half_life: float) -> np.ndarray:
    """Exponential mean of the *past* of each column: row t uses rows before t only (row 0 is its own baseline).

    `values` (time, features), `half_life` in rows. Used to normalise a patient against themselves, causally.
    """
    return RunningBaseline(half_life)(values)
