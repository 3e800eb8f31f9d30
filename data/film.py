"""A patient on film: one recording, seen by one or more cameras that share a clock."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lineage.digest import Digest

GAP_S = 1.0
"""Seconds without a frame from which the last one says nothing any more of what happens: a spasm may be over by then."""


@dataclass(frozen=True)
class View:
    """One camera's file, as its container and time stamps describe it.

    `width` and `height` are those shown, rotation applied. `rate_hz` is the mean rate of its time stamps. `first_s` and
    `last_s` are the first and last presentation times; a frame is shown until the next one. `lost` counts packets that
    could not be decoded, `after_lost` the frames between such a one and the next key frame, which may be built on it and
    show traces of it; None where they were not counted. `missing` counts the frames that are not there between its time
    stamps (`missing_frames`), `gap_s` the seconds between frames that are more than `GAP_S` apart. `length_stated`:
    whether the file states its length; where not, nobody can see that it was cut off. `rotation_deg`: counter-clockwise,
    in quarters. Times in seconds of the recording.
    """

    path: Path
    digest: Digest
    width: int
    height: int
    rate_hz: float
    frames: int
    first_s: float
    last_s: float
    codec: str
    rotation_deg: int = 0
    variable_rate: bool = False
    interlaced: bool = False
    lost: int | None = 0
    name: str = ""
    missing: int = 0
    gap_s: float = 0.0
    after_lost: int | None = 0
    length_stated: bool = True


@dataclass(frozen=True)
class Film:
    """A recording on film: its views begin together. `digest` names the bytes of all of them.

    `age_days` is the age when it was filmed, None where it is not known.
    """

    views: tuple[View, ...]
    duration_s: float
    digest: Digest = ""
    name: str = ""
    age_days: float | None = None


def missing_frames(steps_s: np.ndarray) -> int:
    """How many frames are not there between others, of their steps (frames - 1,) in seconds, by the middle step.

    What a step is shorter than that is taken from the steps on both its sides, half each: a frame that only came late, or
    early, is there. Where a camera changes its rate, also those count that it never took.
    """
    if not len(steps_s):
        return 0
    longer = steps_s / np.median(steps_s) - 1
    given = np.pad((-longer).clip(0), 1) / 2
    return int(np.round(longer - given[:-2] - given[2:]).clip(0).sum())


def gap_s(steps_s: np.ndarray) -> float:
    """Seconds in which no frame came for more than `GAP_S`, of steps (frames - 1,) in seconds."""
    return float(steps_s[steps_s > GAP_S].sum())


def why_no_views(files: Sequence[Path]) -> str | None:
    """Why files are not views of one film, by their BIDS names (`sub-01_run-1_view-room_video.mp4`), which then differ in more
    than the view; None where nothing speaks against it, as in names of another kind."""
    named = [dict(re.findall(r"(?:^|_)([A-Za-z]+)-([A-Za-z0-9]+)", file.name)) for file in files]
    if len(files) < 2 or any("sub" not in own for own in named):
        return None
    found = sorted(key for key in set().union(*named) if len({own.get(key) for own in named}) > 1)
    if found == ["view"]:
        return None
    apart = f"differ in {', '.join(found)}" if found else "are alike"
    return (
        f"a second view is the same recording by another camera, so the names of the two files may differ in view alone; "
        f"they {apart}: ask about each recording by itself, or name them by what they are"
    )
