"""What is said of a film's and a pose's quality is what was drawn into it."""

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from data.film import missing_frames
from data.film_quality import view_facts
from data.pose import JOINTS, PoseTrack
from data.pose_quality import pose_facts, swaps
from data.readers import video
from data.readers.pose import read_pose
from data.readers.video import read_film
from data.readers.video_writer import write_video
from tests import SHARED, needs_shared
from validation.checks.verdicts import inspect

RATE_HZ = 12.5


def scene(seconds: float = 16.0, seed: int = 0) -> np.ndarray:
    """A coloured room, 48 x 64, with a bright body that goes round: uint8 (time, row, column, 3)."""
    rng = np.random.default_rng(seed)
    frames = round(seconds * RATE_HZ)
    room = np.zeros((48, 64, 3)) + (60, 90, 140) + np.linspace(0, 60, 64)[:, None]
    film = np.repeat(room[None], frames, axis=0)
    for n in range(frames):
        row, column = (int(16 + 12 * f(n / 9)) for f in (np.sin, np.cos))
        film[n, row : row + 14, column + 10 : column + 24] = (230, 180, 160)
    return np.clip(film + rng.normal(0, 2, film.shape), 0, 255).astype(np.uint8)


def facts_of(tmp_path: Path, frames: np.ndarray, times_s: np.ndarray | None = None) -> dict:
    rate_hz = RATE_HZ if times_s is None else None
    write_video(tmp_path / "film.mp4", frames, rate_hz=rate_hz, times_s=times_s)
    return dict(view_facts(read_film([tmp_path / "film.mp4"], name="sub-1")).iloc[0])


def test_a_sound_film_has_nothing_to_complain_of(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, scene())
    assert (facts["recording"], facts["view"], facts["views"], facts["width"], facts["height"]) == (
        "sub-1", "1", 1, 64, 48,
    )  # fmt: skip
    shares = [k for k in facts if k.endswith("_share")]
    assert len(shares) == 8 and all(facts[k] == 0 for k in shares)
    assert facts["view_s"] == pytest.approx(16.0) and facts["rate_hz"] == pytest.approx(RATE_HZ)


