"""Scores by the rules of SzCORE, so that ours can stand in the community's tables.

The library `timescoring` does the scoring (Dan et al. 2024); here its counts are kept per recording, so that they
can be summed, averaged under a stated policy and resampled. Its 90-s merge makes events longer: never show merged
events, or their burden, to clinicians.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from importlib.metadata import version
from typing import Any, Literal

import numpy as np
import pandas as pd
import timescoring.annotations
import timescoring.scoring
from timescoring.annotations import Annotation
from timescoring.scoring import EventScoring, SampleScoring

from data.events import Annotations
from validation.scoring import Case, Scorer, Span, code_digest, spans
from validation.uncertainty import interval_of, mean_over_patients

EVENT_RATE_HZ = 10
SAMPLE_RATE_HZ = 1

Unit = Literal["event", "sample"]
Averaging = Literal["pooled", "patient_mean", "legacy_patient_mean"]
UNITS: tuple[Unit, ...] = ("event", "sample")
METRICS: dict[Unit, tuple[str, ...]] = {
    "event": ("sensitivity", "precision", "f1", "alarms_per_24h"),
    "sample": ("sensitivity", "precision", "f1"),  # seconds are not alarms: nobody is called to one
}
ALARMS, ALARMS_ASSESSED = "alarms_per_24h", "alarms_per_24h_assessed"
"""SzCORE counts every hour recorded, so a detector that refuses most of a night has few false alarms: beside it, and
not among `METRICS`, since no other table holds it, stands the same per 24 h that the detector could assess."""


@dataclass(frozen=True)
class Policy:
    """SzCORE's settings; the defaults are the community's and no other value may be called SzCORE.

    `min_overlap` is a share (0–1) of the event: more of it than this has to be detected.
    """

    tolerance_before_s: float = 30.0
    tolerance_after_s: float = 60.0
    min_overlap: float = 0.0
    max_event_s: float = 300.0
    merge_gap_s: float = 90.0
    duration_tolerance_s: float = 0.5


SZCORE = Policy()
HOURS = {ALARMS: "recorded hours", ALARMS_ASSESSED: "assessed hours; not a figure of SzCORE"}


@dataclass(frozen=True)
class SzcoreCounts:
    """Counts of one recording; `+` adds recordings. Events at 10 Hz, samples in seconds; `hours` recorded."""

    event_tp: int
    event_fp: int
    event_ref: int
    sample_tp: int
    sample_fp: int
    sample_ref: int
    hours: float

    def __add__(self, other: "SzcoreCounts") -> "SzcoreCounts":
        return SzcoreCounts(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


def szcore(reference: Annotations, hypothesis: Annotations, policy: Policy = SZCORE) -> SzcoreCounts:
    """Score one recording. Refuses (ValueError) another duration: a failed analysis is not a silent detector."""
    if abs(reference.duration_s - hypothesis.duration_s) > policy.duration_tolerance_s:
        raise ValueError(
            f"the hypothesis covers {hypothesis.duration_s:g} s and the reference {reference.duration_s:g} s, more than "
            f"{policy.duration_tolerance_s:g} s apart: score an unfinished analysis as not evaluable"
        )
    samples = round(reference.duration_s * EVENT_RATE_HZ)
    ref, hyp = (Annotation(_inside(a, reference.duration_s), EVENT_RATE_HZ, samples) for a in (reference, hypothesis))
    events = EventScoring(ref, hyp, _parameters(policy))
    seconds = SampleScoring(ref, hyp, SAMPLE_RATE_HZ)
    return SzcoreCounts(
        event_tp=int(events.tp),
        event_fp=int(events.fp),
        event_ref=int(events.refTrue),
        sample_tp=int(seconds.tp),
        sample_fp=int(seconds.fp),
        sample_ref=int(seconds.refTrue),
        hours=samples / EVENT_RATE_HZ / 3600,
    )


def scorer(averaging: Averaging, policy: Policy = SZCORE) -> Scorer:
    """Which library, which bytes of it and of this module, and which policy made a number."""
    sources = [timescoring.annotations, timescoring.scoring, __file__]
    name = "szcore" if policy == SZCORE else "timescoring"
    return Scorer(name, version("timescoring"), code_digest(sources), asdict(policy) | HOURS | {"averaging": averaging})


def per_patient(counts: Mapping[str, SzcoreCounts], patient_of: Mapping[str, str]) -> pd.DataFrame:
    """Counts of recordings summed by patient: one row per patient, columns as `SzcoreCounts`."""
    rows = pd.DataFrame([asdict(c) for c in counts.values()], index=[patient_of[name] for name in counts])
    return rows.groupby(level=0).sum()


def of_persons(cases: Sequence[Case], policy: Policy = SZCORE) -> pd.DataFrame:
    """Counts of each person's recordings summed as by `per_patient`, and `assessed_hours` beside the hours recorded."""
    counts = {c.recording: szcore(c.reference, c.hypothesis, policy) for c in cases}
    assessed = pd.Series([float(c.assessed.sum()) / 3600 for c in cases], index=[c.person for c in cases])
    table = per_patient(counts, {c.recording: c.person for c in cases})
    return table.assign(assessed_hours=assessed.groupby(level=0).sum())


