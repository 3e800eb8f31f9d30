"""EEG as a reader wants to see it: a montage, filters for the eye, and of each pixel's column the lowest and highest value.

Filters run in both directions here, so that nothing is moved in time; what a detector sees is filtered elsewhere. Nothing
is kept on disk: it would be one more place where a patient lies.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock

import numpy as np

from data.montage import ELECTRODES, derive, measured_between
from data.outcomes import Refusal
from data.readers.edf_spans import EdfSpans

RECORDED, AVERAGE = "recorded", "average"
MONTAGES = {
    "neonatal_18": "longitudinal bipolar",
    "tcp_20": "temporal central parasagittal",
    AVERAGE: "average of all electrodes",
    RECORDED: "as recorded",
}
"""What a reader may choose, and how it is called."""

HIGH_PASSES_HZ = (0.1, 0.3, 0.5, 1.0, 2.0, 5.0)
LOW_PASSES_HZ = (15.0, 30.0, 35.0, 70.0)
NOTCHES_HZ = (50.0, 60.0)
NOTCH_QUALITY = 30.0

BINS = 1024
"""Columns of a tile."""
WHOLE_SAMPLES = 2**17
"""Of how many samples at most a tile is made from the signal itself; a longer one is made of two shorter ones."""
KEPT_BYTES = 256 << 20


@dataclass(frozen=True)
class Filters:
    """High-pass, low-pass and notch in Hz; None is none."""

    high_hz: float | None = 0.5
    low_hz: float | None = 35.0
    notch_hz: float | None = None

    @property
    def said(self) -> str:
        """In words, for the screen."""
        named = (("high-pass", self.high_hz), ("low-pass", self.low_hz), ("notch", self.notch_hz))
        return ", ".join(f"{name} {value:g} Hz" for name, value in named if value) or "no filter"

    @property
    def margin_s(self) -> float:
        """How many seconds around a stretch the signal has to be known for the filter to have forgotten where it
        began."""
        return max(2.0 if self.notch_hz else 0.5, 3.0 / self.high_hz if self.high_hz else 0.0)

    def __call__(self, signal: np.ndarray, rate_hz: float) -> np.ndarray:
        """(channels, samples) µV → the same shape, forwards and backwards; gaps (NaN in all channels) part it."""
        sections = _sections(self, rate_hz)
        if sections is None or not signal.size:
            return signal
        out = np.full_like(signal, np.nan)
        for first, last in _recorded(signal):
            out[:, first:last] = _both_ways(sections, signal[:, first:last])
        return out


@dataclass(frozen=True)
class Montage:
    """The rows of a montage by name, and how they follow from a recording's channels: `made` takes (channels, samples)
    in µV and gives (rows, samples)."""

    rows: tuple[str, ...]
    made: Callable[[np.ndarray], np.ndarray]


@lru_cache(64)
def montage_of(channels: tuple[str, ...], name: str) -> Montage:
    """The montage of these channels, by a name of `MONTAGES`; refuses (Refusal, `montage_missing`) what cannot be made
    of them."""
    if name == RECORDED:
        return Montage(channels, lambda signal: signal)
    if name == AVERAGE:
        return _average(channels)
    derivation = derive(channels, name)
    return Montage(derivation.channels, derivation)


def montages_of(channels: tuple[str, ...]) -> dict[str, Montage]:
    """Those of `MONTAGES` that these channels give; the first is what is shown first."""
    found = {}
    for name in MONTAGES:
        try:
            found[name] = montage_of(channels, name)
        except Refusal:
            continue
    return found


def refuse_filters(filters: Filters, rate_hz: float) -> None:
    """Raise ValueError where low-pass or notch lie beyond half the sampling rate. High-passes are not looked at: those
    that can be chosen lie far below (`HIGH_PASSES_HZ`)."""
    for name, value in (("low-pass", filters.low_hz), ("notch", filters.notch_hz)):
        if value and value >= rate_hz / 2:
            raise ValueError(
                f"A {name} of {value:g} Hz needs a sampling rate above {2 * value:g} Hz; it is {rate_hz:g}."
            )


@dataclass(frozen=True)
class Shown:
    """A recording in a montage, through filters."""

    spans: EdfSpans
    montage: Montage
    filters: Filters

    def signal(self, first: int, last: int) -> np.ndarray:
        """Samples `first` to `last` (not included) of every row: (rows, samples) float32 µV, NaN where there is nothing.

        Law: any stretch is, to a hundredth of a microvolt, what the same stretch of the whole recording is.
        """
        margin = round(self.filters.margin_s * self.spans.rate_hz)
        start, stop = max(0, first - margin), min(self.spans.samples, last + margin)
        wide = self.filters(self.montage.made(self.spans.signal(start, stop)), self.spans.rate_hz)
        out = np.full((len(wide), last - first), np.nan, dtype=np.float32)
        begins, ends = max(first, start), min(last, stop)
        if begins < ends:
            out[:, begins - first : ends - first] = wide[:, begins - start : ends - start]
        return out


def envelope(signal: np.ndarray, size: int) -> np.ndarray:
    """(rows, samples) → (rows, bins, 2): the lowest and the highest of each `size` samples; NaN where there are none."""
    rows, samples = signal.shape
    cut = np.full((rows, -(-samples // size) * size), np.nan, dtype=np.float32)
    cut[:, :samples] = signal
    binned = cut.reshape(rows, -1, size)
    return np.stack([np.fmin.reduce(binned, axis=2), np.fmax.reduce(binned, axis=2)], axis=2)


class Tiles:
    """Envelopes of what is looked at, in tiles of `BINS` columns, kept in memory as far as `KEPT_BYTES` allow.

    A column of level n stands for 2**n samples, tile m for the columns from m * BINS on. `key` names what is shown, by
    the content's digest. May be asked from several threads.
    """

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._kept: OrderedDict[tuple[object, ...], np.ndarray] = OrderedDict()
        self._most, self._bytes, self._lock = kept_bytes, 0, Lock()

    def tile(self, key: tuple[object, ...], shown: Shown, level: int, number: int) -> np.ndarray:
        """(rows, bins, 2) float32: lowest and highest µV of each column; fewer bins at the recording's end, none behind."""
        named = (*key, level, number)
        with self._lock:
            if named in self._kept:
                self._kept.move_to_end(named)
                return self._kept[named]
        made = self._made(key, shown, level, number)
        with self._lock:
            if named not in self._kept:
                self._kept[named] = made
                self._bytes += made.nbytes
            while self._bytes > self._most:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return made

    def _made(self, key: tuple[object, ...], shown: Shown, level: int, number: int) -> np.ndarray:
        size = BINS << level
        first, last = number * size, min((number + 1) * size, shown.spans.samples)
        if first >= last:
            return np.zeros((len(shown.montage.rows), 0, 2), dtype=np.float32)
        if size <= WHOLE_SAMPLES:
            return envelope(shown.signal(first, last), 1 << level)
        halves = [self.tile(key, shown, level - 1, 2 * number + half) for half in (0, 1)]
        return _joined(np.concatenate(halves, axis=1))


