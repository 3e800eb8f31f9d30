"""Poses on an even clock: known motion is kept, what was not seen stays missing."""

from dataclasses import replace

import numpy as np
import pytest

from data.outcomes import Refusal
from data.pose import COCO, JOINTS, PoseTrack
from data.pose_frontend import CHANNELS, PoseFrontEnd

NOSE, LEFT, RIGHT, NECK = (JOINTS.index(j) for j in ("nose", "left_shoulder", "right_shoulder", "neck"))


def moving(times_s: np.ndarray, duration_s: float = 10.0) -> PoseTrack:
    """Every joint moves by 3 units a second across and −1 down, from a place of its own."""
    start = np.arange(2 * len(JOINTS), dtype=float).reshape(1, -1, 2)
    xy = start + times_s[:, None, None] * np.array([3.0, -1.0])
    return PoseTrack(times_s, xy, np.full(xy.shape[:2], 0.9), duration_s)


def row(joint: int, part: str) -> int:
    return CHANNELS.index(f"{JOINTS[joint]}.{part}")


@pytest.mark.parametrize("rate_hz", [10.0, 25.0, 29.97, 60.0])
def test_even_motion_is_the_same_on_any_clock(rate_hz: float) -> None:
    prepared = PoseFrontEnd(25.0).prepare(moving(np.arange(0, 10, 1 / rate_hz)))
    (segment,) = prepared.segments
    clock = segment.onset_s + np.arange(segment.signal.shape[1]) / 25
    np.testing.assert_allclose(segment.signal[row(NOSE, "x")], 3.0 * clock, atol=1e-4)
    assert prepared.channels == CHANNELS and len(CHANNELS) == 54


def test_uneven_frames_are_placed_by_their_times() -> None:
    times_s = np.sort(np.random.default_rng(0).uniform(0, 10, 300))
    times_s = np.unique(times_s)
    (segment,) = PoseFrontEnd(25.0, longest_gap_s=0.5).prepare(moving(times_s)).segments
    clock = segment.onset_s + np.arange(segment.signal.shape[1]) / 25
    np.testing.assert_allclose(segment.signal[row(NECK, "y")], 2 * NECK + 1 - clock, atol=1e-4)


def test_a_joint_not_seen_for_long_stays_missing_and_a_blink_is_bridged() -> None:
    track = moving(np.arange(0, 10, 1 / 25))
    xy = track.xy.copy()
    xy[50:100, NOSE] = np.nan  # 2 to 4 s
    xy[150:152, NOSE] = np.nan  # three frames' steps: 0.12 s
    (segment,) = PoseFrontEnd().prepare(replace(track, xy=xy)).segments
    x = segment.signal[row(NOSE, "x")]
    assert np.isnan(x[50:100]).all() and np.isfinite(x[:50]).all() and np.isfinite(x[100:]).all()
    assert np.isfinite(segment.signal[row(NECK, "x")]).all()
    assert not (segment.signal[row(NOSE, "x")] == 0)[1:].any()


def test_where_nobody_is_seen_for_long_the_recording_has_a_gap() -> None:
    track = moving(np.arange(0, 10, 1 / 25))
    xy = track.xy.copy()
    xy[100:175] = np.nan  # 4 to 7 s
    xy[200:225] = np.nan  # one second: too short to part
    prepared = PoseFrontEnd().prepare(replace(track, xy=xy))
    assert [s.onset_s for s in prepared.segments] == [0.0, 7.0]
    assert [s.signal.shape[1] for s in prepared.segments] == [100, 75]
    part = prepared.between(3.0, 8.0)
    assert [(s.onset_s, s.signal.shape[1]) for s in part.segments] == [(3.0, 25), (7.0, 25)]


def test_the_neck_is_between_the_shoulders_where_nobody_gave_it() -> None:
    track = moving(np.arange(0, 2, 1 / 25), 2.0)
    confidence = track.confidence.copy()
    confidence[:, RIGHT] = 0.4
    coco = replace(track, joints=COCO, xy=track.xy[:, :17], confidence=confidence[:, :17])
    (segment,) = PoseFrontEnd().prepare(coco).segments
    middle = (2 * LEFT + 2 * RIGHT) / 2  # (10 + 12) / 2
    assert segment.signal[row(NECK, "x"), 0] == pytest.approx(middle)
    assert segment.signal[row(NECK, "confidence"), 0] == pytest.approx(0.4)
    (given,) = PoseFrontEnd().prepare(track).segments
    assert given.signal[row(NECK, "x"), 0] == pytest.approx(2 * NECK)


def test_a_joint_of_hardly_any_confidence_was_not_seen() -> None:
    track = moving(np.arange(0, 2, 1 / 25), 2.0)
    confidence = track.confidence.copy()
    confidence[:, NOSE] = 0.02
    (segment,) = PoseFrontEnd().prepare(replace(track, confidence=confidence)).segments
    assert np.isnan(segment.signal[row(NOSE, "x")]).all()


def test_a_mouse_is_not_taken_for_an_infant() -> None:
    track = moving(np.arange(0, 2, 1 / 25), 2.0)
    mouse = replace(track, joints=("snout", "tail"), xy=track.xy[:, :2], confidence=track.confidence[:, :2])
    with pytest.raises(Refusal, match="montage_missing"):
        PoseFrontEnd().prepare(mouse)


def test_five_frames_a_second_are_too_few() -> None:
    with pytest.raises(Refusal, match="rate_too_low"):
        PoseFrontEnd().prepare(moving(np.arange(0, 10, 0.2)))


def test_a_single_frame_has_no_rate_and_is_refused() -> None:
    with pytest.raises(Refusal, match="rate_too_low: the track has nan frames per second"):
        PoseFrontEnd().prepare(moving(np.zeros(1), 10.0))


def test_a_track_without_anybody_has_no_segments() -> None:
    track = moving(np.arange(0, 2, 1 / 25), 2.0)
    assert PoseFrontEnd().prepare(replace(track, xy=np.full_like(track.xy, np.nan))).segments == ()


def test_settings_have_a_digest_of_their_own() -> None:
    assert PoseFrontEnd().digest == PoseFrontEnd(25.0).digest != PoseFrontEnd(41.0).digest
