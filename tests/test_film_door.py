"""What is refused at the door of film and poses, with value, limit and what to do."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.film import Film, View, why_no_views
from data.film_door import absent_share, film_door, pose_door
from data.outcomes import Refusal
from data.pose import JOINTS, PoseTrack

VIEW = View(Path("a.mp4"), "0" * 64, 64, 64, 25.0, 250, 0.0, 9.96, "h264")
FILM = Film((VIEW, replace(VIEW, digest="1" * 64)), 10.0, "0" * 64, "sub-1", 200.0)
INFANT = (28.0, 730.0)


def track(seconds: float = 10.0, rate_hz: float = 25.0) -> PoseTrack:
    times_s = np.arange(0, seconds, 1 / rate_hz)
    shape = (len(times_s), len(JOINTS))
    return PoseTrack(times_s, np.ones((*shape, 2)), np.ones(shape), seconds, age_days=200.0)


def code(ask) -> str:
    with pytest.raises(Refusal) as refused:
        ask()
    assert refused.value.reason.count(":") >= 1  # what to do
    return refused.value.code


def test_a_film_and_a_pose_as_they_should_be_pass() -> None:
    film_door(FILM, min_duration_s=5.0, age_range_days=INFANT)
    pose_door(track(), min_duration_s=5.0, age_range_days=INFANT)


@pytest.mark.parametrize(
    ("film", "expected"),
    [
        (replace(FILM, duration_s=4.0, views=(replace(VIEW, last_s=3.96),)), "too_short"),
        (replace(FILM, views=(VIEW, replace(FILM.views[1], rate_hz=8.0))), "rate_too_low"),
        (replace(FILM, age_days=None), "age_unknown"),
        (replace(FILM, age_days=9000.0), "age_out_of_scope"),
        (replace(FILM, views=(VIEW, replace(FILM.views[1], last_s=7.0))), "view_lost"),
        (replace(FILM, views=(VIEW, replace(FILM.views[1], first_s=3.0))), "view_lost"),
        (replace(FILM, views=(VIEW, replace(FILM.views[1], gap_s=1.5))), "view_lost"),
        (replace(FILM, views=(VIEW, replace(VIEW, path=Path("b.mp4")))), "view_lost"),
    ],
)
def test_each_defect_of_a_film_has_its_code(film: Film, expected: str) -> None:
    assert code(lambda: film_door(film, min_duration_s=5.0, age_range_days=INFANT)) == expected


def unseen(poses: PoseTrack, frames: slice) -> PoseTrack:
    xy = poses.xy.copy()
    xy[frames] = np.nan
    return replace(poses, xy=xy)


@pytest.mark.parametrize(
    ("poses", "expected"),
    [
        (track(4.0), "too_short"),
        (track(rate_hz=5.0), "rate_too_low"),
        (track(0.04), "rate_too_low"),
        (replace(track(), age_days=None), "age_unknown"),
        (replace(track(), age_days=9000.0), "age_out_of_scope"),
        (unseen(track(), slice(0, 130)), "no_person"),
        (replace(track(), duration_s=25.0), "no_person"),
        (replace(track(), joints=("snout", *JOINTS[1:])), "montage_missing"),
    ],
)
def test_each_defect_of_a_pose_has_its_code(poses: PoseTrack, expected: str) -> None:
    assert code(lambda: pose_door(poses, min_duration_s=5.0, age_range_days=INFANT)) == expected


def test_a_mouse_is_let_in_where_its_own_joints_are_asked_for() -> None:
    mouse = PoseTrack(np.arange(250) / 25, np.ones((250, 1, 2)), np.ones((250, 1)), 10.0, ("snout",))
    pose_door(mouse, min_duration_s=5.0, joints=("snout",))


def test_time_without_frames_is_time_without_a_person() -> None:
    assert absent_share(unseen(track(), slice(0, 50))) == pytest.approx(50 / 250)
    assert absent_share(replace(track(), duration_s=20.0)) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("one", "other", "says"),
    [
        ("sub-01_run-1_view-large_video.mp4", "sub-01_run-2_view-small_video.mp4", "they differ in run, view"),
        ("sub-01_view-large_video.mp4", "sub-02_view-large_video.mp4", "they differ in sub"),
        ("sub-01_view-large_video.mp4", "sub-01_ses-2_view-small_video.mp4", "they differ in ses, view"),
        ("a/sub-01_view-large_video.mp4", "b/sub-01_view-large_video.mp4", "they are alike"),
    ],
)
def test_files_named_as_two_recordings_or_as_one_camera_are_not_two_views(one: str, other: str, says: str) -> None:
    said = why_no_views([Path(one), Path(other)])
    assert said is not None and says in said and "01" not in said  # names may say who it is


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sub-01_run-1_view-large_video.mp4", "sub-01_run-1_view-small_video.mp4"),
        ("room.mp4", "patient.mp4"),
        ("cam-1.mp4", "cam-2.mp4"),
        ("room.mp4", "sub-01_view-small_video.mp4"),
    ],
)
def test_names_that_differ_in_the_view_alone_or_say_nothing_may_be_two_views(one: str, other: str) -> None:
    assert why_no_views([Path(one), Path(other)]) is None
    assert why_no_views([Path(one)]) is None
