"""What leakage guards see of films and poses: a copy is found whatever its codec, and nobody else is."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.courses import RATE_HZ, film_courses, pose_courses
from data.outcomes import Refusal
from data.pose import JOINTS, PoseTrack
from data.readers.video import read_film
from data.readers.video_writer import write_video
from validation.leakage import Fingerprints, copies, fingerprint, likeness


def waved(seed: int, seconds: float = 40.0, rate_hz: float = 25.0) -> np.ndarray:
    """(frames, 8): irregular courses of 0.3–3 Hz."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    waves = [np.sin(2 * np.pi * (f * t + p)) for f, p in zip(rng.uniform(0.3, 3, 40), rng.random(40), strict=True)]
    return np.asarray(np.stack(waves, axis=1) @ rng.normal(0, 1, (40, 8)))


def track(seed: int, scale: float = 1.0) -> PoseTrack:
    rng = np.random.default_rng(seed)
    rest = rng.uniform(20, 80, (len(JOINTS), 2))
    moved = waved(seed) @ rng.normal(0, 1, (8, len(JOINTS) * 2))
    xy = (rest + moved.reshape(-1, len(JOINTS), 2)) * scale
    time_s = np.arange(len(xy)) / 25.0
    return PoseTrack(time_s, xy, np.ones(xy.shape[:2]), float(len(xy) / 25.0))


def film(path: Path, seed: int, cut: int = 0, gain: float = 1.0) -> Path:
    rng = np.random.default_rng(seed)
    texture = rng.uniform(40, 120, (64, 64))
    y, x = np.mgrid[0:64, 0:64]
    frames = []
    for row in waved(seed, 30.0, 15.0):
        at = 32 + 4 * row[0], 32 + 4 * row[1]
        blob = 100 * np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / 150)
        frames.append(np.clip(texture + blob, 0, 255).astype(np.uint8))
    altered = np.clip(gain * np.stack(frames)[cut:], 0, 255).astype(np.uint8)
    write_video(path, altered, rate_hz=15.0)
    return path


def prints(courses: np.ndarray) -> Fingerprints:
    return fingerprint(courses, RATE_HZ)


def test_a_pose_track_at_another_scale_is_found_to_be_a_copy_and_another_one_is_not() -> None:
    kept = {name: prints(pose_courses(t)[0]) for name, t in {"a": track(1), "b": track(1, 3.0), "c": track(2)}.items()}
    found = {frozenset((copy.first, copy.second)) for copy in copies(kept)}
    assert found == {frozenset("ab")}


def test_a_joint_that_is_not_seen_for_long_leaves_no_print_there() -> None:
    whole = track(3)
    hidden = whole.xy.copy()
    hidden[200:500] = np.nan
    gap = prints(pose_courses(replace(whole, xy=hidden))[0])
    assert 0 < len(gap) < len(prints(pose_courses(whole)[0]))
    assert not ((gap.at_s > 10.5) & (gap.at_s < 17.5)).any()


def test_joints_in_another_order_and_one_more_are_the_same_body() -> None:
    told = track(1)
    turned = list(range(len(JOINTS)))[::-1]
    xy = np.concatenate([told.xy[:, turned], told.xy[:, :1] + 7.0], axis=1)
    names = (*(JOINTS[i] for i in turned), "sternum")
    same = replace(told, xy=xy, confidence=np.ones(xy.shape[:2]), joints=names)
    for one, other in zip(pose_courses(told), pose_courses(same), strict=True):
        assert np.array_equal(one, other)


def test_two_joints_on_one_point_of_the_picture_are_a_short_limb_and_persons_are_still_told_apart() -> None:
    tracks = {f"p{seed}": track(seed) for seed in range(9)}
    for one in tracks.values():
        one.xy[:, 3] = one.xy[:, 1]  # ear and eye
    tracks["again"] = replace(tracks["p1"])
    found = {name: pose_courses(t)[1] for name, t in tracks.items()}
    assert all(len(pieces) and np.isfinite(pieces).all() for pieces in found.values())
    nearest = likeness(found, {name: name for name in found})[0]
    assert {nearest.first, nearest.second} == {"p1", "again"}


def test_a_track_that_is_one_point_has_no_course_and_no_body() -> None:
    whole = track(1)
    for xy in (np.full_like(whole.xy, 40.0), np.full_like(whole.xy, np.nan)):
        courses, pieces = pose_courses(replace(whole, xy=xy))
        assert np.isnan(courses).all() and len(prints(courses)) == 0 and pieces.shape == (0, 19)


def test_poses_of_another_body_are_refused() -> None:
    animal = replace(track(1), joints=tuple(f"part-{i}" for i in range(len(JOINTS))))
    with pytest.raises(Refusal, match="another body"):
        pose_courses(animal)


def test_a_film_and_itself_are_copies_and_another_film_is_not(tmp_path: Path) -> None:
    made = {name: film(tmp_path / f"{name}.mp4", seed) for name, seed in {"a": 1, "b": 1, "c": 2}.items()}
    kept = {name: prints(film_courses(read_film([path]))[0]) for name, path in made.items()}
    found = {frozenset((copy.first, copy.second)) for copy in copies(kept)}
    assert found == {frozenset("ab")}


def test_a_film_that_was_cut_and_brightened_is_a_copy_wherever_it_was_cut(tmp_path: Path) -> None:
    """A second has 15 frames: 1, 7 and 20 of them are no whole number of any coarser step."""
    kept = {"whole": prints(film_courses(read_film([film(tmp_path / "whole.mp4", 1)]))[0])}
    kept |= {"other": prints(film_courses(read_film([film(tmp_path / "other.mp4", 2)]))[0])}
    for cut in (1, 7, 20):
        copied = prints(film_courses(read_film([film(tmp_path / f"{cut}.mp4", 1, cut, gain=1.1)]))[0])
        (found,) = copies({**kept, "copy": copied})
        assert (found.first, found.second) == ("copy", "whole")
        assert found.second_s - found.first_s == pytest.approx(cut / 15, abs=0.04)


def test_a_long_film_is_looked_at_in_parts_with_the_same_courses(tmp_path: Path, monkeypatch: Any) -> None:
    made = read_film([film(tmp_path / "a.mp4", 1)])
    whole = film_courses(made)
    monkeypatch.setattr("data.courses.TOGETHER", 100)
    for one, other in zip(whole, film_courses(made), strict=True):
        assert np.array_equal(one, other)
