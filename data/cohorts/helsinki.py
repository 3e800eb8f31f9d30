"""Helsinki: EEG of 79 newborns, and what three experts marked in it second by second (Stevenson et al. 2019).

Source: Sci Data 6:190039 (CC BY 4.0), `annotations_2017.mat`: a cell `annotat_new` with one array (3 experts, seconds)
of 0 and 1 per newborn, in the order of the published recordings eeg1 … eeg79. The signal is not read here.
"""

import csv
import io
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from data.cohorts.corrections import Corrections
from data.cohorts.headers import edf_facts
from data.cohorts.published import Conversion, Listing, Patient, PublicFile, Published, PublishedRecording
from data.events import Annotations
from data.outcomes import Refusal
from data.readers.apart import may_run_apart, reading_apart
from data.readers.bids import ROUNDING_S

LABELS, CLINICAL = "annotations_2017.mat", "clinical_information.csv"

PUBLISHED = Published(
    name="helsinki",
    title="A dataset of neonatal EEG recordings with seizure annotations (Helsinki)",
    accession="Zenodo 4940267 (first version 2547147)",
    address="https://zenodo.org/records/4940267/files/",
    licence="Creative Commons Attribution 4.0 International (CC BY 4.0)",
    licence_address="https://creativecommons.org/licenses/by/4.0/",
    citation="Stevenson N.J., Tapani K., Lauronen L., Vanhatalo S. A dataset of neonatal EEG recordings with seizure "
    "annotations. Scientific Data 6:190039, 2019",
    size="about 4 GB, 79 recordings",
    listing=Listing("zenodo", "/api/records/4940267"),
    needed=rf"{re.escape(LABELS)}|{re.escape(CLINICAL)}|(?P<patient>eeg\d{{1,2}})\.edf",
    unverified="the address could not be tried from here, and Zenodo publishes MD5, no SHA-256: files are held to that where "
    "the record gives it, and to what was seen the first time",
    files=tuple(PublicFile(name) for name in (LABELS, CLINICAL, *(f"eeg{n}.edf" for n in range(1, 80)))),
)

EXPERTS = ("A", "B", "C")
VARIABLE = "annotat_new"
NEWBORNS, SEIZURES = 79, (402, 429, 548)
"""How many newborns the published labels hold, and how many seizures each expert marked in them."""


@dataclass(frozen=True)
class Newborn:
    """One recording (`eeg1` …) as each expert marked it; all three have read all of it."""

    recording: str
    experts: dict[str, Annotations]

    @property
    def masks(self) -> np.ndarray:
        """Bool (experts, seconds)."""
        return np.stack([self.experts[name].to_mask(1.0) for name in EXPERTS])

    def marked_by(self, at_least: int) -> Annotations:
        """The seconds that `at_least` of the experts marked: 2 is the majority, 3 unanimity, 1 anybody."""
        return Annotations.from_mask(self.masks.sum(axis=0) >= at_least, 1.0)


@dataclass(frozen=True)
class HelsinkiFacts:
    """What the labels amount to. By consensus: `seizing` have a second that all marked, `free` none that anyone did."""

    newborns: int
    hours: float
    median_min: float
    seizures_per_expert: float
    seizing: int
    seizing_by_majority: int
    free: int


def read_labels(path: Path) -> tuple[Newborn, ...]:
    """Read `annotations_2017.mat`.

    Refuses with `unsupported_format` what is no MATLAB file of version 5 or lacks the variable, and with `corrupt` a
    file that breaks off or an array that is not three rows of 0 and 1.
    """
    with reading_apart():
        cells = _cells(path)
    return tuple(_newborn(number, cell) for number, cell in enumerate(cells, 1))


def facts(newborns: Sequence[Newborn]) -> HelsinkiFacts:
    """Count newborns by what was marked in them; `hours` and `median_min` (minutes) are of the recordings' lengths."""
    minutes = [n.experts[EXPERTS[0]].duration_s / 60 for n in newborns]
    marked = sum(len(a.events) for n in newborns for a in n.experts.values())
    return HelsinkiFacts(
        newborns=len(newborns),
        hours=sum(minutes) / 60,
        median_min=float(np.median(minutes)),
        seizures_per_expert=marked / len(EXPERTS),
        seizing=sum(bool(n.marked_by(3).events) for n in newborns),
        seizing_by_majority=sum(bool(n.marked_by(2).events) for n in newborns),
        free=sum(not n.marked_by(1).events for n in newborns),
    )


