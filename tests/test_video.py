"""Film is read by presentation time; whatever file arrives, the answer is a film or a typed refusal."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from data.film import Film, View
from data.film_quality import view_facts
from data.outcomes import CODES, Refusal
from data.readers import video
from data.readers.video import every_frame, frame_times, frames_and_lost, read_film, read_frames
from data.readers.video_writer import write_video
from tests import SHARED, needs_shared
from tests.test_film_quality import scene

FILES = sorted(p for folder in ("video_files", "rodent_video") for p in (SHARED / folder).rglob("*") if p.is_file())
RATE_HZ = 25


def steps(frames: int = 60, height: int = 48, width: int = 64) -> np.ndarray:
    """Frame k is grey of value 4 k: a picture that says when it was shown."""
    return np.broadcast_to(4 * np.arange(frames, dtype=np.uint8)[:, None, None], (frames, height, width))


def shown(view: View, times_s: list[float], size_px: int = 32) -> list[int]:
    """The number of the frame shown at each time, read from its grey."""
    grey = read_frames(view, np.array(times_s), size_px, grey=True)
    return [round(float(g) / 4) for g in grey[:, size_px // 2, size_px // 2]]


@pytest.fixture
def film(tmp_path: Path) -> View:
    write_video(tmp_path / "steps.mp4", steps(), rate_hz=RATE_HZ, key_every=20)
    return read_film([tmp_path / "steps.mp4"]).views[0]


def other_container(
    path: Path,
    codec: str,
    frames: int = 30,
    options: dict[str, str] | None = None,
    at: Sequence[int] | None = None,
    pictures: np.ndarray | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    with av.open(str(path), "w", container_options=container_options) as container:
        stream = container.add_stream(codec, rate=RATE_HZ)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.options = options or {}
        for n, picture in enumerate(steps(frames) if pictures is None else pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="gray")
            frame = frame.reformat(format=stream.pix_fmt)
            frame.pts, frame.time_base = at[n] if at else n, Fraction(1, RATE_HZ)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.skipif(not FILES, reason="the folder of real recordings is not beside the checkout")
@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_every_real_file_ends_in_a_film_or_a_typed_refusal(path: Path) -> None:
    try:
        film = read_film([path])
    except Refusal as refusal:
        assert refusal.code in CODES and path.name not in refusal.reason and str(path.parent) not in refusal.reason
        return
    frames = read_frames(film.views[0], np.linspace(0, film.duration_s, 7, endpoint=False), 32, grey=False)
    assert frames.shape == (7, 32, 32, 3) and frames.any()
    assert film.duration_s > film.views[0].last_s


@needs_shared
def test_a_pointer_to_a_film_is_not_a_film() -> None:
    with pytest.raises(Refusal, match=r"unsupported_format.*git lfs pull"):
        read_film([SHARED / "rodent_video" / "deepof" / "testDLC_video_circular_arena.mp4"])


@needs_shared
def test_a_packet_that_cannot_be_decoded_is_counted_and_the_frame_before_stays_shown() -> None:
    view = read_film([SHARED / "video_files" / "corrupted.mp4"]).views[0]
    assert (view.frames, view.lost) == (50, 1)
    frames = read_frames(view, frame_times(view), 48, grey=True).astype(int)
    assert len(frames) == 50
    assert (frames[1:] == frames[:-1]).all(axis=(1, 2)).any()


def spoilt(path: Path, of: range, share: float) -> Path:
    """The film with noise in place of the last `share` of each of these packets, in the order of decoding."""
    with av.open(str(path)) as container:
        packets = [(p.pos, p.size) for p in container.demux(container.streams.video[0]) if p.size]
    rng, content = np.random.default_rng(0), bytearray(path.read_bytes())
    for place, size in (packets[number] for number in of):
        kept = round((1 - share) * size)
        content[place + kept : place + size] = rng.bytes(size - kept)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(("share", "of", "lost"), [
    (1.0, range(31, 36), 5), (0.5, range(31, 35), 4),  # packets that cannot be decoded, and whose second half cannot
    (1.0, range(50, 51), 25), (0.5, range(50, 51), 25),  # a key frame, that the 24 frames to the next are made from
])  # fmt: skip
@pytest.mark.parametrize("whole", [True, False])
def test_every_frame_that_is_not_as_it_was_filmed_is_counted_as_lost_and_the_one_before_stays_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float, of: range, lost: int, whole: bool
) -> None:
    monkeypatch.setattr(video, "LOOKED_THROUGH", 1e9 if whole else 0)
    path = tmp_path / "film.mp4"
    write_video(path, scene(24.0), rate_hz=RATE_HZ, key_every=25)
    sound = read_film([path]).views[0]
    times_s = frame_times(sound)
    filmed = read_frames(sound, times_s, 48, grey=True).astype(int)
    view = read_film([spoilt(path, of, share)]).views[0]
    pictures, missed, behind = frames_and_lost(view, times_s, 48, grey=True)
    assert view.lost == (lost if whole else None) and missed.sum() == lost
    assert view.after_lost == (behind.sum() if whole else None)
    differs = np.abs(pictures - filmed).max(axis=(1, 2)) > 40
    assert not (differs & ~missed & ~behind).any() and not (missed & behind).any()
    first = int(np.flatnonzero(missed)[0])
    assert (pictures[first] == pictures[first - 1]).all() and differs.any()
    assert len(list(every_frame(view))) == 300 - lost


ONE_WAY = {"bf": "0", "sc_threshold": "1000000000"}
"""Each frame is made from the one before, and key frames stand only where they are asked for."""


@pytest.mark.parametrize("whole", [True, False])
def test_frames_after_a_lost_one_are_counted_until_the_next_key_frame_and_shown_as_they_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    """Key frames are 0, 50 and 100 of 150; the packet of frame 10 is noise: 39 follow it, one is looked at of each 10."""
    monkeypatch.setattr(video, "LOOKED_THROUGH", 1e9 if whole else 0)
    path = other_container(tmp_path / "film.mp4", "mpeg4", frames=150, options=ONE_WAY | {"g": "50"})
    times_s = frame_times(read_film([path]).views[0])
    view = read_film([spoilt(path, range(10, 11), 1.0)]).views[0]
    assert (view.lost, view.after_lost) == ((1, 39) if whole else (None, None))
    pictures, lost, after = frames_and_lost(view, times_s, 32, grey=True)
    assert np.flatnonzero(lost).tolist() == [10] and np.flatnonzero(after).tolist() == list(range(11, 50))
    assert (pictures[10] == pictures[9]).all() and (pictures[11] != pictures[9]).any()
    seldom = frames_and_lost(view, times_s[5::10], 32, grey=True)[2]
    assert np.flatnonzero(seldom).tolist() == [1, 2, 3, 4]
    row = view_facts(Film((view,), 6.0)).iloc[0]
    assert row["after_lost_share"] == pytest.approx(39 / 150, abs=0 if whole else 0.1)


@pytest.mark.parametrize(("lost", "refused"), [(28, True), (29, False)])
@pytest.mark.parametrize("whole", [True, False])
def test_of_a_film_most_frames_are_to_be_as_they_were_filmed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: bool, lost: int, refused: bool
) -> None:
    """One key frame, and one lost frame: 31 of 60 or 30 follow, and may be built on it; at most half may."""
    path = other_container(tmp_path / "film.mp4", "mpeg4", frames=60, options=ONE_WAY | {"g": "60"})
    monkeypatch.setattr(video, "LOOKED_THROUGH", 1e9 if whole else 0)
    spoilt(path, range(lost, lost + 1), 1.0)
    if not refused:
        view = read_film([path]).views[0]
        assert len(read_frames(view, frame_times(view), 32, grey=True)) == 60
        return
    with pytest.raises(Refusal, match=r"corrupt: 31 of 60 frames.* come after one that cannot be decoded .* most 50%"):
        view = read_film([path]).views[0]
        assert not whole
        read_frames(view, frame_times(view), 32, grey=True)


def test_frames_that_a_decoder_says_nothing_of_are_lost(tmp_path: Path) -> None:
    """H.265's gives nothing between a frame that it could not decode and the next key frame, and names one alone."""
    quiet = {"x265-params": "log-level=none:pools=none:frame-threads=1:bframes=0:keyint=20:min-keyint=20:scenecut=0"}
    path = other_container(tmp_path / "film.mp4", "libx265", frames=300, options=quiet)
    times_s = frame_times(read_film([path]).views[0])
    view = read_film([spoilt(path, range(210, 211), 1.0)]).views[0]
    assert view.lost == frames_and_lost(view, times_s, 32, grey=True)[1].sum() == 10


