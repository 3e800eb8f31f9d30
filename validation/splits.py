"""Who trains, who tunes and who is tested: by person, decided before any window is cut.

A split is drawn once from a seed and kept; training applies it and never decides again. The window split is the
leaky control: neighbouring seconds of one seizure stand on both sides, so its scores may never be registered.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from data.cohorts.bids import Cohort
from lineage.digest import Digest, digest_of, sha256_file
from lineage.refused import Refused

OUT, TRAIN, INNER_VALID, TEST = -1, 0, 1, 2
"""Roles of a window in a fold; `OUT` is a recording that the split does not know."""

REPORTABLE = ("patient", "site")


class CannotSplit(Refused):
    """A cohort that cannot be split as asked: the reason has the value, the limit and the next step."""


@dataclass(frozen=True)
class Member:
    """One recording as a split sees it. `person` is the key of the human being, however many patient ids they have."""

    recording: str
    patient: str
    person: str
    site: str
    has_seizure: bool
    digest: Digest = ""


@dataclass(frozen=True)
class Fold:
    """Recording names by role. Tuning and early stopping see `inner_valid`; `test` is scored once, afterwards."""

    train: tuple[str, ...]
    inner_valid: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True)
class Split:
    """The folds of one regime with the seed that drew them. Law: `Split.from_json(s.to_json()) == s`."""

    regime: str
    seed: int
    inner_share: float
    folds: tuple[Fold, ...]

    @property
    def reportable(self) -> bool:
        """Whether scores under this split may enter a registration."""
        return self.regime in REPORTABLE

    @property
    def digest(self) -> Digest:
        return digest_of(self.to_json())

    def to_json(self) -> dict[str, Any]:
        folds = [{role: list(names) for role, names in asdict(fold).items()} for fold in self.folds]
        return {
            "regime": self.regime,
            "reportable": self.reportable,
            "seed": self.seed,
            "inner_share": self.inner_share,
            "folds": folds,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Split":
        folds = tuple(Fold(*(tuple(f[role]) for role in ("train", "inner_valid", "test"))) for f in value["folds"])
        return cls(value["regime"], value["seed"], value["inner_share"], folds)

    def roles(self, recording: str, n_windows: int, fold: int) -> np.ndarray:
        """Role of each window of a recording in one fold, int array (n_windows,): TRAIN, INNER_VALID, TEST or OUT."""
        if self.regime == "window":
            return self._window_roles(recording, n_windows, fold)
        named = self.folds[fold]
        for role, names in ((TRAIN, named.train), (INNER_VALID, named.inner_valid), (TEST, named.test)):
            if recording in names:
                return np.full(n_windows, role)
        return np.full(n_windows, OUT)

    def _window_roles(self, recording: str, n_windows: int, fold: int) -> np.ndarray:
        if recording not in self.folds[fold].test:
            return np.full(n_windows, OUT)
        tested_in = window_fold(n_windows, recording, len(self.folds), self.seed)
        rest = np.flatnonzero(tested_in != fold)
        rng = _rng_of(recording, self.seed, fold + 1)
        roles = np.where(tested_in == fold, TEST, TRAIN)
        roles[rng.permutation(rest)[: round(self.inner_share * len(rest))]] = INNER_VALID
        return roles


def members(cohort: Cohort) -> tuple[Member, ...]:
    """Every recording of a cohort with its person, site, seizures and the digest of its raw bytes."""
    return tuple(
        Member(e.name, e.patient, e.person, e.site, bool(cohort.annotations(e).events), sha256_file(e.path))
        for e in cohort.entries
    )


def nested_patient_split(entries: Iterable[Member], folds: int = 3, inner_share: float = 0.25, seed: int = 0) -> Split:
    """Outer folds by person, stratified by site and by seizing or seizure-free, with tuning persons set aside inside.

    Laws: every recording is tested in exactly one fold; persons, and seizing persons, per fold differ by at most
    one; the order of `entries` does not matter. Refuses a cohort with too few persons.
    """
    people = _people(entries)
    if folds < 2 or len(people) < 2 * folds:
        raise CannotSplit(
            f"{folds} folds need at least 2 folds and {2 * folds} persons, got {len(people)} persons: "
            "add recordings of further people or ask for fewer folds"
        )
    rng = np.random.default_rng(seed)
    ordered = _stratified_order(people, rng)
    tested_in = {person.key: position % folds for position, person in enumerate(ordered)}
    made = tuple(_fold(ordered, tested_in, fold, inner_share, rng) for fold in range(folds))
    return Split("patient", seed, inner_share, made)


def window_split(entries: Iterable[Member], folds: int = 3, inner_share: float = 0.25, seed: int = 0) -> Split:
    """The leaky control: random windows of every recording. Not reportable; apply it with `Split.roles`."""
    names = tuple(sorted(m.recording for m in entries))
    return Split("window", seed, inner_share, (Fold(names, names, names),) * folds)


def window_fold(n_windows: int, recording_name: str, folds: int, seed: int) -> np.ndarray:
    """The fold that tests each window of a recording, int array (n_windows,), random and balanced to within one."""
    return _rng_of(recording_name, seed, 0).permutation(np.arange(n_windows) % folds)


@dataclass(frozen=True)
class Person:
    """A human being with all their recordings: what a fold deals out."""

    key: str
    site: str
    has_seizure: bool
    recordings: tuple[str, ...]


def _people(entries: Iterable[Member]) -> list[Person]:
    by_key: dict[str, list[Member]] = {}
    for member in entries:
        by_key.setdefault(member.person, []).append(member)
    return [
        Person(
            key,
            "+".join(sorted({m.site for m in group})),
            any(m.has_seizure for m in group),
            tuple(sorted(m.recording for m in group)),
        )
        for key, group in sorted(by_key.items())
    ]


def _stratified_order(people: Sequence[Person], rng: np.random.Generator) -> list[Person]:
    """Persons shuffled inside their stratum, strata one after the other: dealing them round balances every stratum."""
    shuffled = [people[i] for i in rng.permutation(len(people))]
    return sorted(shuffled, key=lambda p: (not p.has_seizure, p.site))


def _fold(
    ordered: Sequence[Person], tested_in: dict[str, int], fold: int, inner_share: float, rng: np.random.Generator
) -> Fold:
    rest = [p for p in ordered if tested_in[p.key] != fold]
    tuning = {
        p.key for has in (True, False) for p in _share([p for p in rest if p.has_seizure == has], inner_share, rng)
    }
    return Fold(
        _names(p for p in rest if p.key not in tuning),
        _names(p for p in rest if p.key in tuning),
        _names(p for p in ordered if tested_in[p.key] == fold),
    )


def _share(people: Sequence[Person], share: float, rng: np.random.Generator) -> list[Person]:
    """A share of persons at even steps through their strata; at least one where two are there to divide."""
    if len(people) < 2:
        return []
    wanted = min(max(1, round(share * len(people))), len(people) - 1)
    steps = (np.arange(wanted) + rng.random()) * len(people) / wanted
    return [people[int(step)] for step in steps]


def _names(people: Iterable[Person]) -> tuple[str, ...]:
    return tuple(sorted(name for person in people for name in person.recordings))


def _rng_of(recording: str, seed: int, stream: int) -> np.random.Generator:
    name = int.from_bytes(hashlib.sha256(recording.encode()).digest()[:8], "big")
    return np.random.default_rng([seed, name, stream])
