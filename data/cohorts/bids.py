"""A cohort as a BIDS folder of EEG, film or poses: who was recorded where, which files belong to them, and how to take one over."""

import csv
import io
import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import compress, groupby
from pathlib import Path
from typing import Any

from data.ages import DAYS
from data.cohorts.derivatives import expert_files, expert_folders, read_expert
from data.cohorts.sidecars import Sidecars, refuse_strays
from data.events import Annotations
from data.outcomes import Refusal
from data.privacy import Strip, scrub_video
from data.readers.bids import plain_number, positive, read_events, read_json, write_events
from data.readers.edf import read_duration_s
from data.readers.video_container import REFUSED

__all__ = [
    "Cohort", "CohortFacts", "Entry", "formats_not_read", "import_cohort", "read_cohort", "read_events", "write_events",
]  # fmt: skip

_RECORDINGS = {
    "eeg": (".edf", ".bdf"),
    "video": (".mp4", ".m4v", ".mov", ".mkv", ".avi"),
    "pose": (".parquet", ".npz", ".json", ".csv"),
}
"""Files of each modality; they lie in a folder of its name and end in `_eeg.edf`, `_video.mp4`, `_pose.parquet`.

Several views of one film differ by an entity `view-NAME`, which is the last before `_video`."""

MODALITIES = tuple(_RECORDINGS)
_SIDECARS = (
    "_eeg.json", "_video.json", "_events.tsv", "_events.json", "_channels.tsv", "_channels.json",
)  # fmt: skip
_VIEW = re.compile(r"_view-[A-Za-z0-9]+(?=_)")
_TOP_LEVEL = (
    "dataset_description.json", "participants.tsv", "participants.json", "events.json", "README", "README.md",
    "CHANGES", "LICENSE",
)  # fmt: skip
PERIODS = ("development", "surveillance", "external", "pretraining")
"""What a recording may be for: to learn from and be judged by (also where nothing is said), to be watched as it comes in
later, to be judged by alone, or to learn from beforehand."""
_SEXES = {"m": "m", "male": "m", "f": "f", "female": "f", "o": "o", "other": "o"}


@dataclass(frozen=True)
class Entry:
    """One recording of a cohort. `name` and `patient` are the cohort's pseudonyms.

    `person` is the same key for the same person at two sites; where the cohort gives none it is the patient within
    this cohort. `line_hz` is the mains frequency, `frames_hz` the frames per second (`FrameRate`) where its sidecars state
    them. `modality` is one of `MODALITIES`; of a film, `views` holds the files of all cameras, `path` the first.
    """

    name: str
    path: Path
    patient: str
    person: str
    site: str
    age_days: float | None
    sex: str
    period: str
    events_path: Path | None
    line_hz: float | None
    modality: str = "eeg"
    views: tuple[Path, ...] = ()
    frames_hz: float | None = None

    @property
    def content(self) -> str:
        """What was done while it was recorded: its BIDS task (`sub-901_task-walk` → `walk`); empty where none is named."""
        named = [part for part in self.name.split("_") if part.startswith("task-")]
        return named[0].removeprefix("task-") if named else ""


@dataclass(frozen=True)
class CohortFacts:
    """What a cohort amounts to. `prevalence` is the share (0–1) of labelled time inside seizures, NaN without any."""

    patients: int
    persons: int
    recordings: int
    labelled: int
    hours: float
    seizures: int
    seizure_hours: float
    patients_with_seizures: int
    prevalence: float


