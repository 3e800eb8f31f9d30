"""The part of `watch` that runs in worker processes, which need no Prefect."""

import pandas as pd

from data.cohorts.bids import Entry
from data.readers.edf import read_edf
from monitoring.features import Observed, patient_features


def features_of_recording(work: tuple[Entry, pd.DataFrame]) -> pd.DataFrame:
    """One row of features of a recording, with the channel facts that the checks measured."""
    entry, facts = work
    recording = read_edf(entry.path, age_days=entry.age_days, name=entry.name)
    line_hz = entry.line_hz or 50.0
    return patient_features(
        [Observed(recording, entry.patient, entry.site, entry.period, line_hz=line_hz, facts=facts)]
    )
