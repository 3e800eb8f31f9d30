"""A small evaluation with everything in it: nine patients at three sites, two detectors, experts, prediction sets."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from data.events import Annotations, Event
from validation import abstention, agreement, burden
from validation.evaluation import evaluate, gather
from validation.gates import Gate
from validation.inflation import Published
from validation.lab import inflation
from validation.labels_alone import NOT_HERE, recorded
from validation.ranking import person_counts
from validation.report import Dossier, worst_cases
from validation.scoring import Case, clinical
from validation.single_windows import single_windows
from validation.traces import Excerpt
from validation.uncertainty import patient_draws

DURATION_S = 180
DIGEST = "ab" * 32


def to_events(trend: np.ndarray, threshold: float = 0.5) -> Annotations:
    return Annotations.from_mask(np.nan_to_num(trend) >= threshold, 1.0)


def predicted(skill: float, patients: int = 9) -> tuple[pd.DataFrame, dict, dict, dict]:
    """Seconds, hypotheses, references and what is known of patients; every third has no seizure, the last is older."""
    rng, rows, references, hypotheses, known = np.random.default_rng(1), [], {}, {}, {}
    for n in range(patients):
        patient, name = f"sub-{n:03d}", f"sub-{n:03d}_task-eeg_run-01_eeg"
        references[name] = Annotations((Event(30, 25), Event(120, 20)) if n % 3 else (), float(DURATION_S))
        labels = references[name].to_mask(1.0)
        trend = 1 / (1 + np.exp(-(rng.normal(size=DURATION_S) + skill * labels - 1.5)))
        trend[:2] = np.nan
        hypotheses[name] = to_events(trend)
        known[patient] = {"age_days": 3.0 if n < patients - 1 else 400.0, "sex": "FM"[n % 2]}
        table = pd.DataFrame({"second": np.arange(DURATION_S), "probability": trend, "label": labels.astype(int)})
        rows.append(table.assign(recording=name, patient=patient, person=patient, site=f"demo-{'nse'[n % 3]}"))
    return pd.concat(rows), hypotheses, references, known


@cache
def result(skill: float, detector: str, regime: str) -> dict[str, Any]:
    table, hypotheses, references, known = predicted(skill)
    about = {"detector": detector, "regime": regime, "reportable": regime in ("patient", "site"), "patients": known}
    made = evaluate(table, hypotheses, references, about, seed=2, to_events=to_events)
    cases = gather(table, hypotheses, references)
    people = clinical.per_patient(cases)
    weights = patient_draws(list(people["site"]), np.random.default_rng(2), 2000)
    experts = {name: {"A": marked, "B": marked} for name, marked in references.items()}
    sets = table.assign(
        prediction_set=np.where(table["probability"] > 0.6, 2, np.where(table["probability"] > 0.4, 3, 1))
    )
    far = {"score": 2.4, "limit": 2.0, "share_outside": 0.3, "farthest": "line_length"}
    made |= {
        "agreement": agreement.figures(cases, experts, weights),
        "burden": burden.figures(cases, experts, weights),
        "abstention": abstention.figures(sets, 0.9),
        "ood": {"judged": 9, "refused": ["sub-008_task-eeg_run-01_eeg"], "recordings": {"sub-008_task-eeg_run-01_eeg": far}},
        "szcore_per_person": person_counts(cases),
    }  # fmt: skip
    if regime == "window":
        dealt = table.dropna().assign(onset_s=lambda t: t["second"] - 1.0, fold=lambda t: t["second"] % 5)
        made["single_windows"] = single_windows(dealt, 2.0, float(len(table)), seed=2)
    return made


GATES = [
    Gate("sensitivity_non_inferior", "pass", -0.01, -0.05, "Δ sensitivity −0.010", 0.53, "both were equal", 60),
    Gate("floor:all", "insufficient_evidence", 0.4, 0.7, "6 patients with seizures, 60 are needed"),
    Gate("calibration", "fail", 0.2, 0.02, "upper bound must be ≤ 0.02"),
]
PUBLISHED = Published(0.9998, "“5-fold CV”, Helsinki", "Xu & Zheng 2026", 0.9952, "helsinki")
LABELS_ALONE = (recorded("helsinki") or {}) | {"where": NOT_HERE}
SPLIT = {"regime": "patient", "seed": 7, "folds": [{}, {}, {}]}
PROVENANCE = {
    "dataset (SHA-256)": "cd" * 32,
    "code of the evaluation (SHA-256)": "ef" * 32,
    "lock (SHA-256)": "01" * 32,
}


def traces(kind: str, title: str) -> Excerpt:
    signal = np.random.default_rng(0).normal(0, 20, (2, 1280))
    return Excerpt(
        title, ("Fp2-F4", "F4-C4"), signal, 128.0, 100.0, np.full(10, 0.2), [(103.0, 108.0)], [(90.0, 101.0)], 0.5, kind
    )


@cache
def dossier() -> Dossier:
    """DA-STNet under patients, sites, gapped and random windows; recordings apart were not run."""
    skills = {"patient": 1.5, "site": 1.0, "gap": 3.0, "window": 6.0}
    own = {regime: result(skill, "da_stnet", regime) for regime, skill in skills.items()}
    made = {regime: _cases(skill) for regime, skill in skills.items() if regime != "gap"}
    worst = worst_cases(_cases(1.5))
    return Dossier(
        "da_stnet",
        {"da_stnet": own, "line_length": {"patient": result(0.3, "line_length", "patient")}},
        SPLIT,
        PROVENANCE,
        simulated=True,
        gates=GATES,
        champion="line_length",
        inflation=inflation(made, 2),
        worst=worst,
        excerpts=[traces("missed seizure", "Missed: sub-004"), traces("false alarm", "False alarm: sub-005")],
        published=PUBLISHED,
        labels_alone=LABELS_ALONE,
        beside={"Evaluation of line_length": "line_length.html", "Model card": "da_stnet.card.md"},
    )


def bare(**changed: Any) -> Dossier:
    """A dossier of a result in which nothing but the clinical block's name is known, as kept from an older version."""
    empty = Dossier("da_stnet", {"da_stnet": {"patient": {"clinical": {}}}}, SPLIT, PROVENANCE, simulated=True)
    return replace(empty, **changed)


def _cases(skill: float) -> list[Case]:
    table, hypotheses, references, _ = predicted(skill)
    return gather(table, hypotheses, references)
