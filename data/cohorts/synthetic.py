"""The simulated cohort: newborns of three demo hospitals, written to disk as any BIDS-EEG cohort is.

No person was recorded. Some recordings are broken on purpose, as some are in every real delivery, and in the later
period one hospital has a new amplifier that nobody wrote down.
"""

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path

from data.cohorts.bids import Cohort
from data.cohorts.derivatives import SIMULATED
from data.cohorts.writing import BIDS_VERSION, LICENSE, Progress, as_json, write_about, write_cohort, write_recording
from data.readers.bids import write_events
from data.simulator.cohort import Plan, SimulationSettings, plan_cohort
from data.simulator.experts import READERS, marks_of
from data.simulator.patient import annotations_of, render

__all__ = ["SimulationSettings", "simulate_cohort"]


def simulate_cohort(
    root: Path, settings: SimulationSettings, progress: Progress | None = None, *, workers: int = 2
) -> Cohort:
    """Draw and write a whole cohort below `root`, which must not exist; equal settings give equal bytes.

    `workers` changes the speed only. What was drawn lies in sourcedata/draws.json, what was broken in
    sourcedata/broken.json. A cohort that could not be finished is not left behind.
    """
    plans = plan_cohort(settings)
    finish = partial(_finish, settings=settings, plans=plans)
    return write_cohort(root, plans, _write_recording, finish, progress, workers)


def _write_recording(root: Path, plan: Plan) -> None:
    recording = render(plan.params)
    signal = recording.segments[0].signal * {"gain_1000": 1000.0, "flat": 0.0}.get(plan.breakage, 1.0)
    edf = write_recording(root, plan.params, recording, signal, annotations_of(plan.params))
    if plan.breakage == "truncated":
        with edf.open("r+b") as file:
            file.truncate(edf.stat().st_size // 2 + 1)


def _finish(root: Path, settings: SimulationSettings, plans: tuple[Plan, ...]) -> None:
    _write_experts(root, plans)
    write_about(root, [p.params for p in plans], README, DESCRIPTION)
    draws = {
        "settings": asdict(settings),
        "patients": [asdict(p.params) for p in plans],
        "readings": {p.stem: [asdict(r) for r in p.readings] for p in plans if p.readings},
    }
    (root / "sourcedata" / "draws.json").write_text(json.dumps(draws, sort_keys=True) + "\n")
    broken = {p.stem: p.breakage for p in plans if p.breakage}
    (root / "sourcedata" / "broken.json").write_text(as_json(broken))


def _write_experts(root: Path, plans: tuple[Plan, ...]) -> None:
    """What simulated readers marked, as the experts' derivatives of any cohort."""
    for reader in (habits.reader for habits in READERS):
        folder = root / "derivatives" / reader
        folder.mkdir(parents=True)
        (folder / "dataset_description.json").write_text(as_json(_reader_description(reader)))
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
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "License": LICENSE,
        "GeneratedBy": [{"Name": SIMULATED, "Description": how}],
    }


DESCRIPTION: dict[str, object] = {
    "Name": "Simulated EEG of newborns (no person was recorded)",
    "BIDSVersion": BIDS_VERSION,
    "DatasetType": "raw",
    "License": LICENSE,
    "GeneratedBy": [{"Name": "Ictal", "Description": "data.simulator; every drawn number: sourcedata/draws.json"}],
}

README = """\
Simulated EEG of newborns at three demo hospitals. No person was recorded.

Figures made from this cohort speak about the simulator, not about newborns. What was drawn for each recording lies in
sourcedata/draws.json; a recording follows from it to the byte. Some recordings are broken on purpose
(sourcedata/broken.json), to be found by the checks. Events are the simulator's own, hence exact; derivatives/ holds what
three simulated readers, who are no people either, would have marked.
"""
