"""A cohort's entry opened as what it is: an EEG recording, a film, or a pose track."""

from collections.abc import Callable
from pathlib import Path

from data.cohorts.bids import Entry
from data.film import Film
from data.outcomes import Refusal
from data.pose import PoseTrack
from data.readers.edf import read_edf
from data.readers.pose import read_pose
from data.readers.video import read_film
from data.readers.video_container import is_film
from data.recording import Recording

Estimate = Callable[[Film], PoseTrack]
"""A pose estimator: where the joints of the person on a film are."""

FILMS, POSES = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi"), (".parquet", ".npz", ".json", ".csv")


def open_entry(
    entry: Entry, estimate: Estimate | None = None, modality: str | None = None
) -> Recording | Film | PoseTrack:
    """What the entry's files hold, read under its name and age.

    `modality` is what the cohort was read for, where that differs from the files': asked for poses, a film goes through
    `estimate`, or is refused with `no_pose_estimator` where there is none. Frames per second of a pose format without
    times stand in a sidecar that holds for it (`…_video.json`, `FrameRate`). Refuses what the readers refuse.
    """
    if entry.modality == "eeg":
        return read_edf(entry.path, age_days=entry.age_days, name=entry.name)
    if entry.modality == "pose":
        return read_pose(entry.path, age_days=entry.age_days, name=entry.name, rate_hz=entry.frames_hz)
    film = read_film(entry.views or (entry.path,), age_days=entry.age_days, name=entry.name)
    return film if modality in (None, "video") else estimated(film, estimate)


def estimated(film: Film, estimate: Estimate | None) -> PoseTrack:
    """The pose on a film; refuses (`no_pose_estimator`) where no `estimate` is given."""
    if estimate is None:
        raise Refusal("no_pose_estimator", "poses are needed and only a film is there: provide a pose estimator (ONNX)")
    return estimate(film)


def modality_of(path: Path) -> str:
    """What a file holds, by its first bytes: `video`, `pose` or `eeg`; by its name where they say nothing known."""
    with path.open("rb") as file:
        head = file.read(512)
    if head.startswith((b"0       ", b"\xffBIOSEMI")):
        return "eeg"
    if is_film(head):
        return "video"
    if head.startswith((b"PAR1", b"PK\x03\x04", b"scorer,", b"\x1f\x8b")) or head.lstrip()[:1] in (b"{", b"["):
        return "pose"
    suffix = path.suffix.lower()
    return "video" if suffix in FILMS else "pose" if suffix in POSES else "eeg"
