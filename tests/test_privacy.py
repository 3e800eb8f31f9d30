"""What is taken from film and pose before they leave a site is really gone, and what a pose still tells is measured."""

import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from data.cohorts.bids import import_cohort
from data.outcomes import Refusal
from data.pose import JOINTS, PoseTrack
from data.privacy import COARSE, GREY, Strip, blur_video, coarse, normalised, scrub_video
from data.readers.video import every_frame, frame_times, read_film
from data.readers.video_writer import write_video
from tests import SHARED, needs_shared
from tests.commands import CHECKOUT
from tests.test_film_quality import scene, walking
from validation.reidentification import proportions, reidentification


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """A film with sound, a name in its metadata and a white line of text over its upper tenth."""
    path = tmp_path / "Smith.mp4"
    pictures = scene(2.0)
    pictures[:, :5, ::2] = 255
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as container:
        container.metadata.update({"title": "Joan Smith", "creation_time": "2020-02-28T10:00:00Z", "location": "ward"})
        video, sound = container.add_stream("libx264", rate=25), container.add_stream("aac", rate=8000)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.metadata["handler_name"] = "Smith's camera"
        for n, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = n, Fraction(1, 25)
            container.mux(video.encode(frame))
        spoken = av.AudioFrame.from_ndarray(np.zeros((1, 1024), dtype=np.float32), format="fltp", layout="mono")
        spoken.rate, spoken.pts = 8000, 0
        container.mux([*video.encode(None), *sound.encode(spoken), *sound.encode(None)])
    assert b"Joan Smith" in path.read_bytes() and b"Smith's camera" in path.read_bytes()
    return path


def pictures_of(path: Path) -> np.ndarray:
    return np.stack([picture for _, picture in every_frame(read_film([path]).views[0])])


@pytest.mark.parametrize("overlay", [None, Strip(0.0, 0.11)])
def test_no_sound_no_name_and_no_date_is_left_in_a_film(told: Path, overlay: Strip | None) -> None:
    scrub_video(told, told.with_name("copy.mp4"), overlay=overlay)
    content = told.with_name("copy.mp4").read_bytes()
    for text in (b"Smith", b"Joan", b"2020", b"ward", b"x264 - core", b"soun"):
        assert text not in content or (text == b"x264 - core" and overlay is not None), text
    with av.open(str(told.with_name("copy.mp4"))) as container:
        assert [s.type for s in container.streams] == ["video"]
        assert set(container.metadata) == {"major_brand", "minor_version", "compatible_brands"}


def test_without_an_overlay_pictures_and_times_stay_bit_for_bit(told: Path) -> None:
    copy = told.with_name("copy.mp4")
    scrub_video(told, copy)
    np.testing.assert_array_equal(pictures_of(copy), pictures_of(told))
    np.testing.assert_allclose(frame_times(read_film([copy]).views[0]), frame_times(read_film([told]).views[0]))


def test_text_written_over_the_picture_is_painted_over_and_the_rest_stays(told: Path) -> None:
    copy = told.with_name("copy.mp4")
    scrub_video(told, copy, overlay=Strip(0.0, 0.11))
    before, after = pictures_of(told).astype(int), pictures_of(copy).astype(int)
    assert after.shape == before.shape
    assert np.abs(after[:, :5] - GREY).max() < 12 and np.ptp(before[:, :5], axis=(1, 2)).min() > 60
    assert np.abs(after[:, 10:] - before[:, 10:]).mean() < 4


@needs_shared
@pytest.mark.parametrize("name", ["video_90.mov", "h265_10bits.mp4", "unordered.mov"])
def test_real_films_keep_their_pictures_their_turn_and_their_times(tmp_path: Path, name: str) -> None:
    source = SHARED / "video_files" / name
    scrub_video(source, tmp_path / "copy.mp4")
    before, after = (read_film([path]).views[0] for path in (source, tmp_path / "copy.mp4"))
    kept = ("width", "height", "frames", "codec", "rotation_deg")
    assert [getattr(before, k) for k in kept] == [getattr(after, k) for k in kept]
    np.testing.assert_allclose(frame_times(after), frame_times(before), atol=1e-3)
    assert b"Core Media" not in (tmp_path / "copy.mp4").read_bytes()


@needs_shared
def test_a_damaged_film_is_encoded_again_from_what_can_be_decoded(tmp_path: Path) -> None:
    scrub_video(SHARED / "video_files" / "corrupted.mp4", tmp_path / "copy.mp4")
    view = read_film([tmp_path / "copy.mp4"]).views[0]
    assert (view.frames, view.lost) == (49, 0)


