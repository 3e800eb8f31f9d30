"""The simulated infants: pose tracks with epileptic spasms and what looks like them, written as a BIDS folder of poses.

No person was filmed. Where the infants lie in bed, two hospitals filmed them; phone videos of families are a site apart
on which nothing is ever trained. Some tracks are broken on purpose.
"""

from functools import partial
from pathlib import Path

from data.cohorts.bids import Cohort
from data.cohorts.writing import BIDS_VERSION, LICENSE, Progress, write_about, write_cohort, write_draws, write_film
from data.readers.bids import write_events
from data.readers.pose import write_parquet
from data.simulator.infants import (
    InfantParams,
    InfantSettings,
    annotations_of,
    plan_infants,
    scene_of,
    track_of,
)
from data.simulator.scene import film, frame_times, scaled_to

__all__ = ["InfantSettings", "simulate_infants"]


def simulate_infants(
    root: Path, settings: InfantSettings, progress: Progress | None = None, *, workers: int = 2
) -> Cohort:
    """Draw and write the cohort below `root`, which must not exist; equal settings give equal bytes.

    `workers` changes the speed only. What was drawn lies in sourcedata/draws.json, what was broken in
    sourcedata/broken.json. A cohort that could not be finished is not left behind.
    """
    patients = plan_infants(settings)
    write = partial(_write_recording, film_px=settings.film_px)
    finish = partial(_finish, settings=settings, patients=patients)
    return write_cohort(root, patients, write, finish, progress, workers, "pose")


def _write_recording(root: Path, params: InfantParams, film_px: int) -> None:
    if params.filmed != "only":
        folder = root / params.name / "pose"
        folder.mkdir(parents=True)
        write_parquet(track_of(params), folder / f"{params.stem}_pose.parquet")
        write_events(folder / f"{params.stem}_events.tsv", annotations_of(params))
    if params.filmed:
        camera = scaled_to(params.camera, film_px)
        time_s = frame_times(camera, params.duration_s)
        views = {"": (film(scene_of(params), camera, time_s), time_s)}
        write_film(root / params.name, params.stem, views, annotations_of(params))


def _finish(root: Path, settings: InfantSettings, patients: tuple[InfantParams, ...]) -> None:
    write_about(root, patients, README, DESCRIPTION)
    write_draws(root, settings, "patients", patients)


DESCRIPTION: dict[str, object] = {
    "Name": "Simulated infants with and without epileptic spasms: pose tracks (no person was filmed)",
    "BIDSVersion": BIDS_VERSION,
    "DatasetType": "raw",
    "License": LICENSE,
    "GeneratedBy": [{"Name": "Ictal", "Description": "data.simulator.infants; every number: sourcedata/draws.json"}],
}

README = """\
Simulated infants of 2–18 months in bed at two demo hospitals, and on phone videos (period external: never trained on).
No person was filmed.

Figures made from this cohort speak about the simulator, not about infants. Pose tracks are what an estimator would give:
joints in pixels with jitter, sides exchanged, joints missing under a blanket, frames without anybody. Events are the
spasms (sz_uo_m_spasms), each of them, exact. Startles, twitches, kicks and patting occur in all infants alike, whether they
have spasms or not. Of some infants there is a small film as well, of one on a phone video the film alone.

What was drawn for each recording lies in sourcedata/draws.json; a recording follows from it to the byte. Some tracks are
broken on purpose (sourcedata/broken.json), to be found by the checks.
"""