INTACT = [
    ("mp4", "libx264", ""), ("mkv", "libx264", ""), ("avi", "libx264", ""), ("ts", "libx264", ""),
    ("mov", "libx264", "open-gop=1:bframes=4"), ("ts", "libx264", "open-gop=1:bframes=4"), ("mp4", "libx264", "interlaced=1"),
    ("avi", "mpeg4", ""), ("ts", "mpeg2video", ""), ("avi", "mjpeg", ""), ("webm", "libvpx", ""), ("asf", "wmv2", ""),
]  # fmt: skip


@pytest.mark.parametrize("steady", [True, False])
@pytest.mark.parametrize(("ending", "codec", "x264"), INTACT)
def test_of_an_intact_film_no_frame_is_lost_nor_built_on_a_lost_one(
    tmp_path: Path, ending: str, codec: str, x264: str, steady: bool
) -> None:
    options = (
        {"x264-params": x264} if x264 else {"bf": "2", "sc_threshold": "1000000000"} if codec.startswith("mpeg") else {}
    )
    at = list(range(60)) if steady else np.delete(np.arange(80), range(30, 50)).tolist()
    view = read_film([other_container(tmp_path / f"film.{ending}", codec, 60, options, at)]).views[0]
    _, lost, after = frames_and_lost(view, frame_times(view), 32, grey=True)
    assert (view.frames, view.lost, view.after_lost, lost.sum(), after.sum()) == (60, 0, 0, 0, 0)


