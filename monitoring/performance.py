"""Is the detector still right? What sites were answered, what readers and experts say of it, and what was expected before.

How an opinion becomes a figure. A reader who *confirms* an answer makes its events the truth. One who *edits* it gives the
truth. One who *rejects* it says that it is wrong as a whole: each of its events is a false alarm, and what was missed stays
unknown, so that it counts for precision and neither for sensitivity nor for calibration. Labels that arrive later are the
truth, whatever a reader said before. Of several verdicts the last counts. The unit is the recording: a service is not told
who was recorded.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Literal

import numpy as np

from data.events import Annotations, Event
from validation.abstention import binomial_interval
from validation.reliability import Calibration, brier_interval, ece_interval
from validation.scoring.findings import Findings, compare
from validation.uncertainty import Interval, finite, interval_of, patient_draws, ratio_of_sums

Source = Literal["confirm", "edit", "reject", "label"]


ENOUGH = 8
"""Recordings from which an estimate is held to what was measured; the interval of fewer is no interval."""


@dataclass(frozen=True)
class Counted:
    """One answer about seizures in numbers, as far as traffic is counted. `prediction` is its id, `recording` the
    digest of what it is about. `alarms` is None where nothing could be looked at, `decided_share` and
    `mean_probability` (0–1) are NaN where they cannot be."""

    prediction: str
    site: str
    at: datetime
    recording: str
    outcome: str
    duration_s: float
    analysed_s: float
    decided_share: float
    alarms: int | None
    mean_probability: float

    @classmethod
    def of_fact(cls, fact: Mapping[str, Any], site: str, at: datetime) -> "Counted":
        """From the numbers that a service keeps of its answers (`serving.facts.FactRow`)."""
        analysed_s = (fact["coverage"] or 0.0) * fact["duration_s"]
        hourly, abstained, mean = (fact[name] for name in ("alarms_per_hour", "abstained_share", "mean_probability"))
        return cls(
            fact["prediction_id"],
            site,
            at,
            fact["recording"],
            fact["outcome"],
            fact["duration_s"],
            analysed_s,
            np.nan if abstained is None else 1 - abstained,
            None if hourly is None else round(hourly * analysed_s / 3600),
            np.nan if mean is None else mean,
        )


@dataclass(frozen=True)
class Given(Counted):
    """One answer about seizures as the ledger keeps it. `trend` holds a probability per second, (seconds,), NaN where
    not assessed; `events` is None where the recording was not evaluable."""

    events: Annotations | None
    trend: np.ndarray

    @classmethod
    def of(cls, said: Mapping[str, Any], site: str, at: datetime) -> "Given":
        """From the statement of an answer (`serving.schema.Answer`)."""
        duration_s = float(said["duration_s"])
        trend = np.array([np.nan if p is None else p for p in said.get("trend_1hz") or ()], dtype=float)
        events = None if said.get("events") is None else annotations(said["events"], duration_s)
        decided = said.get("decided_share")
        return cls(
            said["prediction_id"],
            site,
            at,
            said["recording_digest"],
            said["outcome"],
            duration_s,
            float(said.get("analysed_s") or 0.0),
            np.nan if decided is None else float(decided),
            None if events is None else len(events.events),
            float(np.nanmean(trend)) if np.isfinite(trend).any() else np.nan,
            events,
            trend,
        )

    @property
    def called(self) -> np.ndarray:
        """(seconds,) of bool, as long as `trend`: the answer calls it a seizure."""
        events = self.events or Annotations((), self.duration_s)
        mask = events.to_mask(1.0)[: len(self.trend)]
        return np.pad(mask, (0, len(self.trend) - len(mask)))


@dataclass(frozen=True)
class Opinion:
    """What is held to be true of an answer: `events` of its recording, or None where it is only known to be wrong."""

    source: Source
    at: datetime
    events: Annotations | None


def annotations(events: Sequence[Mapping[str, Any]], duration_s: float) -> Annotations:
    """Events as statements and labels hold them; what reaches beyond the end by rounding ends there."""
    cut = [(float(e["onset_s"]), min(float(e["onset_s"]) + float(e["duration_s"]), duration_s)) for e in events]
    return Annotations(tuple(Event(a, b - a) for a, b in cut if b > a), duration_s)


def opinion(
    given: Given, verdict: Mapping[str, Any] | None, label: Mapping[str, Any] | None, at: datetime
) -> Opinion | None:
    """What a verdict's and a label's payload say of an answer; None where neither says when what happened in it."""
    if label is not None:
        return Opinion("label", at, annotations(label["events"], given.duration_s))
    if verdict is None or given.events is None:
        return None
    said: Source = verdict["verdict"]
    if said == "edit":
        return Opinion("edit", at, annotations(verdict.get("events") or (), given.duration_s))
    return Opinion(said, at, given.events if said == "confirm" else None)


def week_of(at: datetime | date) -> str:
    """The ISO 8601 week of a moment, which has to be in UTC already, as in 2026-W48: names sort by time."""
    year, week, _ = at.isocalendar()
    return f"{year}-W{week:02d}"


def last_of_each(answers: Sequence[Counted], judged: Container[str] = ()) -> list[Counted]:
    """Of a recording that was asked about several times the last answer that was `judged` (their ids), else the last: it is
    one recording, however often it was sent, and what was said of it stands though it is asked about again."""
    in_order = sorted(answers, key=lambda a: (a.prediction in judged, a.at))
    return list({answer.recording: answer for answer in in_order}.values())


def traffic(answers: Sequence[Counted]) -> dict[str, Any]:
    """How a site was answered: counts, and shares (0–1) with their intervals; alarms per 24 h that could be assessed."""
    looked = [a for a in answers if a.alarms is not None]
    hours = sum(a.analysed_s for a in looked) / 3600
    alarms = sum(a.alarms or 0 for a in looked)
    recorded_s = sum(a.duration_s for a in answers)
    decided_s = sum(a.decided_share * a.analysed_s for a in looked if np.isfinite(a.decided_share))
    known_s = sum(a.analysed_s for a in looked if np.isfinite(a.decided_share))
    means = [a.mean_probability for a in looked if np.isfinite(a.mean_probability)]
    return {
        "answers": len(answers),
        "assessed_hours": hours,
        "alarms_per_24h": 24 * alarms / hours if hours else None,
        "not_evaluable": _share(sum(a.outcome == "not_evaluable" for a in answers), len(answers)),
        "abstained": _share(sum(a.outcome == "completed_with_abstentions" for a in answers), len(answers)),
        "coverage": sum(a.analysed_s for a in answers) / recorded_s if recorded_s else None,
        "decided": decided_s / known_s if known_s else None,
        "mean_probability": float(np.mean(means)) if means else None,
    }


def measured(pairs: Sequence[tuple[Given, Opinion]], rng: np.random.Generator) -> dict[str, Any]:
    """What opinions come to: shares of verdicts, and figures with 95 % intervals over recordings that are drawn again.

    `sensitivity` (events found by any overlap), `false_alarms_per_24h` and `precision` (alarms that touch a seizure) as in
    `validation.scoring`, `ece` and `brier` per second as in `validation.reliability`. None where nothing was there to count.
    """
    looked = [(a, o) for a, o in pairs if a.events is not None]
    counts = {source: sum(o.source == source for _, o in looked) for source in ("confirm", "edit", "reject", "label")}
    true = [(a, _findings(a, o), o.events) for a, o in looked if o.events is not None]
    wrong = [a for a, o in looked if o.events is None]
    found: dict[str, Any] = {"recordings": len(looked), "by": counts}
    if not looked:
        return found
    calls = [(f.detections - f.false_detections, f.detections) for _, f, _ in true]
    calls += [(0, len(a.events.events)) for a in wrong if a.events is not None]
    draws = {n: patient_draws(["all"] * n, rng) for n in {len(true), len(calls)} if n}
    found["precision"] = _ratio(calls, draws)
    found["sensitivity"] = _ratio([(f.detected, f.seizures) for _, f, _ in true], draws)
    alarms = _ratio([(f.false_alarms, f.assessed_s / 86400) for _, f, _ in true], draws)
    found["false_alarms_per_24h"] = alarms
    if true:
        calibration = Calibration.of([a.trend for a, _, _ in true], [_labels(a, truth) for a, _, truth in true])
        found["ece"] = ece_interval(calibration, draws[len(true)]).to_json()
        found["brier"] = brier_interval(calibration, draws[len(true)]).to_json()
    return found


@dataclass(frozen=True)
class Expected:
    """What a calibrated detector would get right of one answer, in seconds, by its own probabilities and no labels.

    Of the seconds that it calls a seizure, Σp are one and the rest are not; of the others Σp were missed.
    """

    prediction: str
    true_s: float
    false_s: float
    missed_s: float

    @classmethod
    def of(cls, given: Given) -> "Expected":
        """From the probabilities of every second that has one; seconds without are left out."""
        known = np.isfinite(given.trend)
        p, called = given.trend[known], given.called[known]
        return cls(given.prediction, float(p[called].sum()), float((1 - p[called]).sum()), float(p[~called].sum()))


def estimated(expected: Sequence[Expected]) -> dict[str, Any]:
    """The estimate that is kept of a week: seconds of each answer, and what they come to together."""
    rows = [asdict(e) for e in sorted(expected, key=lambda e: e.prediction)]
    return {"answers": rows, **_seconds([(e.true_s, e.false_s, e.missed_s) for e in expected])}


def reconciled(
    estimate: Mapping[str, Any], pairs: Sequence[tuple[Given, Opinion]], rng: np.random.Generator
) -> dict[str, Any] | None:
    """An estimate made before beside what opinions measured on the very same answers; None where they share none.

    Both speak of seconds: `precision` and `sensitivity`, the measured ones with an interval over recordings; `kept` says
    whether it holds the estimate, and is None below `ENOUGH` recordings.
    """
    before = {row["prediction"]: row for row in estimate["answers"]}
    both = [
        (before[a.prediction], _findings(a, o)) for a, o in pairs if o.events is not None and a.prediction in before
    ]
    if not both:
        return None
    told = _seconds([(row["true_s"], row["false_s"], row["missed_s"]) for row, _ in both])
    draws = {len(both): patient_draws(["all"] * len(both), rng)}
    truth = {
        "precision": _ratio([(f.tp, f.tp + f.fp) for _, f in both], draws),
        "sensitivity": _ratio([(f.tp, f.tp + f.fn) for _, f in both], draws),
    }
    return {
        "recordings": len(both),
        "of": len(before),
        "estimated": told,
        "measured": truth,
        "kept": {name: _holds(truth[name], told[name]) if len(both) >= ENOUGH else None for name in truth},
    }


def _findings(given: Given, opinion: Opinion) -> Findings:
    assert opinion.events is not None
    truth = opinion.events
    length = len(truth.to_mask(1.0))
    known = np.isfinite(given.trend)[:length]
    return compare(truth, given.events or Annotations((), given.duration_s), np.pad(known, (0, length - len(known))))


def _labels(given: Given, truth: Annotations | None) -> np.ndarray:
    """0 or 1 for each second of the trend."""
    mask = (truth or Annotations((), given.duration_s)).to_mask(1.0)[: len(given.trend)]
    return np.pad(mask, (0, len(given.trend) - len(mask))).astype(float)


def _seconds(sums: Sequence[tuple[float, float, float]]) -> dict[str, float | None]:
    true, false, missed = (sum(column) for column in zip(*sums, strict=True)) if sums else (0.0, 0.0, 0.0)
    return {
        "precision": true / (true + false) if true + false else None,
        "sensitivity": true / (true + missed) if true + missed else None,
    }


def _ratio(rows: Sequence[tuple[float, float]], draws: Mapping[int, np.ndarray]) -> dict[str, Any] | None:
    """Σ first / Σ second over recordings as an interval in JSON; None where the second is nothing."""
    values = np.array(rows, dtype=float).reshape(-1, 2)
    if not values[:, 1].sum():
        return None
    interval: Interval = interval_of(values, ratio_of_sums, draws[len(values)])
    return interval.to_json()


def _holds(measured: Mapping[str, Any] | None, estimate: float | None) -> bool | None:
    if measured is None or estimate is None or measured["low"] is None:
        return None
    return bool(measured["low"] <= estimate <= measured["high"])


def _share(count: int, of: int) -> dict[str, Any]:
    low, high = binomial_interval(count, of)
    return {"count": count, "share": count / of if of else None, "low": finite(low), "high": finite(high)}
