"""CHB-MIT: scalp EEG of 23 children and young adults in Boston, as published on PhysioNet (Shoeb 2009).

Seizures are published twice: as text in `chbNN-summary.txt`, and as WFDB annotations in `*.edf.seizures`. Both are read
where both are there, and a contradiction between them is refused. The EDF with its bipolar channels stays as it is.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from data.cohorts.corrections import Corrections
from data.cohorts.headers import edf_facts
from data.cohorts.published import Conversion, Listing, Patient, Published, PublishedRecording, text_of
from data.events import Annotations, Event
from data.outcomes import Refusal
from data.readers.bids import ROUNDING_S
from data.readers.wfdb import Span, read_seizures

PUBLISHED = Published(
    name="chbmit",
    title="CHB-MIT Scalp EEG Database",
    accession="PhysioNet chbmit 1.0.0, doi:10.13026/C2K01R",
    address="https://physionet.org/files/chbmit/1.0.0/",
    licence="Open Data Commons Attribution License v1.0 (ODC-By 1.0)",
    licence_address="https://opendatacommons.org/licenses/by/1-0/",
    citation="Shoeb A. Application of Machine Learning to Epileptic Seizure Onset Detection and Treatment. PhD thesis, MIT, "
    "2009; Goldberger A. et al. PhysioBank, PhysioToolkit, and PhysioNet. Circulation 101(23), 2000",
    size="about 43 GB, 686 recordings",
    listing=Listing("sha256sums", "SHA256SUMS.txt", "f1698efeb9fef887e55cedf6eda13386d9a888db663aec48b2aa194b7b753d2b"),
    needed=r"SUBJECT-INFO|RECORDS-WITH-SEIZURES|"
    r"(?P<patient>chb\d\d)/(?P=patient)(-summary\.txt|[abc]?_\d+\+?\.edf(\.seizures)?)",
    unverified="the address was not tried from here; the digest of the official list of checksums is known, so the files are "
    "verified whatever server they come from",
)

SAME_CHILD = {"chb21": "chb01"}
"""Case chb21 is the girl of chb01, recorded a year and a half later (PhysioNet's own description)."""

CONTRADICTION_S = 1.0
"""How far summary and `.seizures` may lie apart: the summary is written in whole seconds."""


def read_summary(text: str) -> dict[str, tuple[Span, ...] | Refusal]:
    """Seizures by file name from a `chbNN-summary.txt`; times of day and lists of channels are passed over.

    Read are `Seizure Start Time: 2996 seconds` and `Seizure 2 Start Time: 3415 seconds`. A file has a refusal
    (`corrupt`) instead where the announced number of seizures is not the number of times given, a time is no number, or
    an end lies before its start: the others of the text are not lost for it.
    """
    files: dict[str, tuple[Span, ...] | Refusal] = {}
    for block in re.split(r"(?m)^[ \t]*(?=File Name:)", text)[1:]:
        name = block.splitlines()[0].partition(":")[2].strip()
        try:
            files[name] = _spans(name, block)
        except Refusal as refusal:
            files[name] = refusal
    if not files:
        raise Refusal("unsupported_format", "the summary names no file: give chbNN-summary.txt as published")
    return files


def _spans(name: str, block: str) -> tuple[Span, ...]:
    announced = re.search(r"(?mi)^\s*Number of Seizures in File:\s*(\d+)\s*$", block)
    if not announced:
        raise Refusal("corrupt", f"the summary does not say how many seizures {name} has")
    starts, ends = (_times(block, edge) for edge in ("Start", "End"))
    mentioned = len(re.findall(r"(?mi)^\s*Seizure\b", block))
    if not len(starts) == len(ends) == int(announced[1]) == mentioned / 2:
        raise Refusal(
            "corrupt",
            f"the summary announces {announced[1]} seizures in {name} and gives {len(starts)} starts and {len(ends)} ends",
        )
    spans = tuple(zip(starts, ends, strict=True))
    if any(not start < end for start, end in spans):
        raise Refusal("corrupt", f"a seizure of {name} ends before it starts in the summary")
    return spans


def _times(block: str, edge: str) -> list[float]:
    return [float(t) for t in re.findall(rf"(?mi)^\s*Seizure(?:\s*\d+)?\s+{edge} Time:\s*(\d+) seconds\s*$", block)]


def convert(source: Path, corrections: Corrections) -> Conversion:
    """Every recording below `source` (`chbNN/*.edf`) with its seizures; what contradicts itself is left out."""
    told, listed = _summaries(source), _seizing(source / "RECORDS-WITH-SEIZURES")
    recordings, refused = [], []
    files = sorted(source.glob("chb*/chb*.edf"))
    for file in files:
        try:
            facts = edf_facts(file)
            text, binary = (_corrected(file.name, s, corrections) for s in (told.get(file.name), _binary(file)))
            marks = _annotations(agreed(file.name, text, binary, _listed(file, listed)), facts.duration_s)
            sidecar = facts.sidecar(60.0, "bipolar, as published")
            recordings.append(PublishedRecording(stem_of(file.name), file, marks, sidecar=sidecar))
        except Refusal as refusal:
            refused.append(f"{file.name}: {refusal.reason}")
    tables = [f for name in ("SUBJECT-INFO", "RECORDS-WITH-SEIZURES") if (f := source / name).is_file()]
    people = read_people(text_of(tables[0])) if tables and tables[0].name == "SUBJECT-INFO" else {}
    cases = sorted({f.parent.name for f in files})
    patients = tuple(people.get(case, Patient(case, person=SAME_CHILD.get(case, case))) for case in cases)
    notes = tuple(f"{p.label}: age and sex are not published" for p in patients if p.age_years is None)
    marks_files = sorted([*source.glob("chb*/*-summary.txt"), *source.glob("chb*/*.seizures")])
    return Conversion(patients, tuple(recordings), (*tables, *marks_files), notes, tuple(refused))


def agreed(
    name: str, told: tuple[Span, ...] | None, binary: tuple[Span, ...] | None, listed: bool | None
) -> tuple[Span, ...]:
    """The seizures of a file from its summary, its `.seizures` (None: not there) and whether the list names it.

    Refuses (`corrupt`) what contradicts itself, and a file of which nothing says whether it has seizures. The summary
    of chb24 names only files with seizures: there the list of records says that the others have none.
    """
    known = told if told is not None else binary
    if known is None and listed is not False:
        raise Refusal("corrupt", f"nothing says which seizures {name} has: fetch its summary and .seizures as well")
    known = known or ()
    if listed is not None and listed != bool(known):
        raise Refusal("corrupt", f"{len(known)} seizures are given for {name}, RECORDS-WITH-SEIZURES says otherwise")
    if told is not None and binary is not None:
        far = [(a, b) for a, b in zip(told, binary, strict=False) if _apart_s(a, b) > CONTRADICTION_S]
        if len(told) != len(binary) or far:
            raise Refusal(
                "corrupt",
                f"summary and .seizures of {name} contradict each other: {len(told)} and {len(binary)} seizures, "
                f"{len(far)} of them at other times",
            )
    return known


def read_people(text: str) -> dict[str, Patient]:
    """SUBJECT-INFO: case, gender, age in years. Two cases are the same child and share a person key.

    Refuses (`corrupt`) a line of a case that is not these three.
    """
    rows = [line.split() for line in text.splitlines() if line.startswith("chb")]
    if any(len(r) != 3 or not re.fullmatch(r"\d+(\.\d+)?", r[2]) for r in rows):
        raise Refusal("corrupt", "SUBJECT-INFO is no table of case, gender and age: fetch it again")
    return {c: Patient(c, float(age), sex.lower(), SAME_CHILD.get(c, c)) for c, sex, age in rows}


def stem_of(name: str) -> str:
    """Our name for `chb17a_03.edf`: sub-chb17_task-eeg_acq-a_run-03; the `+` of chb02_16+ is acq-plus.

    Refuses (`unsupported_format`) a name that is not as published.
    """
    match = re.fullmatch(r"(chb\d\d)([abc]?)_(\d+)(\+?)\.edf", name)
    if not match:
        raise Refusal(
            "unsupported_format", "a recording of CHB-MIT is not named as published: keep the published names"
        )
    part = match[2] or ("plus" if match[4] else "")
    return f"sub-{match[1]}_task-eeg_{f'acq-{part}_' if part else ''}run-{match[3]}"


def _summaries(source: Path) -> dict[str, tuple[Span, ...] | Refusal]:
    texts = [p.read_text("utf-8", errors="replace") for p in sorted(source.glob("chb*/*-summary.txt"))]
    return {name: spans for text in texts for name, spans in read_summary(text).items()}


def _seizing(path: Path) -> set[str] | None:
    return {line.strip() for line in text_of(path).splitlines()} if path.is_file() else None


def _listed(file: Path, seizing: set[str] | None) -> bool | None:
    return None if seizing is None else f"{file.parent.name}/{file.name}" in seizing


def _binary(file: Path) -> tuple[Span, ...] | None:
    seizures = file.with_name(f"{file.name}.seizures")
    return read_seizures(seizures.read_bytes()) if seizures.is_file() else None


def _apart_s(one: Span, other: Span) -> float:
    return max(abs(one[0] - other[0]), abs(one[1] - other[1]))


def _corrected(
    name: str, spans: tuple[Span, ...] | Refusal | None, corrections: Corrections
) -> tuple[Span, ...] | None:
    """What one of the two sources says, with what the user says instead; raises what was refused there."""
    if isinstance(spans, Refusal):
        raise spans

    def seconds(number: int, edge: str, published_s: float) -> float:
        said = corrections.get(name, number, edge)
        return published_s if said is None else corrections.seconds(name, said)

    if spans is None:
        return None
    return tuple((seconds(n, "start", a), seconds(n, "end", b)) for n, (a, b) in enumerate(spans, 1))


def _annotations(spans: Iterable[Span], duration_s: float) -> Annotations:
    events = []
    for number, (start_s, end_s) in enumerate(spans, 1):
        if not 0 <= start_s < end_s <= duration_s + ROUNDING_S or start_s >= duration_s:
            raise Refusal(
                "corrupt",
                f"seizure {number} at {start_s:g}–{end_s:g} s does not lie in the recording of {duration_s:g} s",
            )
        events.append(Event(start_s, min(end_s, duration_s) - start_s))
    return Annotations(tuple(events), duration_s)
