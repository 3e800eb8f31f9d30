"""How a simulated cohort is put on disk: whole or not at all, in BIDS, by as many workers as are given."""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from data.cohorts.bids import Cohort, read_cohort
from data.events import Annotations
from data.processes import context
from data.readers.bids import write_events
from data.readers.edf import write_edf
from data.readers.video_writer import write_video
from data.recording import Recording
from data.simulator.recorder import stem_of
from data.simulator.site import Site

Progress = Callable[[int, int], None]
"""progress(recordings done, recordings in all)"""

BIDS_VERSION = "1.9.0"
LICENSE = "CC0"


class SomePerson(Protocol):
    """What participants.tsv says of whoever is recorded."""

    @property
    def key(self) -> str:
        """Names the human being, the same in all of their recordings (column `person`)."""

    @property
    def sex(self) -> str:
        """Written to the column `sex` as it stands, such as F or M."""

    @property
    def age_days(self) -> float:
        """Age in days; the column `age` has it in years of 365.25 days."""


class SomePlace(Protocol):
    """What participants.tsv says of where somebody is recorded."""

    @property
    def name(self) -> str:
        """Names the site (column `site`)."""


class Drawn(Protocol):
    """What a cohort needs to know of one drawn recording."""

    @property
    def name(self) -> str:
        """The participant as BIDS names them, such as `sub-001`, and the folder of what is written."""

    @property
    def period(self) -> str:
        """The part of the cohort that it belongs to, such as `development` (column `period`)."""

    @property
    def duration_s(self) -> float:
        """Seconds that the recording lasts."""

    @property
    def site(self) -> SomePlace:
        """Where it is recorded."""

    @property
    def person(self) -> SomePerson:
        """Who is recorded."""


class DrawnEeg(Drawn, Protocol):
    """The same of a recording of EEG."""

    @property
    def site(self) -> Site:
        """Where it is recorded; the sidecar states its rate and mains (Hz), reference and number of channels."""


P = TypeVar("P")


def write_cohort(
    root: Path,
    plans: Sequence[P],
    write: Callable[[Path, P], None],
    finish: Callable[[Path], None],
    progress: Progress | None,
    workers: int,
    modality: str = "eeg",
) -> Cohort:
    """Make the cohort beside `root`, and put it in place when it is whole; FileExistsError where `root` is there.

    `write(folder, plan)` writes one recording, in a process of its own if there are several workers; `finish(folder)`
    what is about all of them. A cohort that could not be finished is not left behind.
    """
    if root.exists():
        raise FileExistsError("the folder of the simulated cohort exists already: remove it or name another")
    part = root.with_name(f".{root.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        for done, _ in enumerate(_mapped(partial(write, part), plans, workers), 1):
            if progress:
                progress(done, len(plans))
        finish(part)
        part.rename(root)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return read_cohort(root, modality)


def write_recording(
    root: Path, drawn: DrawnEeg, recording: Recording, signal: np.ndarray, truth: Annotations, stem: str = ""
) -> Path:
    """Write `signal` as the recording's samples with its sidecar and events below `root`; gives the path of the EDF.

    `signal`: (channels, samples) µV, as the file is to hold it, whatever the recording holds. `stem`: what its files'
    names begin with where the patient has more recordings than one.
    """
    eeg, stem = root / drawn.name / "eeg", stem or stem_of(drawn.name)
    eeg.mkdir(parents=True, exist_ok=True)
    edf = eeg / f"{stem}_eeg.edf"
    write_edf(edf, signal, recording.channels, recording.rate_hz)
    (eeg / f"{stem}_eeg.json").write_text(as_json(_sidecar(drawn)))
    write_events(eeg / f"{stem}_events.tsv", truth)
    return edf


def write_film(
    patient: Path, stem: str, views: Mapping[str, tuple[np.ndarray, np.ndarray]], truth: Annotations | None
) -> tuple[Path, ...]:
    """Write each view as a small film below the patient's folder; gives their paths.

    Views, by name, are frames, uint8 (times, height, width[, 3]), and when they are shown (times,), ascending seconds;
    one without a name is the only one. `truth` is None for a film that nobody annotates.
    """
    folder = patient / "video"
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, (frames, time_s) in views.items():
        paths.append(folder / f"{stem}{f'_view-{name}' * bool(name)}_video.mp4")
        write_video(paths[-1], frames, times_s=time_s, crf=28, preset="superfast")
    facts = {"TaskName": stem.split("_task-")[1].split("_")[0], "Views": sorted(views), "Infrared": True}
    (folder / f"{stem}_video.json").write_text(as_json(facts))
    if truth is not None:
        write_events(folder / f"{stem}_events.tsv", truth)
    return tuple(paths)


def write_about(root: Path, drawn: Iterable[Drawn], readme: str, description: dict[str, object]) -> None:
    """participants.tsv, README and dataset_description.json, and the folder sourcedata/ for what was drawn."""
    (root / "participants.tsv").write_text("\n".join(_participants(drawn)) + "\n")
    (root / "README").write_text(readme)
    (root / "dataset_description.json").write_text(as_json(description))
    (root / "sourcedata").mkdir()


def write_draws(root: Path, settings: object, what: str, drawn: Sequence[Any]) -> None:
    """sourcedata/draws.json, from which the cohort follows to the byte, and what was broken on purpose (`breakage`)."""
    draws = {"settings": asdict(settings), what: [asdict(one) for one in drawn]}  # type: ignore[call-overload]
    (root / "sourcedata" / "draws.json").write_text(json.dumps(draws, sort_keys=True) + "\n")
    if hasattr(drawn[0], "breakage"):
        broken = {one.stem: one.breakage for one in drawn if one.breakage}
        (root / "sourcedata" / "broken.json").write_text(as_json(broken))


def as_json(value: object) -> str:
    """JSON with sorted keys and a last newline: the same value gives the same bytes."""
    return json.dumps(value, indent=1, sort_keys=True) + "\n"


def _mapped(write: Callable[[P], None], plans: Sequence[P], workers: int) -> Iterator[None]:
    if workers <= 1:
        yield from map(write, plans)
        return
    with ProcessPoolExecutor(min(workers, len(plans)), mp_context=context([write_cohort.__module__])) as pool:
        yield from pool.map(write, plans)


def _sidecar(drawn: DrawnEeg) -> dict[str, object]:
    return {
        "TaskName": "eeg",
        "SamplingFrequency": drawn.site.rate_hz,
        "PowerLineFrequency": drawn.site.line_hz,
        "EEGReference": drawn.site.reference,
        "EEGChannelCount": len(drawn.site.channels),
        "RecordingDuration": drawn.duration_s,
        "RecordingType": "continuous",
        "SoftwareFilters": "n/a",
    }


def _participants(drawn: Iterable[Drawn]) -> Iterator[str]:
    """Ages in years, as BIDS wants them, with enough decimals for days."""
    yield "participant_id\tage\tsex\tsite\tperson\tperiod"
    for params in drawn:
        person = params.person
        years = f"{person.age_days / 365.25:.8f}"
        yield "\t".join((params.name, years, person.sex, params.site.name, person.key, params.period))
