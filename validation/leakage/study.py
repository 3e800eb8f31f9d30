"""What a study shows its guards: who stood on which side, what was fitted on whom, and what was taken from signals."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from lineage.digest import Digest
from validation.leakage.features import Features
from validation.leakage.fingerprints import Fingerprints
from validation.leakage.leak import Unknown
from validation.splits import Member, Split

FITTED = ("normaliser", "network", "early_stopping", "threshold", "calibration", "conformal", "ood")
"""What a training run fits, each on recordings that must be named."""


@dataclass(frozen=True)
class FittedOn:
    """Which recordings one fitted thing of a fold has seen; `what` is one of `FITTED`, no recordings: not fitted.

    ValueError for a thing that is not one of `FITTED`.
    """

    fold: int
    what: str
    recordings: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.what not in FITTED:
            raise ValueError(f"unknown fitted thing {self.what!r}, expected one of {', '.join(FITTED)}")


@dataclass(frozen=True)
class Windows:
    """The windows cut from one recording: onsets in seconds, shape (windows,), and their common length.

    `event` (windows,) numbers the seizure that each lies in; needed where a split deals seizures.
    """

    recording: str
    onsets_s: np.ndarray
    window_s: float
    event: np.ndarray | None = None


@dataclass(frozen=True)
class Pretraining:
    """Who had been seen before training began: person keys, digests of raw bytes, or both; `fold` None means all folds.

    `recordings` are the names under which `Disclosure.fingerprints` may hold what their signals are.
    """

    what: str
    persons: frozenset[str] = frozenset()
    digests: frozenset[Digest] = frozenset()
    fold: int | None = None
    recordings: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Opening:
    """One look at the locked hold-out: by whom (role or key, never a name), when, and what for."""

    by: str
    at: str
    purpose: str


@dataclass(frozen=True)
class HoldoutUse:
    """How often the locked hold-out may be opened, and every opening in order of time (each an entry of the ledger)."""

    budget: int
    openings: tuple[Opening, ...] = ()

    @property
    def opened(self) -> int:
        """Openings so far, whether or not the budget allows them."""
        return len(self.openings)


@dataclass(frozen=True)
class Disclosure:
    """What a study discloses beyond its split. None: not disclosed, hence unknown; empty: stated that there is none.

    `fingerprints` and `embeddings` (pieces, numbers) by recording: `fingerprint` and `identity_embedding`.
    """

    pretrained_on: tuple[Pretraining, ...] | None = None
    holdout: HoldoutUse | None = None
    fingerprints: Mapping[str, Fingerprints] | None = None
    features: Features | None = None
    embeddings: Mapping[str, np.ndarray] | None = None


@dataclass(frozen=True)
class Study:
    """Everything that guards look at. `members` by recording; a recording that is missing there is unknown."""

    split: Split
    members: Mapping[str, Member]
    fitted_on: tuple[FittedOn, ...] = ()
    windows: tuple[Windows, ...] = ()
    disclosed: Disclosure = Disclosure()

    def member(self, name: str) -> Member:
        """The recording as the cohort has it; raises Unknown for one that stands in the split alone."""
        if name not in self.members:
            raise Unknown(f"{name} stands in the split and not in the cohort")
        return self.members[name]

    def person(self, name: str) -> str:
        """Key of who was recorded; raises Unknown as `member` does."""
        return self.member(name).person

    @property
    def recordings(self) -> tuple[str, ...]:
        """Every recording that stands in any role of any fold."""
        return tuple(sorted({n for f in self.split.folds for n in (*f.train, *f.inner_valid, *f.test)}))

    def sides(self) -> Iterator[tuple[int, tuple[str, ...], tuple[str, ...]]]:
        """(fold, recordings that anything was learned from, recordings that are tested)."""
        for number, fold in enumerate(self.split.folds):
            yield number, fold.train + fold.inner_valid, fold.test

    def fold_parting(self, one: str, other: str) -> int | None:
        """The first fold that has these recordings on its two sides."""
        for number, learned, tested in self.sides():
            if (one in learned and other in tested) or (other in learned and one in tested):
                return number
        return None


def shared(ours: Iterable[str], theirs: Iterable[str], identity: Callable[[str], str]) -> tuple[str, str] | None:
    """The first pair of recordings, one of each side, that have the same identity."""
    seen = {identity(name): name for name in ours}
    return next(((seen[identity(name)], name) for name in theirs if identity(name) in seen), None)