@dataclass(frozen=True)
class Cohort:
    """The recordings of a BIDS folder, ordered by name."""

    root: Path
    entries: tuple[Entry, ...]

    def annotations(self, entry: Entry) -> Annotations:
        """The expert's seizures of one recording; refuses with `unsupported_format` where nobody annotated it."""
        if entry.events_path is None:
            raise Refusal("unsupported_format", "the recording has no events file: annotate it or leave it out")
        return read_events(entry.events_path, self._stated_s(entry))

    def experts(self, entry: Entry) -> dict[str, Annotations]:
        """What each expert beside the reference marked in one recording, by name; empty where nobody else read it.

        See `data.cohorts.derivatives` for where their marks lie and what is refused.
        """
        place, stated_s = _beside(entry.path, "_events.tsv").relative_to(self.root), self._stated_s(entry)
        read = {f.name: read_expert(f, place, stated_s) for f in self._experts}
        return {name: marked for name, marked in read.items() if marked is not None}

    def facts(self) -> CohortFacts:
        """Count patients, hours, seizures; reads every events file, and headers only of what nobody annotated."""
        labelled = {e.name: self.annotations(e) for e in self.entries if e.events_path}
        seizure_s = sum(a.total_s() for a in labelled.values())
        labelled_s = sum(a.duration_s for a in labelled.values())
        other_s = sum(read_duration_s(e.path) for e in self.entries if e.name not in labelled)
        return CohortFacts(
            patients=len({e.patient for e in self.entries}),
            persons=len({e.person for e in self.entries}),
            recordings=len(self.entries),
            labelled=len(labelled),
            hours=(labelled_s + other_s) / 3600,
            seizures=sum(len(a.events) for a in labelled.values()),
            seizure_hours=seizure_s / 3600,
            patients_with_seizures=len(
                {e.patient for e in self.entries if e.name in labelled and labelled[e.name].events}
            ),
            prevalence=seizure_s / labelled_s if labelled_s else float("nan"),
        )

    def _stated_s(self, entry: Entry) -> float | None:
        return positive(self._sidecars.stated(entry.path).get("RecordingDuration"))

    @cached_property
    def _experts(self) -> tuple[Path, ...]:
        """Looked for once: a folder that a pipeline left beside them is gone through to its last file."""
        return expert_folders(self.root)

    @cached_property
    def _sidecars(self) -> Sidecars:
        return Sidecars(self.root)


def read_cohort(root: Path, modality: str = "eeg") -> Cohort:
    """Read a BIDS folder: its recordings of a modality, participants and sidecars; no signal is read.

    Asked for poses, films of which no pose was made are recordings too: a pose estimator may make it. Refuses with
    `unsupported_format` what is not such a folder or holds no recording of that kind, and with `corrupt` a table or
    sidecar that cannot be read, and recordings that lie there in two formats.
    """
    _check_description(root)
    people = _participants(root)
    filmed = [list(views) for _, views in groupby(_recordings(root, modality), _stem)]
    sidecars = Sidecars(root)
    return Cohort(root, tuple(_entry(sidecars, views, people.get(_subject(views[0]), {})) for views in filmed))


def import_cohort(
    source: Path, target: Path, modality: str = "eeg", progress: Callable[[int, int], object] | None = None
) -> Cohort:
    """Copy a BIDS folder's recordings, known sidecars and experts' marks to `target`, which must not exist.

    Nothing else is taken, and of films neither sound nor metadata, nor what is written over the picture where a
    sidecar that holds for it declares it (`OverlayStrip`: top, bottom, left, right, 0–1). The source is only read. The
    copy is made beside the target and put in place when it is whole, so that a broken import leaves nothing that looks
    like a cohort. Refuses what `read_cohort` refuses, files that are links to content that was not fetched, marks of an
    expert that cannot be read or belong nowhere, and a strip that is declared beside films and holds for none.
    `progress` hears how many files were taken, of how many.
    """
    if target.exists():
        raise FileExistsError("the target cohort exists already: give another name or remove it first")
    if target.resolve().is_relative_to(source.resolve()):
        raise ValueError("the target cohort lies inside its source: give a folder outside of it")
    cohort = read_cohort(source, modality)
    for entry in cohort.entries:
        cohort.experts(entry)
    sidecars = Sidecars(source)
    refuse_strays(sidecars, _found(source, "video")[1])
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        files = list(_files(source))
        for done, path in enumerate(files, 1):
            copy = partial / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            _take(sidecars, path, copy)
            if progress:
                progress(done, len(files))
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return read_cohort(target, modality)


