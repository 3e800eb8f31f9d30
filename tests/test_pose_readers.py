"""Poses of every format: what was not seen is missing, never zero; whatever is no pose is refused with its code."""

import json
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.cohorts.bids import Entry, import_cohort, read_cohort
from data.film_door import absent_share
from data.outcomes import Refusal
from data.pose import EDGES, JOINTS, PoseTrack
from data.readers.opening import open_entry
from data.readers.pose import read_labels, read_pose, write_npz, write_parquet
from data.readers.video_writer import write_video
from tests import SHARED, needs_shared

OPENPOSE = SHARED / "human_keypoints" / "openpose_single_person_4cams.tar.gz"
MOUSE = SHARED / "rodent_video"


def drawn(seed: int = 0, frames: int = 40, people: bool = True) -> PoseTrack:
    """A track of 18 joints at 25 Hz of which a fifth was not seen."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform(0, 640, (frames, len(JOINTS), 2)).astype(np.float32)
    confidence = rng.uniform(0.1, 1, (frames, len(JOINTS))).astype(np.float32)
    unseen = rng.random((frames, len(JOINTS))) < 0.2
    xy[unseen], confidence[unseen] = np.nan, np.nan
    counted = rng.integers(0, 3, frames) if people else None
    return PoseTrack(np.arange(frames) / 25, xy, confidence, frames / 25, people=counted)


def same(one: PoseTrack, two: PoseTrack) -> bool:
    arrays = (one.time_s, two.time_s), (one.xy, two.xy), (one.confidence, two.confidence)
    counted = (one.people is None) == (two.people is None)
    counted = counted and (one.people is None or np.array_equal(one.people, two.people))
    return counted and all(np.array_equal(a, b, equal_nan=True) for a, b in arrays) and one.joints == two.joints


@settings(max_examples=15)
@given(seed=st.integers(0, 99), frames=st.integers(1, 30), people=st.booleans())
@pytest.mark.parametrize("write", [write_parquet, write_npz])
def test_what_was_written_is_what_is_read(tmp_path_factory, write, seed, frames, people) -> None:
    track = drawn(seed, frames, people)
    path = tmp_path_factory.mktemp("pose") / ("pose.npz" if write is write_npz else "pose.parquet")
    write(track, path)
    read = read_pose(path, name="sub-1", age_days=200.0)
    assert same(read, track) and read.duration_s == track.duration_s
    assert (read.name, read.age_days, len(read.digest)) == ("sub-1", 200.0, 64)


def stagunet(frames: int, joints: int = 18) -> list[dict]:
    still = {"speed": [0, 0], "acceleration": [0, 0]}
    return [{"features": [{"coordinate": [10 * j + 1, f + 1], **still} for j in range(joints)]} for f in range(frames)]


def test_205_frames_of_stagunet_last_five_seconds(tmp_path: Path) -> None:
    (tmp_path / "clip.json").write_text(json.dumps(stagunet(205)))
    track = read_pose(tmp_path / "clip.json")
    assert track.duration_s == pytest.approx(5.0) and track.joints == JOINTS
    assert track.xy[7, 3].tolist() == [31, 8] and (track.confidence == 1).all()


def test_a_frame_of_stagunet_with_another_number_of_joints_is_missing_and_not_zero(tmp_path: Path) -> None:
    content = stagunet(3)
    content[1]["features"] = content[1]["features"][:17]
    content[2]["features"][5]["coordinate"] = [0, 0]
    (tmp_path / "clip.json").write_text(json.dumps(content))
    track = read_pose(tmp_path / "clip.json")
    assert not track.seen[1].any() and np.isnan(track.confidence[1]).all()
    assert track.seen[2].sum() == 17 and not track.seen[2, 5]


def test_an_unknown_label_of_stagunet_is_refused_and_not_read_as_no_spasm(tmp_path: Path) -> None:
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps({"a": {"label_index": 1}, "b": {"label_index": 0}}))
    assert read_labels(labels) == {"a": "spasm", "b": "other"}
    for wrong in (2, "1", None, True):
        labels.write_text(json.dumps({"a": {"label_index": wrong}}))
        with pytest.raises(Refusal, match="unsupported_format: 1 of 1"):
            read_labels(labels)


def person(numbers: dict[int, tuple[float, float, float]]) -> dict:
    return {"pose_keypoints_2d": [v for j in range(25) for v in numbers.get(j, (0, 0, 0))]}


def frames_in(folder: Path, frames: list[dict]) -> Path:
    folder.mkdir()
    for n, frame in enumerate(frames):
        (folder / f"{n:05d}_keypoints.json").write_text(json.dumps(frame))
    return folder


def test_openpose_frames_without_a_person_are_missing_and_of_two_persons_the_surest_counts(tmp_path: Path) -> None:
    baby, nurse = (person({0: (x, 50, c), 1: (x, 60, c), 5: (x + 5, 60, c)}) for x, c in ((100, 0.9), (300, 0.3)))
    folder = frames_in(tmp_path / "cam1", [{"people": [nurse, baby]}, {"people": []}, {"people": [nurse]}])
    track = read_pose(folder, rate_hz=25)
    assert track.people is not None and track.people.tolist() == [2, 0, 1]
    assert track.xy[0, 0].tolist() == [100, 50] and track.confidence[0, 0] == 0.9
    assert not track.seen[1].any() and track.seen[0].sum() == 3 and track.xy[2, 0, 0] == 300


def test_openpose_frames_stand_in_the_order_of_their_numbers_without_zeros_before_them_too(tmp_path: Path) -> None:
    for name in ("frame_{}_keypoints.json", "frame_{:012}_keypoints.json"):
        folder = tmp_path / name[:8]
        folder.mkdir(exist_ok=True)
        for number in range(12):
            person = {"pose_keypoints_2d": [float(number + 1), 1.0, 0.9] * 25}
            (folder / name.format(number)).write_text(json.dumps({"people": [person]}))
        assert read_pose(folder, rate_hz=25).xy[:, 0, 0].tolist() == list(range(1, 13))
        shutil.rmtree(folder)


NOBODY = json.dumps({"people": []})


def named(folder: Path, *names: str) -> Path:
    """A folder of frames in which the nose of a person lies at the number of its place among them."""
    folder.mkdir()
    for place, name in enumerate(names):
        (folder / name).write_text(json.dumps({"people": [person({0: (place + 1, 5, 0.9)})]}))
    return folder


def test_openpose_frames_keep_their_time_where_others_are_missing(tmp_path: Path) -> None:
    """Five of ten frames, 3 to 7, are not there: frame 8 is at 8/25 s, and nobody was seen in half of the time."""
    folder = named(tmp_path / "cam1", *(f"cam01.{n:04d}.json" for n in (0, 1, 2, 8, 9)))
    with tarfile.open(tmp_path / "cam1.tar", "w") as archive:
        archive.add(folder, "cam1")
    named(tmp_path / "whole", *(f"cam01.{n:04d}.json" for n in range(5)))
    for path in (folder, tmp_path / "cam1.tar"):
        track = read_pose(path, rate_hz=25)
        assert track.time_s.tolist() == [n / 25 for n in (0, 1, 2, 8, 9)] and track.duration_s == 10 / 25
        assert track.xy[:, 0, 0].tolist() == [1, 2, 3, 4, 5]
        assert absent_share(replace(track, xy=np.ones_like(track.xy))) == 0.5
        assert track.digest != read_pose(tmp_path / "whole", rate_hz=25).digest


def test_openpose_frames_counted_from_1_begin_at_0_s(tmp_path: Path) -> None:
    folder = named(tmp_path / "cam1", *(f"{n}_keypoints.json" for n in (1, 2, 4)))
    assert read_pose(folder, rate_hz=10).time_s.tolist() == [0, 0.1, 0.3]


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (("film_100.json", "film_101.json"), "unsupported_format: .* has number 100, expected 0 or 1"),
        (("film_0.json", "film_1.json", "film_01.json"), "corrupt: 1 of 3 pose frames have the number of another"),
        (("film_1.json", "film_01.json"), "corrupt: 1 of 2 pose frames"),
        (("ward1_0.json", "ward1_1.json", "ward2_0.json"), "unsupported_format: .* differ in 2 numbers"),
        (("film_0.json", "film_1.json", "film_1 (copy).json"), "unsupported_format: .* named in 2 ways"),
        (("Smith.json", "Jones.json"), "unsupported_format: .* named in 2 ways"),
    ],
)
def test_openpose_frames_whose_numbers_leave_their_time_open_are_refused(
    tmp_path: Path, names: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(Refusal, match=reason) as refused:
        read_pose(named(tmp_path / "cam1", *names), rate_hz=25)
    assert "Smith" not in refused.value.reason


def test_a_frame_without_persons_says_where_a_recording_begins(tmp_path: Path) -> None:
    folder = named(tmp_path / "cam1", "film_3.json", "film_4.json")
    with pytest.raises(Refusal, match="number 3") as refused:
        read_pose(folder, rate_hz=10)
    assert NOBODY in refused.value.reason
    (folder / "film_0.json").write_text(NOBODY)
    assert read_pose(folder, rate_hz=10).time_s.tolist() == [0, 0.3, 0.4]


def test_the_two_layouts_of_openpose_are_told_apart_by_the_length_of_bones(tmp_path: Path) -> None:
    """In BODY_25 joint 1 is the neck and 8 the middle of the hips; in BODY_25B joint 17 is the neck."""
    body_25 = {
        0: (50, 10), 1: (50, 20), 2: (40, 20), 3: (38, 35), 4: (37, 50), 5: (60, 20), 6: (62, 35), 7: (63, 50),
        8: (50, 55), 9: (44, 55), 10: (43, 75), 11: (42, 95), 12: (56, 55), 13: (57, 75), 14: (58, 95), 15: (48, 8),
        16: (52, 8), 17: (46, 9), 18: (54, 9),
    }  # fmt: skip
    frame = {"people": [person({j: (*xy, 0.8) for j, xy in body_25.items()})]}
    track = read_pose(frames_in(tmp_path / "cam", [frame] * 3), rate_hz=25)
    at = {joint: tuple(track.xy[0, n]) for n, joint in enumerate(JOINTS)}
    assert at["neck"] == (50, 20) and at["right_wrist"] == (37, 50) and at["left_ankle"] == (58, 95)
    assert at["left_eye"] == (52, 8)


def test_what_is_to_be_done_about_a_table_without_times_can_be_done(tmp_path: Path) -> None:
    file, out = tmp_path / "a.csv", tmp_path / "a.parquet"
    file.write_text("scorer,a,a,a\nbodyparts,nose,nose,nose\ncoords,x,y,likelihood\n0,1,2,0.9\n1,1,2,0.9\n")
    with pytest.raises(Refusal, match="carry no times") as refused:
        read_pose(file)
    exec(refused.value.reason.split("`")[3], {"FILE": file, "OUT": out})
    assert read_pose(out).time_s.tolist() == [0.0, 0.04]


@needs_shared
def test_real_openpose_frames_of_an_adult_have_the_proportions_of_one() -> None:
    """Four cameras of 100 frames, BODY_25B; two people in half of the frames."""
    with pytest.raises(Refusal, match="4 series"):
        read_pose(OPENPOSE, rate_hz=60)
    tracks = [read_pose(OPENPOSE, rate_hz=60, series=f"cam{n}_json") for n in (1, 2, 3, 4)]
    assert [len(t.time_s) for t in tracks] == [100] * 4
    assert sum(int((t.people == 2).sum()) for t in tracks if t.people is not None) == 199
    for track in tracks:
        lengths = np.linalg.norm(track.xy[:, [a for a, _ in EDGES]] - track.xy[:, [b for _, b in EDGES]], axis=2)
        thigh, forearm = (np.nanmedian(lengths[:, EDGES.index(e)]) for e in ((11, 13), (7, 9)))
        assert 1.0 < thigh / forearm < 3.5


@needs_shared
def test_the_mouse_of_deeplabcut_keeps_its_own_body_parts() -> None:
    tracked = read_pose(MOUSE / "deepof" / "testDLC_csv_table.csv", rate_hz=25)
    assert len(tracked.joints) == 14 and tracked.joints[0] == "Nose" and len(tracked.time_s) == 97
    assert (tracked.confidence[tracked.seen] <= 1).all()
    labelled = read_pose(MOUSE / "CollectedData_Pranav.csv", rate_hz=30)
    assert labelled.joints == ("snout", "leftear", "rightear", "tailbase") and len(labelled.time_s) == 116
    assert labelled.xy[0, 0].tolist() == [21.521, 265.428] and (labelled.confidence == 1).all()


@needs_shared
@pytest.mark.parametrize("path", [OPENPOSE, MOUSE / "CollectedData_Pranav.csv"], ids=["openpose", "deeplabcut"])
def test_a_rate_that_no_file_states_is_asked_for(path: Path) -> None:
    with pytest.raises(Refusal, match="frames per second"):
        read_pose(path, series="cam1_json")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "unsupported_format"),
        (b"\xff\xfe\x00binary", "unsupported_format"),
        (b"version https://git-lfs.github.com/spec/v1\n", "unsupported_format"),
        (b'[{"features": [', "corrupt"),
        (b'{"frames": []}', "unsupported_format"),
        (b'[{"features": [{"coordinate": [1]}]}, 7]', "corrupt"),
        (b'[{"people": [{"pose_keypoints_2d": [1, 2, 3]}]}]', "unsupported_format"),
        (b"PAR1 and nothing", "corrupt"),
        (b"PK\x03\x04 and nothing", "corrupt"),
        (b"\x1f\x8b and nothing", "corrupt"),
        (b"scorer,a,a\nbodyparts,nose,nose\ncoords,x,y\n", "corrupt"),
        (b"scorer,a,a\nbodyparts,nose,nose\ncoords,x,y\nimg0.png,one,two\n", "corrupt"),
        (b"scorer,a,a\nindividuals,m,m\nbodyparts,nose,nose\ncoords,x,y\n0,1,2\n", "unsupported_format"),
    ],
)
def test_what_is_no_pose_is_refused_with_its_code(tmp_path: Path, content: bytes, code: str) -> None:
    (tmp_path / "Smith.json").write_bytes(content)
    with pytest.raises(Refusal) as refused:
        read_pose(tmp_path / "Smith.json", rate_hz=25)
    assert refused.value.code == code and "Smith" not in refused.value.reason


def test_times_that_do_not_ascend_are_corrupt(tmp_path: Path) -> None:
    track = drawn()
    arrays = {"xy": track.xy, "confidence": track.confidence, "duration_s": 1.6, "joints": np.array(JOINTS)}
    np.savez(tmp_path / "pose.npz", time_s=track.time_s[::-1], **arrays)
    with pytest.raises(Refusal, match="corrupt"):
        read_pose(tmp_path / "pose.npz")


@pytest.mark.parametrize("sure", [np.nan, -0.1, 90.0, np.inf])
def test_a_joint_that_was_seen_has_a_confidence_from_0_to_1(tmp_path: Path, sure: float) -> None:
    """Without one the door saw a person, and the front end nobody: such tracks passed every check and held nothing."""
    track = drawn()
    seen = int(track.seen.sum())
    track.confidence[:] = sure
    for write, name in ((write_npz, "pose.npz"), (write_parquet, "pose.parquet")):
        write(track, tmp_path / name)
        with pytest.raises(Refusal, match=f"corrupt: {seen} of {seen} joints"):
            read_pose(tmp_path / name)


def test_how_many_persons_were_seen_is_a_whole_number_for_every_frame(tmp_path: Path) -> None:
    track = drawn()
    for people in (np.array(["one"] * 40), np.full(40, np.nan), np.ones(40)):
        write_npz(replace(track, people=people), tmp_path / "pose.npz")
        with pytest.raises(Refusal, match="corrupt: the persons"):
            read_pose(tmp_path / "pose.npz")
    write_parquet(track, tmp_path / "pose.parquet")
    table = pq.read_table(tmp_path / "pose.parquet")
    gap = pa.array([None, *track.people[1:]], pa.int16())  # type: ignore[index]
    pq.write_table(table.set_column(table.column_names.index("people"), "people", gap), tmp_path / "pose.parquet")
    with pytest.raises(Refusal, match="corrupt: the persons"):
        read_pose(tmp_path / "pose.parquet")
    with pytest.raises(ValueError, match="people"):
        replace(track, people=np.ones(3, dtype=int))


def test_no_two_joints_have_one_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a name each"):
        replace(drawn(), joints=(*JOINTS[:-1], "nose"))


def test_no_object_is_ever_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "pose.npz", time_s=np.array([object()], dtype=object))
    with pytest.raises(Refusal, match="corrupt"):
        read_pose(tmp_path / "pose.npz")


def test_an_unreadable_path_is_not_named(tmp_path: Path) -> None:
    with pytest.raises(OSError) as raised:
        read_pose(tmp_path / "Smith.parquet")
    assert "Smith" not in str(raised.value)


def test_a_damaged_archive_is_corrupt(tmp_path: Path) -> None:
    folder = frames_in(tmp_path / "cam", [{"people": []}] * 50)
    with tarfile.open(tmp_path / "whole.tar.gz", "w:gz") as archive:
        archive.add(folder, "cam")
    assert len(read_pose(tmp_path / "whole.tar.gz", rate_hz=25).time_s) == 50
    (tmp_path / "cut.tar.gz").write_bytes((tmp_path / "whole.tar.gz").read_bytes()[:-400])
    with pytest.raises(Refusal, match="corrupt"):
        read_pose(tmp_path / "cut.tar.gz", rate_hz=25)


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    """One infant with a pose, one of whom there is only a film."""
    (tmp_path / "dataset_description.json").write_text('{"Name": "infants", "BIDSVersion": "1.10.0"}')
    for folder in ("sub-01/pose", "sub-02/video"):
        (tmp_path / folder).mkdir(parents=True)
    write_parquet(drawn(), tmp_path / "sub-01/pose/sub-01_task-ward_pose.parquet")
    write_video(
        tmp_path / "sub-02/video/sub-02_task-ward_video.mp4", np.zeros((30, 32, 32), dtype=np.uint8), rate_hz=25
    )
    return tmp_path


def test_an_entry_is_opened_as_what_its_files_are(cohort: Path) -> None:
    posed, filmed = read_cohort(cohort, "pose").entries
    track, film = open_entry(posed), open_entry(filmed)
    assert isinstance(track, PoseTrack) and track.name == "sub-01_task-ward"
    assert not isinstance(film, PoseTrack) and film.name == "sub-02_task-ward" and film.duration_s == pytest.approx(1.2)


def test_a_film_of_which_poses_are_asked_needs_an_estimator(cohort: Path) -> None:
    filmed: Entry = read_cohort(cohort, "pose").entries[1]
    with pytest.raises(Refusal, match="no_pose_estimator"):
        open_entry(filmed, modality="pose")
    made = open_entry(filmed, lambda film: replace(drawn(), name=film.name), "pose")
    assert isinstance(made, PoseTrack) and made.name == "sub-02_task-ward"


@pytest.mark.parametrize("above", ["video.json", "task-ward_video.json", "sub-03/sub-03_video.json"])
def test_frames_per_second_that_a_sidecar_above_a_pose_states_hold_for_it_and_a_nearer_one_overrules(
    tmp_path: Path, above: str
) -> None:
    """BIDS, inheritance principle: of DeepLabCut's 50 frames at 25 per second, the last begins after 49 / 25 s."""
    source, name = tmp_path / "source", "sub-03_task-ward"
    (source / "sub-03" / "pose").mkdir(parents=True)
    (source / "dataset_description.json").write_text('{"Name": "infants", "BIDSVersion": "1.10.0"}')
    table = ["scorer,a,a,a", "bodyparts,nose,nose,nose", "coords,x,y,likelihood"]
    table += [f"{n},{n},{n},0.9" for n in range(50)]
    (source / "sub-03" / "pose" / f"{name}_pose.csv").write_text("\n".join(table) + "\n")
    (source / above).write_text('{"FrameRate": 25}')
    for nearer, rate_hz in (("{}", 25.0), ('{"FrameRate": 50}', 50.0)):
        (source / "sub-03" / "pose" / f"{name}_video.json").write_text(nearer)
        (entry,) = import_cohort(source, tmp_path / f"raw{rate_hz:g}", "pose").entries
        track = open_entry(entry)
        assert isinstance(track, PoseTrack) and entry.frames_hz == rate_hz
        assert track.time_s[-1] == pytest.approx(49 / rate_hz)
