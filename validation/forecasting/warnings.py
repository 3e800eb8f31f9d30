"""What a site would have been told: warnings along continuous films, made from the clips that were called preictal.

The rule: a clip called `preictal` raises a warning at its end, which lasts `lasts_s`; a further one while it lasts prolongs
it. Nothing new is raised within `refractory_s` of the end of a warning: what is called preictal in that time belongs
to the warning before. A warning ends with its film at the latest. It is true where a seizure truly followed one of its clips, else false.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class WarningRule:
    """`threshold`: the probability (0–1) of `preictal` from which a clip warns. `hop_s`: the time that each clip stands for."""

    hop_s: float
    threshold: float = 0.5
    lasts_s: float = 5.0
    refractory_s: float = 10.0

    def to_json(self) -> dict[str, Any]:
        """The four settings by name."""
        return asdict(self)


@dataclass(frozen=True)
class Warnings:
    """Warnings one after another: from when (s), how long the sign was on (s, refractory gaps not counted), whether a
    seizure followed one of their clips, and the first clip of each (index); all (warnings,)."""

    onset_s: np.ndarray
    on_s: np.ndarray
    true: np.ndarray
    first: np.ndarray


def warnings_of(
    film: np.ndarray, at_s: np.ndarray, warns: np.ndarray, ahead: np.ndarray, rule: WarningRule
) -> Warnings:
    """The warnings along films: of which film each clip is, when it ended (ascending in a film), whether it warns, and
    whether a seizure followed; all (clips,), films one after another."""
    raised = np.flatnonzero(warns)
    gap_s = np.diff(at_s[raised])
    apart = (np.diff(film[raised]) != 0) | (gap_s > rule.lasts_s + rule.refractory_s)
    begins = np.flatnonzero(np.append(True, apart))[: len(raised)]
    prolonged = np.append(np.where(apart, 0.0, np.minimum(gap_s, rule.lasts_s)), 0.0)
    if not len(raised):
        return Warnings(np.zeros(0), np.zeros(0), np.zeros(0, dtype=bool), np.zeros(0, dtype=int))
    last = raised[np.append(begins[1:], len(raised)) - 1]
    on_s = np.add.reduceat(prolonged, begins) + np.minimum(rule.lasts_s, _left_s(film, at_s)[last] + rule.hop_s)
    true = np.logical_or.reduceat(ahead[raised], begins)
    return Warnings(at_s[raised][begins], on_s, true, raised[begins])


def _left_s(film: np.ndarray, at_s: np.ndarray) -> np.ndarray:
    """Seconds from each clip to the last of its film (clips,)."""
    lasts = np.append(np.flatnonzero(np.diff(film)), len(film) - 1)
    return np.asarray(at_s[lasts[np.searchsorted(lasts, np.arange(len(film)))]] - at_s)


@dataclass(frozen=True)
class Asked:
    """The clips of one variant in order of person, film and time, so that they can be counted again and again.

    `order` (clips,) are rows of the table; `person` and `film` (clips,) are numbers, `persons` and `sites` one entry per
    person. Onsets stand for ends: clips are equally long.
    """

    persons: tuple[str, ...]
    sites: tuple[str, ...]
    order: np.ndarray
    person: np.ndarray
    film: np.ndarray
    at_s: np.ndarray
    ahead: np.ndarray

    @classmethod
    def of(cls, table: pd.DataFrame) -> "Asked":
        """From the answers of one variant, a row per clip: person, recording, site, onset_s (s) and truth.

        A seizure follows where the truth is `preictal`. The sites of a person who has several are joined by `+`.
        """
        persons, person = np.unique(table["person"].to_numpy(dtype=str), return_inverse=True)
        film = np.unique(table["recording"].to_numpy(dtype=str), return_inverse=True)[1]
        at_s, ahead = table["onset_s"].to_numpy(dtype=float), (table["truth"] == "preictal").to_numpy()
        order = np.lexsort((at_s, film, person))
        sites = [set[str]() for _ in persons]
        for who, site in zip(person, table["site"], strict=True):
            sites[who].add(str(site))
        joined = tuple("+".join(sorted(own)) for own in sites)
        return cls(tuple(map(str, persons)), joined, order, person[order], film[order], at_s[order], ahead[order])

    def counted(self, probability: np.ndarray, rule: WarningRule) -> pd.DataFrame:
        """Rows of the gates' evidence (`validation.gates.forecasting`): everything counted of each person.

        `probability` (rows of the table,) is what was said of `preictal`, NaN where nothing was said.
        """
        said = probability[self.order]
        known = np.isfinite(said)
        warns = known & (np.nan_to_num(said, nan=-1.0) >= rule.threshold)
        told = warnings_of(self.film, self.at_s, warns, self.ahead, rule)
        warned = self.person[told.first]
        error = np.where(known, (np.nan_to_num(said) - self.ahead) ** 2, 0.0)
        columns = {
            "ahead": self._sum(self.ahead),
            "foreseen": self._sum(self.ahead & warns),
            "quiet": self._sum(~self.ahead),
            "silent": self._sum(~self.ahead & known & ~warns),
            "judged": self._sum(known),
            "squared_error": self._sum(error),
            "warnings": np.bincount(warned, minlength=len(self.persons)).astype(float),
            "false_warnings": np.bincount(warned, ~told.true, minlength=len(self.persons)),
            "warning_s": np.bincount(warned, told.on_s, minlength=len(self.persons)),
            "observed_s": self._sum(np.full(len(said), rule.hop_s)),
        }
        return pd.DataFrame({"site": self.sites, **columns}, index=pd.Index(self.persons, name="person"))

    def _sum(self, values: np.ndarray) -> np.ndarray:
        return np.bincount(self.person, values, minlength=len(self.persons))


def per_person(table: pd.DataFrame, probability: np.ndarray, rule: WarningRule) -> pd.DataFrame:
    """Everything counted of each person; see `Asked.counted`."""
    return Asked.of(table).counted(probability, rule)
