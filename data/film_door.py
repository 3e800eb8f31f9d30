"""The cheap refusals at the door for film and poses: what a detector cannot judge, before anything is computed."""

import numpy as np

from data.ages import check_age
from data.film import Film
from data.outcomes import Refusal
from data.pose import JOINTS, PoseTrack

MIN_RATE_HZ = 10.0
"""Frames per second below which a jerk of a fifth of a second falls between two frames."""

MAX_LATE_SHARE = 0.1
"""The share of a film during which a camera may be missing, at its beginning or end or in gaps between."""

PERSON_JOINTS = 0.25
"""The share of joints that must be seen in a frame for a person to be in it."""

MAX_ABSENT_SHARE = 0.5
"""The share of frames in which no person may be seen."""


def film_door(
    film: Film,
    *,
    min_duration_s: float,
    age_range_days: tuple[float, float] | None = None,
    min_rate_hz: float = MIN_RATE_HZ,
) -> None:
    """Refuse a film that a detector cannot judge, with `rate_too_low`, `age_…`, `too_short` or `view_lost`.

    A view is lost where its camera is missing for more than a tenth of the film, at its ends or between its frames, and
    where its file is another view's once more. That two views show the same moments cannot be seen here: whoever sends
    them answers for it.
    """
    _check_apart(film)
    for view in film.views:
        _check_rate(view.rate_hz, min_rate_hz)
    check_age(film.age_days, age_range_days)
    _check_duration(film.duration_s, min_duration_s)
    for number, view in enumerate(film.views, 1):
        missing_s = max(view.first_s, 0.0) + view.gap_s + film.duration_s - view.last_s - 1 / view.rate_hz
        if missing_s > MAX_LATE_SHARE * film.duration_s:
            raise Refusal(
                "view_lost",
                f"view {number} of {len(film.views)} is missing for {missing_s:.1f} of {film.duration_s:.1f} s, at most "
                f"{MAX_LATE_SHARE:.0%} may be: send the films of all cameras whole, or without this view",
            )


def pose_door(
    track: PoseTrack,
    *,
    min_duration_s: float,
    age_range_days: tuple[float, float] | None = None,
    min_rate_hz: float = MIN_RATE_HZ,
    joints: tuple[str, ...] = JOINTS,
) -> None:
    """Refuse a pose track that a detector cannot judge.

    Codes: `montage_missing` (a joint is not in the file), `rate_too_low`, `age_…`, `too_short`, `no_person` (nobody was
    seen in more than half of the frames).
    """
    missing = [joint for joint in joints if joint not in track.joints]
    if missing:
        named = ", ".join(missing[:4]) + (", …" if len(missing) > 4 else "")
        raise Refusal(
            "montage_missing",
            f"{len(missing)} of {len(joints)} joints are not in the pose ({named}): estimate the pose of a human",
        )
    _check_rate(track.rate_hz, min_rate_hz)
    check_age(track.age_days, age_range_days)
    _check_duration(track.duration_s, min_duration_s)
    absent = absent_share(track)
    if absent > MAX_ABSENT_SHARE:
        raise Refusal(
            "no_person",
            f"no person was seen in {absent:.0%} of the time, at most {MAX_ABSENT_SHARE:.0%} may be without: "
            "turn the camera to the patient, or check the pose estimator",
        )


def absent_share(track: PoseTrack) -> float:
    """Share (0–1) of the recording without a person: frames with too few joints, and time without frames."""
    expected = max(len(track.time_s), round(track.duration_s * track.rate_hz)) if len(track.time_s) > 1 else 1
    there = track.seen.mean(axis=1) >= PERSON_JOINTS if len(track.time_s) else np.zeros(0, dtype=bool)
    return 1 - float(there.sum()) / expected


def _check_apart(film: Film) -> None:
    first: dict[str, int] = {}
    for number, view in enumerate(film.views, 1):
        if (same := first.setdefault(view.digest, number)) != number:
            raise Refusal(
                "view_lost",
                f"views {same} and {number} of {len(film.views)} are the same file, byte for byte: send the film of another "
                "camera, or this one alone",
            )


def _check_rate(rate_hz: float, least_hz: float) -> None:
    if not rate_hz >= least_hz:  # NaN where there is a single frame
        raise Refusal("rate_too_low", f"needed are {least_hz:g} frames per second, got {rate_hz:.3g}: record it faster")


def _check_duration(duration_s: float, least_s: float) -> None:
    if duration_s < least_s:
        raise Refusal("too_short", f"{duration_s:.1f} s were recorded, needed are {least_s:g} s: send more of it")
