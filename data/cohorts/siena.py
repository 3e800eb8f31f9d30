"""The Siena Scalp EEG Database: 14 adults with focal epilepsy, as published on PhysioNet (Detti 2020).

Seizures are published as times of day in texts that people typed, `PNxx/Seizures-list-PNxx.txt`. Seconds are counted from
the time of day at which the EDF begins, which the recorder wrote. What cannot be true is refused by name and number,
never put right here: PN00's third seizure would end half an hour after its recording does.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from data.cohorts.clock import clock_s
from data.cohorts.corrections import Corrections
from data.cohorts.headers import EdfFacts, edf_facts
from data.cohorts.published import Conversion, Listing, Patient, Published, PublishedRecording, text_of
from data.cohorts.siena_lists import CLOCKS_APART_S, RECORDING, Begun, Listed, clocks_apart_s, read_list, span_of
from data.events import Annotations, Event
from data.outcomes import Refusal

PUBLISHED = Published(
    name="siena",
    title="Siena Scalp EEG Database",
    accession="PhysioNet siena-scalp-eeg 1.0.0, doi:10.13026/5d4a-j060",
    address="https://physionet.org/files/siena-scalp-eeg/1.0.0/",
    licence="Creative Commons Attribution 4.0 International (CC BY 4.0)",
    licence_address="https://creativecommons.org/licenses/by/4.0/",
    citation="Detti P., Vatti G., Zabalo Manrique de Lara G. EEG Synchronization Analysis for Seizure Prediction: A Study on "
    "Data of Noninvasive Recordings. Processes 8(7):846, 2020",
    size="about 20 GB, 41 recordings",
    listing=Listing("sha256sums", "SHA256SUMS.txt"),
    needed=r"subject_info\.csv|(?P<patient>PN\d\d)/(Seizures-list-(?P=patient)\.txt|(?P=patient)-[\d.]+\.edf)",
    unverified="neither the address nor the list of checksums could be tried from here; the files are held to whatever list "
    "the server gives, and to what was seen the first time",
)

TYPES = {"IAS": "sz_foc_ia", "WIAS": "sz_foc_a", "FBTC": "sz_foc_f2b"}
"""subject_info.csv: focal with impaired awareness, focal without, focal to bilateral tonic-clonic."""


def convert(source: Path, corrections: Corrections) -> Conversion:
    """Every recording below `source` (`PNxx/*.edf`) with its seizures; one of which any is refused is left out."""
    people, types = _subjects(source / "subject_info.csv")
    placed = [
        _placed(folder, types.get(folder.name, "sz"), corrections)
        for folder in sorted({f.parent for f in source.glob("PN*/PN*.edf")})
    ]
    patients = tuple(people.get(p.patient, Patient(p.patient)) for p in placed)
    kept = [source / "subject_info.csv", *(source / p.patient / _list_name(p.patient) for p in placed)]
    return Conversion(
        patients,
        tuple(recording for p in placed for recording in p.recordings()),
        tuple(f for f in kept if f.is_file()),
        tuple(note for p in placed for note in p.notes),
        tuple(said for p in placed for said in p.refused),
    )


def stem_of(name: str) -> str:
    """Our name for `PN10-4.5.6.edf`: sub-PN10_task-eeg_run-04, by the first of its seizures.

    Refuses (`unsupported_format`) a name that is not as published.
    """
    match = re.fullmatch(r"(PN\d\d)-(\d+)(\.\d+)*\.edf", name)
    if not match:
        raise Refusal("unsupported_format", "a recording of Siena is not named as published: keep the published names")
    return f"sub-{match[1]}_task-eeg_run-{int(match[2]):02d}"


@dataclass
class _Placed:
    """One patient's recordings with the seizures that could be placed in them, and those that could not."""

    patient: str
    files: dict[str, Path]
    facts: dict[str, EdfFacts]
    events: dict[str, list[Event]]
    left_out: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def refuse(self, said: str, files: Iterable[str]) -> None:
        self.refused.append(said)
        self.left_out |= set(files)

    def recordings(self) -> Iterator[PublishedRecording]:
        for name in sorted(set(self.facts) - self.left_out):
            facts = self.facts[name]
            marks = Annotations(tuple(self.events[name]), facts.duration_s)
            yield PublishedRecording(stem_of(name), self.files[name], marks, sidecar=facts.sidecar(50.0, "n/a"))


