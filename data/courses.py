"""What leakage guards look at in film and poses: their course over time, and whose body or scene it is."""

import numpy as np

from data.film import Film, View
from data.film_frontend import FilmFrontEnd
from data.outcomes import Refusal
from data.pose import EDGES, JOINTS, PoseTrack
from data.pose_quality import ordered
from data.readers.video import frame_times, frames_and_lost

RATE_HZ = 32.0
"""Rate of every course; fingerprints need no more."""
TOGETHER = 1500
"""Frames read at once: more would only fill the memory."""
BLOCKS = 4
PIECE_S = 5.0
PARTS = ((0, 1, 2, 3, 4), (7, 9), (8, 10), (13, 15), (14, 16))
"""Head, left arm, right arm, left leg and right leg, as indices of `JOINTS`."""
BRIDGED_S = 0.5
POSE_UNIT = 100.0
"""Lengths of a limb (the middle one) are written in hundredths, so that movements are as large as grey levels. A limb is
never taken to be shorter than one of them: two joints on one point of the picture have no logarithm."""


def film_courses(film: Film) -> tuple[np.ndarray, np.ndarray]:
    """(courses (16, samples) at `RATE_HZ`, identity (pieces, 17)) of the first view.

    Courses are the mean grey level (0–255) of 4 × 4 blocks of every frame, linear between those that can be decoded: a
    copy has the same frames wherever it was cut. The identity is where in the picture things move: the log of each
    block's spread over 5 s beside all blocks', and that of all. Refuses (`corrupt`) where no frame can be decoded.
    """
    times_s, blocks = _seen(film.views[0])
    at_s = np.arange(0, film.duration_s, 1 / RATE_HZ)
    courses = np.stack([np.interp(at_s, times_s, block) for block in blocks.T])
    return courses, _beside_all(_spreads(courses.T, round(PIECE_S * RATE_HZ)))


def pose_courses(track: PoseTrack) -> tuple[np.ndarray, np.ndarray]:
    """(courses (10, samples) at `RATE_HZ`, identity (pieces, 19)) of a track that has `JOINTS`, in whatever order.

    Courses are the places of head, arms and legs in hundredths of a limb's length, NaN where nothing of them was seen for
    `BRIDGED_S`. The identity is how long each limb is beside all limbs, in the median of 5 s, and the whole body in the
    picture's units (logarithms); a track whose limbs have no length has neither. Refuses (`montage_missing`) a track that lacks any of the joints.
    """
    missing = [joint for joint in JOINTS if joint not in track.joints]
    if missing:
        raise Refusal(
            "montage_missing",
            f"{len(missing)} of the {len(JOINTS)} joints are not in the track, it is of another body: estimate the pose "
            "of a human",
        )
    time_s, xy = ordered(track)
    limbs = np.stack([np.linalg.norm(xy[:, a] - xy[:, b], axis=-1) for a, b in EDGES], axis=1)
    middle = float(np.median(seen)) if len(seen := limbs[np.isfinite(limbs)]) else 0.0
    unit = middle / POSE_UNIT if middle > 0 else np.nan
    at_s = np.arange(time_s[0], time_s[-1] + 1e-9, 1 / RATE_HZ)
    places = np.concatenate([_middle(xy[:, list(part)]) for part in PARTS], axis=1) / unit
    courses = np.stack([_resampled(at_s, time_s, place) for place in places.T])
    size = max(1, round(PIECE_S * track.rate_hz))
    pieces = [limbs[a : a + size] for a in range(0, len(limbs) - size + 1, size)]
    whole = [p for p in pieces if np.isfinite(p).any(axis=0).all() and np.isfinite(unit)]
    kept = [np.log(np.maximum(np.nanmedian(p, axis=0), unit)) for p in whole]
    return courses, _beside_all(np.array(kept).reshape(len(kept), len(EDGES)))


def _seen(view: View) -> tuple[np.ndarray, np.ndarray]:
    """When the frames that can be decoded are shown, (frames,) seconds, and the means of their blocks."""
    own, times_s, blocks = FilmFrontEnd(), list[np.ndarray](), list[np.ndarray]()
    every_s = frame_times(view)
    for part_s in np.split(every_s, range(TOGETHER, len(every_s), TOGETHER)):
        frames, lost, _ = frames_and_lost(view, part_s, own.size_px, own.grey)
        times_s.append(part_s[~lost])
        blocks.append(_blocks(frames[~lost]))
    if not sum(map(len, times_s)):
        raise Refusal("corrupt", f"none of {len(every_s)} frames can be decoded: export or transfer the film again")
    return np.concatenate(times_s), np.concatenate(blocks)


def _blocks(frames: np.ndarray) -> np.ndarray:
    """(frames, `BLOCKS`²): the mean of each block."""
    side = frames.shape[1] // BLOCKS
    blocks = frames.reshape(len(frames), BLOCKS, side, BLOCKS, side).mean(axis=(2, 4), dtype=np.float32)
    return np.asarray(blocks.reshape(len(frames), -1))


def _resampled(at_s: np.ndarray, time_s: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Linear between frames, missing further than `BRIDGED_S` from any frame in which it was seen."""
    known = time_s[np.isfinite(values)]
    if not len(known):
        return np.full(len(at_s), np.nan)
    filled = np.interp(at_s, known, values[np.isfinite(values)])
    after = np.searchsorted(known, at_s).clip(1, len(known) - 1) if len(known) > 1 else np.zeros(len(at_s), dtype=int)
    away_s = np.minimum(np.abs(at_s - known[after]), np.abs(at_s - known[np.maximum(after - 1, 0)]))
    return np.where(away_s <= BRIDGED_S, filled, np.nan)


def _middle(xy: np.ndarray) -> np.ndarray:
    """(frames, 2): the mean place of the joints of a part that were seen, NaN where none was."""
    seen = np.isfinite(xy).all(axis=2, keepdims=True)
    total = np.where(seen, xy, 0.0).sum(axis=1)
    return np.where(seen.any(axis=1), total / np.maximum(seen.sum(axis=1), 1), np.nan)


def _spreads(blocks: np.ndarray, size: int) -> np.ndarray:
    pieces = len(blocks) // size
    cut = blocks[: pieces * size].reshape(pieces, size, blocks.shape[1])
    return np.asarray(np.log(cut.std(axis=1) + 0.1))


def _beside_all(logs: np.ndarray) -> np.ndarray:
    overall = np.median(logs, axis=1, keepdims=True)
    return np.concatenate([logs - overall, overall], axis=1)