REFRESHED = "intra-refresh=1:keyint={}:scenecut=0:bframes={}"
"""Each picture renews a part of the view: none but the first is whole by itself."""

OPEN = "open-gop=1:keyint=24:min-keyint=24:scenecut=0:b-adapt=0:bframes=3"
"""Frames shown just before a key frame are made from it and from what lies before."""

SOUGHT = [
    *((ending, "libx264", {"x264-params": REFRESHED.format(every, between)})
      for ending in ("mp4", "mkv", "avi") for every, between in ((25, 0), (25, 2), (8, 0), (5, 0))),
    *((ending, "libx264", {"x264-params": OPEN}) for ending in ("mp4", "mkv", "avi")),
    *((ending, "mpeg4", {"bf": "2", "g": "3", "sc_threshold": "1000000000"}) for ending in ("mp4", "avi")),
]  # fmt: skip


@pytest.mark.parametrize(("ending", "codec", "options"), SOUGHT)
def test_of_an_intact_film_every_picture_that_is_sought_is_the_one_that_decoding_the_whole_film_gives(
    tmp_path: Path, ending: str, codec: str, options: dict[str, str]
) -> None:
    pictures = scene(8.0)[:100, ..., 0]
    view = read_film([other_container(tmp_path / f"film.{ending}", codec, options=options, pictures=pictures)]).views[0]
    assert (view.frames, view.lost, view.after_lost, view.missing) == (100, 0, 0, 0)
    whole = np.stack([picture for _, picture in every_frame(view)])
    times_s = frame_times(view)
    for look in (
        slice(None),
        slice(3, None, 24),
        *(slice(n, n + 1) for n in [*range(0, 20, 3), *range(20, 30), 73, 99]),
    ):
        found, lost, after = frames_and_lost(view, times_s[look], 64, grey=False)
        assert not lost.any() and not after.any()
        np.testing.assert_array_equal(found[:, 8:56], whole[look])


