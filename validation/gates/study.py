"""Candidate and rival on the same patients: one order that owes nothing to names, and draws that they share.

Patients are drawn inside their cell (site and stratum), each cell from a stream of its own, so that further sites
change nothing about the draws of those already there.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np
import pandas as pd

from lineage.digest import digest_of
from validation.gates.envelope import Declared
from validation.gates.few_patients import widened
from validation.gates.plan import GateSettings
from validation.leakage import LeakageAudit
from validation.uncertainty import Interval, Statistic, difference, interval_of, patient_draws


class Scored(Protocol):
    """What the gates read of one detector, whatever its task: rows of `table` are persons (site, maybe stratum)."""

    task: ClassVar[str]

    @property
    def table(self) -> pd.DataFrame:
        """What was counted of each person: index person, columns site, stratum (if any) and the task's."""

    @property
    def audit(self) -> LeakageAudit | None:
        """The leakage audit of the split behind it; None makes its gate unknown."""

    @property
    def cost_s_per_eeg_hour(self) -> float | None:
        """Seconds of computing per hour of recording; None, as of no measurement, makes its gate unknown."""

    @property
    def declared(self) -> Declared | None:
        """What the detector states about itself; None where it states nothing."""

    def of_persons(self, chosen: np.ndarray) -> Any:
        """The same evidence of these persons, indices (chosen,), in this order."""

    def numbers(self) -> np.ndarray:
        """Everything counted of each person, (persons, numbers)."""

    def recorded(self) -> pd.DataFrame:
        """What does not depend on the detector, and must be alike in those that are compared."""


E = TypeVar("E", bound=Scored)


@dataclass(frozen=True)
class Study(Generic[E]):
    """One comparison: persons in one order, the draws (draws, persons) they share, their cell, and the plan."""

    candidate: E
    rival: E | None
    cells: np.ndarray
    weights: np.ndarray
    plan: GateSettings

    @property
    def against(self) -> E:
        """The rival; ValueError where there is none."""
        if self.rival is None:
            raise ValueError("there is nobody to compare with")
        return self.rival

    def interval(self, values: Any, statistic: Statistic, inside: Any = slice(None)) -> Interval:
        """A figure with its interval at the plan's level, over the shared draws.

        `values` are those of the persons that `inside` picks (mask or indices), all of them unless told.
        """
        return interval_of(values, statistic, self.weights[:, inside], self.plan.level)

    def delta(self, ours: Any, theirs: Any, statistic: Statistic, inside: Any = slice(None)) -> Interval:
        """Candidate − rival on the same patients in every draw."""
        return self.interval((ours, theirs), difference(statistic), inside)

    def no_worse(
        self, ours: Any, theirs: Any, statistic: Statistic, margin: float, asked: float, inside: Any = slice(None)
    ) -> Interval:
        """As `delta`, where no more than `margin` may be lost of what was `asked`: few patients cannot be sure of that."""
        delta = self.delta(ours, theirs, statistic, inside)
        return widened(delta, (ours, theirs), difference(statistic), margin, asked)


def arrange(candidate: E, rival: E | None, plan: GateSettings) -> Study[E]:
    """Law: the same persons in another order, or under other names, make the same study."""
    order = _order(candidate, rival)
    ours, theirs = candidate.of_persons(order), None if rival is None else rival.of_persons(order)
    cells = cells_of(ours.table)
    return Study(ours, theirs, cells, draws(list(cells), plan.seed, plan.draws), plan)


def refuse_unpaired(candidate: Scored, rival: Scored) -> None:
    """ValueError where two detectors of different tasks, or on different recordings, are to be compared."""
    if type(candidate) is not type(rival):
        raise ValueError(f"a detector for {candidate.task} cannot be compared with one for {rival.task}")
    if not candidate.recorded().equals(rival.recorded()):
        raise ValueError("candidate and rival were not scored on the same recordings: predict them all again with both")


def cells_of(table: pd.DataFrame) -> np.ndarray:
    """Site and stratum of each person as one label, (persons,) in the rows' order."""
    strata = table["stratum"] if "stratum" in table else pd.Series("all", index=table.index)
    return np.array([f"{site} · {stratum}" for site, stratum in zip(table["site"], strata, strict=True)], dtype=object)


def draws(cells: Sequence[str], seed: int, count: int) -> np.ndarray:
    """How often each person was drawn, int (draws, persons); cells keep their size in every draw.

    A person alone in a cell would never vary: such persons are drawn together, and a single one with the smallest cell.
    """
    weights = np.zeros((count, len(cells)), dtype=np.int64)
    home = _homes(Counter(cells))
    groups = np.array([home[cell] for cell in cells], dtype=object)
    for group in sorted(set(groups)):
        inside = np.flatnonzero(groups == group)
        rng = np.random.default_rng([seed, int(digest_of(group)[:16], 16)])
        weights[:, inside] = patient_draws([group] * len(inside), rng, count)
    return weights


def _homes(sizes: Mapping[str, int]) -> dict[str, str]:
    alone = [cell for cell in sizes if sizes[cell] == 1]
    others = sorted((n, cell) for cell, n in sizes.items() if n > 1)
    together = others[0][1] if len(alone) == 1 and others else "alone in their cell"
    return {cell: together if cell in alone else cell for cell in sizes}


def _order(candidate: Scored, rival: Scored | None) -> np.ndarray:
    """By cell, then by the rival's numbers, then by the candidate's: persons alike in all are interchangeable."""
    numbers = [e.numbers() for e in (rival, candidate) if e is not None]
    _, cell = np.unique(cells_of(candidate.table).astype(str), return_inverse=True)
    columns = [cell, *(column for table in numbers for column in table.T)]
    return np.lexsort(columns[::-1])
