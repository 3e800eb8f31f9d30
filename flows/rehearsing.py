"""The part of `rehearse` that runs in worker processes, which need no Prefect."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from data.cohorts.bids import Entry
from data.events import Annotations
from data.film import Film
from data.film_quality import view_facts
from data.outcomes import Refusal
from data.quality import channel_facts, check_amplitude
from data.readers.bids import read_events
from data.readers.edf import read_edf
from data.readers.opening import open_entry
from data.recording import Recording
from flows.stages.check import limits_of
from monitoring.faults import CLOCK_SHIFT, CLOCK_SHIFT_S, EEG_FAULTS, CannotBeShown
from monitoring.features import Observed, patient_features
from monitoring.film_faults import recorded
from monitoring.rehearsal import Sent, World, rehearse
from validation.checks.annotations import events_as_written, lengths_table
from validation.checks.verdicts import Verdict, inspect


class Seen(NamedTuple):
    """One recording with one fault, as the checks and the watch see it: `facts`, and the `row` of its features; or the
    `refusal` of a reader or front end; or why the fault is `not_shown`."""

    fault: str
    entry: Entry
    facts: pd.DataFrame | None = None
    row: pd.DataFrame | None = None
    refusal: Refusal | None = None
    not_shown: str = ""


def eeg_with_faults(work: tuple[Entry, Sequence[str], int]) -> list[Seen]:
    """A recording with each of some faults (`none` and others that change no signal: as it is), read once."""
    entry, faults, seed = work
    recording = read_edf(entry.path, age_days=entry.age_days, name=entry.name)
    return [_eeg(entry, recording, fault, np.random.default_rng([seed, n])) for n, fault in enumerate(faults)]


def film_with_faults(work: tuple[Entry, Sequence[str]]) -> list[Seen]:
    """A film with each of some faults, coded anew for each in a folder that goes again."""
    entry, faults = work
    film = open_entry(entry)
    assert isinstance(film, Film)
    with tempfile.TemporaryDirectory() as folder:
        return [_film(entry, film, fault, Path(folder)) for fault in faults]


Verdicts = dict[tuple[str, str], Verdict]
"""By fault and recording."""


def checked(work: tuple[Sequence[Seen], float, str]) -> Verdicts:
    """What the checks of a modality make of recordings with faults, all in one run; at least so many seconds are needed."""
    seen, min_recorded_s, modality = work
    named = {f"{one.fault}/{one.entry.name}": one for one in seen if not one.not_shown}
    facts = {key: one.facts for key, one in named.items() if one.facts is not None}
    table = pd.concat([own.assign(recording=key) for key, own in facts.items()], ignore_index=True)
    durations = {key: float(own["duration_s"].iloc[0]) for key, own in facts.items()}
    files = {key: path for key in facts if (path := named[key].entry.events_path) is not None}
    events = events_as_written(files, durations)
    labels = {key: _labels(path, durations[key]) for key, path in files.items()}
    stated = {key: marked.duration_s for key, marked in labels.items() if isinstance(marked, Annotations)}
    late_s = events["recording"].str.startswith(f"{CLOCK_SHIFT}/") * CLOCK_SHIFT_S
    run = inspect(
        table,
        refusals={key: one.refusal for key, one in named.items() if one.refusal is not None},
        events=events.assign(onset_s=events["onset_s"] + late_s, end_s=events["end_s"] + late_s),
        lengths=lengths_table(stated, durations),
        unlabelled={key: why for key, why in labels.items() if isinstance(why, Refusal)},
        expected=named,
        limits=limits_of(modality, min_recorded_s),
        modality=modality,
    )
    return {(named[v.recording].fault, named[v.recording].entry.name): v for v in run.verdicts}


def _labels(path: Path, recorded_s: float) -> Annotations | Refusal:
    """What was marked, in a recording as long as the file states, or else as was recorded; or why that cannot be read."""
    try:
        return read_events(path, recorded_s)
    except Refusal as refusal:
        return refusal


def judged(work: tuple[Sent, World, int, int, Sequence[int]]) -> dict[str, Any]:
    """One fault's power and times."""
    sent, world, patients, draws, seed = work
    return rehearse(sent, world, patients, draws, np.random.default_rng(list(seed)))


def _eeg(entry: Entry, recording: Recording, fault: str, rng: np.random.Generator) -> Seen:
    line_hz = entry.line_hz or 50.0
    try:
        changed = EEG_FAULTS[fault](recording, line_hz, rng) if fault in EEG_FAULTS else recording
        check_amplitude(changed)  # what reading ends with
        facts = channel_facts(changed, line_hz)
        observed = Observed(changed, entry.patient, entry.site, entry.period, line_hz=line_hz, facts=facts)
        return Seen(fault, entry, facts, patient_features([observed]))
    except CannotBeShown as reason:
        return Seen(fault, entry, not_shown=str(reason))
    except Refusal as refusal:
        return Seen(fault, entry, refusal=refusal)


def _film(entry: Entry, film: Film, fault: str, folder: Path) -> Seen:
    try:
        return Seen(fault, entry, view_facts(recorded(film, fault, folder)))
    except CannotBeShown as reason:
        return Seen(fault, entry, not_shown=str(reason))
    except Refusal as refusal:
        return Seen(fault, entry, refusal=refusal)
