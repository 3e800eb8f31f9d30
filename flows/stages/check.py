"""The check stage: every recording judged, what is broken put aside by name, the rest let through."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from data.cohorts.bids import Cohort, Entry
from data.events import Annotations
from data.film import Film
from data.film_quality import view_facts
from data.outcomes import Refusal
from data.pose import PoseTrack
from data.pose_quality import pose_facts
from data.quality import channel_facts
from data.readers.opening import Estimate, open_entry
from data.recording import Recording
from flows.consent import withdrawn
from flows.parallel import over
from flows.progress import Show, reporter
from flows.stages.files import cohort_of, digest_of_entry, fresh, write_json
from flows.workspace import TASKS, Workspace
from lineage.digest import digest_of, sha256_file
from lineage.refused import Refused
from validation.checks.annotations import SPASMS, AnnotationLimits, events_as_written, lengths_table
from validation.checks.cohort import CohortLimits
from validation.checks.eeg import EegLimits
from validation.checks.page import checks_page
from validation.checks.verdicts import CheckRun, Limits, inspect
from validation.pages import write_page

LABELLED = ("", "development", "external")
"""The periods whose recordings are learnt from or judged by: somebody must have marked them, seizures or none."""


class CohortBlocked(Refused):
    """The cohort as a whole cannot be used."""


def run(workspace: Workspace) -> None:
    """Write verdicts, the Great Expectations record and the page; refuse a cohort that is blocked or of which nothing is
    left: none of its recordings is used."""
    out = fresh(workspace.interim / "checks")
    modality = workspace.modality
    cohort = _permitted(workspace)
    checked, facts = check_cohort(
        cohort,
        limits_of(modality, workspace.params.checks.min_duration_s),
        reporter(),
        modality,
        montage=TASKS[workspace.task].montage,
    )
    facts.to_parquet(out / "facts.parquet")
    checked.write(out / "gx.json")
    record = checked.to_json()
    write_json(out / "verdicts.json", record["verdicts"])
    write_json(out / "accepted.json", list(checked.accepted) if checked.passed else [])
    write_page(workspace.reports / "checks.html", _page(cohort, checked))  # reports/ or reports/typing/
    if not checked.passed:
        why = "; ".join(r.sentence.rstrip(".") for r in checked.blocked) or "no recording was accepted"
        raise CohortBlocked(f"the cohort cannot be used: {why}")


def _permitted(workspace: Workspace) -> Cohort:
    """The cohort without those who withdrew their consent, and without bytes that were theirs under another name."""
    cohort, gone = cohort_of(workspace), withdrawn(workspace).digests
    return replace(cohort, entries=tuple(e for e in cohort.entries if not gone or digest_of_entry(e) not in gone))


def limits_of(modality: str, min_recorded_s: float) -> Limits:
    """The limits for a modality; `min_recorded_s` is how much EEG is needed.

    Films are short beside EEG: three minutes are asked for. In poses spasms are marked, which are short as well.
    """
    eeg = EegLimits(min_recorded_s=min_recorded_s)
    marked = SPASMS if modality == "pose" else AnnotationLimits()
    return Limits(eeg, annotations=marked, cohort=CohortLimits() if modality == "eeg" else CohortLimits(min_hours=0.05))


def check_cohort(
    cohort: Cohort,
    limits: Limits,
    show: Show,
    modality: str = "eeg",
    estimate: Estimate | None = None,
    montage: str = "neonatal_18",
) -> tuple[CheckRun, pd.DataFrame]:
    """The verdict on every recording of a cohort, and the facts that were measured (rows per channel, view, or pose).

    EEG must give every derivation of `montage`. Of a cohort of poses, recordings of which there is only a film need
    `estimate`, or are put aside.
    """
    looked = over(
        partial(measure, modality=modality, estimate=estimate, montage=montage),
        cohort.entries,
        "recordings checked",
        show,
        [__name__],
    )
    named = list(zip(cohort.entries, looked, strict=True))
    readable = [(e, f) for e, f in named if not isinstance(f, Refusal)]
    facts = pd.concat([f for _, f in readable]) if readable else pd.DataFrame()
    durations = {e.name: float(f["duration_s"].iloc[0]) for e, f in readable if len(f)}
    files = {e.name: e.events_path for e, _ in readable if e.events_path and e.name in durations}
    labels = {e.name: _labels(cohort, e) for e in cohort.entries}
    stated = {name: marked.duration_s for name, marked in labels.items() if isinstance(marked, Annotations)}
    checked = inspect(
        facts,
        refusals={e.name: f for e, f in named if isinstance(f, Refusal)},
        events=events_as_written(files, durations),
        lengths=lengths_table(stated, durations),
        unlabelled={name: why for name, why in labels.items() if isinstance(why, Refusal)},
        cohort=_cohort_table(cohort, labels, durations),
        expected=[e.name for e in cohort.entries],
        limits=limits,
        modality=modality,
    )
    return checked, facts


def measure(
    entry: Entry, modality: str = "eeg", estimate: Estimate | None = None, montage: str = "neonatal_18"
) -> "pd.DataFrame | Refusal":
    """The facts of one recording, or why it could not be read."""
    try:
        return _facts(open_entry(entry, estimate, modality), entry, montage)
    except Refusal as refusal:
        return refusal


def _facts(opened: Recording | Film | PoseTrack, entry: Entry, montage: str) -> pd.DataFrame:
    if isinstance(opened, Film):
        return view_facts(opened)
    if isinstance(opened, PoseTrack):
        return pose_facts(opened)
    return channel_facts(opened, entry.line_hz or 50.0, montage)


def _labels(cohort: Cohort, entry: Entry) -> Annotations | Refusal | None:
    """What was marked in a recording, or why that cannot be used; None where nobody marked it and nobody needs it to be."""
    if entry.events_path is None and entry.period not in LABELLED:
        return None
    try:
        return cohort.annotations(entry)
    except Refusal as refusal:
        return refusal


def _cohort_table(
    cohort: Cohort, labels: Mapping[str, Annotations | Refusal | None], durations_s: Mapping[str, float]
) -> pd.DataFrame:
    return pd.DataFrame([_cohort_row(e, labels[e.name], durations_s.get(e.name, 0.0)) for e in cohort.entries])


def _cohort_row(entry: Entry, marked: Annotations | Refusal | None, recorded_s: float) -> dict[str, Any]:
    return {
        "recording": entry.name,
        "patient": entry.patient,
        "person": entry.person,
        "site": entry.site,
        "age_days": entry.age_days,
        "sex": entry.sex.upper(),
        "hours": recorded_s / 3600,
        "seizures": len(marked.events) if isinstance(marked, Annotations) else 0,
        "digest": digest_of([sha256_file(v) for v in entry.views]) if len(entry.views) > 1 else sha256_file(entry.path),
    }


def _page(cohort: Cohort, checked: CheckRun) -> str:
    sites = {e.name: e.site for e in cohort.entries}
    simulated = (cohort.root / "sourcedata" / "draws.json").exists()
    return checks_page(checked, sites, simulated=simulated, provenance=_sources(cohort.root))


def _sources(root: Path) -> dict[str, str]:
    return {"participants.tsv": sha256_file(root / "participants.tsv")} if (root / "participants.tsv").exists() else {}
