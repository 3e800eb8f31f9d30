"""What the camera saw, in step with the traces: a film in coarse cells, or a pose in torso lengths.

The console knows no roles, so that nobody is shown more than the tier that all of them may see (`data.privacy`).
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
from markupsafe import escape

from data.film import Film
from data.outcomes import Refusal
from data.pose import EDGES, JOINTS, PoseTrack
from data.privacy import coarse, normalised
from data.readers.pose import read_pose
from data.readers.video import frames_and_lost, read_film
from data.readers.video_still import png

SIDE_PX = 96
GREY = 128
TORSO_PX = 20
HIPS_PX = (SIDE_PX / 2, SIDE_PX * 0.55)
NEAR_S = 0.5
"""How far from the moment asked for a pose may lie and still stand for it."""

SEEN_THROUGH = (
    "coarse: the mean of 24 cells along the picture's longer side; the console knows no roles, so it shows no raw film"
)


def film_strip(path: Path, times_s: np.ndarray) -> bytes:
    """A PNG of the pictures shown at these ascending times, (pictures,) in seconds of the recording, side by side, each
    coarse; grey where the film has ended or cannot be decoded. Raises Refusal for a film that cannot be read, OSError
    where the file is gone."""
    film = _film(path, path.stat().st_mtime_ns)
    pictures, lost, _ = frames_and_lost(film.views[0], times_s, SIDE_PX, grey=False)
    shown = [
        np.full_like(picture, GREY) if nothing else coarse(picture)
        for picture, nothing in zip(pictures, lost | (times_s > film.duration_s), strict=True)
    ]
    return png(np.concatenate(shown, axis=1))


def pose_strip(path: Path, rate_hz: float | None, times_s: np.ndarray) -> str:
    """An SVG of the skeletons nearest to these times, (pictures,) in seconds of the recording, side by side, from the
    middle of the hips, in torso lengths; an empty frame where none lies within `NEAR_S`. `rate_hz` is for tracks that
    do not say theirs. Raises Refusal for a track that cannot be read, OSError where the file is gone."""
    track = _track(path, rate_hz, path.stat().st_mtime_ns)
    drawn = [_skeleton(track, time_s, number * SIDE_PX) for number, time_s in enumerate(times_s.tolist())]
    width = SIDE_PX * len(times_s)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {SIDE_PX}" width="{width}" height="{SIDE_PX}">'
        f'<rect width="{width}" height="{SIDE_PX}" fill="#fff"/>{"".join(drawn)}</svg>'
    )


def film_length_s(path: Path) -> float:
    """Seconds of a film; 0 of one that cannot be read."""
    try:
        return _film(path, path.stat().st_mtime_ns).duration_s
    except (Refusal, OSError):
        return 0.0


def said_instead(sentence: str) -> str:
    """An SVG that says why there is no strip."""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 30" width="960" height="30">'
        f'<rect width="960" height="30" fill="#fff"/><text x="8" y="20" font-family="sans-serif" font-size="14">{escape(sentence)}</text></svg>'
    )


@lru_cache(8)
def _film(path: Path, written_ns: int) -> Film:
    """The film's facts, found once for as long as the file is the same."""
    return read_film([path])


@lru_cache(8)
def _track(path: Path, rate_hz: float | None, written_ns: int) -> PoseTrack:
    return normalised(read_pose(path, rate_hz=rate_hz))


def _skeleton(track: PoseTrack, time_s: float, left_px: float) -> str:
    at = int(np.abs(track.time_s - time_s).argmin())
    frame = f'<rect x="{left_px}" width="{SIDE_PX}" height="{SIDE_PX}" fill="none" stroke="#d9dee4"/>'
    if abs(track.time_s[at] - time_s) > NEAR_S:
        return frame
    x, y = (track.xy[at, :, axis] * TORSO_PX + middle for axis, middle in enumerate(HIPS_PX))
    order = [track.joints.index(name) for name in JOINTS]
    lines = [
        f"M{left_px + x[a]:.1f},{y[a]:.1f}L{left_px + x[b]:.1f},{y[b]:.1f}"
        for a, b in ((order[a], order[b]) for a, b in EDGES)
        if np.isfinite([x[a], y[a], x[b], y[b]]).all()
    ]
    return frame + f'<path d="{"".join(lines)}" fill="none" stroke="#12355b" stroke-width="2" stroke-linecap="round"/>'
