"""An hour of EEG opened to be looked at: its first view and all of it at once, filtered and in a bipolar montage.

MNE reads and filters all of it before anything can be shown, and its picture of all is drawn from every sample. Theirs is
no viewer: drawing is left out on both sides. What a browser takes with it is told by `tests.benchmarks.opening`.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from console.display import BINS, Filters, Shown, Tiles, montage_of
from data.montage import NEONATAL_18
from data.readers.edf_spans import open_spans
from lineage.digest import sha256_file
from tests.benchmarks.case import Case, Work
from tests.benchmarks.recordings import edf_of

FILTERS = Filters(0.5, 35.0)
LEVEL_OF_VIEW, LEVEL_OF_ALL = 2, 9
"""Columns of 4 samples show 20 s on 1280 points; of 512, an hour on 1800."""


@dataclass(frozen=True)
class Seen:
    """Lowest and highest values, (rows, columns, 2) µV: of the first stretch, and of the whole recording."""

    view: np.ndarray
    whole: np.ndarray


def make(hours: float) -> Path:
    ours(edf_of(1))
    theirs(edf_of(1))
    return edf_of(round(60 * hours))


def ours(path: Path) -> Seen:
    spans, tiles, key = open_spans(path), Tiles(), (sha256_file(path),)
    shown = Shown(spans, montage_of(spans.channels, "neonatal_18"), FILTERS)
    size = BINS << LEVEL_OF_ALL
    whole = [tiles.tile(key, shown, LEVEL_OF_ALL, n) for n in range(-(-spans.samples // size))]
    return Seen(tiles.tile(key, shown, LEVEL_OF_VIEW, 0), np.concatenate(whole, axis=1))


def theirs(path: Path) -> Seen:
    import mne

    raw = mne.io.read_raw_edf(path, preload=True, verbose="error")
    for band, order in (((FILTERS.high_hz, None), 2), ((None, FILTERS.low_hz), 4)):
        both_ways = {"order": order, "ftype": "butter", "output": "sos"}
        raw.filter(*band, method="iir", iir_params=both_ways, verbose="error")
    anodes, cathodes = zip(*(pair.split("-") for pair in NEONATAL_18), strict=True)
    pairs = mne.set_bipolar_reference(raw, list(anodes), list(cathodes), ch_name=list(NEONATAL_18), verbose="error")
    signal = pairs.get_data(picks=list(NEONATAL_18)) * 1e6
    return Seen(*(_envelope(signal, 1 << level) for level in (LEVEL_OF_VIEW, LEVEL_OF_ALL)))


def least(path: Path) -> Work:
    """The file read once; the filters' own operations are not counted."""
    return Work(path.stat().st_size)


def _envelope(signal: np.ndarray, size: int) -> np.ndarray:
    cut = signal[:, : signal.shape[1] // size * size].reshape(len(signal), -1, size)
    return np.stack([cut.min(axis=2), cut.max(axis=2)], axis=2)


def same(our: Seen, their: Seen) -> str:
    """In µV, away from the ends, where filters begin in different ways."""
    for what in ("view", "whole"):
        one, other = getattr(our, what), getattr(their, what)
        columns = slice(one.shape[1] // 10, min(one.shape[1], other.shape[1]) * 9 // 10)
        apart = float(np.abs(one[:, columns] - other[:, columns]).max())
        if not apart < 0.5:
            return f"what is shown of the {what} differs by {apart:.2f} µV"
    return ""


CASE = Case(
    name="view_hour",
    claim="EDF of 19 channels at 256 Hz, hashed and shown: the first view and all of it, filtered, bipolar, by columns",
    alternative="MNE: read, the same filters, bipolar reference, then the same columns",
    sizes=(1,),
    quick_sizes=(0.1,),
    unit="hours",
    make=make,
    ours=ours,
    theirs=theirs,
    same=same,
    least=least,
    rounds=3,
    target={"cpu_seconds": 2.0},
)
