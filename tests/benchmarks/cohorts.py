"""Predictions of simulated cohorts of any size, to time what scores them; they say nothing about any detector.

One-hour recordings at 1 Hz, four per person, five sites. Two persons of three have a few seizures per hour; a hundredth
of the time cannot be assessed. Trends are smoothed noise that rises in seizures, more in some persons than in others.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from data.events import Annotations, Event
from models.decisions import Decision
from validation.seconds import Seconds, table_of

PER_PERSON = 4
SITES = 5
SECONDS = 3600


@dataclass(frozen=True)
class Simulated:
    """What `validation.evaluation.evaluate` takes."""

    predictions: pd.DataFrame
    hypotheses: dict[str, Annotations]
    references: dict[str, Annotations]
    meta: dict[str, Any]


def to_events(trend: np.ndarray, threshold: float) -> Annotations:
    """The product's decision rule at any threshold."""
    return Decision().at(threshold).events(trend)


def simulated(recordings: int, seed: int = 0, seconds: int = SECONDS) -> Simulated:
    """A cohort of this many recordings; the same seed gives the same cohort."""
    rng = np.random.default_rng(seed)
    persons = max(2, recordings // PER_PERSON)
    skill = rng.gamma(4.0, 0.4, persons)
    rows, hypotheses, references = [], {}, {}
    for number in range(recordings):
        person = number % persons
        name = f"sub-{person:04d}_task-eeg_run-{number // persons + 1:02d}"
        reference = _seizures(rng, seconds) if person % 3 else Annotations((), float(seconds))
        labels = reference.to_mask(1.0)
        trend = _trend(rng, labels, skill[person])
        references[name], hypotheses[name] = reference, to_events(trend, 0.5)
        rows.append(Seconds(name, f"sub-{person:04d}", f"person-{person:04d}", f"site-{person % SITES}", trend, labels))
    ages = rng.choice([3.0, 200.0, 3000.0, 9000.0], persons)
    patients = {f"sub-{p:04d}": {"age_days": float(ages[p]), "sex": "fm"[p % 2]} for p in range(persons)}
    return Simulated(table_of(rows), hypotheses, references, {"simulated": True, "patients": patients})


def _seizures(rng: np.random.Generator, seconds: int) -> Annotations:
    """One seizure in most of the quarters of the recording, 20 to 120 s long (less in a short recording)."""
    quarter = seconds / 4
    lengths_s = rng.uniform(20, 120, 4) * min(1.0, quarter / 300)
    onsets_s = quarter * np.arange(4) + rng.uniform(0, quarter - lengths_s - 1)
    there = rng.random(4) < 0.75
    events = (Event(float(o), float(d)) for o, d in zip(onsets_s[there], lengths_s[there], strict=True))
    return Annotations(tuple(events), float(seconds))


def _trend(rng: np.random.Generator, labels: np.ndarray, skill: float) -> np.ndarray:
    raw = rng.normal(size=len(labels)) + skill * labels
    trend = 1 / (1 + np.exp(-(3 * Decision().smoothed(raw) - 2.5)))
    start = rng.integers(0, len(labels) - len(labels) // 100)
    trend[start : start + len(labels) // 100] = np.nan
    return trend