@may_run_apart
def _cells(path: Path) -> tuple[np.ndarray, ...]:
    """One array per newborn, as the file has it. SciPy's reader falls over some damaged files, so it runs apart."""
    from scipy.io import loadmat

    with path.open("rb") as file:
        begins_rightly = file.read(10) == b"MATLAB 5.0"
    if not begins_rightly:
        raise Refusal("unsupported_format", "the labels are no MATLAB 5 file: give annotations_2017.mat as published")
    try:
        variables = loadmat(str(path), appendmat=False)
    except Exception:  # scipy trusts the file's sizes and tags: damage shows as whatever they then lead to
        raise Refusal("corrupt", "the MATLAB file of labels cannot be read to its end: fetch it again") from None
    if VARIABLE not in variables:
        raise Refusal("unsupported_format", f"the MATLAB file has no variable {VARIABLE}: give annotations_2017.mat")
    cells = np.asarray(variables[VARIABLE]).ravel()
    if cells.dtype != object or not len(cells):
        raise Refusal("unsupported_format", f"the variable {VARIABLE} is no cell with one array per newborn")
    arrays = tuple(np.asarray(cell) for cell in cells)
    if any(array.dtype.hasobject for array in arrays):
        raise Refusal("corrupt", "labels of a newborn are no array of numbers: fetch the file again")
    return arrays


def _newborn(number: int, marks: np.ndarray) -> Newborn:
    if marks.ndim != 2 or marks.shape[0] != len(EXPERTS) or not marks.shape[1]:
        raise Refusal(
            "corrupt", f"labels of newborn {number} have shape {marks.shape}, expected ({len(EXPERTS)}, seconds)"
        )
    if not np.issubdtype(marks.dtype, np.number) or not np.isin(marks, (0, 1)).all():
        raise Refusal("corrupt", f"labels of newborn {number} are not all 0 or 1: fetch the file again")
    experts = {name: Annotations.from_mask(row == 1, 1.0) for name, row in zip(EXPERTS, marks, strict=True)}
    return Newborn(f"eeg{number}", experts)


def convert(source: Path, corrections: Corrections) -> Conversion:
    """Every recording below `source` (`eeg1.edf` …): events are what two of three experts marked, each one's marks apart.

    What all three marked lies beside them as a consensus, which is nobody's reading. Labels are of whole seconds; those
    of another length than the recording (by more than a second) are refused.
    """
    newborns = {n.recording: n for n in read_labels(source / LABELS)}
    recordings, refused = [], []
    files = sorted(source.glob("eeg*.edf"), key=lambda f: _number(f.stem))
    for file in files:
        try:
            recordings.append(_labelled(file, newborns.get(file.stem)))
        except Refusal as refusal:
            refused.append(f"{file.name}: {refusal.reason}")
    table = source / CLINICAL
    people = read_clinical(table.read_text("utf-8-sig", errors="replace")) if table.is_file() else {}
    patients = tuple(people.get(f.stem, Patient(subject_of(f.stem).removeprefix("sub-"))) for f in files)
    kept = (source / LABELS, *((table,) if table.is_file() else ()))
    return Conversion(patients, tuple(recordings), kept, (_counted(newborns.values()), AGES), tuple(refused))


AGES = (
    "ages at recording are not published: they are the middle between what the weeks of gestation at birth and of "
    "postmenstrual age at the EEG allow (both given to the week), and n/a without both"
)


