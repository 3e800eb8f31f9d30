"""The simulated films before seizures and between them, with rats and other people to learn from first, as a BIDS folder.

No person or animal was filmed. What comes before a seizure differs from other films by a sign of a strength that is set;
at strength 0 it does not differ, which is the null control of every forecaster.
"""

from functools import partial
from pathlib import Path

from data.cohorts.bids import Cohort
from data.cohorts.writing import BIDS_VERSION, LICENSE, Progress, write_about, write_cohort, write_draws, write_film
from data.simulator.forecasting import Caged, ForecastSettings, Watched, plan_forecasting
from data.simulator.scene import frame_times

__all__ = ["ForecastSettings", "simulate_forecasting"]


def simulate_forecasting(
    root: Path, settings: ForecastSettings, progress: Progress | None = None, *, workers: int = 2
) -> Cohort:
    """Draw and write the cohort below `root`, which must not exist; equal settings give equal bytes.

    `workers` changes the speed only. What was drawn lies in sourcedata/draws.json, what was broken in
    sourcedata/broken.json. A cohort that could not be finished is not left behind.
    """
    films = plan_forecasting(settings)
    finish = partial(_finish, settings=settings, films=films)
    return write_cohort(root, films, _write_recording, finish, progress, workers, "video")


def _write_recording(root: Path, params: Watched | Caged) -> None:
    time_s = frame_times(params.camera, params.duration_s)
    frames = params.frames(time_s)
    if params.breakage:
        frames[:] = 0 if params.breakage == "black" else frames[0]
    write_film(root / params.name, params.stem, {"": (frames, time_s)}, params.truth)


def _finish(root: Path, settings: ForecastSettings, films: tuple[Watched | Caged, ...]) -> None:
    first = {f.name: f for f in reversed(films)}
    write_about(root, [first[name] for name in sorted(first)], README, DESCRIPTION)
    write_draws(root, settings, "films", films)


DESCRIPTION: dict[str, object] = {
    "Name": "Simulated films before seizures and between them, and of rats (no person or animal was filmed)",
    "BIDSVersion": BIDS_VERSION,
    "DatasetType": "raw",
    "License": LICENSE,
    "GeneratedBy": [
        {"Name": "Ictal", "Description": "data.simulator.forecasting; every number: sourcedata/draws.json"}
    ],
}

README = """\
Simulated films of people in bed at two demo hospitals, some of whom have a seizure towards the end of the film. No person
and no animal was filmed.

Figures made from this cohort speak about the simulator, not about patients: that there is a sign before a seizure at all is
an assumption. In the last 8 s before a seizure a share of the irregular movements gives way to rhythmic fidgeting of the
same joints at the same mean square speed; the share is `cue` in sourcedata/draws.json, and with 0 nothing changes.
Gestures and passers-by are drawn without a look at whether a seizure comes.

Period pretraining: rats, seizing (task rodentseizure) or not (rodentnormal), and other people without seizures (human).

What was drawn for each film lies in sourcedata/draws.json; a film follows from it to the byte. Some films are broken on
purpose (sourcedata/broken.json), to be found by the checks.
"""