def test_an_existing_file_is_never_overwritten_and_a_failure_leaves_none(told: Path, tmp_path: Path) -> None:
    before = told.read_bytes()
    with pytest.raises(FileExistsError):
        scrub_video(told, told)
    assert told.read_bytes() == before
    with pytest.raises(Refusal):
        scrub_video(Path(__file__), tmp_path / "none.mp4")
    assert not (tmp_path / "none.mp4").exists()


def test_a_strip_lies_inside_the_picture() -> None:
    with pytest.raises(ValueError, match="inside"):
        Strip(0.5, 0.4)


def test_an_imported_film_says_nothing_more_than_its_pictures(told: Path, tmp_path: Path) -> None:
    source = tmp_path / "clinic"
    folder = source / "sub-01" / "video"
    folder.mkdir(parents=True)
    (source / "dataset_description.json").write_text('{"Name": "clinic", "BIDSVersion": "1.10.0"}')
    told.rename(folder / "sub-01_task-ward_run-1_video.mov")
    (folder / "sub-01_task-ward_run-1_video.json").write_text('{"OverlayStrip": [0, 0.11, 0, 1]}')
    (folder / "sub-01_task-ward_run-2_video.mp4").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    cohort = import_cohort(source, tmp_path / "raw", "video")
    assert [e.path.name for e in cohort.entries] == [f"sub-01_task-ward_run-{n}_video.mp4" for n in (1, 2)]
    assert b"Smith" not in cohort.entries[0].path.read_bytes()
    assert np.abs(pictures_of(cohort.entries[0].path)[:, :5].astype(int) - GREY).max() < 12
    with pytest.raises(Refusal, match="unsupported_format: the film was refused when it was imported"):
        read_film([cohort.entries[1].path])


def clinic(folder: Path, told: Path, name: str = "sub-01_task-ward") -> Path:
    (folder / "sub-01" / "video").mkdir(parents=True)
    (folder / "dataset_description.json").write_text('{"Name": "clinic", "BIDSVersion": "1.10.0"}')
    told.rename(folder / "sub-01" / "video" / f"{name}_video.mov")
    return folder


def test_what_is_written_over_one_view_is_covered_in_that_view(told: Path, tmp_path: Path) -> None:
    source = clinic(tmp_path / "clinic", told, "sub-01_task-ward_view-bed")
    (source / "sub-01" / "video" / "sub-01_task-ward_view-bed_video.json").write_text('{"OverlayStrip": [0, 0.11]}')
    (entry,) = import_cohort(source, tmp_path / "raw", "video").entries
    assert np.abs(pictures_of(entry.path)[:, :5].astype(int) - GREY).max() < 12


@pytest.mark.parametrize(
    "place",
    ["video.json", "task-ward_video.json", "sub-01/sub-01_video.json", "sub-01/video/sub-01_video.json"],
)
def test_a_strip_that_holds_for_a_whole_cohort_or_patient_is_covered_in_each_film(
    told: Path, tmp_path: Path, place: str
) -> None:
    """BIDS: a sidecar holds for all below it whose names have what its own name has; it is taken over with them."""
    source = clinic(tmp_path / "clinic", told, "sub-01_task-ward_view-bed")
    (source / place).write_text('{"OverlayStrip": [0, 0.11]}')
    (entry,) = import_cohort(source, tmp_path / "raw", "video").entries
    assert np.abs(pictures_of(entry.path)[:, :5].astype(int) - GREY).max() < 12
    assert (tmp_path / "raw" / place).read_text() == '{"OverlayStrip": [0, 0.11]}'


def test_the_strip_of_another_task_is_not_covered_and_the_nearest_sidecar_counts(told: Path, tmp_path: Path) -> None:
    source = clinic(tmp_path / "clinic", told)
    (source / "task-walk_video.json").write_text('{"OverlayStrip": [0, 1]}')
    (source / "video.json").write_text('{"OverlayStrip": [0, 1]}')
    (source / "sub-01" / "sub-01_video.json").write_text('{"OverlayStrip": [0, 0.11]}')
    (entry,) = import_cohort(source, tmp_path / "raw", "video").entries
    covered = np.abs(pictures_of(entry.path).astype(int) - GREY).max(axis=(0, 2, 3)) < 12
    assert covered[:5].all() and not covered[6:].all()


