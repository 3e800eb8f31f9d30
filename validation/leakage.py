"""Guards that stop a study in which the test has been seen before: they block, they do not warn.

Each guard raises `Leak` naming the pair that breaks its promise. `audit` runs all of them, keeps every outcome
for the ledger and then blocks. What could not be looked at is `unknown`, and unknown is never clean.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np

from lineage.digest import Digest, digest_of
from validation.splits import INNER_VALID, OUT, TEST, TRAIN, Fold, Member, Split

Outcome = Literal["pass", "leak", "unknown"]

FITTED = ("normaliser", "network", "early_stopping", "threshold", "calibration")
"""What a training run fits, each on recordings that must be named."""

ROLE_NAMES = {TRAIN: "training", INNER_VALID: "inner validation", TEST: "test"}


class BrokenPromise(Exception):
    """A promise of the platform does not hold: not the input's fault, so it ends with a traceback."""


class Leak(BrokenPromise):
    """The test has been seen: names the guard and the pair. `audit` is set when a whole audit was made."""

    def __init__(self, guard: str, reason: str):
        super().__init__(guard, reason)  # both, so that a leak survives the way out of a worker process
        self.guard, self.reason = guard, reason
        self.audit: LeakageAudit | None = None

    def __str__(self) -> str:
        return f"{self.guard}: {self.reason}"


class Unknown(Exception):
    """A guard had nothing to look at."""


@dataclass(frozen=True)
class FittedOn:
    """Which recordings one fitted thing of a fold has seen; `what` is one of `FITTED`, no recordings: not fitted."""

    fold: int
    what: str
    recordings: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.what not in FITTED:
            raise ValueError(f"unknown fitted thing {self.what!r}, expected one of {', '.join(FITTED)}")


@dataclass(frozen=True)
class Windows:
    """The windows cut from one recording: onsets in seconds, shape (windows,), and their common length."""

    recording: str
    onsets_s: np.ndarray
    window_s: float


@dataclass(frozen=True)
class GuardOutcome:
    guard: str
    outcome: Outcome
    reason: str


@dataclass(frozen=True)
class LeakageAudit:
    """Every guard's outcome on one split, bound to the split by its digest."""

    split_digest: Digest
    outcomes: tuple[GuardOutcome, ...]

    @property
    def clean(self) -> bool:
        """True only if every guard looked and found nothing."""
        return all(o.outcome == "pass" for o in self.outcomes)

    @property
    def leaking(self) -> bool:
        return any(o.outcome == "leak" for o in self.outcomes)

    @property
    def digest(self) -> Digest:
        return digest_of({"split": self.split_digest, "outcomes": [asdict(o) for o in self.outcomes]})

    def to_json(self) -> dict[str, Any]:
        return {
            "split_digest": self.split_digest,
            "clean": self.clean,
            "outcomes": [asdict(o) for o in self.outcomes],
            "digest": self.digest,
        }


def inspect(
    split: Split,
    entries: Iterable[Member],
    provenance: Sequence[FittedOn] = (),
    windows: Sequence[Windows] = (),
) -> LeakageAudit:
    """Run every guard and keep what each found; raises nothing (for the leaky control, which is expected to leak)."""
    known = {m.recording: m for m in entries}
    guards: dict[str, Callable[[], None]] = {
        "same_person": lambda: persons_apart(split, known),
        "same_bytes": lambda: bytes_apart(split, known),
        "overlapping_windows": lambda: windows_apart(split, windows),
        "inner_validation": lambda: inner_validation_apart(split, known),
        "fitted_on": lambda: fitted_inside(split, provenance),
    }
    return LeakageAudit(split.digest, tuple(_outcome(name, guard) for name, guard in guards.items()))


def audit(
    split: Split,
    entries: Iterable[Member],
    provenance: Sequence[FittedOn] = (),
    windows: Sequence[Windows] = (),
) -> LeakageAudit:
    """As `inspect`, and blocks: raises the first `Leak`, with the whole audit on it for the ledger."""
    found = inspect(split, entries, provenance, windows)
    for outcome in found.outcomes:
        if outcome.outcome == "leak":
            leak = Leak(outcome.guard, outcome.reason)
            leak.audit = found
            raise leak
    return found


def persons_apart(split: Split, entries: Mapping[str, Member]) -> None:
    """No person, under whatever patient id, is trained on and tested in one fold, or tested in two folds."""
    for number, fold in enumerate(split.folds):
        pair = _shared(fold.train + fold.inner_valid, fold.test, lambda name: _member(entries, name).person)
        if pair:
            raise Leak("same_person", f"{pair[0]} and {pair[1]} are one person, on both sides of fold {number}")
    for (a, first), (b, second) in combinations(enumerate(split.folds), 2):
        pair = _shared(first.test, second.test, lambda name: _member(entries, name).person)
        if pair:
            raise Leak("same_person", f"{pair[0]} and {pair[1]} are one person, tested in folds {a} and {b}")


