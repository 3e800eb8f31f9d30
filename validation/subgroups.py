"""Whom it works for: the same figures by site, age and sex, with how many persons and how much time stand behind each.

A group with fewer persons with seizures than `MIN_SUBGROUP` is named and not scored: a figure of three is an anecdote.
"""

from collections.abc import Mapping
from math import inf, nextafter
from typing import Any

import numpy as np
import pandas as pd

from validation.scoring import Scorer, clinical, code_digest
from validation.uncertainty import PairWins, interval_of, pooled_auc, ratio_of_sums

MIN_SUBGROUP = 5
NEWBORN_TO_DAYS = 28.0
"""The last age of newborns, and one of theirs: as in the detectors' contracts and the plan, which say 0 to 28 days."""
AGE_BANDS = (
    (nextafter(NEWBORN_TO_DAYS, inf), "0–28 days"),
    (365.25, "29 days–1 year"),
    (12 * 365.25, "1–11 years"),
    (18 * 365.25, "12–17 years"),
)


def subgroups(
    table: pd.DataFrame, pairs: PairWins, weights: np.ndarray, patients: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Every group by site, age and sex. `table` from `clinical.per_patient`, `pairs` and the columns of `weights`
    (draws, persons) in its order; `patients` may give `age_days` and `sex` per patient id."""
    known = [patients.get(ids.split("+")[0], {}) for ids in table["patients"]]
    groupings = {
        "site": list(table["site"]),
        "age": [age_band(k.get("age_days")) for k in known],
        "sex": [str(k.get("sex") or "not given") for k in known],
    }
    return [
        _subgroup(by, group, np.array(groups) == group, table, pairs, weights)
        for by, groups in groupings.items()
        for group in sorted(set(groups))
    ]


def scorer() -> Scorer:
    """Who made these figures: how many seizing persons a group needs, and where the bands of ages lie."""
    policy = {"minimum": MIN_SUBGROUP, "age_bands": [name for _, name in AGE_BANDS], "newborn_to_days": NEWBORN_TO_DAYS}
    return Scorer("subgroups", "2", code_digest([__file__]), policy)


def _subgroup(
    by: str, group: str, inside: np.ndarray, table: pd.DataFrame, pairs: PairWins, weights: np.ndarray
) -> dict[str, Any]:
    rows, drawn = table[inside], weights[:, inside]
    seizing = int((rows["seizures"] > 0).sum())
    named = {"by": by, "group": group, "scorer": scorer().to_json(), "rests_on": clinical.rests_on(rows)}
    out = named | {"persons": len(rows), "seizing_persons": seizing, "minimum": MIN_SUBGROUP}
    if seizing < MIN_SUBGROUP:
        return out | {"not_evaluable": f"{seizing} persons with seizures, at least {MIN_SUBGROUP} are needed"}
    found = rows[["detected", "seizures"]].to_numpy(dtype=float)
    alarms = np.stack([rows["false_alarms"], rows["assessed_s"] / 86400], axis=1)
    return out | {
        "event_sensitivity": interval_of(found, ratio_of_sums, drawn).to_json(),
        "false_alarms_per_24h": interval_of(alarms, ratio_of_sums, drawn).to_json(),
        "auc_pooled": interval_of(pairs.of_patients(inside), pooled_auc, drawn).to_json(),
    }


def age_band(age_days: float | None) -> str:
    """“0–28 days” and so on, or “not given”."""
    if age_days is None or not np.isfinite(age_days):
        return "not given"
    return next((name for limit, name in AGE_BANDS if age_days < limit), "18 years and older")
