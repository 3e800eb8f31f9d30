"""The tables that are watched: one row per recording of what was measured of it and answered about it, one per patient.

What checks measured lies in Parquet, what a service answered in its store. Both come out in the same columns, and again as
Parquet. A served recording is its patient's where the ledger knows whose it is, else a patient of its own.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from operator import itemgetter
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Engine, select

from data.acquisition import film_facts
from lineage.store import session
from lineage.times import utc_text
from monitoring.drift import by_patient
from monitoring.features import FILM_FEATURES, POSE_FEATURES, SERVED_FEATURES
from serving.facts import FactRow, as_row, has_facts

WHO = ("recording", "patient", "site", "period")
DAY, NIGHT = "in colour", "in infrared"
WORDS = {
    "rate_hz": float,
    "mains_hz": float,
    "channels": object,
    "frames_hz": float,
    "resolution": object,
    "joints": object,
}
"""Facts of acquisition that a served recording may have, and how they are kept."""


def film_table(facts: pd.DataFrame, who: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """Recordings on film: `facts` as `data.film_quality.view_facts`, `who` says patient, site and period by recording.

    `WHO`, frames_hz, resolution, light (in colour, in infrared), views, and the columns of `FILM_FEATURES`.
    """
    rows = []
    for recording, views in facts.groupby("recording", sort=True):
        sizes = list(zip(views["width"], views["height"], views["rate_hz"], strict=True))
        infrared = views["infrared_share"].mean()
        light = NIGHT if infrared > 0.5 else DAY if np.isfinite(infrared) else None
        measured = {name: float(views[name].mean()) for name in FILM_FEATURES}
        rows.append({**_named(recording, who), **film_facts(sizes), "light": light, **measured})
    return pd.DataFrame(rows, columns=[*WHO, "frames_hz", "resolution", "views", "light", *FILM_FEATURES])


def pose_table(facts: pd.DataFrame, who: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """Recordings of poses: `facts` as `data.pose_quality.pose_facts`. `WHO`, frames_hz, joints (those of a human that the
    track lacks), and the columns of `POSE_FEATURES`."""
    rows = []
    for fact in facts.sort_values("recording").to_dict("records"):
        torso, rate_hz = fact["torso"], fact["rate_hz"]
        rows.append(
            {
                **_named(fact["recording"], who),
                "frames_hz": float(round(rate_hz)) if np.isfinite(rate_hz) else np.nan,
                "joints": f"without {fact['missing_joints']}" if fact["missing_joints"] else "all joints",
                **{name: fact[name] for name in POSE_FEATURES if name != "log_torso"},
                "log_torso": float(np.log10(torso)) if torso > 0 else np.nan,
            }
        )
    return pd.DataFrame(rows, columns=[*WHO, "frames_hz", "joints", *POSE_FEATURES])


def served_table(engine: Engine, patients: Mapping[str, str] | None = None) -> pd.DataFrame:
    """What a service answered, one row per recording and question: of a recording that was asked about again the last.

    `WHO` (`recording` is its digest, `period` the month), prediction, question, model, outcome, code, verdict; the facts of
    acquisition; and the columns of `SERVED_FEATURES`. The verdict is the site's last on what this model answered, also where
    it was given on an answer before. `patients` says whose a recording is, by its digest.
    """
    columns = [*WHO, "prediction", "question", "model", "outcome", "code", "verdict", *WORDS]
    columns += [name for name in SERVED_FEATURES if name not in columns]
    if not has_facts(engine):
        return pd.DataFrame(columns=columns)
    with session(engine, write=False) as reading:
        rows = [as_row(row) for row in reading.scalars(select(FactRow).order_by(FactRow.at))]
    judged = sorted((row for row in rows if row["verdict"] is not None), key=itemgetter("judged_at"))
    verdicts = {_answered(row): row["verdict"] for row in judged}
    said = [row | {"verdict": verdicts.get(_answered(row))} for row in rows]
    table = pd.DataFrame([_served(row, patients or {}) for row in said], columns=columns)
    table = table.drop_duplicates(["recording", "question"], keep="last", ignore_index=True)
    return table.astype({**dict.fromkeys(SERVED_FEATURES, float), **WORDS})


def facts_since(engine: Engine, since: datetime) -> dict[str, dict[str, Any]]:
    """What a service kept of its answers from a moment on, by the prediction's id; nothing where it never kept any."""
    if not has_facts(engine):
        return {}
    with session(engine, write=False) as reading:
        rows = reading.scalars(select(FactRow).where(FactRow.at >= utc_text(since)))
        return {row.prediction_id: as_row(row) for row in rows}


def models_of(table: pd.DataFrame) -> Iterable[tuple[str, pd.DataFrame]]:
    """The answers of each model to one question, by its digest. An answer that no model gave (nothing could be evaluated) goes
    to the one that answered its site before, else after it, else to the last of all ("" where there was none)."""
    given = table["model"].where(table["model"] != "")
    last = given.dropna().iloc[-1] if given.notna().any() else ""
    whose = given.groupby(table["site"]).transform(lambda own: own.ffill().bfill()).fillna(last)
    for model in whose.unique():
        yield str(model), table[whose == model]


def periods_of(table: pd.DataFrame) -> Iterable[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """Each month of a table but the first, with all that came before and what came in it; nothing of a table of one
    month."""
    months = sorted(table["period"].unique())
    for month in months[1:]:
        yield month, table[table["period"] < month], table[table["period"] == month]


def patient_table(table: pd.DataFrame, features: Iterable[str]) -> pd.DataFrame:
    """One row per site and patient: how many recordings, and the mean of each feature."""
    names = tuple(features)
    counts = table.groupby(["site", "patient"], sort=True).size().rename("recordings").reset_index()
    return counts.merge(by_patient(table, names), on=["site", "patient"])


def _named(recording: Any, who: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    return {"recording": recording, **{name: who[recording][name] for name in WHO[1:]}}


_answered = itemgetter("site", "recording", "question", "model")
"""What two answers have in common that say the same of a recording."""


def _served(row: Mapping[str, Any], patients: Mapping[str, str]) -> dict[str, Any]:
    judged = None if row["verdict"] is None else float(row["verdict"] != "confirm")
    return {
        **row,
        "prediction": row["prediction_id"],
        "patient": patients.get(row["recording"], row["recording"]),
        "period": row["at"][:7],
        "refused_share": float(row["outcome"] == "not_evaluable"),
        "rejected_share": judged,
    }
