"""SeizeIT2: wearable EEG behind the ears of 125 people with focal epilepsy, published as BIDS on OpenNeuro (ds005873).

Recordings, sidecars and events keep their names and their bytes; only the EEG is taken, not ECG, EMG or movement.
"""

import csv
import io
from pathlib import Path

from data.cohorts.corrections import Corrections
from data.cohorts.published import Conversion, Listing, Patient, Published, PublishedRecording, text_of
from data.outcomes import Refusal
from data.readers.bids import EventTable, positive, read_event_table, read_json

PUBLISHED = Published(
    name="seizeit2",
    title="SeizeIT2",
    accession="OpenNeuro ds005873 1.1.0, doi:10.18112/openneuro.ds005873.v1.1.0",
    address="https://s3.amazonaws.com/openneuro.org/ds005873/",
    licence="CC0",
    licence_address="https://creativecommons.org/publicdomain/zero/1.0/",
    citation="Bhagubai M. et al. SeizeIT2: Wearable Dataset of Patients with Focal Epilepsy. Scientific Data 12:1228, "
    "2025; https://github.com/biomedepi/seizeit2",
    size="not known here, 2,850 recordings of two channels",
    listing=Listing("s3", "../?list-type=2&prefix=ds005873/"),
    needed=r"(dataset_description\.json|participants\.(tsv|json)|events\.json|README|CHANGES)|"
    r"(?P<patient>sub-\d+)/ses-\d+/eeg/(?P=patient)_ses-\d+_task-szMonitoring_run-\d+_(eeg\.edf|eeg\.json|events\.tsv)",
    unverified="the address could not be tried from here, and OpenNeuro publishes no SHA-256: files are held to the MD5 that "
    "the store gives for those uploaded in one piece, and to what was seen the first time",
)


def convert(source: Path, corrections: Corrections) -> Conversion:
    """Every EEG recording below `source`; one whose events file is missing or cannot be read is left out."""
    recordings, notes, refused = [], [], []
    for file in sorted(source.glob("sub-*/ses-*/eeg/*_eeg.edf")):
        stem = file.name.removesuffix("_eeg.edf")
        events, sidecar = (file.with_name(stem + suffix) for suffix in ("_events.tsv", "_eeg.json"))
        try:
            table = _events(events, sidecar)
        except Refusal as refusal:
            refused.append(f"{stem}: {refusal.reason}")
            continue
        notes += [f"{stem}: {defect}" for defect in table.defects]
        beside = {"_events.tsv": events} | ({"_eeg.json": sidecar} if sidecar.is_file() else {})
        recordings.append(PublishedRecording(stem, file, table.annotations, beside=beside))
    people = _people(source / "participants.tsv")
    labels = sorted({r.stem.split("_")[0].removeprefix("sub-") for r in recordings})
    patients = tuple(people.get(label, Patient(label)) for label in labels)
    about = [f for name in ("README", "CHANGES", "dataset_description.json") if (f := source / name).is_file()]
    return Conversion(patients, tuple(recordings), tuple(about), tuple(notes), tuple(refused))


def _events(events: Path, sidecar: Path) -> EventTable:
    if not events.is_file():
        raise Refusal("unsupported_format", "it has no events file: fetch it as well")
    stated = read_json(sidecar) if sidecar.is_file() else {}
    return read_event_table(events, positive(stated.get("RecordingDuration")))


def _people(path: Path) -> dict[str, Patient]:
    """Sex by label; the ages are not published."""
    if not path.is_file():
        return {}
    rows = csv.DictReader(io.StringIO(text_of(path)), delimiter="\t")
    if "participant_id" not in (rows.fieldnames or ()):
        raise Refusal("unsupported_format", "participants.tsv has no column participant_id: fetch it again")
    labels = ((r["participant_id"].removeprefix("sub-"), r.get("sex") or "n/a") for r in rows)
    return {label: Patient(label, sex=sex) for label, sex in labels}
