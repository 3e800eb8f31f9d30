"""The simulated cohort: newborns of three demo hospitals, written to disk as any BIDS-EEG cohort is.

No person was recorded. Some recordings are broken on purpose, as some are in every real delivery, and in the later
period one hospital has a new amplifier that nobody wrote down.
"""

import json
import multiprocessing
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path

from data.cohorts.bids import Cohort, read_cohort
from data.cohorts.derivatives import SIMULATED
from data.readers.bids import write_events
from data.readers.edf import write_edf
from data.simulator.cohort import Plan, SimulationSettings, plan_cohort
from data.simulator.experts import READERS, marks_of
from data.simulator.patient import PatientParams, annotations_of, render

__all__ = ["SimulationSettings", "simulate_cohort"]

Progress = Callable[[int, int], None]
"""progress(recordings done, recordings in all)"""


def simulate_cohort(
    root: Path, settings: SimulationSettings, progress: Progress | None = None, *, workers: int = 2
) -> Cohort:
    """Draw and write a whole cohort below `root`, which must not exist; equal settings give equal bytes.

    `workers` changes the speed only. What was drawn lies in sourcedata/draws.json, what was broken in
    sourcedata/broken.json. A cohort that could not be finished is not left behind.
    """
    if root.exists():
        raise FileExistsError("the folder of the simulated cohort exists already: remove it or name another")
    part = root.with_name(f".{root.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    plans = plan_cohort(settings)
    try:
        for plan in plans:
            (part / plan.params.name / "eeg").mkdir(parents=True)
        for done, _ in enumerate(_mapped(partial(_write_recording, part), plans, workers), 1):
            if progress:
                progress(done, len(plans))
        _write_experts(part, plans)
        _write_about(part, settings, plans)
        part.rename(root)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return read_cohort(root)


def _mapped(write: Callable[[Plan], None], plans: tuple[Plan, ...], workers: int) -> Iterator[None]:
    if workers <= 1:
        yield from map(write, plans)
        return
    # spawned, not forked: a fork of a process that runs threads can hang
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(plans)), mp_context=context) as pool:
        yield from pool.map(write, plans)


def _write_recording(root: Path, plan: Plan) -> None:
    recording = render(plan.params)
    base = root / plan.params.name / "eeg" / plan.stem
    signal = recording.segments[0].signal * {"gain_1000": 1000.0, "flat": 0.0}.get(plan.breakage, 1.0)
    edf = base.with_name(f"{base.name}_eeg.edf")
    write_edf(edf, signal, recording.channels, recording.rate_hz)
    if plan.breakage == "truncated":
        with edf.open("r+b") as file:
            file.truncate(edf.stat().st_size // 2 + 1)
    base.with_name(f"{base.name}_eeg.json").write_text(_as_json(_sidecar(plan.params)))
    write_events(base.with_name(f"{base.name}_events.tsv"), annotations_of(plan.params))


def _write_experts(root: Path, plans: tuple[Plan, ...]) -> None:
    """What simulated readers marked, as the experts' derivatives of any cohort."""
    for reader in (habits.reader for habits in READERS):
        folder = root / "derivatives" / reader
        folder.mkdir(parents=True)
        (folder / "dataset_description.json").write_text(_as_json(_reader_description(reader)))
    for plan in plans:
        truth = annotations_of(plan.params)
        for reading in plan.readings:
            eeg = root / "derivatives" / reading.reader / plan.params.name / "eeg"
            eeg.mkdir(parents=True)
            write_events(eeg / f"{plan.stem}_events.tsv", marks_of(reading, truth))


def _reader_description(reader: str) -> dict[str, object]:
    how = "data.simulator.experts; no person read these recordings; what was drawn: sourcedata/draws.json"
    return {
        "Name": f"Marks of the simulated reader {reader} (no person)",
        "BIDSVersion": DESCRIPTION["BIDSVersion"],
        "DatasetType": "derivative",
        "License": DESCRIPTION["License"],
        "GeneratedBy": [{"Name": SIMULATED, "Description": how}],
    }


def _sidecar(params: PatientParams) -> dict[str, object]:
    return {
        "TaskName": "eeg",
        "SamplingFrequency": params.site.rate_hz,
        "PowerLineFrequency": params.site.line_hz,
        "EEGReference": params.site.reference,
        "EEGChannelCount": len(params.site.channels),
        "RecordingDuration": params.duration_s,
        "RecordingType": "continuous",
        "SoftwareFilters": "n/a",
    }


def _write_about(root: Path, settings: SimulationSettings, plans: tuple[Plan, ...]) -> None:
    (root / "participants.tsv").write_text("\n".join(_participants(plans)) + "\n")
    (root / "README").write_text(README)
    (root / "dataset_description.json").write_text(_as_json(DESCRIPTION))
    (root / "sourcedata").mkdir()
    draws = {
        "settings": asdict(settings),
        "patients": [asdict(p.params) for p in plans],
        "readings": {p.stem: [asdict(r) for r in p.readings] for p in plans if p.readings},
    }
    (root / "sourcedata" / "draws.json").write_text(json.dumps(draws, sort_keys=True) + "\n")
    broken = {p.stem: p.breakage for p in plans if p.breakage}
    (root / "sourcedata" / "broken.json").write_text(_as_json(broken))


def _participants(plans: tuple[Plan, ...]) -> Iterator[str]:
    """Ages in years, as BIDS wants them, with enough decimals for days."""
    yield "participant_id\tage\tsex\tsite\tperson\tperiod"
    for params in (p.params for p in plans):
        person = params.person
        years = f"{person.age_days / 365.25:.8f}"
        yield "\t".join((params.name, years, person.sex, params.site.name, person.key, params.period))


def _as_json(value: object) -> str:
    return json.dumps(value, indent=1, sort_keys=True) + "\n"


DESCRIPTION = {
    "Name": "Simulated EEG of newborns (no person was recorded)",
    "BIDSVersion": "1.9.0",
    "DatasetType": "raw",
    "License": "CC0",
    "GeneratedBy": [{"Name": "Ictal", "Description": "data.simulator; every drawn number: sourcedata/draws.json"}],
}

README = """\
Simulated EEG of newborns at three demo hospitals. No person was recorded.

Figures made from this cohort speak about the simulator, not about newborns. What was drawn for each recording lies in
sourcedata/draws.json; a recording follows from it to the byte. Some recordings are broken on purpose
(sourcedata/broken.json), to be found by the checks. Events are the simulator's own, hence exact; derivatives/ holds what
three simulated readers, who are no people either, would have marked.
"""
