"""Detectors of which everything is known, for the gates to be run on: of seizures, of their types, ahead of them."""

from dataclasses import replace

import numpy as np
import pandas as pd

from validation.gates import (
    Declared,
    Envelope,
    Evidence,
    ForecastEvidence,
    Gate,
    GateSettings,
    TypingEvidence,
    run_gates,
)
from validation.leakage import GUARDS, GuardOutcome, LeakageAudit
from validation.reliability import Calibration
from validation.scoring.overlap import Sweep
from validation.uncertainty import PairWins

N = 160
SITES = np.where(np.arange(N) % 2 == 0, "A", "B")
STRATA = np.where(np.arange(N) < N / 2, "0–28 days", "1–11 years")
CLEAN = LeakageAudit("split", tuple(GuardOutcome(guard.name, "pass", "") for guard in GUARDS))
SETTINGS = GateSettings(max_cost_s_per_eeg_hour=30.0)
USE = "Research on neonatal seizure detection in full-montage EEG; every detection is to be reviewed."
DECLARED = Declared("detection", "eeg", "neonatal_18", (0, 28), ("background", "seizure"), USE, 128.0)


def evidence(
    sensitivity: float = 0.8,
    alarms: float = 1.0,
    separation: float = 2.0,
    sharpness: float = 1.0,
    abstained: float = 0.0,
    audit: LeakageAudit | None = CLEAN,
    cost: float | None = 10.0,
    n: int = N,
    hours: float = 24.0,
    declared: Declared | None = DECLARED,
) -> Evidence:
    """A detector in n patients of ten seizures each who, like their seizures, are the same for every detector.

    `alarms` false alarms per patient; trends are separated by `separation` and stated too surely by `sharpness`.
    """
    rng = np.random.default_rng(0)
    difficulty = rng.random((n, 10))
    detected = (difficulty < sensitivity).sum(axis=1)
    false_alarms = np.full(n, round(alarms))
    table = pd.DataFrame(
        {
            "site": SITES[:n],
            "stratum": STRATA[:n],
            "seizures": 10,
            "detected": detected,
            "false_alarms": false_alarms,
            "recorded_s": hours * 3600,
            "assessed_s": hours * 3600 * (1 - abstained),
        },
        index=[f"person-{i}" for i in range(n)],
    )
    labels = [np.repeat([0, 1], 20) for _ in range(n)]
    logits = [rng.normal(size=40) + separation * (y - 0.5) for y in labels]
    trends = [1 / (1 + np.exp(-separation * sharpness * x)) for x in logits]
    sweep = Sweep(
        np.array([0.5, np.inf]),
        np.stack([detected, np.zeros(n, int)]),
        np.stack([false_alarms, np.zeros(n, int)]),
        np.full(n, 10),
        table["assessed_s"].to_numpy() / 3600,
    )
    return Evidence(table, sweep, PairWins.of(labels, trends), Calibration.of(trends, labels), audit, cost, declared)


def with_table(made: Evidence, **columns: object) -> Evidence:
    return replace(made, table=made.table.assign(**columns))


def gate(name: str, candidate: Evidence, champion: Evidence | None, settings: GateSettings = SETTINGS) -> Gate:
    """One of the gates, by name."""
    return next(g for g in run_gates(candidate, champion, settings) if g.name == name)


CHAMPION = evidence()
BETTER = evidence(sensitivity=0.9, separation=2.5)
FLOOR = evidence(sensitivity=0.3, separation=0.5)


TYPES = ("focal", "focal to bilateral", "unknown onset")
WIDE = Envelope(
    ("typing", "forecasting"), ("video",), ("two_views",), (128.0,), (0, 28), (*TYPES, "background", "ahead"), (USE,)
)
VIDEO = replace(SETTINGS, envelope=WIDE)


def typed(skill: float = 0.8, patients: int = 60, rare: int = 20, silent: float = 0.0, audit=CLEAN) -> TypingEvidence:
    """Four clips of one type per patient, called rightly with `skill`, else as the next type; `rare` patients have the
    third type. Clips differ in difficulty, which is the same for every detector."""
    rng = np.random.default_rng(2)
    difficulty, heard = rng.random((patients, 4)), rng.random((patients, 4))
    confusion = np.zeros((patients, 3, 4), dtype=int)
    for i in range(patients):
        truth = 2 if i < rare else i % 2
        for hard, spoken in zip(difficulty[i], heard[i], strict=True):
            said = 3 if spoken < silent else truth if hard < skill else (truth + 1) % 3
            confusion[i, truth, said] += 1
    table = pd.DataFrame({"site": np.where(np.arange(patients) % 2, "A", "B")}, index=range(patients))
    declared = replace(DECLARED, task="typing", modality="video", montage="two_views", classes=TYPES)
    return TypingEvidence(table, TYPES, confusion, audit, 10.0, declared)


TIME = "how far the film has come"


def forecast(
    foreseen: float = 0.8,
    silent: float = 0.8,
    sharp: float = 1.0,
    warned: float = 0.1,
    patients: int = 80,
    audit=CLEAN,
    told_by_time: float = 0.6,
) -> ForecastEvidence:
    """20 clips before a seizure and 20 others per patient, 24 h observed; `warned` is the share of time in warning. A
    baseline tells `told_by_time` of both apart, another never warns."""
    rng = np.random.default_rng(3)
    difficulty = rng.random((2, patients, 20))
    table = pd.DataFrame(
        {
            "site": np.where(np.arange(patients) % 2, "A", "B"),
            "ahead": 20,
            "foreseen": (difficulty[0] < foreseen).sum(axis=1),
            "quiet": 20,
            "silent": (difficulty[1] < silent).sum(axis=1),
            "judged": 40,
            "squared_error": 40 * 0.2 / sharp * (1 + 0.1 * rng.random(patients)),
            "false_warnings": np.round(24 * (1 - silent)).astype(int),
            "warning_s": 86400 * warned,
            "answered_s": 86400.0,
            "observed_s": 86400.0,
        }
    )
    declared = replace(
        DECLARED, task="forecasting", modality="video", montage="two_views", classes=("background", "ahead")
    )
    right = (rng.random((2, patients, 20)) < told_by_time).sum(axis=2)
    asked, none = np.full(patients, 20), np.zeros(patients, int)
    blind = {
        TIME: np.stack([right[0], asked, right[1], asked], axis=1),
        "never a warning": np.stack([none, asked, asked, asked], axis=1),
    }
    return ForecastEvidence(table, audit, 10.0, declared, blind)
