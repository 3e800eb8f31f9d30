"""The Siena Scalp EEG Database: 14 adults with focal epilepsy, as published on PhysioNet (Detti 2020).

Seizures are published as times of day in texts that people typed, `PNxx/Seizures-list-PNxx.txt`. Seconds are counted from
the time of day at which the EDF begins, which the recorder wrote. What cannot be true is refused by name and number,
never put right here: PN00's third seizure would end half an hour after its recording does.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from data.cohorts.clock import DAY_S, after_s, clock_s
from data.cohorts.corrections import Corrections
from data.cohorts.headers import EdfFacts, edf_facts
from data.cohorts.published import Conversion, Listing, Patient, Published, PublishedRecording
from data.events import Annotations, Event
from data.outcomes import Refusal
from data.readers.bids import ROUNDING_S

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

CLOCKS_APART_S = 2.0
"""How far the registration's start in the text may lie from the start in the EDF: both are whole seconds."""
LONGEST_S = 1800.0
"""Longer than this is no seizure of this cohort (most last about a minute), but an hour typed wrongly."""

_FIELDS = {
    "file name": "file",
    "registration start time": "registration",
    "registration end time": "registration_end",
    "seizure start time": "start",
    "start time": "start",
    "seizure end time": "end",
    "end time": "end",
}
_LASTING = ("file", "registration", "registration_end")


@dataclass(frozen=True)
class Listed:
    """One seizure as a text lists it, every field as typed; `number` is its place in the text, from 1."""

    number: int
    file: str = ""
    registration: str = ""
    registration_end: str = ""
    start: str = ""
    end: str = ""


def read_list(text: str) -> tuple[Listed, ...]:
    """The seizures of a `Seizures-list-PNxx.txt`, as typed; file and registration hold until others are named.

    Refuses with `unsupported_format` a text that lists no seizure.
    """
    found: list[dict[str, str]] = []
    lasting: dict[str, str] = {}
    for line in text.splitlines():
        if re.match(r"\s*seizure\s*n?\s*\d", line, re.IGNORECASE):
            found.append(dict(lasting))
            continue
        name, _, value = (part.strip() for part in line.partition(":"))
        field = _FIELDS.get(" ".join(name.lower().split()))
        if field is None:
            continue
        open_ones = [f for f in found[-1:] if "end" not in f]
        if field == "file" and value != lasting.get("file"):
            for fields in (lasting, *open_ones):
                fields.clear()
        for fields in ([lasting] if field in _LASTING else []) + open_ones:
            fields[field] = value
    if not found:
        raise Refusal("unsupported_format", "the text lists no seizure: give Seizures-list-PNxx.txt as published")
    return tuple(Listed(number, **fields) for number, fields in enumerate(found, 1))


@dataclass(frozen=True)
class Begun:
    """When a recording began (time of day) and how long it lasts, from its EDF or, without one, from the text."""

    starts_s: float
    duration_s: float


def span_of(listed: Listed, begun: Begun) -> tuple[float, float]:
    """Onset and duration in seconds of a listed seizure in its recording; `corrupt` where the times cannot be true."""
    start_s, end_s = (_time(getattr(listed, edge), edge) for edge in ("start", "end"))
    stated = clock_s(listed.registration)
    if stated is not None and _clocks_apart(stated, begun.starts_s) > CLOCKS_APART_S:
        raise Refusal(
            "corrupt",
            f"the text has the registration start at {listed.registration}, the recording itself "
            f"{_clocks_apart(stated, begun.starts_s):g} s away from that",
        )
    onset_s, duration_s = after_s(begun.starts_s, start_s), after_s(start_s, end_s)
    ends_s = onset_s + duration_s
    if not 0 < duration_s <= LONGEST_S or ends_s > begun.duration_s + ROUNDING_S:
        raise Refusal(
            "corrupt",
            f"from {listed.start} to {listed.end} it would last {duration_s:g} s (at most {LONGEST_S:g} s are believed) "
            f"and end {ends_s:g} s into a recording of {begun.duration_s:g} s",
        )
    return onset_s, min(duration_s, begun.duration_s - onset_s)


def stated_begin(listed: Listed) -> Begun | None:
    """Begin and length of the recording by the text alone; None where it does not say both."""
    start_s, end_s = clock_s(listed.registration), clock_s(listed.registration_end)
    return None if start_s is None or end_s is None else Begun(start_s, after_s(start_s, end_s))


def convert(source: Path, corrections: Corrections) -> Conversion:
    """Every recording below `source` (`PNxx/*.edf`) with its seizures; one with a refused seizure gets no events."""
    people, types = _subjects(source / "subject_info.csv")
    recordings, notes, refused, texts = [], [], [], []
    folders = sorted({f.parent for f in source.glob("PN*/PN*.edf")})
    for folder in folders:
        text = folder / f"Seizures-list-{folder.name}.txt"
        listed = read_list(text.read_text("utf-8", errors="replace")) if text.is_file() else ()
        texts += [text] if text.is_file() else []
        marked = _marked(folder, listed, types.get(folder.name, "sz"), corrections)
        recordings += marked.recordings
        notes += marked.notes
        refused += marked.refused
    patients = tuple(people.get(f.name, Patient(f.name)) for f in folders)
    table = [source / "subject_info.csv"] if (source / "subject_info.csv").is_file() else []
    return Conversion(patients, tuple(recordings), (*table, *texts), tuple(notes), tuple(refused))


