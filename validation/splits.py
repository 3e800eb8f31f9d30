"""Who trains, who tunes and who is tested: by person, decided before any window is cut.

A split is drawn once from a seed and kept; training applies it and never decides again. For detections there are five
regimes, from the honest to the leaky (`REGIMES`), for types of seizures three (`TYPING_REGIMES`). Under some of them the
test has been seen before: they are drawn to show what that is worth, and their scores may never be registered.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from lineage.digest import Digest, digest_of
from lineage.refused import Refused
from validation.window_roles import INNER_VALID, OUT, TEST, TRAIN, random_roles, seizure_roles, stretch_roles

REGIMES = ("patient", "site", "recording", "gap", "window")
"""What is kept apart: persons, whole hospitals; recordings, stretches of a recording, single windows."""

TYPING_REGIMES = ("patient", "site", "seizure")
"""What is kept apart where seizures are typed: persons, whole hospitals; single seizures, as the literature often does."""

REPORTABLE = ("patient", "site")


class CannotSplit(Refused):
    """A cohort that cannot be split as asked: the reason has the value, the limit and the next step."""


@dataclass(frozen=True)
class Member:
    """One recording as a split sees it. `person` is the key of the human being, however many patient ids they have.

    Persons of one `stratum` (the type of their seizures, say) are spread over the folds.
    """

    recording: str
    patient: str
    person: str
    site: str
    has_seizure: bool
    digest: Digest = ""
    stratum: str = ""


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
        """Names the split: regime, seed, inner share, and who is where in every fold."""
        return digest_of(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """The fields, and whether scores under it may be reported."""
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
        """The split that was stated; what may be reported follows from its regime, whatever else is stated."""
        folds = tuple(Fold(*(tuple(f[role]) for role in ("train", "inner_valid", "test"))) for f in value["folds"])
        return cls(value["regime"], value["seed"], value["inner_share"], folds)

    def roles(
        self, recording: str, onset_s: np.ndarray, fold: int, window_s: float, event: np.ndarray | None = None
    ) -> np.ndarray:
        """Role of each window of a recording in one fold, int array (windows,): TRAIN, INNER_VALID, TEST or OUT.

        `onset_s` (windows,) are the windows' onsets, `window_s` their common length; `event` (windows,) numbers the
        seizure that each lies in, by which the regime `seizure` divides (ValueError without it).
        """
        named = self.folds[fold]
        if self.regime == "seizure":
            return self._of_seizures(recording, event, fold)
        if self.regime in ("window", "gap"):
            return self._of_windows(recording, np.asarray(onset_s), fold, window_s)
        for role, names in ((TRAIN, named.train), (INNER_VALID, named.inner_valid), (TEST, named.test)):
            if recording in names:
                return np.full(len(onset_s), role)
        return np.full(len(onset_s), OUT)

    def _of_windows(self, recording: str, onset_s: np.ndarray, fold: int, window_s: float) -> np.ndarray:
        if recording not in self.folds[fold].test:
            return np.full(len(onset_s), OUT)
        folds, seed, share = len(self.folds), self.seed, self.inner_share
        if self.regime == "window":
            return random_roles(recording, len(onset_s), fold, folds=folds, seed=seed, inner_share=share)
        return stretch_roles(recording, onset_s, fold, window_s=window_s, folds=folds, seed=seed, inner_share=share)

    def _of_seizures(self, recording: str, event: np.ndarray | None, fold: int) -> np.ndarray:
        if event is None:
            raise ValueError("the regime seizure divides seizures: say in which one each window lies")
        if recording not in self.folds[fold].test:
            return np.full(len(event), OUT)
        numbers, which = np.unique(event, return_inverse=True)
        folds, seed, share = len(self.folds), self.seed, self.inner_share
        return seizure_roles(recording, len(numbers), fold, folds=folds, seed=seed, inner_share=share)[which]


def nested_patient_split(entries: Iterable[Member], folds: int = 3, inner_share: float = 0.25, seed: int = 0) -> Split:
    """Outer folds by person, stratified by site and by seizing or seizure-free, with tuning persons set aside inside.

    `inner_share` (0–1) of the persons who are not tested tune. Laws: every recording is tested in exactly one fold;
    persons, and seizing persons, per fold differ by at most one; the order of `entries` does not matter. Refuses
    (`CannotSplit`) a cohort with fewer than two persons per fold.
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


