"""Where a detector does not commit itself: whether its prediction sets hold the truth, and what abstaining costs.

Nothing is fitted here. A figure of decided seconds never stands without the share decided and the same figure of all
seconds, so that abstaining cannot make a detector look better. Patients are the trials: of a patient's seconds each is
a near copy of its neighbour.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from validation.scoring import Scorer, code_digest, resting
from validation.scoring.measures import auc
from validation.uncertainty import finite

MEMBERS = {"background": 1, "seizure": 2}
"""The classes and their value in a prediction set; a set is the sum of its members (0 neither, 3 either)."""

LEVEL = 0.95


def figures(predictions: pd.DataFrame, target: float) -> dict[str, Any]:
    """Coverage, efficiency and error of prediction sets, as plain JSON.

    `predictions`: one row per second with columns person, site, probability (NaN: not assessable), label (0, 1) and
    `prediction_set` (0–3, see `MEMBERS`); `target` is the coverage that the sets were made for (0–1). Coverage and
    errors are means over persons with that class, `low` and `high` their binomial interval with persons as trials.
    """
    table = _judged(predictions)
    return {
        "scorer": scorer(target).to_json(),
        "rests_on": _rests_on(predictions),
        "unit": "patient",
        "level": LEVEL,
        "target": target,
        "decided_share": _share(table["decided"]),
        "coverage": {name: _over_persons(rows, "held", target) for name, rows in _by_class(table)},
        "error_where_decided": {name: _over_persons(rows[rows["decided"]], "wrong") for name, rows in _by_class(table)},
        "auc": {"all_seconds": _auc(table), "decided_seconds": _auc(table[table["decided"]])},
        "sites": {str(site): _site(rows, target) for site, rows in table.groupby("site", sort=True, observed=True)},
        "per_patient": [_person(str(p), rows) for p, rows in table.groupby("person", sort=True, observed=True)],
    }


def _rests_on(predictions: pd.DataFrame) -> dict[str, Any]:
    persons = predictions["person"].nunique()
    return resting(persons, int(predictions["probability"].notna().sum()), len(predictions))


def scorer(target: float) -> Scorer:
    """Who made these figures: for which target coverage (0–1), at which level of the intervals, second by second."""
    return Scorer("abstention", "1", code_digest([__file__]), {"target": target, "level": LEVEL, "rate_hz": 1})


def binomial_interval(successes: float, trials: int, level: float = LEVEL) -> tuple[float, float]:
    """Clopper and Pearson's interval of a share. `successes` may be a sum of shares (one per person).

    A share between 0 and 1 varies no more than a yes or no with the same mean, so the interval is then too wide
    rather than too narrow.
    """
    from scipy.stats import beta

    if trials == 0:
        return float("nan"), float("nan")
    tail = (1 - level) / 2
    low = beta.ppf(tail, successes, trials - successes + 1) if successes > 0 else 0.0
    high = beta.ppf(1 - tail, successes + 1, trials - successes) if successes < trials else 1.0
    return float(low), float(high)


def _judged(predictions: pd.DataFrame) -> pd.DataFrame:
    """Assessed seconds only, with `decided` (one class), `held` (the truth is in the set) and `wrong` (decided, not held)."""
    wanted = ["person", "site", "probability", "label", "prediction_set"]
    table = predictions.loc[predictions["probability"].notna().to_numpy(), wanted]
    said = table["prediction_set"].to_numpy(dtype=int)
    truth = np.where(table["label"].to_numpy() > 0, MEMBERS["seizure"], MEMBERS["background"])
    decided, held = np.isin(said, list(MEMBERS.values())), (said & truth) > 0
    return table.assign(decided=decided, held=held, wrong=decided & ~held)


def _by_class(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    for label, name in enumerate(MEMBERS):
        yield name, table[table["label"] == label]


def _over_persons(rows: pd.DataFrame, what: str, target: float | None = None) -> dict[str, Any]:
    """Mean over persons of their share of seconds; `agrees` says whether the target lies inside the interval."""
    shares = rows.groupby("person", observed=True)[what].mean()
    low, high = binomial_interval(float(shares.sum()), len(shares))
    out = {"estimate": finite(shares.mean()), "low": finite(low), "high": finite(high), "persons": len(shares)}
    return out if target is None else out | {"agrees": bool(low <= target <= high) if len(shares) else None}


def _site(rows: pd.DataFrame, target: float) -> dict[str, Any]:
    coverage = {name: _over_persons(part, "held", target) for name, part in _by_class(rows)}
    return {"decided_share": _share(rows["decided"]), "coverage": coverage}


def _person(person: str, rows: pd.DataFrame) -> dict[str, Any]:
    coverage = {name: _share(part["held"]) for name, part in _by_class(rows)}
    wrong = _share(rows.loc[rows["decided"], "wrong"])
    return {
        "person": person,
        "assessed_s": len(rows),
        "decided_share": _share(rows["decided"]),
        "coverage": coverage,
        "error_where_decided": wrong,
    }


def _share(flags: pd.Series) -> float | None:
    return float(flags.mean()) if len(flags) else None


def _auc(table: pd.DataFrame) -> float | None:
    return finite(auc(table["label"].to_numpy(), table["probability"].to_numpy(dtype=float)))