def _placed(folder: Path, kind: str, corrections: Corrections) -> _Placed:
    files = {f.name: f for f in sorted(folder.glob("PN*.edf"))}
    placed = _Placed(folder.name, files, {}, {name: [] for name in files})
    for name, file in files.items():
        try:
            placed.facts[name] = edf_facts(file)
        except Refusal as refusal:
            placed.refuse(f"{name}: {refusal.reason}", [name])
    text = folder / _list_name(folder.name)
    if not text.is_file():
        placed.refuse(f"{folder.name}: it has no list of seizures: fetch {text.name} as well", files)
        return placed
    for seizure in read_list(text.read_text("utf-8", errors="replace")):
        _place(seizure, placed, kind, corrections)
    for name in sorted(set(placed.facts) - placed.left_out):
        if not placed.events[name]:
            placed.refuse(f"{name}: the list has no seizure in it, and every published recording has one", [name])
    return placed


def _place(seizure: Listed, placed: _Placed, kind: str, corrections: Corrections) -> None:
    """Put a listed seizure into its recording, or say why it cannot be.

    A misspelt name is read as the one recording of the patient that begins when the text says; nothing is guessed.
    """
    who = f"{placed.patient}, seizure {seizure.number}"
    near = _begun_at(seizure, placed.facts)
    name = seizure.file
    if name not in placed.facts and re.fullmatch(RECORDING, name):
        if near:
            placed.refuse(f"{who}: {name} is not here, and {' and '.join(near)} begins when the text says", near)
        else:
            placed.notes.append(f"{who}: {name} is not here or could not be read")
        return
    if name not in placed.facts:
        if len(near) != 1:
            how = f"no recording is named {name or 'at all'}, and {len(near)} begin when the text says"
            placed.refuse(f"{who}: {how}", placed.files)
            return
        placed.notes.append(f"{who}: the text names {name or 'no file'}; read as {near[0]}, which begins when it says")
        name = near[0]
    try:
        onset_s, duration_s = span_of(_as_corrected(seizure, name, corrections), _begun(placed.facts[name]))
        placed.events[name].append(Event(onset_s, duration_s, kind))
    except Refusal as refusal:
        placed.refuse(f"{name}, seizure {seizure.number}: {refusal.reason}", [name])


def _begun_at(seizure: Listed, facts: Mapping[str, EdfFacts]) -> list[str]:
    """The recordings that begin when the text says that the seizure's registration did."""
    stated = clock_s(seizure.registration)
    if stated is None:
        return []
    starts = {name: f.starts_s for name, f in facts.items() if f.starts_s is not None}
    return [name for name, starts_s in starts.items() if clocks_apart_s(stated, starts_s) <= CLOCKS_APART_S]


def _list_name(patient: str) -> str:
    return f"Seizures-list-{patient}.txt"


def _as_corrected(seizure: Listed, name: str, corrections: Corrections) -> Listed:
    def said(edge: str, published: str) -> str:
        return corrections.get(name, seizure.number, edge) or published

    start, end = said("start", seizure.start), said("end", seizure.end)
    return replace(seizure, start=start, end=end, registration=said("registration", seizure.registration))


def _begun(facts: EdfFacts) -> Begun:
    if facts.starts_s is None:
        raise Refusal("corrupt", "the recording does not say at what time of day it began")
    return Begun(facts.starts_s, facts.duration_s)


def _subjects(path: Path) -> tuple[dict[str, Patient], dict[str, str]]:
    """Patients and the type of their seizures, by the label of the patient; empty without the table."""
    if not path.is_file():
        return {}, {}
    rows = list(_rows(text_of(path)))
    people = {r["patient_id"]: Patient(r["patient_id"], _years(r["age_years"]), r["gender"][:1].lower()) for r in rows}
    unknown = sorted({r["seizure"] for r in rows} - set(TYPES))
    if unknown:
        raise Refusal("unsupported_format", f"subject_info.csv has seizure types that are not known: {len(unknown)}")
    return people, {r["patient_id"]: TYPES[r["seizure"]] for r in rows}


def _years(typed: str) -> float | None:
    if typed and not re.fullmatch(r"\d{1,3}(\.\d+)?", typed):
        raise Refusal("corrupt", "an age in subject_info.csv is not a number of years: fetch it again")
    return float(typed) if typed else None


def _rows(text: str) -> Iterator[dict[str, str]]:
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    if not {"patient_id", "age_years", "gender", "seizure"} <= set(reader.fieldnames or ()):
        raise Refusal(
            "unsupported_format", "subject_info.csv lacks columns: needed are patient_id, age_years, gender, seizure"
        )
    yield from ({k: (v or "").strip() for k, v in row.items() if k} for row in reader)