def formats_not_read(root: Path) -> dict[str, int]:
    """How many files lie among a BIDS folder's recordings in formats that are not read, by their ending (`.vhdr`)."""
    others = [path for kind in MODALITIES for path in _found(root, kind)[0]]
    return dict(sorted(Counter(path.suffix.lower() for path in others).items()))


def _take(sidecars: Sidecars, path: Path, copy: Path) -> None:
    """Copy a file byte for byte; of a film its pictures. Of one that cannot be read, the reason stands in its place."""
    if path.suffix.lower() not in _RECORDINGS["video"]:
        shutil.copyfile(path, copy)
        return
    overlay = _overlay(sidecars.stated(path))
    try:
        scrub_video(path, copy.with_suffix(".mp4"), overlay=overlay)
    except Refusal as refusal:
        copy.with_suffix(".mp4").write_bytes(REFUSED + refusal.code.encode())


def _overlay(stated: dict[str, Any]) -> Strip | None:
    """What a film's sidecars say is written over its picture; a strip that is not understood must not stay in sight."""
    if "OverlayStrip" not in stated:
        return None
    try:
        return Strip(*stated["OverlayStrip"])
    except (TypeError, ValueError):
        raise Refusal(
            "corrupt",
            "OverlayStrip in a film's sidecar is not [top, bottom, left, right] with shares of the picture from 0 to 1: "
            "correct it, or take it away where nothing is written over the film",
        ) from None


def _check_description(root: Path) -> None:
    description = root / "dataset_description.json"
    if not root.is_dir():
        raise Refusal("unsupported_format", "there is no such folder: give the root of a BIDS folder")
    if not description.is_file():
        raise Refusal(
            "unsupported_format", "the folder has no dataset_description.json: give the root of a BIDS folder"
        )
    if "BIDSVersion" not in read_json(description):
        raise Refusal("unsupported_format", "dataset_description.json states no BIDSVersion: give a BIDS folder")


def _recordings(root: Path, modality: str) -> list[Path]:
    """The files of a modality, those of one recording side by side."""
    others, found = _found(root, modality)
    if modality == "pose":
        posed = {_stem(path) for path in found}
        found += [path for path in _found(root, "video")[1] if _stem(path) not in posed]
    if not found:
        raise Refusal("unsupported_format", _NONE[modality].format(others=len(others)))
    twice = len(found) - len({path.with_suffix("") for path in found})
    if twice:
        raise Refusal("corrupt", f"{twice} recordings lie there in two formats: leave one file of each in the folder")
    absent = sum(not p.is_file() for p in found)
    if absent:
        raise Refusal(
            "unsupported_format", f"{absent} of {len(found)} recordings are links to nothing: fetch them first"
        )
    return sorted(found, key=lambda path: (_stem(path), path.name))


_NONE = {
    "eeg": "the folder holds 0 EDF or BDF recordings and {others} EEG files in other formats: export them as EDF+",
    "video": "the folder holds 0 films (mp4, mov, mkv, avi) and {others} video files in other formats",
    "pose": "the folder holds no pose tracks, no films, and {others} pose files in other formats",
}


def _found(root: Path, modality: str) -> tuple[list[Path], list[Path]]:
    """(files in formats that are not read, files that are) of a modality."""
    sidecars = (".tsv",) if modality == "pose" else (".tsv", ".json")
    files = [p for p in root.glob(f"sub-*/**/{modality}/[!.]*_{modality}.*") if p.suffix.lower() not in sidecars]
    is_read = [p.suffix.lower() in _RECORDINGS[modality] for p in files]
    return [p for p, read in zip(files, is_read, strict=True) if not read], list(compress(files, is_read))


