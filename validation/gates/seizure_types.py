"""The gates of detectors that name the type of a seizure: no worse on average over types, and good enough in each.

Counted per patient (a patient's clips resemble each other), with clips that got no answer counted as wrong.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pandas as pd

from validation.gates.envelope import Declared
from validation.gates.gate import Claim, Gate, judge
from validation.gates.study import Study
from validation.gates.superiority import Endpoint, superior
from validation.leakage import LeakageAudit
from validation.uncertainty import Statistic

PAIRED = ("macro_f1", "superior")


@dataclass(frozen=True)
class TypingEvidence:
    """Per person (rows of `table`: index person, column site): how clips of each type were called.

    `confusion` (persons, classes, classes + 1): true class, class said (last: no answer). Refuses other shapes.
    """

    task: ClassVar[str] = "typing"

    table: pd.DataFrame
    classes: tuple[str, ...]
    confusion: np.ndarray
    audit: LeakageAudit | None = None
    cost_s_per_eeg_hour: float | None = None
    declared: Declared | None = None

    def __post_init__(self) -> None:
        wanted = (len(self.table), len(self.classes), len(self.classes) + 1)
        if self.confusion.shape != wanted:
            raise ValueError(f"confusion must be {wanted} (no answer last), got {self.confusion.shape}")

    def of_persons(self, chosen: np.ndarray) -> "TypingEvidence":
        """These persons, indices (chosen,), in this order."""
        return replace(self, table=self.table.iloc[chosen], confusion=self.confusion[chosen])

    def numbers(self) -> np.ndarray:
        return self.confusion.reshape(len(self.table), int(np.prod(self.confusion.shape[1:])))

    def recorded(self) -> pd.DataFrame:
        clips = pd.DataFrame(self.confusion.sum(axis=2), index=self.table.index, columns=list(self.classes))
        return clips.assign(**{"recorded at": self.table["site"]})

    @property
    def patients(self) -> np.ndarray:
        """How many patients had each class, (classes,)."""
        return (self.confusion.sum(axis=2) > 0).sum(axis=0)


def f1_of(index: int) -> Statistic:
    """Statistic: F1 of one class, values (patients, classes, classes + 1); NaN in draws in which nobody had it."""

    def statistic(weights: np.ndarray, confusion: np.ndarray) -> np.ndarray:
        had, said = confusion[:, index].sum(axis=1), confusion[:, :, index].sum(axis=1)
        hits, had, said = (weights @ x.astype(float) for x in (confusion[:, index, index], had, said))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(had > 0, 2 * hits / (had + said), np.nan)

    return statistic


def macro_f1_of(evaluable: np.ndarray) -> Statistic:
    """Statistic: mean F1 of the classes where `evaluable`, bool (classes,); NaN with fewer than two of them."""

    def statistic(weights: np.ndarray, confusion: np.ndarray) -> np.ndarray:
        if evaluable.sum() < 2:
            return np.full(len(weights), np.nan)
        return np.mean([f1_of(int(i))(weights, confusion) for i in np.flatnonzero(evaluable)], axis=0)

    return statistic


def compare(study: Study[TypingEvidence]) -> list[Gate]:
    """The gates of `PAIRED`."""
    return [_macro_f1(study), _superior(study)]


def alone(study: Study[TypingEvidence]) -> list[Gate]:
    """The floor of each class; a class that too few patients had ends without enough evidence."""
    return [_floor(study, i) for i in range(len(study.candidate.classes))]


def _statistic(study: Study[TypingEvidence]) -> Statistic:
    return macro_f1_of(study.candidate.patients >= study.plan.typing.min_patients_per_class)


def _macro_f1(study: Study[TypingEvidence]) -> Gate:
    ours, theirs = study.candidate, study.against
    left_out = [
        name
        for name, n in zip(ours.classes, ours.patients, strict=True)
        if n < study.plan.typing.min_patients_per_class
    ]
    what = "Δ macro-F1" + (f" (without {', '.join(left_out)}: too few patients)" if left_out else "")
    margin, clips = study.plan.typing.macro_f1_margin, float(ours.confusion.sum())
    claim = Claim("macro_f1", what, -margin, len(ours.table), study.plan.min_patients)
    return judge(claim, study.no_worse(ours.confusion, theirs.confusion, _statistic(study), margin, clips))


def _superior(study: Study[TypingEvidence]) -> Gate:
    ours, theirs = study.candidate.confusion, study.against.confusion
    right = [np.einsum("pcc->p", c[:, :, : c.shape[1]]) for c in (ours, theirs)]
    endpoint = Endpoint(ours, theirs, _statistic(study), 1, int((right[0] > right[1]).sum()))
    assumed = f"macro-F1 were truly {100 * study.plan.power_alternative:g} points higher"
    return superior(study, {"macro_f1": endpoint}, "macro_f1", len(ours), assumed)


def _floor(study: Study[TypingEvidence], index: int) -> Gate:
    plan, evidence = study.plan, study.candidate
    truth = min(1.0, plan.typing.floor_f1 + plan.power_alternative)
    claim = Claim(
        f"floor:{evidence.classes[index]}", "F1", plan.typing.floor_f1,
        int(evidence.patients[index]), plan.typing.min_patients_per_class, who="patients with this type",
        truth=truth, assumed=f"the true F1 were {truth:.2f}",
    )  # fmt: skip
    return judge(claim, study.interval(evidence.confusion, f1_of(index)))