@needs_shared
@pytest.mark.parametrize("name", ["bigbuckbunny.mp4", "h265_10bits.mp4", "unordered.mov", "video_90.mov"])
def test_of_a_real_intact_film_no_frame_is_lost_nor_built_on_a_lost_one(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(video, "LOOKED_THROUGH", 1e9)
    view = read_film([SHARED / "video_files" / name]).views[0]
    assert (view.lost, view.after_lost) == (0, 0)


def test_where_a_transport_stream_lacks_a_packet_a_frame_is_lost_and_what_follows_may_be_built_on_it(
    tmp_path: Path,
) -> None:
    """Its packets of 188 bytes are counted. Of one that begins frame 30 and is not there the decoder says nothing: that frame
    is missing, the one before, which is marked, counts as lost, and nine follow until the key frame 40."""
    path, keyed = tmp_path / "film.ts", {"x264-params": "bframes=0:keyint=20:min-keyint=20:scenecut=0"}
    other_container(path, "libx264", options=keyed, pictures=scene(4.8)[..., 0])
    content = path.read_bytes()
    with av.open(str(path)) as container:
        place = [packet.pos for packet in container.demux(video=0)][31]
    path.write_bytes(content[:place] + content[place + 188 :])
    view = read_film([path]).views[0]
    assert (view.frames, view.missing, view.lost, view.after_lost) == (59, 1, 1, 9)


@needs_shared
def test_a_film_that_was_cut_where_no_decoder_is_sure_to_begin_is_whole(tmp_path: Path) -> None:
    """Its key frames are no IDR: recorders leave those out, and programs that cut films without coding them again cut there."""
    with av.open(str(SHARED / "rodent_video" / "m3v1mp4.mp4")) as whole, av.open(str(tmp_path / "cut.mp4"), "w") as cut:
        source = whole.streams.video[0]
        target = cut.add_stream_from_template(source)
        whole.seek(12_199_878, stream=source)
        for packet in whole.demux(source):
            if packet.dts is not None and packet.pts is not None and packet.pts >= 12_199_878:
                packet.pts, packet.dts, packet.stream = packet.pts - 12_199_878, packet.dts - 12_199_878, target
                cut.mux(packet)
    for path in (tmp_path / "cut.mp4", SHARED / "rodent_video" / "m3v1mp4.mp4"):
        view = read_film([path]).views[0]
        times_s = frame_times(view)[::3]
        assert not frames_and_lost(view, times_s, 32, grey=True)[1].any()
        assert not any(frames_and_lost(view, times_s[n : n + 1], 32, grey=True)[1] for n in range(5, len(times_s), 90))


def test_frames_of_which_more_than_a_tenth_cannot_be_decoded_are_refused_and_a_tenth_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video, "LOOKED_THROUGH", 0)
    path = tmp_path / "film.mp4"
    write_video(path, scene(24.0), rate_hz=RATE_HZ, key_every=25)
    view = read_film([spoilt(path, range(150, 175), 0.5)]).views[0]  # from 6 s to 7 s
    times_s = np.arange(100) / 10 + 0.001
    assert len(read_frames(view, times_s, 32, grey=True)) == 100  # 10 of 100
    with pytest.raises(Refusal, match=r"corrupt: 10 of 70 frames looked at cannot be decoded, at most 10%"):
        read_frames(view, times_s[:70], 32, grey=True)