def _files(source: Path) -> list[Path]:
    """The files of a cohort that are known and wanted, and no others: notes and scan dates may identify people."""
    kinds = [kind for kind in MODALITIES if _found(source, kind)[1]]
    recordings = [p for kind in kinds or ["eeg"] for p in _recordings(source, kind)]
    beside = {p for r in recordings for suffix in _SIDECARS for p in [_beside(r, suffix)] if p.is_file()}
    sidecars = Sidecars(source)
    inherited = {p for r in recordings for p in sidecars.of(r)}
    shared = [p for p in source.glob("[!.]*") if p.is_file() and p.name.endswith(_SIDECARS)]
    top = [source / name for name in _TOP_LEVEL if (source / name).is_file()]
    places = (_beside(r, "_events.tsv").relative_to(source) for r in recordings)
    known = sorted(beside.union(inherited, shared, top))
    return [*dict.fromkeys(recordings), *known, *expert_files(source, places)]


def _entry(sidecars: Sidecars, views: list[Path], person: dict[str, str]) -> Entry:
    path, root = views[0], sidecars.root
    patient, modality = _subject(path), _modality(path)
    events, stated = _beside(path, "_events.tsv"), sidecars.stated(path)
    return Entry(
        name=_stem(path),
        path=path,
        patient=patient,
        person=person.get("person") or f"{root.name}:{patient}",
        site=person.get("site") or root.name,
        age_days=_age_days(person.get("age", "")),
        sex=_SEXES.get(person.get("sex", "").lower(), "n/a"),
        period=person.get("period", ""),
        events_path=events if events.is_file() else None,
        line_hz=positive(stated.get("PowerLineFrequency")),
        modality=modality,
        views=tuple(views) if modality == "video" else (),
        frames_hz=positive(stated.get("FrameRate")),
    )


def _participants(root: Path) -> dict[str, dict[str, str]]:
    """Rows of participants.tsv by patient, without their `n/a`s; a cohort may do without the table."""
    path = root / "participants.tsv"
    if not path.is_file():
        return {}
    try:
        reader = csv.DictReader(io.StringIO(path.read_text("utf-8-sig")), delimiter="\t")
        numbered = [(reader.line_num, row) for row in reader]
    except (UnicodeDecodeError, csv.Error):
        raise Refusal("corrupt", "participants.tsv is not tab-separated UTF-8 text: export it again") from None
    rows = [row for _, row in numbered]
    if any("participant_id" not in row for row in rows):
        raise Refusal("corrupt", "participants.tsv has no column participant_id: add it")
    people = {r["participant_id"]: {k: v for k, v in r.items() if k and v not in ("n/a", "", None)} for r in rows}
    if len(people) != len(rows):
        raise Refusal("corrupt", f"participants.tsv names {len(people)} patients in {len(rows)} rows: make them unique")
    read = zip(numbered, people.values(), strict=True)
    strange = [line for (line, _), own in read if own.get("period", PERIODS[0]) not in PERIODS]
    if strange:
        lines = ", ".join(map(str, strange[:5])) + (", …" if len(strange) > 5 else "")
        raise Refusal(
            "corrupt",
            f"participants.tsv gives {len(strange)} of {len(people)} patients a period that is not known (line {lines}): a "
            f"period is {', '.join(PERIODS)} or n/a (as development); write one of these there",
        )
    return people


def _age_days(years: str) -> float | None:
    """BIDS writes ages in years; `89+` protects the oldest."""
    if not years:
        return None
    age = plain_number(years.removesuffix("+"))
    if not 0 <= age <= 130:
        raise Refusal("corrupt", "an age in participants.tsv is not a number of years from 0 to 130: correct it")
    return age * DAYS["y"]


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(_stem(path) + suffix)


def _modality(path: Path) -> str:
    return path.stem.rsplit("_", 1)[-1]


def _stem(path: Path) -> str:
    """What the files of one recording have in common: neither suffix nor view."""
    ending = f"_{_modality(path)}{path.suffix}"
    return _VIEW.sub("", path.name).removesuffix(ending)


def _subject(path: Path) -> str:
    return next(part for part in path.parts[::-1] if part.startswith("sub-") and "_" not in part)
