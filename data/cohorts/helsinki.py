"""What three experts marked in the EEG of 79 newborns in Helsinki, second by second.

Source: Stevenson et al. 2019, Sci Data 6:190039 (CC BY 4.0), `annotations_2017.mat`: a cell `annotat_new` with one
array (3 experts, seconds) of 0 and 1 per newborn, in the order of the published recordings eeg1 … eeg79. The EEG itself
is not read here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data.events import Annotations
from data.outcomes import Refusal

EXPERTS = ("A", "B", "C")
VARIABLE = "annotat_new"


@dataclass(frozen=True)
class Newborn:
    """One recording (`eeg1` …) as each expert marked it; all three have read all of it."""

    recording: str
    experts: dict[str, Annotations]

    @property
    def masks(self) -> np.ndarray:
        """Bool (experts, seconds)."""
        return np.stack([self.experts[name].to_mask(1.0) for name in EXPERTS])

    def marked_by(self, at_least: int) -> Annotations:
        """The seconds that `at_least` of the experts marked: 2 is the majority, 3 unanimity, 1 anybody."""
        return Annotations.from_mask(self.masks.sum(axis=0) >= at_least, 1.0)


@dataclass(frozen=True)
class HelsinkiFacts:
    """What the labels amount to. By consensus: `seizing` have a second that all marked, `free` none that anyone did."""

    newborns: int
    hours: float
    median_min: float
    seizures_per_expert: float
    seizing: int
    seizing_by_majority: int
    free: int


def read_labels(path: Path) -> tuple[Newborn, ...]:
    """Read `annotations_2017.mat`.

    Refuses with `unsupported_format` what is no MATLAB file of version 5 or lacks the variable, and with `corrupt` a
    file that breaks off or an array that is not three rows of 0 and 1.
    """
    cells = np.asarray(_variable(path)).ravel()
    if cells.dtype != object or not len(cells):
        raise Refusal("unsupported_format", f"the variable {VARIABLE} is no cell with one array per newborn")
    return tuple(_newborn(number, np.asarray(cell)) for number, cell in enumerate(cells, 1))


def facts(newborns: Sequence[Newborn]) -> HelsinkiFacts:
    minutes = [n.experts[EXPERTS[0]].duration_s / 60 for n in newborns]
    marked = sum(len(a.events) for n in newborns for a in n.experts.values())
    return HelsinkiFacts(
        newborns=len(newborns),
        hours=sum(minutes) / 60,
        median_min=float(np.median(minutes)),
        seizures_per_expert=marked / len(EXPERTS),
        seizing=sum(bool(n.marked_by(3).events) for n in newborns),
        seizing_by_majority=sum(bool(n.marked_by(2).events) for n in newborns),
        free=sum(not n.marked_by(1).events for n in newborns),
    )


def _variable(path: Path) -> Any:
    from scipy.io import loadmat

    with path.open("rb") as file:
        begins_rightly = file.read(10) == b"MATLAB 5.0"
    if not begins_rightly:
        raise Refusal("unsupported_format", "the labels are no MATLAB 5 file: give annotations_2017.mat as published")
    try:
        variables = loadmat(str(path), appendmat=False)
    except Exception:  # scipy trusts the file's sizes and tags: damage shows as whatever they then lead to
        raise Refusal("corrupt", "the MATLAB file of labels cannot be read to its end: fetch it again") from None
    if VARIABLE not in variables:
        raise Refusal("unsupported_format", f"the MATLAB file has no variable {VARIABLE}: give annotations_2017.mat")
    return variables[VARIABLE]


def _newborn(number: int, marks: np.ndarray) -> Newborn:
    if marks.ndim != 2 or marks.shape[0] != len(EXPERTS) or not marks.shape[1]:
        raise Refusal(
            "corrupt", f"labels of newborn {number} have shape {marks.shape}, expected ({len(EXPERTS)}, seconds)"
        )
    if not np.issubdtype(marks.dtype, np.number) or not np.isin(marks, (0, 1)).all():
        raise Refusal("corrupt", f"labels of newborn {number} are not all 0 or 1: fetch the file again")
    experts = {name: Annotations.from_mask(row == 1, 1.0) for name, row in zip(EXPERTS, marks, strict=True)}
    return Newborn(f"eeg{number}", experts)
