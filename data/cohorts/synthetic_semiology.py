"""The simulated seizures on film, from two views, with the EEG of the same minutes, written as a BIDS folder.

No person was filmed. The focal beginnings of both types are alike; rooms and bodies tell who is filmed. Phone videos are a
site apart on which nothing is ever trained, and other persons who only walk, wave, pat and turn are there to learn from.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from data.cohorts.bids import Cohort
from data.cohorts.writing import (
    BIDS_VERSION,
    LICENSE,
    Progress,
    write_about,
    write_cohort,
    write_draws,
    write_film,
    write_recording,
)
from data.simulator.adults import render
from data.simulator.scene import Camera, film, frame_times
from data.simulator.semiology import Filmed, SemiologySettings, annotations_of, plan_semiology, scene_of

__all__ = ["SemiologySettings", "simulate_semiology"]


def simulate_semiology(
    root: Path, settings: SemiologySettings, progress: Progress | None = None, *, workers: int = 2
) -> Cohort:
    """Draw and write the cohort below `root`, which must not exist; equal settings give equal bytes.

    `workers` changes the speed only. What was drawn lies in sourcedata/draws.json, what was broken in
    sourcedata/broken.json. A cohort that could not be finished is not left behind.
    """
    films = plan_semiology(settings)
    finish = partial(_finish, settings=settings, films=films)
    return write_cohort(root, films, _write_recording, finish, progress, workers, "video")


def _write_recording(root: Path, params: Filmed) -> None:
    views = {camera.name: _view(params, camera) for camera in params.cameras}
    named = views if len(views) > 1 else {"": next(iter(views.values()))}
    paths = write_film(root / params.name, params.stem, named, annotations_of(params))
    for path in paths if params.breakage == "truncated" else ():
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    if params.eeg:
        recording = render(params.eeg)
        drawn, signal = replace(params.eeg, name=params.name), recording.segments[0].signal
        write_recording(root, drawn, recording, signal, annotations_of(params), params.stem)


def _view(params: Filmed, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Frames and times of one camera, as broken as they are meant to be."""
    time_s = frame_times(camera, params.duration_s)
    frames = film(scene_of(params), camera, time_s)
    if params.breakage == "black":
        frames[:] = 0
    if params.breakage == "frozen":
        frames[:] = frames[0]
    return frames, time_s


def _finish(root: Path, settings: SemiologySettings, films: tuple[Filmed, ...]) -> None:
    first = {f.name: f for f in reversed(films)}
    write_about(root, [first[name] for name in sorted(first)], README, DESCRIPTION)
    write_draws(root, settings, "films", films)


DESCRIPTION: dict[str, object] = {
    "Name": "Simulated focal and focal-to-bilateral tonic-clonic seizures on film, with EEG (no person was filmed)",
    "BIDSVersion": BIDS_VERSION,
    "DatasetType": "raw",
    "License": LICENSE,
    "GeneratedBy": [{"Name": "Ictal", "Description": "data.simulator.semiology; every number: sourcedata/draws.json"}],
}

README = """\
Simulated seizures on film at two demo hospitals (two views each), and on phone videos (period external: never trained on).
No person was filmed.

Figures made from this cohort speak about the simulator, not about patients. A seizure stays focal (FOS: sz_foc_…) or
becomes bilateral tonic-clonic (FBTCS: sz_foc_f2b_…) after 56 ± 18 % of its film; how it begins is drawn alike for both.
Films are cut short: 14–20 s. Half of the patients have seizures of one type only, so that whoever recognises the patient
knows the type. Where a recording has an EEG, it is of the same seconds and has the same events.

Period pretraining: other persons, who walk, wave, pat or turn over (the BIDS entity task says which).

What was drawn for each film lies in sourcedata/draws.json, when a seizure becomes bilateral included; a film follows from it
to the byte. Some films are broken on purpose (sourcedata/broken.json), to be found by the checks.
"""