def stem_of(name: str) -> str:
    """Our name for `PN10-4.5.6.edf`: sub-PN10_task-eeg_run-04, by the first of its seizures."""
    match = re.fullmatch(r"(PN\d\d)-(\d+)(\.\d+)*\.edf", name)
    if not match:
        raise Refusal("unsupported_format", "a recording of Siena is not named as published: keep the published names")
    return f"sub-{match[1]}_task-eeg_run-{int(match[2]):02d}"


@dataclass(frozen=True)
class _Marked:
    """One patient's recordings with what was noted and refused on the way."""

    recordings: list[PublishedRecording]
    notes: list[str]
    refused: list[str]


def _marked(folder: Path, listed: Sequence[Listed], kind: str, corrections: Corrections) -> _Marked:
    facts = {f.name: edf_facts(f) for f in sorted(folder.glob("PN*.edf"))}
    events: dict[str, list[Event]] = {name: [] for name in facts}
    done = _Marked([], [], [])
    doubtful = set() if listed else set(facts)
    if not listed:
        done.refused.append(
            f"{folder.name}: there is no list of seizures: fetch Seizures-list-{folder.name}.txt as well"
        )
    for seizure in listed:
        name, how = _file_of(seizure, facts)
        if name is None:
            done.refused.append(f"{folder.name}, seizure {seizure.number}: {how}")
            doubtful |= set(facts) if how.startswith("no recording") else set()
            continue
        done.notes.extend([f"{folder.name}, seizure {seizure.number}: {how}"] if how else [])
        try:
            seizure = _as_corrected(seizure, name, corrections)
            onset_s, duration_s = span_of(seizure, _begun(facts[name]))
        except Refusal as refusal:
            doubtful.add(name)
            done.refused.append(f"{name}, seizure {seizure.number}: {refusal.reason}")
            continue
        events[name].append(Event(onset_s, duration_s, kind))
    for name, fact in facts.items():
        marks = None if name in doubtful else Annotations(tuple(events[name]), fact.duration_s)
        sidecar = fact.sidecar(50.0, "n/a")
        done.recordings.append(PublishedRecording(stem_of(name), folder / name, marks, sidecar=sidecar))
    return done


def _file_of(seizure: Listed, facts: Mapping[str, EdfFacts]) -> tuple[str | None, str]:
    """The recording that a seizure belongs to, and how it was found where it is not named as it is published.

    A misspelt name is read as the one recording of the patient that begins when the text says; nothing is guessed.
    """
    if seizure.file in facts:
        return seizure.file, ""
    if re.fullmatch(r"PN\d\d-[\d.]+\.edf", seizure.file):
        return None, f"{seizure.file} was not fetched"
    stated = clock_s(seizure.registration)
    near = [
        name
        for name, f in facts.items()
        if stated is not None and f.starts_s is not None and _clocks_apart(stated, f.starts_s) <= CLOCKS_APART_S
    ]
    if len(near) != 1:
        return None, f"no recording is named {seizure.file or 'at all'}, and {len(near)} begin when the text says"
    return near[0], f"the text names {seizure.file or 'no file'}; read as {near[0]}, which begins when it says"


def _as_corrected(seizure: Listed, name: str, corrections: Corrections) -> Listed:
    def said(edge: str, published: str) -> str:
        return corrections.get(name, seizure.number, edge) or published

    start, end = said("start", seizure.start), said("end", seizure.end)
    return replace(seizure, start=start, end=end, registration=said("registration", seizure.registration))


def _begun(facts: EdfFacts) -> Begun:
    if facts.starts_s is None:
        raise Refusal("corrupt", "the recording does not say at what time of day it began")
    return Begun(facts.starts_s, facts.duration_s)


def _time(text: str, edge: str) -> float:
    """The one time of day in a field; a remark in brackets may follow it."""
    seconds = clock_s(re.sub(r"\([^)]*\)\s*$", "", text))
    if seconds is None:
        raise Refusal("corrupt", f"its {edge} is typed as {text[:60]!r}, which is not one time of day")
    return seconds


def _clocks_apart(one_s: float, other_s: float) -> float:
    return min(after_s(one_s, other_s), DAY_S - after_s(one_s, other_s))


def _subjects(path: Path) -> tuple[dict[str, Patient], dict[str, str]]:
    """Patients and the type of their seizures, by the label of the patient; empty without the table."""
    if not path.is_file():
        return {}, {}
    rows = list(_rows(path.read_text("utf-8-sig")))
    people = {r["patient_id"]: Patient(r["patient_id"], float(r["age_years"]), r["gender"][:1].lower()) for r in rows}
    unknown = sorted({r["seizure"] for r in rows} - set(TYPES))
    if unknown:
        raise Refusal("unsupported_format", f"subject_info.csv has seizure types that are not known: {len(unknown)}")
    return people, {r["patient_id"]: TYPES[r["seizure"]] for r in rows}


def _rows(text: str) -> Iterator[dict[str, str]]:
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    if not {"patient_id", "age_years", "gender", "seizure"} <= set(reader.fieldnames or ()):
        raise Refusal(
            "unsupported_format", "subject_info.csv lacks columns: needed are patient_id, age_years, gender, seizure"
        )
    yield from ({k: (v or "").strip() for k, v in row.items() if k} for row in reader)