def test_the_dark_half_of_a_film_is_black(tmp_path: Path) -> None:
    frames = scene()
    frames[len(frames) // 2 :] //= 20
    facts = facts_of(tmp_path, frames)
    assert facts["black_share"] == pytest.approx(0.5, abs=0.05)


def test_a_covered_lens_shows_nothing(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, np.full((100, 48, 64, 3), 120, dtype=np.uint8))
    assert (facts["blank_share"], facts["black_share"]) == (1.0, 0.0)


def test_a_picture_that_stands_is_frozen_and_an_empty_room_only_still(tmp_path: Path) -> None:
    frames = scene(24.0)
    frames[100:] = frames[100]  # from 8 s on
    frozen = facts_of(tmp_path, frames)
    assert frozen["frozen_share"] == pytest.approx(2 / 3, abs=0.05)
    rng = np.random.default_rng(1)
    room = np.broadcast_to(scene(0.1)[0].astype(float), (300, 48, 64, 3))
    empty = facts_of(tmp_path, np.clip(room + rng.normal(0, 6, room.shape), 0, 255).astype(np.uint8))
    assert (empty["frozen_share"], empty["still_share"]) == (0.0, 1.0)


def test_a_frozen_film_of_strong_compression_is_frozen_although_each_key_frame_codes_it_anew(tmp_path: Path) -> None:
    standing = np.repeat(scene(0.1), 300, axis=0)
    write_video(tmp_path / "film.mp4", standing, rate_hz=15, crf=28, preset="superfast", key_every=50)
    assert view_facts(read_film([tmp_path / "film.mp4"])).iloc[0]["frozen_share"] > 0.9


def test_a_camera_that_turns_to_infrared_loses_colour(tmp_path: Path) -> None:
    frames = scene()
    night = frames[: len(frames) // 4].mean(axis=3, keepdims=True).astype(np.uint8)
    frames[: len(frames) // 4] = night
    assert facts_of(tmp_path, frames)["infrared_share"] == pytest.approx(0.25, abs=0.05)


def test_dropped_frames_are_counted_from_the_time_stamps(tmp_path: Path) -> None:
    kept = np.delete(np.arange(200), np.arange(50, 70))
    assert missing_frames(np.diff(kept / 25)) == 20
    facts = facts_of(tmp_path, scene()[kept], kept / RATE_HZ)
    assert facts["dropped_share"] == pytest.approx(0.1) and facts["variable_rate"] is np.False_


def test_frames_that_only_come_late_or_early_are_not_missing() -> None:
    """Phones and webcams stamp a frame when they have it; the next one then comes after less than a step."""
    late = np.arange(300) / 30
    late[5::10] += 0.8 / 30
    assert missing_frames(np.diff(late)) == 0
    rng = np.random.default_rng(0)
    jittered = np.sort(np.arange(3000) / 30 + rng.normal(0, 0.15 / 30, 3000))
    assert missing_frames(np.diff(jittered)) <= 3
    kept = np.delete(jittered, np.arange(15, 3000, 30))
    assert missing_frames(np.diff(kept)) == pytest.approx(100, abs=10)


def test_between_two_frames_and_fewer_none_is_missing() -> None:
    assert [missing_frames(np.diff(times)) for times in (np.zeros(0), np.zeros(1), np.array([0.0, 0.04]))] == [0, 0, 0]


@pytest.mark.parametrize("whole", [True, False])
def test_frames_that_never_came_are_counted_in_films_of_any_length_and_without_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    """Of 20 s the camera stood still from 8 s to 11 s, 3 s or 37 frames at 12.5 per second, and lost one frame at 4 s."""
    monkeypatch.setattr(video, "LOOKED_THROUGH", 1e9 if whole else 0)
    kept = np.delete(np.arange(250), [50, *range(101, 138)])
    write_video(tmp_path / "film.mp4", scene(20.0)[kept], times_s=kept / 12.5)
    (view,) = read_film([tmp_path / "film.mp4"]).views
    assert (view.missing, view.frames, view.lost) == (38, 212, 0 if whole else None)
    assert view.gap_s == pytest.approx(38 / 12.5) and not view.variable_rate


@needs_shared
def test_a_real_cartoon_is_in_colour_and_without_gaps() -> None:
    facts = view_facts(read_film([SHARED / "video_files" / "bigbuckbunny.mp4"])).iloc[0]
    assert (facts["dropped_share"], facts["infrared_share"], facts["frozen_share"]) == (0, 0, 0)
    assert facts["contrast"] > 20


def walking(seconds: float = 8.0, rate_hz: float = 25.0, scale: float = 80.0) -> PoseTrack:
    """A person seen from the front whose arms swing; torso length is `scale`."""
    times_s = np.arange(0, seconds, 1 / rate_hz)
    at = {
        "nose": (0, -1.4), "eye": (0.1, -1.5), "ear": (0.2, -1.45), "shoulder": (0.35, -1), "elbow": (0.5, -0.5),
        "wrist": (0.55, 0), "hip": (0.2, 0), "knee": (0.2, 0.8), "ankle": (0.2, 1.6), "neck": (0, -1),
    }  # fmt: skip
    xy = np.zeros((len(times_s), len(JOINTS), 2))
    for n, joint in enumerate(JOINTS):
        side, _, part = joint.rpartition("_")
        x, y = at[part]
        xy[:, n] = (-x if side == "right" else x, y)
        if part in ("wrist", "ankle"):
            xy[:, n, 1] += 0.3 * np.sin(2 * np.pi * times_s)
    return PoseTrack(times_s, 200 + scale * xy, np.full(xy.shape[:2], 0.9), seconds, name="sub-1")


def test_a_sound_pose_has_nothing_to_complain_of() -> None:
    facts = pose_facts(walking()).iloc[0]
    assert facts["torso"] == pytest.approx(80) and facts["confidence"] == 0.9 and facts["missing_joints"] == ""
    for share in ("absent_share", "missing_share", "unsure_share", "fast_share", "swapped_share"):
        assert facts[share] == 0, share
    assert np.isnan(facts["several_share"])


def test_the_scale_of_the_picture_does_not_count() -> None:
    one, two = (pose_facts(walking(scale=scale)).iloc[0] for scale in (20.0, 300.0))
    assert one["fast_share"] == two["fast_share"] and two["torso"] == pytest.approx(15 * one["torso"])


def test_a_jump_of_a_whole_body_is_faster_than_anybody_moves() -> None:
    track = walking()
    xy = track.xy.copy()
    xy[100:] += 1000
    assert pose_facts(replace(track, xy=xy)).iloc[0]["fast_share"] == pytest.approx(1 / 199)


def test_sides_that_change_places_are_found_and_a_turn_of_the_body_is_not() -> None:
    track = walking()
    swapped = track.xy.copy()
    left, right = [[n for n, j in enumerate(JOINTS) if j.startswith(side)] for side in ("left", "right")]
    swapped[40, left], swapped[40, right] = track.xy[40, right], track.xy[40, left]
    assert np.flatnonzero(swaps(swapped)).tolist() == [40, 41]
    turning = (track.xy - 200) * np.cos(np.linspace(0, 2 * np.pi, 200))[:, None, None] * (1, 0) + (track.xy - 200) * (
        0,
        1,
    )
    assert not swaps(turning).any()
    hips = track.xy.copy()
    hips[:, [11, 12]] = hips[:, [12, 11]]
    assert swaps(hips).all()


def test_joints_under_a_blanket_and_a_second_person_are_counted() -> None:
    track = walking()
    xy, confidence = track.xy.copy(), track.confidence.copy()
    xy[:, 9:], confidence[:, 9:] = np.nan, np.nan
    xy[:50], confidence[:50] = np.nan, np.nan
    confidence[:, 0] = 0.1
    facts = pose_facts(replace(track, xy=xy, confidence=confidence, people=np.array([2] * 50 + [1] * 150))).iloc[0]
    assert facts["missing_share"] == pytest.approx(0.5) and facts["absent_share"] == pytest.approx(0.25)
    assert facts["several_share"] == pytest.approx(0.25) and facts["most_people"] == 2
    assert facts["unsure_share"] == pytest.approx(1 / 9)
    assert np.isnan(facts["torso"])


@needs_shared
def test_a_real_adult_is_there_and_a_mouse_lacks_the_joints_of_one() -> None:
    adult = read_pose(
        SHARED / "human_keypoints" / "openpose_single_person_4cams.tar.gz", rate_hz=60, series="cam2_json"
    )
    facts = pose_facts(adult).iloc[0]
    assert facts["confidence"] > 0.4 and facts["missing_joints"] == "" and facts["torso"] > 50
    mouse = pose_facts(read_pose(SHARED / "rodent_video" / "CollectedData_Pranav.csv", rate_hz=30)).iloc[0]
    assert mouse["missing_joints"].count(",") == 17 and np.isnan(mouse["swapped_share"])


def destroyed(path: Path, first: float, last: float) -> Path:
    """The file with noise in place of its packets between two shares (0–1) of them."""
    with av.open(str(path)) as container:
        packets = [(p.pos, p.size) for p in container.demux(container.streams.video[0]) if p.size]
    rng, content = np.random.default_rng(0), bytearray(path.read_bytes())
    for place, size in packets[round(first * len(packets)) : round(last * len(packets))]:
        content[place : place + size] = rng.bytes(size)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(("first", "last", "lost"), [(0.5, 0.5, 0.0), (0.3, 0.7, 0.4)])
def test_of_a_film_too_long_to_be_decoded_whole_what_is_lost_is_counted_where_it_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: float, last: float, lost: float
) -> None:
    monkeypatch.setattr(video, "LOOKED_THROUGH", 0)
    write_video(tmp_path / "film.mp4", scene(40.0), rate_hz=RATE_HZ, key_every=25)
    film = read_film([destroyed(tmp_path / "film.mp4", first, last)], name="sub-1")
    facts = view_facts(film)
    assert film.views[0].lost is None and facts["lost_share"].item() == pytest.approx(lost, abs=0.2 * bool(lost))
    codes = [r.expectation for r in inspect(facts, modality="video").verdicts[0].reasons if r.severity == "critical"]
    assert ("frames_decoded" in codes) == bool(lost)