def scores(tp: np.ndarray, fp: np.ndarray, ref: np.ndarray, hours: np.ndarray) -> dict[str, np.ndarray]:
    """The library's formulas on counts of one shape; NaN where none is defined (no event to find, none found)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "sensitivity": tp / ref,
            "precision": tp / (tp + fp),
            "f1": 2 * tp / (tp + fp + ref),
            "alarms_per_24h": fp / hours * 24,
        }


def legacy_scores(tp: np.ndarray, fp: np.ndarray, ref: np.ndarray, hours: np.ndarray) -> dict[str, np.ndarray]:
    """As before timescoring 0.0.7: F1 undefined, and so left out of the mean, for whoever has no detection.

    Counts of one shape, as in `scores`.
    """
    current = scores(tp, fp, ref, hours)
    undefined = np.isnan(current["sensitivity"]) | np.isnan(current["precision"])
    return current | {"f1": np.where(undefined, np.nan, current["f1"])}


def statistic(metric: str, averaging: Averaging, unit: Unit) -> Callable[[np.ndarray, pd.DataFrame], np.ndarray]:
    """A score of resampled patients: weights (draws, patients) and the table of `per_patient` → (draws,).

    `ALARMS_ASSESSED` needs the table of `of_persons`.
    """
    if metric == ALARMS_ASSESSED:
        of_recorded = statistic(ALARMS, averaging, unit)
        return lambda weights, table: of_recorded(weights, _by_assessed(table))

    def pooled_score(weights: np.ndarray, table: pd.DataFrame) -> np.ndarray:
        return scores(*(weights @ column for column in _columns(table, unit)))[metric]

    def mean_score(weights: np.ndarray, table: pd.DataFrame) -> np.ndarray:
        formulas = legacy_scores if averaging == "legacy_patient_mean" else scores
        return mean_over_patients(weights, formulas(*_columns(table, unit))[metric])

    return pooled_score if averaging == "pooled" else mean_score


@dataclass(frozen=True)
class Aggregate:
    """Scores of a cohort with the policy that made them; `patients` says how many stand behind each mean."""

    averaging: Averaging
    unit: Unit
    scores: dict[str, float]
    patients: dict[str, int]


def pooled(table: pd.DataFrame, unit: Unit = "event") -> Aggregate:
    """All counts summed, then scored: patients with many seizures weigh most."""
    return _aggregate(table, "pooled", unit)


def patient_mean(table: pd.DataFrame, unit: Unit = "event") -> Aggregate:
    """Mean over patients, F1 0 for a patient in whom nothing was found (SzCORE since 2026-01)."""
    return _aggregate(table, "patient_mean", unit)


def legacy_patient_mean(table: pd.DataFrame, unit: Unit = "event") -> Aggregate:
    """Mean over patients, leaving out of F1 those in whom nothing was found (SzCORE until 2026-01; flatters)."""
    return _aggregate(table, "legacy_patient_mean", unit)


AGGREGATES: dict[Averaging, Callable[[pd.DataFrame, Unit], Aggregate]] = {
    "pooled": pooled,
    "patient_mean": patient_mean,
    "legacy_patient_mean": legacy_patient_mean,
}


def figures(cases: Sequence[Case], weights: np.ndarray, policy: Policy = SZCORE) -> dict[str, Any]:
    """Every SzCORE figure under every averaging, with intervals; `weights` (draws, persons), persons in order of key."""
    table = of_persons(cases, policy)
    return {
        averaging: {
            "scorer": scorer(averaging, policy).to_json(),
            "event": _events(table, averaging, weights),
            "sample": _intervals(table, averaging, "sample", weights),
        }
        for averaging in AGGREGATES
    }


def _events(table: pd.DataFrame, averaging: Averaging, weights: np.ndarray) -> dict[str, Any]:
    made = _intervals(table, averaging, "event", weights)
    made[ALARMS_ASSESSED] = interval_of(table, statistic(ALARMS_ASSESSED, averaging, "event"), weights).to_json()
    made["patients_behind"][ALARMS_ASSESSED] = _patients(_by_assessed(table), averaging, "event")[ALARMS]
    return made


def _by_assessed(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(hours=table["assessed_hours"])


def _intervals(table: pd.DataFrame, averaging: Averaging, unit: Unit, weights: np.ndarray) -> dict[str, Any]:
    made = {m: interval_of(table, statistic(m, averaging, unit), weights).to_json() for m in METRICS[unit]}
    return made | {"patients_behind": _patients(table, averaging, unit)}


def _aggregate(table: pd.DataFrame, averaging: Averaging, unit: Unit) -> Aggregate:
    everyone = np.ones((1, len(table)))
    values = {m: float(statistic(m, averaging, unit)(everyone, table)[0]) for m in METRICS[unit]}
    return Aggregate(averaging, unit, values, _patients(table, averaging, unit))


def _patients(table: pd.DataFrame, averaging: Averaging, unit: Unit) -> dict[str, int]:
    if averaging == "pooled":
        return dict.fromkeys(METRICS[unit], len(table))
    formulas = legacy_scores if averaging == "legacy_patient_mean" else scores
    values = formulas(*_columns(table, unit))
    return {metric: int(np.isfinite(values[metric]).sum()) for metric in METRICS[unit]}


def _columns(table: pd.DataFrame, unit: Unit) -> list[np.ndarray]:
    return [table[name].to_numpy(dtype=float) for name in (f"{unit}_tp", f"{unit}_fp", f"{unit}_ref", "hours")]


def _inside(annotations: Annotations, duration_s: float) -> list[Span]:
    # Joined first: the library's merge shortens an event that contains another one.
    return [(start, min(end, duration_s)) for start, end in spans(annotations) if start < duration_s]


def _parameters(policy: Policy) -> EventScoring.Parameters:
    return EventScoring.Parameters(
        toleranceStart=policy.tolerance_before_s,
        toleranceEnd=policy.tolerance_after_s,
        minOverlap=policy.min_overlap,
        maxEventDuration=policy.max_event_s,
        minDurationBetweenEvents=policy.merge_gap_s,
    )