@pytest.mark.parametrize("unread", ["two that name equally much", "a link to nothing"])
def test_a_film_whose_strip_cannot_be_known_is_not_taken_over(told: Path, tmp_path: Path, unread: str) -> None:
    source = clinic(tmp_path / "clinic", told)
    if unread == "a link to nothing":
        (source / "task-ward_video.json").symlink_to(source / "not-fetched")
    else:
        for name in ("sub-01", "task-ward"):
            (source / "sub-01" / f"{name}_video.json").write_text('{"OverlayStrip": [0, 0.11]}')
    with pytest.raises(Refusal, match="sidecars"):
        import_cohort(source, tmp_path / "raw", "video")
    assert not (tmp_path / "raw").exists()


def test_the_strip_that_the_guide_declares_is_understood(told: Path, tmp_path: Path) -> None:
    declared = re.search(r'\{"OverlayStrip".*\}', (CHECKOUT / "docs" / "how-to" / "import-recordings.md").read_text())
    assert declared
    source = clinic(tmp_path / "clinic", told)
    (source / "video.json").write_text(declared.group())
    (entry,) = import_cohort(source, tmp_path / "raw", "video").entries
    assert np.abs(pictures_of(entry.path)[:, :3].astype(int) - GREY).max() < 12


@pytest.mark.parametrize(
    "name", ["sub-01_task-ward_run-1_video.json", "sub-01_task-Ward_video.json", "sub-01_video.JSON"]
)
def test_a_strip_that_is_declared_under_a_name_that_holds_for_no_film_is_refused(
    told: Path, tmp_path: Path, name: str
) -> None:
    """A slip in the sidecar's name would leave in sight what it was written to cover."""
    source = clinic(tmp_path / "clinic", told, "sub-01_task-ward_run-01")
    misnamed = source / "sub-01" / "video" / name
    misnamed.write_text('{"OverlayStrip": [0, 0.11]}')
    with pytest.raises(Refusal, match="holds for no film: 1;"):
        import_cohort(source, tmp_path / "raw", "video")
    misnamed.write_text('{"FrameRate": 25}')
    (misnamed.parent / "._sub-01_task-ward_run-01_video.json").write_bytes(b"\x00\x05\x16\x07 of a file system")
    assert len(import_cohort(source, tmp_path / "raw", "video").entries) == 1


@pytest.mark.parametrize("strip", ["[]", "5", "[0]", "[0, 11, 0, 100]", '{"top": 0, "bottom": 0.1}', '"top"', "null"])
def test_a_film_whose_strip_is_not_understood_is_not_taken_over(told: Path, tmp_path: Path, strip: str) -> None:
    """What was written over it would stay in sight."""
    source = clinic(tmp_path / "clinic", told)
    (source / "sub-01" / "video" / "sub-01_task-ward_video.json").write_text(f'{{"OverlayStrip": {strip}}}')
    with pytest.raises(Refusal, match="OverlayStrip"):
        import_cohort(source, tmp_path / "raw", "video")
    assert not (tmp_path / "raw").exists()


def stripes(size: int = 96) -> np.ndarray:
    """The finest stripes that there are."""
    picture = np.zeros((size, size, 3), dtype=np.uint8)
    picture[:, ::2] = 255
    return picture


def test_a_coarse_picture_keeps_no_detail_finer_than_its_cells() -> None:
    assert np.ptp(coarse(stripes())) <= 2
    cells = np.kron(np.random.default_rng(0).integers(0, 255, (COARSE, COARSE)), np.ones((4, 4)))
    kept = coarse(np.repeat(cells[..., None], 3, axis=2).astype(np.uint8)).astype(float)
    assert np.corrcoef(kept[..., 0].ravel(), cells.ravel())[0, 1] > 0.8


def test_the_head_is_coarse_where_it_is_seen_and_everything_where_it_is_not(tmp_path: Path) -> None:
    write_video(tmp_path / "sharp.mp4", np.repeat(stripes()[None], 40, axis=0), rate_hz=25, crf=1)
    pose = walking(1.6, 25.0, scale=20.0)
    pose = replace(pose, xy=(pose.xy - 200) + (48, 50))
    pose.xy[20:, :5] = np.nan
    blur_video(tmp_path / "sharp.mp4", tmp_path / "head.mp4", head=pose)
    blur_video(tmp_path / "sharp.mp4", tmp_path / "all.mp4")
    head, everything = pictures_of(tmp_path / "head.mp4"), pictures_of(tmp_path / "all.mp4")
    face, feet = head[:, 18:26, 44:52], head[:, 80:, 10:86]
    assert np.ptp(face[:18], axis=2).max() < 40 and np.ptp(feet[:18], axis=2).min() > 100
    assert np.ptp(feet[22:], axis=2).max() < 40  # the head was not seen: nothing is
    assert np.ptp(everything, axis=2).max() < 40


