"""The cheap refusals at the door for film and poses."""

from data.ages import describe_age
from data.film import Film
from data.outcomes import Refusal
from data.pose import PoseTrack


def film_door(film: Film, *, min_duration_s: float, age_range_days: tuple[float, float] | None = None) -> None:
    """Refuse a film that a detector cannot judge."""
    _check(film.duration_s, film.age_days, min_duration_s, age_range_days)


def pose_door(track: PoseTrack, *, min_duration_s: float, age_range_days: tuple[float, float] | None = None) -> None:
    """Refuse a pose track that a detector cannot judge."""
    _check(track.duration_s, track.age_days, min_duration_s, age_range_days)


def _check(duration_s: float, age_days: float | None, least_s: float, ages: tuple[float, float] | None) -> None:
    if duration_s < least_s:
        raise Refusal("too_short", f"the recording has {duration_s:.1f} s, needed are {least_s:g} s")
    if ages and age_days is None:
        raise Refusal("age_unknown", "the age is not known: state it")
    if ages and age_days is not None and not ages[0] <= age_days <= ages[1]:
        raise Refusal("age_out_of_scope", f"the age is {describe_age(age_days)}")
