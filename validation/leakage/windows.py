"""No second of signal stands on two sides: windows that overlap share the samples they are judged by."""

from collections import Counter

import numpy as np

from validation.leakage.leak import Leak, Unknown
from validation.leakage.study import Study, Windows
from validation.splits import INNER_VALID, OUT, TEST, TRAIN, Fold, Split

ROLE_NAMES = {TRAIN: "training", INNER_VALID: "inner validation", TEST: "test"}

DEALS_WINDOWS = ("window", "gap", "seizure")
"""Regimes under which one recording stands in several roles on purpose: its windows are looked at instead."""


def windows_apart(study: Study) -> None:
    """No second of signal lies in windows of two roles of a fold.

    Without windows whole recordings are looked at: one that stands in two roles overlaps with itself. Where windows are
    dealt and some are given, those of every recording are needed: what was not looked at is `Unknown`. Raises `Leak`
    (`overlapping_windows`).
    """
    for number, fold in enumerate(study.split.folds):
        if not study.windows or study.split.regime not in DEALS_WINDOWS:
            twice = _named_twice(fold)
            if twice:
                raise Leak("overlapping_windows", f"{twice} stands in two roles of fold {number}")
        for cut in study.windows:
            _one_role_per_second(study.split, number, cut)
    _all_looked_at(study)


def _all_looked_at(study: Study) -> None:
    given = {cut.recording for cut in study.windows}
    if strangers := sorted(given - set(study.recordings)):
        raise Unknown(f"{strangers[0]} has windows and stands in no fold (and {len(strangers) - 1} more)")
    absent = sorted(set(study.recordings) - given) if given and study.split.regime in DEALS_WINDOWS else []
    if absent:
        raise Unknown(f"{absent[0]} stands in the split and has no windows (and {len(absent) - 1} more)")


def _named_twice(fold: Fold) -> str | None:
    names = Counter(name for role in (fold.train, fold.inner_valid, fold.test) for name in set(role))
    return next((name for name, roles in sorted(names.items()) if roles > 1), None)


def _one_role_per_second(split: Split, fold: int, cut: Windows) -> None:
    """In order of time, overlapping windows of two roles show as overlapping neighbours of two roles."""
    if split.regime == "seizure" and cut.event is None:
        raise Unknown(f"nothing is stated about the seizures that windows of {cut.recording} lie in")
    roles = split.roles(cut.recording, cut.onsets_s, fold, cut.window_s, cut.event)
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