def site_split(entries: Iterable[Member], folds: int = 3, inner_share: float = 0.25, seed: int = 0) -> Split:
    """One fold per site (`folds` is not used): its recordings are tested, persons who were ever there are not learned from.

    A person recorded at two sites is tested at both, by two models neither of which knows them. Refuses (`CannotSplit`)
    one site, and a site at which everybody was recorded.
    """
    entries = list(entries)
    sites = sorted({m.site for m in entries})
    rng = np.random.default_rng(seed)
    ordered = _stratified_order(_people(entries), rng)
    if len(sites) < 2:
        raise CannotSplit(f"leaving one site out needs at least 2 sites, got {len(sites)}: bring in another hospital")
    made = []
    for site in sites:
        test = tuple(sorted(m.recording for m in entries if m.site == site))
        rest = [p for p in ordered if not set(p.recordings) & set(test)]
        if not rest:
            raise CannotSplit(f"nobody is left to learn from without {site}: every person was recorded there")
        made.append(Fold(*_tuned(rest, inner_share, rng), test))
    return Split("site", seed, inner_share, tuple(made))


def recording_split(entries: Iterable[Member], folds: int = 3, inner_share: float = 0.25, seed: int = 0) -> Split:
    """Whole recordings apart, whoever was recorded: the next night of a patient who was trained on. Not reportable."""
    alone = [replace(m, person=m.recording) for m in entries]
    return replace(nested_patient_split(alone, folds, inner_share, seed), regime="recording")


def gap_split(entries: Iterable[Member], folds: int = 3, inner_share: float = 0.25, seed: int = 0) -> Split:
    """Stretches of every recording with time between them; not reportable. Apply it with `Split.roles`.

    Refused as in `window_split`.
    """
    return replace(window_split(entries, folds, inner_share, seed), regime="gap")


def window_split(entries: Iterable[Member], folds: int = 3, inner_share: float = 0.25, seed: int = 0) -> Split:
    """The leaky control: random windows of every recording. Not reportable; apply it with `Split.roles`.

    Refuses (`CannotSplit`) fewer than two folds, which leave no window to learn from, and a cohort without recordings.
    """
    names = tuple(sorted(m.recording for m in entries))
    if folds < 2 or not names:
        raise CannotSplit(
            f"dividing each recording needs at least 2 folds and 1 recording, got {folds} folds and {len(names)} "
            "recordings: ask for more folds or add recordings"
        )
    return Split("window", seed, inner_share, (Fold(names, names, names),) * folds)


def seizure_split(entries: Iterable[Member], folds: int = 3, inner_share: float = 0.25, seed: int = 0) -> Split:
    """Random seizures of every recording, whoever has them; not reportable. Apply it with `Split.roles`.

    Refused as in `window_split`.
    """
    return replace(window_split(entries, folds, inner_share, seed), regime="seizure")


def draw_split(regime: str, entries: Iterable[Member], folds: int, inner_share: float, seed: int) -> Split:
    """The split of a regime (of `REGIMES` or `TYPING_REGIMES`); CannotSplit for a cohort that cannot be divided so."""
    draw = {
        "patient": nested_patient_split,
        "site": site_split,
        "recording": recording_split,
        "gap": gap_split,
        "window": window_split,
        "seizure": seizure_split,
    }[regime]
    return draw(entries, folds, inner_share, seed)


@dataclass(frozen=True)
class Person:
    """A human being with all their recordings: what a fold deals out."""

    key: str
    site: str
    has_seizure: bool
    recordings: tuple[str, ...]
    stratum: str = ""


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
            min(m.stratum for m in group),
        )
        for key, group in sorted(by_key.items())
    ]


def _stratified_order(people: Sequence[Person], rng: np.random.Generator) -> list[Person]:
    """Persons shuffled inside their stratum, strata one after the other: dealing them round balances every stratum."""
    shuffled = [people[i] for i in rng.permutation(len(people))]
    return sorted(shuffled, key=lambda p: (p.stratum, not p.has_seizure, p.site))


def _fold(
    ordered: Sequence[Person], tested_in: dict[str, int], fold: int, inner_share: float, rng: np.random.Generator
) -> Fold:
    train, tuning = _tuned([p for p in ordered if tested_in[p.key] != fold], inner_share, rng)
    return Fold(train, tuning, _names(p for p in ordered if tested_in[p.key] == fold))


def _tuned(
    rest: Sequence[Person], inner_share: float, rng: np.random.Generator
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Recordings of those who train and of those who tune, seizing and seizure-free persons divided alike."""
    tuning = {
        p.key for has in (True, False) for p in _share([p for p in rest if p.has_seizure == has], inner_share, rng)
    }
    return _names(p for p in rest if p.key not in tuning), _names(p for p in rest if p.key in tuning)


def _share(people: Sequence[Person], share: float, rng: np.random.Generator) -> list[Person]:
    """A share of persons at even steps through their strata; at least one where two are there to divide."""
    if len(people) < 2:
        return []
    wanted = min(max(1, round(share * len(people))), len(people) - 1)
    steps = (np.arange(wanted) + rng.random()) * len(people) / wanted
    return [people[int(step)] for step in steps]


def _names(people: Iterable[Person]) -> tuple[str, ...]:
    return tuple(sorted(name for person in people for name in person.recordings))
