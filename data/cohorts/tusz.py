"""TUSZ, the seizure corpus of Temple University Hospital: adults and children, as its publisher (NEDC) gives it out.

Two texts lie beside each EDF: `.csv_bi` says when there was a seizure at all (channel TERM), `.csv` where and of which
type, channel by channel. Times come from the first, types and channels from the second; a contradiction is refused.
"""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from data.cohorts.corrections import Corrections
from data.cohorts.headers import edf_facts
from data.cohorts.published import Conversion, Listing, Patient, Published, PublishedRecording, text_of
from data.events import Annotations, Event
from data.outcomes import Refusal
from data.readers.bids import ROUNDING_S, plain_number
from data.seizure_types import TUH_TYPES

PUBLISHED = Published(
    name="tusz",
    title="TUH EEG Seizure Corpus",
    accession="TUSZ v2.0.3",
    address="https://isip.piconepress.com/projects/nedc/data/tuh_eeg/tuh_eeg_seizure/v2.0.3/",
    licence="the publisher's own agreement: research, not to be passed on",
    licence_address="https://isip.piconepress.com/projects/nedc/html/tuh_eeg/",
    citation="Shah V. et al. The Temple University Hospital Seizure Detection Corpus. Frontiers in Neuroinformatics 12:83, "
    "2018",
    size="about 81 GB, some 7,400 recordings",
    listing=Listing("index", "edf/"),
    needed=r"edf/(train|dev|eval)/(?P<patient>[a-z]{8})/s\d+_\d+/\d\d_tcp_[a-z_]+/(?P=patient)_s\d+_t\d+\.(edf|csv|csv_bi)",
    unverified="the address could not be tried from here and the publisher gives no checksums; files are held to what was "
    "seen the first time. The publisher has meanwhile moved to rsync with a registered key: fetch the corpus as it tells "
    "you and give the folder with --from",
    login="TUSZ is given to those who signed the publisher's agreement: see "
    "https://isip.piconepress.com/projects/nedc/html/tuh_eeg/ for the form. Then give the name and password in ICTAL_TUSZ_USER "
    "and ICTAL_TUSZ_PASSWORD, or a folder that you downloaded with --from",
)

DIVISIONS = ("train", "dev", "eval")
BACKGROUND, ANY_SEIZURE = "bckg", "seiz"
AGES = "a patient's age is that of the first recording here; sessions may be years apart"
OVERLAP_S = 1e-3
"""Shared time below which two rows do not overlap: the texts have four decimals."""


@dataclass(frozen=True)
class Term:
    """One row of a `.csv` or `.csv_bi`: a channel (TERM: all of them), seconds from the start, a label, a probability."""

    channel: str
    start_s: float
    end_s: float
    label: str
    confidence: float

    def shared_s(self, other: "Term") -> float:
        """Seconds that both rows cover, negative where they lie apart; channels play no part."""
        return min(self.end_s, other.end_s) - max(self.start_s, other.start_s)


def read_terms(text: str) -> tuple[tuple[Term, ...], float]:
    """The rows of a `.csv` or `.csv_bi` that are no background, and the length of the recording in seconds.

    Refuses with `unsupported_format` what is no `csv_v1.0.0`, and with `corrupt` a row that is not five fields with times
    in order inside the recording, or a label that TUSZ does not have.
    """
    lines = text.splitlines()
    about = dict(re.findall(r"(?m)^#\s*(\w+)\s*=\s*(.+?)\s*$", text))
    length = re.fullmatch(r"(\d+\.?\d*) secs", about.get("duration", ""))
    if about.get("version") != "csv_v1.0.0" or not length:
        raise Refusal("unsupported_format", "the annotation is no csv_v1.0.0 that states its duration: fetch it again")
    rows = list(csv.reader(line for line in lines if line.strip() and not line.startswith("#")))
    if not rows or [c.strip() for c in rows[0]] != ["channel", "start_time", "stop_time", "label", "confidence"]:
        raise Refusal("unsupported_format", "the annotation lacks the columns of csv_v1.0.0: fetch it again")
    duration_s = float(length[1])
    terms = [_term(row, number, duration_s) for number, row in enumerate(rows[1:], 1)]
    return tuple(t for t in terms if t.label != BACKGROUND), duration_s


def marks_of(spans: str, channels: str | None) -> Annotations:
    """The seizures of a `.csv_bi`, typed by the `.csv` beside it where that is given.

    A seizure's type is the label that covers most channel-seconds inside it, its channels are those that show any.
    Refuses (`corrupt`) a seizure of one text that the other does not have.
    """
    terms, duration_s = read_terms(spans)
    shown = () if channels is None else read_terms(channels)[0]
    if channels is not None:
        lost = sum(not any(c.shared_s(t) > OVERLAP_S for t in terms) for c in shown)
        unseen = sum(not any(c.shared_s(t) > OVERLAP_S for c in shown) for t in terms)
        if lost or unseen:
            raise Refusal(
                "corrupt",
                f"{lost} rows of the .csv lie in no seizure of the .csv_bi, {unseen} of its seizures on no channel",
            )
    return Annotations(tuple(_event(t, shown, duration_s) for t in terms), duration_s)


