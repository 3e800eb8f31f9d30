"""A patient on film: one recording, seen by one or more cameras that share a clock."""

from dataclasses import dataclass
from pathlib import Path

from lineage.digest import Digest


@dataclass(frozen=True)
class View:
    """One camera's file, as its container and time stamps describe it.

    `width` and `height` are those shown, rotation applied. `rate_hz` is the mean rate of its time stamps. `first_s` and
    `last_s` are the first and last presentation times; a frame is shown until the next one. `lost` counts packets that
    could not be decoded, None where they were not counted. `rotation_deg`: counter-clockwise, in quarters. Times in
    seconds of the recording.
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
