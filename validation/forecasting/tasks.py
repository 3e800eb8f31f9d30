"""A handful of clips to learn from, and everybody else to be asked about: tasks drawn again and again, and their intervals.

Support and query never share a person. An interval redraws patients and tasks: tasks from the same few people are no
new evidence, so an interval over tasks alone would be far too narrow.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from validation.gates.forecasting import balanced_accuracy
from validation.uncertainty import MIN_DRAWS, Interval, PairWins, interval_of, patient_draws


@dataclass(frozen=True)
class Task:
    """Indices of clips, (clips,) each: `support` to learn from (`shots` of each class), `query` to be asked about."""

    shots: int
    number: int
    support: np.ndarray
    query: np.ndarray


def draw_tasks(label: np.ndarray, person: np.ndarray, shots: int, count: int, rng: np.random.Generator) -> list[Task]:
    """`count` tasks of `shots` clips of each class; who gives a clip to learn from is not asked about.

    `label` (clips,) is 1 for preictal, `person` (clips,) whose each is. Each preictal clip comes from another person as
    long as there are enough, the interictal ones from the same persons first, so that who it is tells nothing. The
    query is every clip of all others. Refuses a cohort in which nobody with both classes would be left to ask about.
    """
    return [_draw(label, person, shots, number, rng) for number in range(count)]


def right_of(
    clips: np.ndarray, said: np.ndarray, label: np.ndarray, person: np.ndarray, persons: Sequence[str]
) -> np.ndarray:
    """(persons, 4): foreseen, ahead, silent, quiet; `said`: was a seizure foretold at each of `clips` (indices)?

    `label` (1 for preictal) and `person` are of all clips, `persons` the rows.
    """
    counted, place = np.zeros((len(persons), 4)), {p: n for n, p in enumerate(persons)}
    who, ahead = np.array([place[str(p)] for p in person[clips]], dtype=int), label[clips] == 1
    for column, counts in enumerate((ahead & said, ahead, ~ahead & ~said, ~ahead)):
        np.add.at(counted[:, column], who, counts)
    return counted


@dataclass(frozen=True)
class Foretold:
    """What was said of clips with patients apart: `right` (fits, persons, 4) as of `right_of`, and how scores rank them.

    Of pairs of a preictal clip of one person and another clip of another that were scored by the same fold: `wins` counts
    those ordered rightly (ties half), `pairs` all; (persons, persons) each. Scores of two folds cannot be compared.
    """

    right: np.ndarray
    wins: np.ndarray
    pairs: np.ndarray

    @classmethod
    def of(
        cls, score: np.ndarray, fold: np.ndarray, label: np.ndarray, person: np.ndarray, persons: Sequence[str]
    ) -> "Foretold":
        """From a score of every clip (clips,), above 0 where a seizure is foretold, and which fold gave it (clips,)."""
        wins = np.zeros((2, len(persons), len(persons)))
        for number in np.unique(fold):
            own = [(fold == number) & (person == p) for p in persons]
            made = PairWins.of([label[chosen] == 1 for chosen in own], [score[chosen] for chosen in own])
            wins += made.wins, np.outer(made.positives, made.negatives)
        return cls(right_of(np.arange(len(score)), score > 0, label, person, persons)[None], *wins)


def ranked_within(weights: np.ndarray, foretold: Foretold) -> np.ndarray:
    """Statistic: area under the ROC curve of pairs scored by the same fold, among the persons drawn.

    `weights` (draws, persons) → (draws,), NaN without a pair.
    """
    won, asked = (((weights @ table) * weights).sum(axis=1) for table in (foretold.wins, foretold.pairs))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(won / asked)


@dataclass(frozen=True)
class Redraws:
    """How often each person is drawn (draws, persons); tasks are redrawn beside them from `seed`."""

    persons: np.ndarray
    seed: int

    @classmethod
    def of(cls, sites: Sequence[str], seed: int, draws: int = MIN_DRAWS) -> "Redraws":
        """Persons inside their sites (one entry per person)."""
        return cls(patient_draws(sites, np.random.default_rng(seed), draws), seed)

    def mean(self, right: np.ndarray) -> Interval:
        """Balanced accuracy, mean over tasks, of `right` (tasks, persons, 4) as of `right_of`."""
        return self._interval(self._each(right), once(right))

    def ranking(self, foretold: Foretold) -> Interval:
        """Area under the ROC curve within folds."""
        return interval_of(foretold, ranked_within, self.persons)

    def gain(self, ours: np.ndarray, theirs: np.ndarray, level: float = 0.95) -> Interval:
        """The first minus the second, task by task and with the same persons in every draw; `level` (0–1) of the interval.

        Where one has answered fewer tasks, the first of both: all are given them in one order.
        """
        count = min(len(ours), len(theirs))
        ours, theirs = ours[:count], theirs[:count]
        return self._interval(self._each(ours) - self._each(theirs), once(ours) - once(theirs), level)

    def _each(self, right: np.ndarray) -> np.ndarray:
        """(draws, tasks): balanced accuracy of every task among the persons drawn; NaN where nobody can be asked."""
        return np.stack([balanced_accuracy(self.persons, own) for own in right], axis=1)

    def _interval(self, each: np.ndarray, plain: np.ndarray, level: float = 0.95) -> Interval:
        count = len(plain)
        drawn_tasks = np.random.default_rng([self.seed, count]).multinomial(
            count, np.full(count, 1 / count), size=len(each)
        )
        times = drawn_tasks * np.isfinite(each)
        with np.errstate(divide="ignore", invalid="ignore"):
            drawn = (np.nan_to_num(each) * times).sum(axis=1) / times.sum(axis=1)
        defined = drawn[np.isfinite(drawn)]
        low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2]) if len(defined) else (np.nan, np.nan)
        estimate = float(np.mean(plain[np.isfinite(plain)])) if np.isfinite(plain).any() else np.nan
        return Interval(
            estimate, float(low), float(high), len(drawn), self.persons.shape[1], level, unit="patient and task",
            undefined=len(drawn) - len(defined),
        )  # fmt: skip


def once(right: np.ndarray) -> np.ndarray:
    """(tasks,): balanced accuracy of each task, every person once."""
    weights = np.ones((1, right.shape[1]))
    return np.array([float(balanced_accuracy(weights, own)[0]) for own in right])


def _draw(label: np.ndarray, person: np.ndarray, shots: int, number: int, rng: np.random.Generator) -> Task:
    ahead = _shots_of(np.flatnonzero(label == 1), person, shots, np.array([]), rng)
    quiet = _shots_of(np.flatnonzero(label == 0), person, shots, person[ahead], rng)
    support = np.concatenate([ahead, quiet])
    query = np.flatnonzero(~np.isin(person, person[support]))
    if len(np.unique(label[query])) < 2:
        people = len(np.unique(person))
        raise ValueError(f"{people} persons are too few for {shots} shots: nobody is left to be asked about")
    return Task(shots, number, support, query)


def _shots_of(
    clips: np.ndarray, person: np.ndarray, shots: int, first: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """`shots` of these clips at random, those of `first` persons before others, each person's second after all firsts."""
    if len(clips) < shots:
        raise ValueError(f"{len(clips)} clips of a class are too few for {shots} shots")
    mixed = rng.permutation(clips)
    who = person[mixed]
    counts, together = np.unique(who, return_counts=True)[1], np.argsort(who, kind="stable")
    nth = np.empty(len(mixed), dtype=int)
    nth[together] = np.arange(len(mixed)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.asarray(mixed[np.lexsort((nth, ~np.isin(who, first)))][:shots])
