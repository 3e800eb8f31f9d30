"""What names a seizure's type without any EEG: from whom it comes, what stood beside it, or what is most common.

Under folds over seizures the other seizures of the same patient are known; most patients have one type, so looking up
who they are already scores what the literature reports (TUH v1.5.2: weighted F1 0.87). With patients apart there is
nothing to look up, and all three fall back on the most common type.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

BLIND = {
    "majority": "always the most common type",
    "id_lookup": "the same patient's usual type",
    "label_oracle": "type of the nearest known seizure",
}
"""What each baseline looks at instead of the EEG."""


@dataclass(frozen=True)
class _Known:
    """One seizure per place: who had it where and when, of which type, and the fold that tests it."""

    person: np.ndarray
    recording: np.ndarray
    onset_s: np.ndarray
    truth: np.ndarray
    fold: np.ndarray
    classes: int

    def usual(self, among: np.ndarray) -> int:
        """The most common type among some seizures (bool); of several the first of the classes."""
        return int(np.bincount(self.truth[among], minlength=self.classes).argmax())

    def majority(self, at: int) -> int:
        return self.usual(self.fold != self.fold[at])

    def id_lookup(self, at: int) -> int:
        known = self.fold != self.fold[at]
        own = known & (self.person == self.person[at])
        return self.usual(own if own.any() else known)

    def label_oracle(self, at: int) -> int:
        own = np.flatnonzero((self.fold != self.fold[at]) & (self.recording == self.recording[at]))
        if not len(own):
            return self.id_lookup(at)
        return int(self.truth[own[np.abs(self.onset_s[own] - self.onset_s[at]).argmin()]])


def baseline_tables(table: pd.DataFrame, classes: Sequence[str]) -> dict[str, pd.DataFrame]:
    """For each baseline a table like `table` (one variant), certain of one class in every row.

    A seizure tested in fold k may be told by all seizures of the other folds, and by nothing else.
    """
    truth = np.array([list(classes).index(t) for t in table["truth"]], dtype=int)
    person, recording = (
        np.unique(table[c].to_numpy(dtype=str), return_inverse=True)[1] for c in ("person", "recording")
    )
    known = _Known(person, recording, table["onset_s"].to_numpy(), truth, table["fold"].to_numpy(), len(classes))
    said = {name: [getattr(known, name)(at) for at in range(len(table))] for name in BLIND}
    return {name: _certain(table, classes, np.array(own, dtype=int)) for name, own in said.items()}


def _certain(table: pd.DataFrame, classes: Sequence[str], said: np.ndarray) -> pd.DataFrame:
    certain = np.eye(len(classes))[said]
    return table.assign(code="", **{c: certain[:, i] for i, c in enumerate(classes)})
