"""A published cohort in our layout: BIDS-EEG, the EDF byte for byte, experts apart, where it came from beside it."""

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from data.cohorts.bids import Cohort, read_cohort
from data.cohorts.derivatives import DESCRIPTION, MANUAL
from data.cohorts.published import Conversion, FetchRefused, Patient, Published, PublishedRecording
from data.events import Annotations
from data.readers.bids import write_events

CONSENSUS = "Consensus of experts"
"""Who made the marks that follow from several experts' by a rule: nobody's reading (see `data.cohorts.derivatives`)."""

Progress = Callable[[int, int], None]
"""progress(recordings done, recordings in all)"""


def write_layout(
    root: Path,
    published: Published,
    conversion: Conversion,
    provenance: Mapping[str, object],
    progress: Progress | None = None,
    *,
    link: bool = False,
) -> Cohort:
    """Write the cohort to `root`; it is made beside it and put in place when it is whole.

    EDF files are copied byte for byte, or become hard links with `link` where the file system allows that. `provenance`
    is kept as sourcedata/fetched.json, the published annotations beside it. FileExistsError where `root` is there;
    refuses (`FetchRefused`) recordings that would bear one name, of which the last would take the place of the others.
    """
    if root.exists():
        raise FileExistsError("the folder of the cohort exists already: remove it or name another")
    _refuse_shared_names(conversion.recordings)
    partial = root.with_name(f".{root.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        for done, recording in enumerate(conversion.recordings, 1):
            _write_recording(partial, recording, link)
            if progress:
                progress(done, len(conversion.recordings))
        _write_descriptions(partial, published, conversion.recordings)
        _write_about(partial, published, conversion, provenance)
        read_cohort(partial)
        partial.rename(root)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return read_cohort(root)


def _refuse_shared_names(recordings: Iterable[PublishedRecording]) -> None:
    shared = [stem for stem, files in Counter(r.stem for r in recordings).items() if files > 1]
    if shared:
        raise FetchRefused(
            f"{len(shared)} names would stand for several recordings, the first is {shared[0]}: leave one file of each"
        )


def _write_recording(root: Path, recording: PublishedRecording, link: bool) -> None:
    eeg = root / _folder(recording.stem)
    eeg.mkdir(parents=True, exist_ok=True)
    take = _link if link else shutil.copyfile
    take(recording.file, eeg / f"{recording.stem}_eeg{recording.file.suffix.lower()}")
    for suffix, file in recording.beside.items():
        shutil.copyfile(file, eeg / f"{recording.stem}{suffix}")
    if recording.sidecar:
        (eeg / f"{recording.stem}_eeg.json").write_text(_as_json(recording.sidecar))
    if "_events.tsv" not in recording.beside:
        write_events(eeg / f"{recording.stem}_events.tsv", recording.marks)
    for maker, marks in {**recording.readings, **recording.derived}.items():
        _write_marks(root / "derivatives" / maker, recording.stem, marks)


def _write_marks(folder: Path, stem: str, marks: Annotations) -> None:
    (folder / _folder(stem)).mkdir(parents=True, exist_ok=True)
    write_events(folder / _folder(stem) / f"{stem}_events.tsv", marks)


def _write_descriptions(root: Path, published: Published, recordings: Iterable[PublishedRecording]) -> None:
    experts = {name for r in recordings for name in r.readings}
    derived = {name for r in recordings for name in r.derived}
    for name in sorted(experts):
        _describe(root, published, name, {"Name": MANUAL, "Description": f"marks of expert {name}, as published"})
    for name in sorted(derived):
        _describe(root, published, name, {"Name": CONSENSUS, "Description": f"{name}, derived from the experts' marks"})


def _describe(root: Path, published: Published, name: str, maker: Mapping[str, str]) -> None:
    said = {
        "Name": f"{published.title}: {name}",
        "BIDSVersion": "1.9.0",
        "DatasetType": "derivative",
        "License": published.licence,
        "GeneratedBy": [maker],
    }
    (root / "derivatives" / name / DESCRIPTION).write_text(_as_json(said))


def _write_about(root: Path, published: Published, conversion: Conversion, provenance: Mapping[str, object]) -> None:
    said = {
        "Name": published.title,
        "BIDSVersion": "1.9.0",
        "DatasetType": "raw",
        "License": published.licence,
        "HowToAcknowledge": published.citation,
        "SourceDatasets": [{"URL": published.address, "Version": published.accession}],
        "GeneratedBy": [{"Name": "Ictal", "Description": f"data.cohorts.{published.name}: converted to BIDS"}],
    }
    (root / "dataset_description.json").write_text(_as_json(said))
    (root / "participants.tsv").write_text("\n".join(_participants(published, conversion.patients)) + "\n")
    (root / "README").write_text(_readme(published, conversion))
    source = root / "sourcedata"
    source.mkdir()
    (source / "fetched.json").write_text(_as_json(provenance))
    (source / "names.tsv").write_text("\n".join(_names(conversion.recordings)) + "\n")
    for file in conversion.source:
        shutil.copyfile(file, source / file.name)


def _participants(published: Published, patients: Iterable[Patient]) -> Iterable[str]:
    patients = sorted(patients, key=lambda p: p.label)
    more = sorted({column for p in patients for column in p.more})
    yield "\t".join(("participant_id", "age", "sex", "site", "person", *more))
    for p in patients:
        age = "n/a" if p.age_years is None else f"{p.age_years:.8g}"
        person = f"{published.name}:{p.person or p.label}"
        yield "\t".join((f"sub-{p.label}", age, p.sex, published.name, person, *(p.more.get(c) or "n/a" for c in more)))


def _names(recordings: Iterable[PublishedRecording]) -> Iterable[str]:
    yield "recording\tpublished"
    yield from (f"{r.stem}\t{r.file.name}" for r in recordings)


def _readme(published: Published, conversion: Conversion) -> str:
    lines = [published.title, "", f"{published.accession}, {published.licence}", f"Cite: {published.citation}", ""]
    lines += ["EDF files are byte for byte those published; sourcedata/ holds the published annotations and checksums."]
    lines += [f"Note: {note}" for note in conversion.notes]
    lines += [f"Left out: {said}" for said in conversion.refused]
    return "\n".join(lines) + "\n"


def _folder(stem: str) -> Path:
    subject, session = stem.split("_")[:2]
    return Path(subject, session, "eeg") if session.startswith("ses-") else Path(subject, "eeg")


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)


def _as_json(value: object) -> str:
    return json.dumps(value, indent=1, sort_keys=True) + "\n"
