"""What a site would have been told: warnings along continuous films, made from the clips that were called preictal.

The rule: a clip called `preictal` raises a warning at its end, which lasts `lasts_s`; a further one while it lasts prolongs
it. What goes on for longer than `longest_s` is a warning again, so that one who never stops does not count as one who was
right once (`validation.spasms` parts alarms for the same reason). Within `refractory_s` of the end of a warning nothing is
raised or prolonged. A warning ends with its film at the latest. It is true where a seizure truly followed one of its own
clips, else false. Rates are over the film that got an answer: who refuses film does not thereby warn more seldom.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class WarningRule:
    """`threshold`: probability (0–1) of `preictal` from which a clip warns. `hop_s`: what each clip stands for.

    `lasts_s`, `refractory_s` and `longest_s` as the rule above says.
    """

    hop_s: float
    threshold: float = 0.5
    lasts_s: float = 5.0
    refractory_s: float = 10.0
    longest_s: float = 30.0

    def to_json(self) -> dict[str, Any]:
        """The five settings by name."""
        return asdict(self)


@dataclass(frozen=True)
class Clips:
    """Clips film by film, ascending in time within one; each array (clips,).

    `film`: which film (number), `at_s`: when the clip ended (s), `answered` and `warns` (bool): whether anything was said of
    it and whether it was called preictal, `ahead` (bool): whether a seizure followed.
    """

    film: np.ndarray
    at_s: np.ndarray
    answered: np.ndarray
    warns: np.ndarray
    ahead: np.ndarray


@dataclass(frozen=True)
class Warnings:
    """Warnings one after another: from when (s), how long the sign was on (s of answered film), whether a seizure
    followed one of their clips, and the first clip of each (index); all (warnings,)."""

    onset_s: np.ndarray
    on_s: np.ndarray
    true: np.ndarray
    first: np.ndarray


def warnings_of(clips: Clips, rule: WarningRule) -> Warnings:
    """The warnings along films."""
    line_s = _on_one_line(clips, rule)
    runs = _runs(line_s, np.flatnonzero(clips.warns), rule)
    first, last = (np.array([run[at] for run in runs], dtype=int) for at in (0, -1))
    begins_s = line_s[first]
    ends_s = np.minimum(line_s[last] + rule.lasts_s, np.append(begins_s[1:], np.inf)[: len(runs)])
    true = np.array([clips.ahead[run].any() for run in runs], dtype=bool)
    on_s = _answered_until(line_s, clips.answered, ends_s, rule) - _answered_until(
        line_s, clips.answered, begins_s, rule
    )
    return Warnings(clips.at_s[first], on_s, true, first)


def _on_one_line(clips: Clips, rule: WarningRule) -> np.ndarray:
    """Ends of clips (s) with the films one after another on one line, too far apart for a warning to reach the next."""
    number = np.cumsum(np.diff(clips.film, prepend=clips.film[:1]) != 0)
    longest_s = np.ptp(clips.at_s) if len(clips.at_s) else 0.0
    return np.asarray(clips.at_s + number * (longest_s + rule.hop_s + rule.lasts_s + rule.refractory_s + 1))


def _runs(line_s: np.ndarray, signs: np.ndarray, rule: WarningRule) -> list[list[int]]:
    """The clips (of `signs`, those that warn) that make each warning; what falls into a refractory time makes none."""
    runs: list[list[int]] = []
    for sign in signs.tolist():
        since_s = line_s[sign] - line_s[runs[-1][-1]] if runs else np.inf
        if since_s > rule.lasts_s + rule.refractory_s:
            runs.append([sign])
        elif since_s <= rule.lasts_s:
            if line_s[sign] - line_s[runs[-1][0]] < rule.longest_s:
                runs[-1].append(sign)
            else:
                runs.append([sign])
    return runs


def _answered_until(line_s: np.ndarray, answered: np.ndarray, until_s: np.ndarray, rule: WarningRule) -> np.ndarray:
    """Seconds of answered film before each time on the line; a clip stands for `hop_s` from its end on."""
    if not len(line_s):
        return np.zeros_like(until_s)
    ends_s = np.minimum(line_s + rule.hop_s, np.append(line_s[1:], np.inf))
    edges_s = np.stack([line_s, ends_s], axis=1).ravel()
    gone_s = np.stack([np.zeros(len(line_s)), np.where(answered, ends_s - line_s, 0.0)], axis=1).ravel().cumsum()
    return np.asarray(np.interp(until_s, edges_s, gone_s))


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
        told = warnings_of(Clips(self.film, self.at_s, known, warns, self.ahead), rule)
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
            "answered_s": rule.hop_s * self._sum(known),
        }
        return pd.DataFrame({"site": self.sites, **columns}, index=pd.Index(self.persons, name="person"))

    def _sum(self, values: np.ndarray) -> np.ndarray:
        return np.bincount(self.person, values, minlength=len(self.persons))


def per_person(table: pd.DataFrame, probability: np.ndarray, rule: WarningRule) -> pd.DataFrame:
    """Everything counted of each person, of `probability` (rows of the table,); see `Asked.counted`."""
    return Asked.of(table).counted(probability, rule)