def _joined(columns: np.ndarray) -> np.ndarray:
    """Two columns become one."""
    return np.stack(
        [envelope(columns[..., 0], 2)[..., 0], envelope(columns[..., 1], 2)[..., 1]],
        axis=2,
    )


def _average(channels: tuple[str, ...]) -> Montage:
    """Each electrode against the mean of all that share a reference with it; the reference then does not matter."""
    between = [measured_between(name) for name in channels]
    single = [b for b in between if b is not None and b[1] not in ELECTRODES]
    if not single:
        raise Refusal("montage_missing", "the channels are pairs of electrodes: their average would mean nothing")
    reference = Counter(against for _, against in single).most_common(1)[0][0]
    kept = [i for i, b in enumerate(between) if b is not None and b[1] == reference]
    rows = tuple(f"{b[0]}-Avg" for i in kept if (b := between[i]) is not None)

    def made(signal: np.ndarray) -> np.ndarray:
        chosen = signal[kept]
        return np.asarray(chosen - chosen.mean(axis=0))

    return Montage(rows, made)


def _recorded(signal: np.ndarray) -> list[tuple[int, int]]:
    """(first, last) of the stretches that were recorded."""
    there = np.concatenate([[False], np.isfinite(signal[0]), [False]])
    edges = np.flatnonzero(np.diff(there.astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _both_ways(sections: np.ndarray, signal: np.ndarray) -> np.ndarray:
    from scipy.signal import sosfiltfilt

    padding = min(3 * 2 * len(sections), signal.shape[1] - 1)
    return np.asarray(sosfiltfilt(sections, signal, axis=1, padlen=padding))


@lru_cache(64)
def _sections(filters: Filters, rate_hz: float) -> np.ndarray | None:
    from scipy import signal as sps

    made = []
    if filters.high_hz:
        made.append(sps.butter(2, filters.high_hz, "highpass", fs=rate_hz, output="sos"))
    if filters.low_hz and filters.low_hz < rate_hz / 2:
        made.append(sps.butter(4, filters.low_hz, "lowpass", fs=rate_hz, output="sos"))
    if filters.notch_hz and filters.notch_hz < rate_hz / 2:
        made.append(sps.tf2sos(*sps.iirnotch(filters.notch_hz, NOTCH_QUALITY, fs=rate_hz)))
    return np.concatenate(made) if made else None