def convert(source: Path, corrections: Corrections) -> Conversion:
    """Every recording below `source` (`edf/train/…`, or a folder inside it) with its seizures.

    Recordings that cannot be read or contradict themselves are left out by name; a patient who lies in two of
    `DIVISIONS` refuses the whole (`corrupt`).
    """
    recordings, refused = [], []
    people: dict[str, Patient] = {}
    for file in sorted(source.rglob("*_s[0-9]*_t[0-9]*.edf")):
        try:
            facts, (label, stem) = edf_facts(file), _names(file.name)
            marks = _within(_read(file), facts.duration_s)
        except Refusal as refusal:
            refused.append(f"{file.name}: {refusal.reason}")
            continue
        division = next((p for p in file.parts[::-1] if p in DIVISIONS), "")
        first = people.setdefault(label, Patient(label, facts.age_years, facts.sex, more={"division": division}))
        if first.more["division"] != division:
            raise Refusal(
                "corrupt", f"a patient lies in two of {', '.join(DIVISIONS)}: these are not the published ones"
            )
        reference = "linked ears" if "_tcp_le" in file.parent.name else "average"
        recordings.append(PublishedRecording(stem, file, marks, sidecar=facts.sidecar(60.0, reference)))
    texts = tuple(sorted(p for end in (".csv", ".csv_bi") for p in source.rglob(f"*_s[0-9]*_t[0-9]*{end}")))
    return Conversion(tuple(people.values()), tuple(recordings), texts, (AGES,), tuple(refused))


def _term(row: list[str], number: int, duration_s: float) -> Term:
    if len(row) < 5:
        raise Refusal("corrupt", f"row {number} of the annotation is not channel, start, stop, label, confidence")
    channel, label = row[0].strip(), row[3].strip().lower()
    start_s, end_s, confidence = (plain_number(row[column]) for column in (1, 2, 4))
    if label not in (BACKGROUND, ANY_SEIZURE) and label.upper() not in TUH_TYPES:
        raise Refusal("unsupported_format", f"row {number} of the annotation has a label that TUSZ does not list")
    inside = 0 <= start_s < end_s <= duration_s + ROUNDING_S and start_s < duration_s
    if not inside or not 0 <= confidence <= 1:
        raise Refusal(
            "corrupt",
            f"row {number} of the annotation: {start_s:g}–{end_s:g} s in a recording of {duration_s:g} s, confidence "
            f"{confidence:g} (0 to 1)",
        )
    return Term(channel, start_s, min(end_s, duration_s), label, confidence)


def _event(term: Term, shown: tuple[Term, ...], duration_s: float) -> Event:
    inside = [c for c in shown if c.shared_s(term) > OVERLAP_S]
    seconds = {label: sum(c.shared_s(term) for c in inside if c.label == label) for label in {c.label for c in inside}}
    label = max(sorted(seconds), key=lambda name: seconds[name], default=ANY_SEIZURE)
    kind = TUH_TYPES.get(label.upper(), "sz")
    channels = tuple(dict.fromkeys(c.channel for c in inside))
    return Event(term.start_s, min(term.end_s, duration_s) - term.start_s, kind, term.confidence, channels)


def _read(file: Path) -> Annotations:
    spans, channels = (file.with_suffix(suffix) for suffix in (".csv_bi", ".csv"))
    if not spans.is_file():
        raise Refusal("unsupported_format", "it has no .csv_bi beside it: fetch that as well")
    return marks_of(text_of(spans), text_of(channels) if channels.is_file() else None)


def _within(marks: Annotations, duration_s: float) -> Annotations:
    if abs(marks.duration_s - duration_s) > ROUNDING_S:
        raise Refusal(
            "corrupt", f"its annotation is of a recording of {marks.duration_s:g} s, the EDF has {duration_s:g} s"
        )
    if late := sum(e.onset_s >= duration_s for e in marks.events):
        raise Refusal("corrupt", f"{late} of its seizures begin after the {duration_s:g} s that the EDF has")
    events = (
        Event(e.onset_s, min(e.end_s, duration_s) - e.onset_s, e.type, e.confidence, e.channels) for e in marks.events
    )
    return Annotations(tuple(events), duration_s)


def _names(name: str) -> tuple[str, str]:
    match = re.fullmatch(r"([a-z]{8})_(s\d+)_t(\d+)\.edf", name)
    if not match:
        raise Refusal("unsupported_format", "a recording of TUSZ is not named as published: keep the published names")
    return match[1], f"sub-{match[1]}_ses-{match[2]}_task-eeg_run-{match[3]}"
