"""A cohort second by second: one table with a row per second of every recording, and the digest that names its content.

Columns: recording, patient, person, site, second (from 0), probability (NaN: not assessable), label (0 or 1), and, of
a detector that states prediction sets, `prediction_set` (0–3, see `validation.abstention`). The names are categories: a
thousand hours are 3.6 million rows, and a name in each of them would weigh more than the figures.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from data.events import Annotations
from lineage.digest import Digest, digest_of

NAMES = ("recording", "patient", "person", "site")
NUMBERS = ("second", "probability", "label")
SETS = "prediction_set"


@dataclass(frozen=True)
class Seconds:
    """One recording as it enters the table: `trend` (seconds,) probabilities (NaN: not assessable), `labels` 0 or 1.

    `sets` (seconds,) are prediction sets, or None where none are stated; a cohort states them of all or of none.
    """

    recording: str
    patient: str
    person: str
    site: str
    trend: np.ndarray
    labels: np.ndarray
    sets: np.ndarray | None = None


def table_of(recordings: Sequence[Seconds]) -> pd.DataFrame:
    """The table of a cohort, in the order of `ordered`. Law: `recordings_of(table_of(r))` is r by name.

    ValueError where some recordings have prediction sets and others none.
    """
    held = sorted(recordings, key=lambda r: r.recording)
    lengths = [len(r.trend) for r in held]
    columns: dict[str, Any] = {name: _repeated([getattr(r, name) for r in held], lengths) for name in NAMES}
    columns["second"] = np.concatenate([np.zeros(0, np.int32), *(np.arange(n, dtype=np.int32) for n in lengths)])
    columns["probability"] = np.concatenate([np.zeros(0), *(r.trend for r in held)])
    columns["label"] = np.concatenate([np.zeros(0, np.int8), *(r.labels.astype(np.int8) for r in held)])
    stated = [r.sets for r in held if r.sets is not None]
    if stated:
        if len(stated) < len(held):
            raise ValueError(
                f"{len(stated)} of {len(held)} recordings have prediction sets: give them of all or of none"
            )
        columns[SETS] = np.concatenate(stated).astype(np.int8)
    return pd.DataFrame(columns)


def recordings_of(predictions: pd.DataFrame) -> Iterator[Seconds]:
    """The recordings of a table one by one, by name. Refuses one of two persons, or without each second once."""
    table = ordered(predictions)
    columns = {name: (table[name].cat.codes.to_numpy(), list(table[name].cat.categories)) for name in NAMES}
    second, trend = table["second"].to_numpy(), table["probability"].to_numpy(dtype=float)
    labels = table["label"].to_numpy(dtype=np.int8)
    sets = table[SETS].to_numpy(dtype=np.int8) if SETS in table else None
    starts = np.flatnonzero(np.diff(columns["recording"][0], prepend=-1))
    for start, end in zip(starts, [*starts[1:], len(table)], strict=True):
        if not np.array_equal(second[start:end], np.arange(end - start)):
            raise ValueError(
                f"a recording has {end - start} rows for the seconds {second[start]} to {second[end - 1]}: give every "
                "second from 0 on, and once"
            )
        who = {name: _only(codes[start:end], categories) for name, (codes, categories) in columns.items()}
        own = None if sets is None else sets[start:end]
        yield Seconds(**who, trend=trend[start:end], labels=labels[start:end], sets=own)


def ordered(predictions: pd.DataFrame) -> pd.DataFrame:
    """The same rows by recording and second, names as categories in their order; no row is copied that stands right."""
    table = predictions.assign(**{name: _category(predictions[name]) for name in NAMES})
    recording, second = table["recording"].cat.codes.to_numpy(), table["second"].to_numpy()
    same, later = recording[1:] == recording[:-1], recording[1:] > recording[:-1]
    if (later | (same & (second[1:] >= second[:-1]))).all():
        return table
    return table.take(np.lexsort((second, recording))).reset_index(drop=True)


def predictions_digest(predictions: pd.DataFrame) -> Digest:
    """Whose second was given which probability, label and set, whatever the order of rows or the width of numbers."""
    names, numbers = [], hashlib.sha256()
    for one in recordings_of(predictions):
        names.append([one.recording, one.patient, one.person, one.site])
        known = np.where(np.isnan(one.trend), np.nan, one.trend)  # a NaN has many bit patterns and one meaning
        columns = [np.arange(len(known)), known, one.labels, *([] if one.sets is None else [one.sets])]
        numbers.update(np.stack(columns, axis=1).astype("<f8").tobytes())
    return digest_of([names, numbers.hexdigest()])


def events_digest(annotations: Mapping[str, Annotations]) -> Digest:
    """Which events each recording has: names hypotheses and references."""
    return digest_of({n: [a.duration_s, [[e.onset_s, e.duration_s] for e in a.events]] for n, a in annotations.items()})


def _repeated(names: Sequence[str], lengths: Sequence[int]) -> pd.Categorical:
    categories = sorted(set(names))
    place = {name: code for code, name in enumerate(categories)}
    codes = np.repeat(np.array([place[n] for n in names], dtype=int), lengths)
    return pd.Categorical.from_codes(codes, categories=pd.Index(categories, dtype="str"))


def _category(column: pd.Series) -> pd.Series:
    """Names as categories that are all used and stand in order; itself where they are."""
    held = column.astype("category")
    times = np.bincount(held.cat.codes.to_numpy().astype(int) + 1, minlength=len(held.cat.categories) + 1)
    if times[0]:
        raise ValueError(f"{times[0]} seconds have no {column.name}: name it for every second")
    if (times[1:] > 0).all() and held.cat.categories.is_monotonic_increasing:
        return held
    return held.cat.set_categories(sorted(held.cat.categories[times[1:] > 0]))


def _only(codes: np.ndarray, categories: Sequence[str]) -> str:
    if (codes != codes[0]).any():
        raise ValueError(
            f"one recording bears the names {categories[codes[0]]} and {categories[codes[codes != codes[0]][0]]}: "
            "give it one patient, person and site"
        )
    return str(categories[codes[0]])