def read_clinical(text: str) -> dict[str, Patient]:
    """The clinical table by recording (`eeg1` …): sex, and the age that follows from two brackets of weeks.

    Refuses (`unsupported_format`) a table that lacks one of the columns read.
    """
    reader = csv.DictReader(io.StringIO(text))
    if not {"EEG file", "Gender", "GA (weeks)", "EEG to PMA (weeks)"} <= set(reader.fieldnames or ()):
        raise Refusal(
            "unsupported_format", "the clinical table lacks columns: give clinical_information.csv as published"
        )
    return {row["EEG file"].strip(): _patient(row) for row in reader if row["EEG file"]}


def age_bounds_days(gestation: str, postmenstrual: str) -> tuple[float, float] | None:
    """Least and greatest age in days from `38 to 39` weeks at birth and `39 to 40` at the EEG; None without both."""
    weeks = [re.fullmatch(r"\s*(\d+) to (\d+)\s*", text or "") for text in (gestation, postmenstrual)]
    if not weeks[0] or not weeks[1]:
        return None
    born, recorded = ([float(w) for w in match.groups()] for match in weeks if match)
    least, most = max(0.0, recorded[0] - born[1]), recorded[1] - born[0]
    return (7 * least, 7 * most) if most > 0 else None


def subject_of(recording: str) -> str:
    """`eeg7` → `sub-07`; refuses with `unsupported_format` a name that is not as published."""
    return f"sub-{_number(recording):02d}"


def _counted(newborns: Collection[Newborn]) -> str:
    """Whether the labels are those published: nobody publishes a SHA-256 of them."""
    counts = tuple(sum(len(n.experts[name].events) for n in newborns) for name in EXPERTS)
    as_published = len(newborns) == NEWBORNS and counts == SEIZURES
    said = ", ".join(f"{name} {count}" for name, count in zip(EXPERTS, counts, strict=True))
    known = "as published" if as_published else f"published are {', '.join(map(str, SEIZURES))} in {NEWBORNS}"
    return f"seizures by expert: {said} in {len(newborns)} newborns ({known})"


def _patient(row: dict[str, str | None]) -> Patient:
    recording, gestation, postmenstrual = (
        (row[c] or "").strip() for c in ("EEG file", "GA (weeks)", "EEG to PMA (weeks)")
    )
    bounds = age_bounds_days(gestation, postmenstrual)
    sex = (row["Gender"] or "").strip().lower()
    return Patient(
        subject_of(recording).removeprefix("sub-"),
        None if bounds is None else sum(bounds) / 2 / 365.25,
        sex if sex in ("m", "f") else "n/a",
        more={
            "gestation_weeks": gestation,
            "postmenstrual_weeks": postmenstrual,
            "age_least_days": "" if bounds is None else f"{bounds[0]:g}",
            "age_most_days": "" if bounds is None else f"{bounds[1]:g}",
        },
    )


def _labelled(file: Path, newborn: Newborn | None) -> PublishedRecording:
    facts = edf_facts(file)
    if newborn is None:
        raise Refusal("corrupt", f"the labels have no array for it: give {LABELS} as published")
    labelled_s = newborn.experts[EXPERTS[0]].duration_s
    if abs(labelled_s - facts.duration_s) > ROUNDING_S:
        raise Refusal("corrupt", f"its labels are of {labelled_s:g} s, the recording has {facts.duration_s:g} s")
    return PublishedRecording(
        f"{subject_of(file.stem)}_task-eeg",
        file,
        _within(newborn.marked_by(2), facts.duration_s),
        readings={name: _within(marks, facts.duration_s) for name, marks in newborn.experts.items()},
        derived={"unanimous": _within(newborn.marked_by(3), facts.duration_s)},
        sidecar=facts.sidecar(50.0, "n/a"),
    )


def _within(marks: Annotations, duration_s: float) -> Annotations:
    """The same events in the recording's own length, cut where the last whole second passes its end."""
    events = [e for e in marks.events if e.onset_s < duration_s]
    return Annotations(tuple(replace(e, duration_s=min(e.end_s, duration_s) - e.onset_s) for e in events), duration_s)


def _number(recording: str) -> int:
    match = re.fullmatch(r"eeg(\d{1,2})", recording)
    if not match:
        raise Refusal(
            "unsupported_format", "a recording of Helsinki is not named as published: keep the published names"
        )
    return int(match[1])