def bytes_apart(split: Split, entries: Mapping[str, Member]) -> None:
    """No raw bytes stand on both sides of a fold, under whatever name."""
    if any(not _member(entries, name).digest for fold in split.folds for name in fold.train + fold.test):
        raise Unknown("some recordings have no digest of their raw bytes")
    for number, fold in enumerate(split.folds):
        pair = _shared(fold.train + fold.inner_valid, fold.test, lambda name: _member(entries, name).digest)
        if pair:
            raise Leak("same_bytes", f"{pair[0]} and {pair[1]} are the same bytes, on both sides of fold {number}")


def windows_apart(split: Split, windows: Sequence[Windows] = ()) -> None:
    """No second of signal lies in windows of two roles of a fold.

    Without `windows` whole recordings are looked at: one that stands in two roles overlaps with itself.
    """
    for number, fold in enumerate(split.folds):
        if not windows or split.regime != "window":
            twice = _named_twice(fold)
            if twice:
                raise Leak("overlapping_windows", f"{twice} stands in two roles of fold {number}")
        for cut in windows:
            _one_role_per_second(split, number, cut)


def inner_validation_apart(split: Split, entries: Mapping[str, Member]) -> None:
    """No person of the inner validation is trained on or tested in the same fold."""
    for number, fold in enumerate(split.folds):
        for names, role in ((fold.train, "training"), (fold.test, "test")):
            pair = _shared(fold.inner_valid, names, lambda name: _member(entries, name).person)
            if pair:
                raise Leak(
                    "inner_validation",
                    f"{pair[0]} (inner validation) and {pair[1]} ({role}) are one person in fold {number}",
                )


def fitted_inside(split: Split, provenance: Sequence[FittedOn]) -> None:
    """Normaliser, network, early stopping, threshold and calibration of a fold saw its own training side only.

    Each of `FITTED` must be stated for each fold: what nobody states is unknown.
    """
    for seen in provenance:
        fold = split.folds[seen.fold]
        outside = sorted(set(seen.recordings) - set(fold.train) - set(fold.inner_valid))
        if outside:
            raise Leak(
                "fitted_on",
                f"the {seen.what} of fold {seen.fold} was fitted on {outside[0]}, outside its training side",
            )
    stated = {(seen.fold, seen.what) for seen in provenance}
    missing = [f"{what} of fold {k}" for k in range(len(split.folds)) for what in FITTED if (k, what) not in stated]
    if missing:
        raise Unknown(f"nothing is stated about the {missing[0]} (and {len(missing) - 1} more)")


def _outcome(name: str, guard: Callable[[], None]) -> GuardOutcome:
    try:
        guard()
    except Leak as leak:
        return GuardOutcome(name, "leak", leak.reason)
    except Unknown as unknown:
        return GuardOutcome(name, "unknown", str(unknown))
    return GuardOutcome(name, "pass", "")


def _member(entries: Mapping[str, Member], name: str) -> Member:
    if name not in entries:
        raise Unknown(f"{name} stands in the split and not in the cohort")
    return entries[name]


def _shared(ours: Iterable[str], theirs: Iterable[str], identity: Callable[[str], str]) -> tuple[str, str] | None:
    """The first pair of recordings, one of each side, that have the same identity."""
    seen = {identity(name): name for name in ours}
    return next(((seen[identity(name)], name) for name in theirs if identity(name) in seen), None)


def _named_twice(fold: Fold) -> str | None:
    names = Counter(name for role in (fold.train, fold.inner_valid, fold.test) for name in set(role))
    return next((name for name, roles in sorted(names.items()) if roles > 1), None)


def _one_role_per_second(split: Split, fold: int, cut: Windows) -> None:
    """In order of time, overlapping windows of two roles show as overlapping neighbours of two roles."""
    roles = split.roles(cut.recording, len(cut.onsets_s), fold)
    order = [i for i in np.argsort(cut.onsets_s, kind="stable") if roles[i] != OUT]
    onsets_s, roles = cut.onsets_s[order], roles[order]
    bad = np.flatnonzero((np.diff(onsets_s) < cut.window_s - 1e-9) & (np.diff(roles) != 0))
    if len(bad):
        a, b = ROLE_NAMES[int(roles[bad[0]])], ROLE_NAMES[int(roles[bad[0] + 1])]
        raise Leak(
            "overlapping_windows",
            f"windows of {cut.recording} at {onsets_s[bad[0]]:g} s ({a}) and {onsets_s[bad[0] + 1]:g} s ({b}) "
            f"overlap in fold {fold}",
        )
