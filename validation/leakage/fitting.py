"""What was fitted saw its own training side only, and the locked hold-out was opened no more often than declared."""

from validation.leakage.leak import Leak, Unknown
from validation.leakage.study import FITTED, Study


def fitted_inside(study: Study) -> None:
    """Normaliser, network, early stopping, threshold and calibration of a fold saw its own training side only.

    Each of `FITTED` must be stated for each fold: what nobody states is unknown (`Unknown`). Raises `Leak`
    (`fitted_on`).
    """
    folds = study.split.folds
    for seen in study.fitted_on:
        if not 0 <= seen.fold < len(folds):
            raise Unknown(f"the {seen.what} is stated for fold {seen.fold}, of {len(folds)}")
        fold = folds[seen.fold]
        outside = sorted(set(seen.recordings) - set(fold.train) - set(fold.inner_valid))
        if outside:
            where = "its test side" if outside[0] in fold.test else "no side of it"
            raise Leak(
                "fitted_on",
                f"the {seen.what} of fold {seen.fold} was fitted on {outside[0]}, which stands on {where}: "
                "outside its training side",
            )
    stated = {(seen.fold, seen.what) for seen in study.fitted_on}
    missing = [f"{what} of fold {k}" for k in range(len(folds)) for what in FITTED if (k, what) not in stated]
    if missing:
        raise Unknown(f"nothing is stated about the {missing[0]} (and {len(missing) - 1} more)")


def holdout_within_budget(study: Study) -> None:
    """The locked hold-out was opened no more often than was declared; a study without one states a budget of 0.

    Raises `Leak` (`holdout_budget`) naming the first opening beyond it, or `Unknown` where nothing is stated.
    """
    use = study.disclosed.holdout
    if use is None:
        raise Unknown("nothing is stated about the locked hold-out")
    if use.opened > use.budget:
        beyond = use.openings[use.budget]
        raise Leak(
            "holdout_budget",
            f"opening {use.budget + 1} of the hold-out, by {beyond.by} at {beyond.at} for {beyond.purpose}, "
            f"is beyond its budget of {use.budget} ({use.opened} in all)",
        )
