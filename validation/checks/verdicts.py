"""Who may go on: a verdict on every recording, by name, with every reason in plain words.

One bad recording is put aside and the rest goes on; a defect of the whole cohort blocks all of it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from data.outcomes import Refusal
from lineage.digest import Digest, digest_of
from validation.checks.annotations import AnnotationLimits, annotation_suite, length_suite
from validation.checks.cohort import CohortLimits, cohort_suites, cohort_tables
from validation.checks.eeg import EegLimits, channel_suite, recording_suite, recordings_table
from validation.checks.pose import PoseLimits, pose_suite, poses_table
from validation.checks.suites import Failure, Severity, Suite, SuiteResult, plain, run
from validation.checks.video import VideoLimits, film_suite, films_table, view_suite, views_table


@dataclass(frozen=True)
class Limits:
    """Every limit of every suite; they change verdicts, so they belong in `params.yaml` and in the record."""

    eeg: EegLimits = field(default_factory=EegLimits)
    video: VideoLimits = field(default_factory=VideoLimits)
    pose: PoseLimits = field(default_factory=PoseLimits)
    annotations: AnnotationLimits = field(default_factory=AnnotationLimits)
    cohort: CohortLimits = field(default_factory=CohortLimits)


@dataclass(frozen=True)
class Reason:
    """Why a recording was put aside (`critical`) or what to look at (`warning`).

    `code` is an outcome code of `data.outcomes` where one fits; `channel` is that of an EEG or the view of a film, empty when the recording is meant.
    """

    code: str
    expectation: str
    channel: str
    value: Any
    limit: str
    sentence: str
    severity: Severity = "critical"


@dataclass(frozen=True)
class Verdict:
    """What becomes of one recording. An accepted one may still carry warnings as reasons."""

    recording: str
    outcome: Literal["accepted", "quarantined"]
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True)
class CheckRun:
    """One run of all checks: verdicts by name, what speaks against the cohort as a whole, and the raw results.

    `blocked` stops everything, `remarks` are warnings about sites; `left_out` names suites that had no table.
    """

    verdicts: tuple[Verdict, ...]
    blocked: tuple[Reason, ...]
    remarks: tuple[Reason, ...]
    results: tuple[SuiteResult, ...]
    left_out: tuple[str, ...]
    limits: Limits

    @property
    def accepted(self) -> tuple[str, ...]:
        """Recordings that are not put aside, in the order of `verdicts`, even where the run is `blocked`."""
        return tuple(v.recording for v in self.verdicts if v.outcome == "accepted")

    @property
    def quarantined(self) -> tuple[Verdict, ...]:
        """The verdicts of those that are put aside, with their reasons, in the order of `verdicts`."""
        return tuple(v for v in self.verdicts if v.outcome == "quarantined")

    @property
    def passed(self) -> bool:
        """Whether anything may go on: no defect of the whole cohort, and at least one recording accepted."""
        return not self.blocked and bool(self.accepted)

    def to_json(self) -> dict[str, Any]:
        """The record: verdicts, limits, and the raw Great Expectations results with their SHA-256."""
        suites = [{"name": r.suite.name, "sha256": r.digest, "raw": r.raw} for r in self.results]
        record = {
            "schema": "ictal.checks/1",
            "verdicts": [asdict(v) for v in self.verdicts],
            "blocked": [asdict(r) for r in self.blocked],
            "remarks": [asdict(r) for r in self.remarks],
            "left_out": self.left_out,
            "limits": asdict(self.limits),
            "suites": suites,
        }
        return dict(plain(record))

    def write(self, path: Path) -> Digest:
        """Write the record as JSON and give the digest of its content (`lineage.digest.digest_of`)."""
        record = self.to_json()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
        return digest_of(record)


def check_recordings(facts: pd.DataFrame, **tables: Any) -> list[Verdict]:
    """The verdicts of `inspect`, in order of the recordings' names."""
    return list(inspect(facts, **tables).verdicts)