@pytest.mark.parametrize("ending", ["avi", "mkv", "mp4"])
def test_frames_that_lean_on_later_ones_are_shown_in_their_order_in_every_container(
    tmp_path: Path, ending: str
) -> None:
    """Two B-frames between others: AVI states no order of showing, where frame 1 is the fourth that is decoded."""
    path = tmp_path / f"film.{ending}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE_HZ)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.options = {"bf": "3", "g": "20", "b-adapt": "0"}
        for n, picture in enumerate(steps()):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="gray").reformat(format="yuv420p")
            frame.pts, frame.time_base = n, Fraction(1, RATE_HZ)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    view = read_film([path]).views[0]
    times_s = frame_times(view)
    assert shown(view, times_s.tolist()) == list(range(60)) and view.lost == 0
    assert [shown(view, [time_s])[0] for time_s in times_s[[1, 2, 25, 38, 58]]] == [1, 2, 25, 38, 58]
    assert [time_s for time_s, _ in every_frame(view)] == times_s.tolist()


@needs_shared
def test_a_phone_clip_is_turned_upright() -> None:
    """568 x 320 with a display matrix of a quarter turn clockwise: shown 320 wide, 568 high."""
    view = read_film([SHARED / "video_files" / "video_90.mov"]).views[0]
    assert (view.width, view.height, view.rotation_deg) == (320, 568, 270)
    square = read_frames(view, np.array([0.0]), 96, grey=True)[0]
    assert not square[:, :20].any() and not square[:, -20:].any() and square[:3].any() and square[-3:].any()


@needs_shared
def test_ten_bit_hevc_is_read_as_eight_bits() -> None:
    view = read_film([SHARED / "video_files" / "h265_10bits.mp4"]).views[0]
    assert view.codec == "hevc" and read_frames(view, np.array([0.5]), 32, grey=False).std() > 5


@needs_shared
def test_time_stamps_out_of_order_are_put_in_the_order_of_showing() -> None:
    view = read_film([SHARED / "video_files" / "unordered.mov"]).views[0]
    assert frame_times(view).tolist() == [0.0, 1 / 32, 2 / 32, 3 / 32]


def test_the_frame_shown_is_the_last_one_that_began(film: View) -> None:
    assert shown(film, [0.0, 0.039, 0.041, 1.3, 1.319, 2.36, 2.39]) == [0, 0, 1, 32, 32, 59, 59]
    assert shown(film, [-1.0, 99.0]) == [0, 59]


def test_every_frame_asked_at_its_own_time_is_that_frame(film: View) -> None:
    assert shown(film, frame_times(film).tolist()) == list(range(60))


def test_asking_for_one_frame_or_for_all_gives_the_same_frame(film: View) -> None:
    times_s = frame_times(film)
    together = read_frames(film, times_s, 32, grey=True)
    for n in (0, 7, 19, 20, 33, 59):
        np.testing.assert_array_equal(read_frames(film, times_s[n : n + 1], 32, grey=True)[0], together[n])


def test_a_film_of_variable_rate_is_read_at_its_own_times(tmp_path: Path) -> None:
    times_s = np.array([0.0, 0.04, 0.08, 0.4, 0.44, 1.0, 1.04, 1.5])  # frames were dropped
    write_video(tmp_path / "v.mp4", steps(8), times_s=times_s)
    view = read_film([tmp_path / "v.mp4"]).views[0]
    assert view.variable_rate and view.rate_hz == pytest.approx(7 / 1.5)
    assert shown(view, [0.0, 0.39, 0.4, 0.99, 1.03, 1.45, 1.5]) == [0, 2, 3, 4, 5, 6, 7]


def test_a_film_that_begins_late_shows_its_first_frame_before(tmp_path: Path) -> None:
    write_video(tmp_path / "late.mp4", steps(5)[1:], times_s=np.array([1.0, 1.04, 1.08, 1.12]))
    film = read_film([tmp_path / "late.mp4"])
    assert film.views[0].first_s == pytest.approx(1.0) and film.duration_s == pytest.approx(1.16)
    assert shown(film.views[0], [0.0, 0.5, 1.05]) == [1, 1, 2]


def test_times_far_apart_are_read_as_if_near(tmp_path: Path) -> None:
    write_video(tmp_path / "long.mp4", steps(60), rate_hz=1, key_every=7)
    view = read_film([tmp_path / "long.mp4"]).views[0]
    assert shown(view, [0.5, 1.5, 20.5, 41.0, 41.5, 59.9]) == [0, 1, 20, 41, 41, 59]


