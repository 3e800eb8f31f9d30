"""One candidate, one set of kept predictions, every scorer: the figures of a report with what stands behind each.

Predictions are made out of fold (nobody is scored by a detector that has seen them), and kept, so that any scorer
can be run again. Intervals redraw persons inside their sites.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from data.events import Annotations
from data.readers.bids import ROUNDING_S
from lineage.digest import Digest, digest_of
from validation import agreement, burden
from validation.agreement import Experts
from validation.baselines import baselines
from validation.gates import Evidence
from validation.leakage import LeakageAudit
from validation.ranking import COUNTS, person_counts
from validation.reliability import Calibration, reliability
from validation.scoring import Case, clinical, overlap, szcore
from validation.scoring.overlap import ToEvents, sweep
from validation.seconds import Seconds, events_digest, ordered, predictions_digest, recordings_of
from validation.subgroups import subgroups
from validation.uncertainty import MIN_DRAWS, PairWins, patient_draws


def evaluate(
    predictions: pd.DataFrame,
    hypotheses: Mapping[str, Annotations],
    references: Mapping[str, Annotations],
    meta: Mapping[str, Any],
    seed: int,
    draws: int = MIN_DRAWS,
    *,
    to_events: ToEvents,
    experts: Experts | None = None,
) -> dict[str, Any]:
    """Everything a report says about one set of predictions, as plain JSON.

    `predictions`: a table of `validation.seconds`, rows in any order. `meta["patients"]` may give `age_days` and `sex`
    per patient; the rest of `meta` names what was evaluated and is copied. `experts` gives what each of several experts
    marked, by recording. Every block of figures has its `scorer`,
    and `rests_on`: persons, hours assessed, and their share of all hours. Refuses predictions that do not fit the
    references.
    """
    seconds = ordered(predictions)
    cases = gather(seconds, hypotheses, references)
    table = clinical.per_patient(cases)
    weights = patient_draws(list(table["site"]), np.random.default_rng(seed), draws)
    labels, trends = clinical.trends(cases)
    pairs, calibration = PairWins.of(labels, trends), Calibration.of(trends, labels)
    rests_on = {"rests_on": clinical.rests_on(table)}
    return {
        "schema": "ictal.evaluation/1",
        "of": {key: value for key, value in meta.items() if key != "patients"},
        "digests": digests_of(seconds, hypotheses, references, experts),
        "uncertainty": {"unit": "patient", "strata": "site", "draws": draws, "seed": seed, "level": 0.95},
        "counts": clinical.counts(cases, table),
        COUNTS: rests_on | person_counts(cases),
        "szcore": {name: rests_on | block for name, block in szcore.figures(cases, weights).items()},
        "clinical": rests_on | clinical.figures(table, pairs, weights),
        "overlap": {name: rests_on | block for name, block in overlap.figures(cases).items()},
        "operating_curve": rests_on | overlap.operating_curve(sweep(cases, to_events), weights),
        "calibration": reliability(calibration, list(table["site"]), weights),
        "agreement": agreement.figures(cases, experts or {}, weights),
        "burden": burden.figures(cases, experts or {}, weights),
        "per_patient": clinical.rows(table),
        "worst_decile": clinical.worst_decile(table),
        "subgroups": subgroups(table, pairs, weights, meta.get("patients", {})),
        "baselines": baselines(seconds, seed),
    }


def digests_of(
    seconds: pd.DataFrame,
    hypotheses: Mapping[str, Annotations],
    references: Mapping[str, Annotations],
    experts: Experts | None,
) -> dict[str, Digest]:
    """What was said and what it is compared with, each by its digest."""
    return {
        "predictions": predictions_digest(seconds),
        "hypotheses": events_digest(hypotheses),
        "references": events_digest(references),
        "experts": digest_of({name: events_digest(own) for name, own in (experts or {}).items()}),
    }


def evidence(
    predictions: pd.DataFrame,
    hypotheses: Mapping[str, Annotations],
    references: Mapping[str, Annotations],
    *,
    to_events: ToEvents,
    strata: Mapping[str, str] | None = None,
    audit: LeakageAudit | None = None,
    cost_s_per_eeg_hour: float | None = None,
) -> Evidence:
    """What the gates read of the same predictions; `strata` names each person's stratum (one for all unless told).

    Refused as in `gather`.
    """
    cases = gather(predictions, hypotheses, references)
    table = clinical.per_patient(cases)
    table["stratum"] = [strata[person] if strata else "all" for person in table.index]
    labels, trends = clinical.trends(cases)
    return Evidence(
        table,
        sweep(cases, to_events),
        PairWins.of(labels, trends),
        Calibration.of(trends, labels),
        audit,
        cost_s_per_eeg_hour,
    )


def gather(
    predictions: pd.DataFrame, hypotheses: Mapping[str, Annotations], references: Mapping[str, Annotations]
) -> list[Case]:
    """One `Case` per recording; ValueError without reference, hypothesis, each second once, and labels as marked.

    References state a recording's length rounded, up to `ROUNDING_S` off, as the checks let them; it counts as it
    lasted.
    """
    cases = [_case(one, hypotheses, references) for one in recordings_of(predictions)]
    unscored = sorted({*references, *hypotheses} - {c.recording for c in cases})
    if unscored or not cases:
        raise ValueError(
            f"{len(unscored)} recordings have no predictions ({len(cases)} have): give every second of a recording that "
            "was not assessed as NaN, so that it stays in the count"
        )
    return cases


def _case(one: Seconds, hypotheses: Mapping[str, Annotations], references: Mapping[str, Annotations]) -> Case:
    if one.recording not in hypotheses or one.recording not in references:
        raise ValueError(
            "a recording with predictions has no hypothesis or no reference: give empty Annotations for none"
        )
    called, marked = hypotheses[one.recording], references[one.recording]
    if abs(called.duration_s - marked.duration_s) > ROUNDING_S or len(one.trend) != round(called.duration_s):
        raise ValueError(
            f"{len(one.trend)} seconds were predicted of a recording of {called.duration_s:g} s, the reference states "
            f"{marked.duration_s:g} s: give each second once, and a reference within {ROUNDING_S:g} s"
        )
    reference = marked.lasting(called.duration_s)
    differing = int((one.labels.astype(bool) != reference.to_mask(1.0)).sum())
    if differing > 2 * len(reference.events):
        raise ValueError(f"labels differ from the reference events in {differing} s, more than rounding can explain")
    who = (one.recording, one.patient, one.person, one.site)
    return Case(*who, one.trend, one.labels, reference, called)