def inspect(
    facts: pd.DataFrame,
    *,
    refusals: Mapping[str, Refusal] | None = None,
    events: pd.DataFrame | None = None,
    lengths: pd.DataFrame | None = None,
    unlabelled: Mapping[str, Refusal] | None = None,
    cohort: pd.DataFrame | None = None,
    folds: Mapping[str, int] | None = None,
    expected: Iterable[str] = (),
    limits: Limits | None = None,
    modality: str = "eeg",
) -> CheckRun:
    """Run every suite that has a table.

    `facts` are rows of `data.quality.channel_facts` (of films `data.film_quality.view_facts`, of poses
    `data.pose_quality.pose_facts`) of all recordings that could be read, `refusals` the others by name; `events` from
    `annotations.events_table` or `events_as_written`, `lengths` from `annotations.lengths_table`; `unlabelled` says of
    recordings that need labels why theirs cannot be used; `cohort` has `cohort.COLUMNS`; `folds` says in which fold a
    recording is tested. Sites and the cohort as a whole are judged by what the other suites left of it. A recording that
    is `expected` or in the cohort, and was neither read nor refused, is quarantined too: nothing goes on unseen.
    """
    limits = limits or Limits()
    judged = list(
        zip(suites(limits, modality), tables(facts, events, lengths, cohort, folds, limits, modality), strict=True)
    )
    results = [run(suite, table) for suite, table in judged if table is not None and "recording" in suite.index]
    reasons = [(_about(f), _reason(f)) for r in results for f in r.failures]
    seen = set(facts["recording"]) if len(facts) else set()
    known = set() if cohort is None else set(cohort["recording"])
    names = seen | known | {*(refusals or ()), *(unlabelled or ()), *expected}
    unread = _unread(names - seen, refusals or {}, modality) | {n: _refused(r) for n, r in (refusals or {}).items()}
    own = {n: [*unread.get(n, ()), *(r for about, r in reasons if about == n)] for n in sorted(names)}
    for name, refusal in (unlabelled or {}).items():
        own[name] += _no_labels(refusal, own[name])
    verdicts = tuple(_verdict(name, found) for name, found in own.items())
    left = {v.recording for v in verdicts if v.outcome == "accepted"}
    of_all = [] if cohort is None else _of_all(cohort[cohort["recording"].isin(left)], limits.cohort)
    about_all = [_reason(f) for r in of_all for f in r.failures]
    return CheckRun(
        verdicts,
        tuple(r for r in about_all if r.severity == "critical"),
        tuple(r for r in about_all if r.severity == "warning"),
        (*results, *of_all),
        tuple(suite.name for suite, table in judged if table is None),
        limits,
    )


def _of_all(left: pd.DataFrame, limits: CohortLimits) -> list[SuiteResult]:
    """What is asked of sites and of the cohort as a whole, of the recordings that are left: nobody learns from the others."""
    tables_of = cohort_tables(left)
    return [
        run(suite, getattr(tables_of, name))
        for name, suite in cohort_suites(limits).items()
        if name in ("sites", "whole")
    ]


def suites(limits: Limits, modality: str = "eeg") -> list[Suite]:
    """Every suite there is for a modality, in the order in which they run."""
    signal = {
        "eeg": lambda: [channel_suite(limits.eeg), recording_suite(limits.eeg)],
        "video": lambda: [view_suite(limits.video), film_suite(limits.video)],
        "pose": lambda: [pose_suite(limits.pose)],
    }[modality]()
    labels = (annotation_suite(limits.annotations), length_suite(limits.annotations))
    return [*signal, *labels, *cohort_suites(limits.cohort).values()]


def tables(
    facts: pd.DataFrame,
    events: pd.DataFrame | None,
    lengths: pd.DataFrame | None,
    cohort: pd.DataFrame | None,
    folds: Mapping[str, int] | None,
    limits: Limits,
    modality: str = "eeg",
) -> list[pd.DataFrame | None]:
    """The table of each suite, in the order of `suites`; None where it is wanting."""
    signal = {
        "eeg": lambda: [facts, recordings_table(facts, limits.eeg)],
        "video": lambda: [views_table(facts, limits.video), films_table(facts, limits.video)],
        "pose": lambda: [poses_table(facts)],
    }
    none = [None] * (len(suites(limits, modality)) - 2 - len(cohort_suites(limits.cohort)))
    of_cohort = None if cohort is None else cohort_tables(cohort, folds)
    return [
        *(signal[modality]() if len(facts) else none),
        events,
        lengths,
        *(getattr(of_cohort, name, None) for name in cohort_suites(limits.cohort)),
    ]


def _about(failure: Failure) -> str:
    """The recording that a failure is about; empty for sites and the whole cohort."""
    return str(failure.row.get("recording", ""))


def _reason(failure: Failure) -> Reason:
    rule = failure.expectation
    channel = str(failure.row.get("channel", failure.row.get("view", "")))
    return Reason(rule.code, rule.key, channel, plain(failure.value), rule.limit, failure.sentence, rule.severity)


_UNREAD = {
    "eeg": "No EEG of this recording was measured: it was not read, or it holds no EEG channel.",
    "video": "No picture of this recording was measured: it was not read.",
    "pose": "No pose of this recording was measured: it was not read.",
}


def _unread(names: set[str], refusals: Mapping[str, Refusal], modality: str) -> dict[str, list[Reason]]:
    sentence = _UNREAD[modality]
    reason = Reason("no_signal", "read", "", None, "read", sentence)
    return {name: [reason] for name in names if name not in refusals}


def _refused(refusal: Refusal) -> list[Reason]:
    sentence = refusal.reason[:1].upper() + refusal.reason[1:]
    return [Reason(refusal.code, "read", "", None, "readable", sentence)]


def _no_labels(refusal: Refusal, others: list[Reason]) -> list[Reason]:
    """Why labels cannot be used, where the suites have not said so already, row by row."""
    if any(r.code.startswith("annotation_") and r.severity == "critical" for r in others):
        return []
    sentence = refusal.reason[:1].upper() + refusal.reason[1:]
    return [Reason("annotation_unreadable", "labels", "", None, "readable", sentence)]


def _verdict(name: str, reasons: list[Reason]) -> Verdict:
    critical = any(r.severity == "critical" for r in reasons)
    ordered = sorted(reasons, key=lambda r: r.severity != "critical")
    return Verdict(name, "quarantined" if critical else "accepted", tuple(ordered))