@pytest.mark.parametrize(("name", "codec"), [("a.mkv", "libx264"), ("a.avi", "mpeg4"), ("a.ts", "libx264")])
def test_other_containers_give_the_same_frames_at_the_same_times(tmp_path: Path, name: str, codec: str) -> None:
    film = read_film([other_container(tmp_path / name, codec)])
    assert film.views[0].frames == 30 and film.duration_s == pytest.approx(1.2, abs=0.09)
    start_s = film.views[0].first_s
    times_s = [start_s + t for t in (0.01, 0.21, 0.61, 1.17)]
    assert shown(film.views[0], times_s) == pytest.approx([0, 5, 15, 29], abs=1)


def test_pictures_are_never_distorted(tmp_path: Path) -> None:
    """A bright square of 24 in 48 x 64 stays a square: half of the shorter side in both directions."""
    picture = np.zeros((3, 48, 64), dtype=np.uint8)
    picture[:, 12:36, 20:44] = 255
    write_video(tmp_path / "square.mp4", picture, rate_hz=RATE_HZ)
    bright = read_frames(read_film([tmp_path / "square.mp4"]).views[0], np.array([0.0]), 64, grey=True)[0] > 128
    rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
    assert (len(rows), len(columns)) == (24, 24) and (rows[0], columns[0]) == (20, 20)


def test_colours_come_as_red_green_blue(tmp_path: Path) -> None:
    red = np.zeros((3, 32, 32, 3), dtype=np.uint8)
    red[..., 0] = 200
    write_video(tmp_path / "red.mp4", red, rate_hz=RATE_HZ)
    pixel = read_frames(read_film([tmp_path / "red.mp4"]).views[0], np.array([0.0]), 16, grey=False)[0, 8, 8]
    assert pixel[0] > 180 and max(pixel[1], pixel[2]) < 20


def test_views_of_one_film_are_named_by_their_files(tmp_path: Path) -> None:
    paths = [tmp_path / f"sub-1_task-ward_view-{name}_video.mp4" for name in ("left", "right")]
    for path, frames in zip(paths, (20, 30), strict=True):
        write_video(path, steps(frames), rate_hz=RATE_HZ)
    film, other = read_film(paths), read_film(paths[::-1])
    assert [v.name for v in film.views] == ["left", "right"] and film.duration_s == pytest.approx(1.2)
    assert film.digest != other.digest and film.views[0].digest == other.views[1].digest


