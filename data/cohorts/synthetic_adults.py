"""The simulated adults: seven types of seizure at three demo hospitals, written to disk as any BIDS-EEG cohort is.

No person was recorded. FNSZ, CPSZ and SPSZ look alike by construction: whoever tells them apart has found a leak.
"""

from functools import partial
from pathlib import Path

from data.cohorts.bids import Cohort
from data.cohorts.writing import (
    BIDS_VERSION,
    LICENSE,
    Progress,
    write_about,
    write_cohort,
    write_draws,
    write_recording,
)
from data.simulator.adults import AdultParams, AdultSettings, annotations_of, plan_adults, render

__all__ = ["AdultSettings", "simulate_adults"]


def simulate_adults(
    root: Path, settings: AdultSettings, progress: Progress | None = None, *, workers: int = 2
) -> Cohort:
    """Draw and write the cohort below `root`, which must not exist; equal settings give equal bytes.

    `workers` changes the speed only. What was drawn lies in sourcedata/draws.json. A cohort that could not be finished
    is not left behind.
    """
    patients = plan_adults(settings)
    finish = partial(_finish, settings=settings, patients=patients)
    return write_cohort(root, patients, _write_recording, finish, progress, workers)


def _write_recording(root: Path, params: AdultParams) -> None:
    recording = render(params)
    write_recording(root, params, recording, recording.segments[0].signal, annotations_of(params))


def _finish(root: Path, settings: AdultSettings, patients: tuple[AdultParams, ...]) -> None:
    write_about(root, patients, README, DESCRIPTION)
    write_draws(root, settings, "patients", patients)


DESCRIPTION: dict[str, object] = {
    "Name": "Simulated EEG of adults and children from 4 years with seven types of seizure (no person was recorded)",
    "BIDSVersion": BIDS_VERSION,
    "DatasetType": "raw",
    "License": LICENSE,
    "GeneratedBy": [
        {"Name": "Ictal", "Description": "data.simulator.adults; every drawn number: sourcedata/draws.json"}
    ],
}

README = """\
Simulated EEG of adults and children from 4 years at three demo hospitals. No person was recorded.

Figures made from this cohort speak about the simulator, not about patients. Seizures have one of seven types, named as in
the TUH corpus: FNSZ (sz_foc), CPSZ (sz_foc_ia), SPSZ (sz_foc_a), GNSZ (sz_gen), ABSZ (sz_gen_nm_typical), TNSZ
(sz_gen_m_tonic), TCSZ (sz_gen_m_tonicClonic). FNSZ, CPSZ and SPSZ cannot be told apart: they are drawn from one pattern,
and only their labels differ. TNSZ and SPSZ occur in few patients, as they do at TUH. Neither age nor hospital tells the
type, which is not so in life: absences, for one, are seizures of children.

What was drawn for each recording lies in sourcedata/draws.json; a recording follows from it to the byte. Events are the
simulator's own, hence exact; slowing and suppression after a seizure are not part of it.
"""