def test_an_export_of_a_pose_tells_neither_place_nor_size(tmp_path: Path) -> None:
    near, far = walking(scale=120.0), walking(scale=30.0)
    far = replace(far, xy=far.xy + np.array([700, -300]), name="sub-2")
    one, two = normalised(near), normalised(far)
    np.testing.assert_allclose(one.xy, two.xy, atol=1e-9)
    hips = [JOINTS.index(f"{side}_hip") for side in ("left", "right")]
    np.testing.assert_allclose(one.xy[:, hips].mean(axis=1), 0, atol=1e-9)
    assert (one.name, one.digest) == ("", "")


def test_missing_joints_stay_missing_and_missing_hips_are_taken_from_the_frames_around() -> None:
    track = walking()
    track.xy[10:12, 11] = np.nan
    track.xy[5, 0] = np.nan
    export, whole = normalised(track), normalised(walking())
    np.testing.assert_array_equal(export.seen, track.seen)
    np.testing.assert_allclose(export.xy[export.seen], whole.xy[export.seen], atol=1e-9)


def test_a_pose_without_hips_is_not_exported() -> None:
    track = walking()
    track.xy[:, 11:13] = np.nan
    with pytest.raises(Refusal, match="no_person"):
        normalised(track)


def recorded(rng: np.random.Generator, limbs: np.ndarray, noise: float = 0.03) -> PoseTrack:
    """A recording of somebody whose joints lie `limbs` (joint, 2) torsos from where they lie in most."""
    track = walking(1.0, scale=rng.uniform(40, 150))
    scale = np.linalg.norm(track.xy[0, 5] - track.xy[0, 11])
    return replace(track, xy=track.xy + scale * (limbs + rng.normal(0, noise, track.xy.shape)))


def attacked(spread: float, export: bool = True, people: int = 15):
    rng = np.random.default_rng(1)
    limbs = rng.normal(0, spread, (people, len(JOINTS), 2))
    tracks = [(f"p{p}", recorded(rng, limbs[p])) for p in range(people) for _ in range(3)]
    shown = [normalised(track) if export else track for _, track in tracks]
    return reidentification(np.stack([proportions(t) for t in shown]), [p for p, _ in tracks], rng)


def test_persons_of_other_proportions_are_told_apart_in_a_normalised_export() -> None:
    found = attacked(spread=0.15)
    assert found.auc.estimate > 0.95 and found.auc.low > 0.9 and found.auc.low <= found.auc.estimate <= found.auc.high
    assert (found.persons, found.recordings, found.same_pairs) == (15, 45, 45)
    assert found.different_pairs == 45 * 44 // 2 - 45 and "15 persons" in found.sentence


def test_persons_of_the_same_proportions_are_told_apart_by_chance() -> None:
    found = attacked(spread=0.0)
    assert found.auc.low < 0.5 < found.auc.high


def test_normalising_does_not_change_proportions() -> None:
    assert attacked(0.05).auc.estimate == pytest.approx(attacked(0.05, export=False).auc.estimate)


def test_the_area_is_that_of_all_pairs_of_pairs() -> None:
    rng = np.random.default_rng(3)
    features, persons = rng.normal(size=(9, 4)), list("aabbbcdde")
    found = reidentification(features, persons, rng)
    x = (features - features.mean(axis=0)) / features.std(axis=0)
    pairs = [(np.linalg.norm(x[i] - x[j]), persons[i] == persons[j]) for i in range(9) for j in range(i)]
    same, other = ([d for d, s in pairs if s is which] for which in (True, False))
    assert found.auc.estimate == pytest.approx(np.mean([a < b for a in same for b in other]))


def test_without_a_second_recording_of_anybody_there_is_no_figure() -> None:
    found = reidentification(np.eye(4), list("abcd"), np.random.default_rng(0))
    assert np.isnan(found.auc.estimate) and "cannot be said" in found.sentence
    assert found.to_json()["auc"]["estimate"] is None