def test_the_same_pictures_give_the_same_bytes_and_no_metadata(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        write_video(tmp_path / name, steps(), rate_hz=RATE_HZ)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert set(container.metadata) <= {"major_brand", "minor_version", "compatible_brands"}
        assert [s.type for s in container.streams] == ["video"]


@pytest.mark.parametrize("spoil", ["cut", "emptied", "text", "sound", "one frame", "folder", "damaged"])
def test_what_is_no_film_is_refused_with_its_code(tmp_path: Path, film: View, spoil: str) -> None:
    code, path = made_bad(spoil, film.path, tmp_path / "bad.mp4")
    with pytest.raises(Refusal) as refused:
        read_film([path])
    assert refused.value.code == code and "bad" not in refused.value.reason


@pytest.mark.parametrize(
    ("ending", "codec"), [("mkv", "libx264"), ("webm", "libvpx"), ("avi", "mpeg4"), ("asf", "wmv2")]
)
def test_a_film_that_was_not_transferred_to_its_end_is_refused_in_every_container_that_states_its_length(
    tmp_path: Path, ending: str, codec: str
) -> None:
    whole = other_container(tmp_path / f"whole.{ending}", codec)
    assert read_film([whole]).views[0].frames == 30
    (tmp_path / "cut").write_bytes(whole.read_bytes()[: 3 * whole.stat().st_size // 4])
    with pytest.raises(Refusal, match=r"truncated: the file ends \d+ bytes early"):
        read_film([tmp_path / "cut"])


def test_a_file_of_two_cameras_is_refused_and_a_thumbnail_is_no_camera(tmp_path: Path) -> None:
    for name, codec, shape, pictures in (("two.mkv", "libx264", "yuv420p", 30), ("cover.mp4", "mjpeg", "yuvj420p", 1)):
        with av.open(str(tmp_path / name), "w") as container:
            other, film = container.add_stream(codec, rate=RATE_HZ), container.add_stream("libx264", rate=RATE_HZ)
            for stream in (other, film):
                stream.width, stream.height, stream.pix_fmt = 64, 48, shape if stream is other else "yuv420p"
            if codec == "mjpeg":
                other.disposition = Disposition.attached_pic
            for stream, many in ((other, pictures), (film, 30)):
                for n, picture in enumerate(steps(many)):
                    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="gray")
                    frame = frame.reformat(format=stream.pix_fmt)
                    frame.pts, frame.time_base = n, Fraction(1, RATE_HZ)
                    container.mux(stream.encode(frame))
                container.mux(stream.encode(None))
    assert read_film([tmp_path / "cover.mp4"]).views[0].frames == 30
    with pytest.raises(Refusal, match="unsupported_format: the file holds 2 films side by side"):
        read_film([tmp_path / "two.mkv"])


def test_films_put_one_behind_the_other_are_refused_and_not_laid_into_each_other(tmp_path: Path) -> None:
    one = other_container(tmp_path / "one.ts", "libx264").read_bytes()
    (tmp_path / "two.ts").write_bytes(one + one)
    with pytest.raises(Refusal, match=r"discontinuous: the film's clock goes back by 1\.2 s"):
        read_film([tmp_path / "two.ts"])


def test_a_film_whose_clock_begins_below_zero_is_read_from_its_start(tmp_path: Path) -> None:
    """MPEG's clock has 33 bits and begins anew after 26.5 h; what lies shortly before counts from below zero."""
    path = tmp_path / "film.ts"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE_HZ)
        stream.width, stream.height, stream.pix_fmt, stream.codec_context.gop_size = 64, 48, "yuv420p", 10
        stream.time_base = stream.codec_context.time_base = Fraction(1, 90_000)
        for n, picture in enumerate(steps()):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="gray").reformat(format="yuv420p")
            frame.pts, frame.time_base = 2**33 - 90_000 + 3600 * n, Fraction(1, 90_000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    view = read_film([path]).views[0]
    assert view.frames == 60 and view.first_s == pytest.approx(0)
    assert shown(view, frame_times(view).tolist()) == list(range(60))


FRAGMENTED = {"movflags": "frag_keyframe+empty_moov"}


def test_a_film_that_states_no_length_is_read_to_where_it_ends_and_that_is_said(tmp_path: Path) -> None:
    whole = other_container(tmp_path / "whole.mkv", "libx264")
    assert read_film([whole]).views[0].length_stated
    content = bytearray(whole.read_bytes())
    at = content.index(b"\x18\x53\x80\x67") + 4
    content[at : at + 8] = b"\x01" + 7 * b"\xff"  # as it is written before a recorder knows
    (tmp_path / "open.mkv").write_bytes(content)
    (tmp_path / "cut.mkv").write_bytes(content[: 3 * len(content) // 4])
    opened, cut = (read_film([tmp_path / name]).views[0] for name in ("open.mkv", "cut.mkv"))
    assert (opened.frames, opened.length_stated) == (30, False) and 0 < cut.frames < 30 and not cut.length_stated


@pytest.mark.parametrize(
    ("name", "codec", "stated"),
    [("a.mp4", "libx264", True), ("a.avi", "mpeg4", True), ("a.asf", "wmv2", True), ("a.ts", "libx264", False),
     ("a.mpg", "mpeg2video", False)],
)  # fmt: skip
def test_whether_a_file_states_its_length_is_known_of_every_container(
    tmp_path: Path, name: str, codec: str, stated: bool
) -> None:
    assert read_film([other_container(tmp_path / name, codec)]).views[0].length_stated == stated


def test_a_film_of_fragments_states_its_length_where_it_was_closed(tmp_path: Path) -> None:
    """Its last box is an index (`mfra`). Cut before a box that begins a fragment, it ends like one that is still recorded."""
    whole = other_container(tmp_path / "whole.mp4", "libx264", options={"g": "10"}, container_options=FRAGMENTED)
    content = whole.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(content[: content.rindex(b"moof") - 4])
    views = [read_film([tmp_path / name]).views[0] for name in ("whole.mp4", "cut.mp4")]
    assert [(view.frames, view.length_stated) for view in views] == [(30, True), (20, False)]


def test_a_film_of_fragments_that_its_index_names_and_that_are_not_there_is_refused(tmp_path: Path) -> None:
    indexed = FRAGMENTED | {"movflags": "frag_keyframe+dash+global_sidx"}
    whole = other_container(tmp_path / "whole.mp4", "libx264", options={"g": "10"}, container_options=indexed)
    assert read_film([whole]).views[0].frames == 30
    content = whole.read_bytes()
    at, end = content.rindex(b"moof") - 4, content.rindex(b"mfra") - 4
    (tmp_path / "cut.mp4").write_bytes(content[:at])
    with pytest.raises(Refusal, match=rf"truncated: the file ends {end - at} bytes early"):
        read_film([tmp_path / "cut.mp4"])


def test_an_avi_film_of_several_lists_is_whole_where_the_last_is(tmp_path: Path) -> None:
    """What exceeds 1 GB follows in a list of its own; here one that holds nothing but filling."""
    path = other_container(tmp_path / "film.avi", "mpeg4")
    content = (
        path.read_bytes() + b"RIFF" + (104).to_bytes(4, "little") + b"AVIXJUNK" + (92).to_bytes(4, "little") + bytes(92)
    )
    path.write_bytes(content)
    assert read_film([path]).views[0].frames == 30
    path.write_bytes(content[:-50])
    with pytest.raises(Refusal, match="truncated: the file ends 42 bytes early"):
        read_film([path])


@pytest.mark.parametrize("length", [0, 0xFFFFFFFF])
def test_an_avi_film_that_was_never_closed_states_no_length(tmp_path: Path, length: int) -> None:
    path = other_container(tmp_path / "film.avi", "mpeg4")
    content = path.read_bytes()
    path.write_bytes(content[:4] + length.to_bytes(4, "little") + content[8:])
    view = read_film([path]).views[0]
    assert (view.frames, view.length_stated) == (30, False)


def made_bad(spoil: str, good: Path, path: Path) -> tuple[str, Path]:
    if spoil == "folder":
        return "unsupported_format", good.parent
    if spoil == "one frame":
        write_video(path, steps(1), rate_hz=RATE_HZ)
        return "too_short", path
    if spoil == "sound":
        with av.open(str(path), "w") as container:
            stream = container.add_stream("aac", rate=8000)
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), dtype=np.float32), format="fltp", layout="mono")
            silence.rate, silence.pts = 8000, 0
            container.mux(stream.encode(silence))
            container.mux(stream.encode(None))
        return "no_signal", path
    content = good.read_bytes()
    damaged = content[: content.index(b"mdat") + 4] + bytes(len(content) - content.index(b"mdat") - 4)
    made = {"cut": content[:-200], "emptied": b"", "text": b"onset\tduration\n", "damaged": damaged}[spoil]
    path.write_bytes(made)
    return {"cut": "truncated", "emptied": "no_signal", "text": "unsupported_format", "damaged": "corrupt"}[spoil], path


def test_an_unreadable_path_is_not_named(tmp_path: Path) -> None:
    with pytest.raises(OSError) as raised:
        read_film([tmp_path / "Smith.mp4"])
    assert "Smith" not in str(raised.value)


def test_a_film_with_odd_sides_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="even"):
        write_video(tmp_path / "odd.mp4", steps(3, 31, 32), rate_hz=RATE_HZ)
