"""From film to pose by a model that a site brings: the right pixels, the right bytes, or a refusal that says why."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from data.film import Film
from data.outcomes import Refusal
from data.pose import COCO, JOINTS
from data.readers.opening import estimated
from data.readers.video import read_film
from data.readers.video_writer import write_video
from data.simulator.infants import InfantParams, InfantSettings, parts_of, plan_infants, scene_of
from data.simulator.motion.person import joints_of
from data.simulator.scene import film, frame_times
from data.simulator.scene.camera import scaled_to, seen_by
from models import detectors
from models.pose_estimator import BadEstimator, as_input, describe, from_heat_maps, load_estimator
from models.tiny_pose import TinyPoseNetwork, train_tiny_estimator, write_tiny_estimator
from models.typing import ANSWER, answer_stretches, fit_typing_fold, stretch_examples
from tests.infants import infant
from tests.test_video import spoilt

PX = 64


@pytest.fixture(scope="module")
def baby() -> InfantParams:
    """A simulated infant without a blanket, filmed at 64 pixels, for 20 s."""
    uncovered = (p for p in plan_infants(InfantSettings()) if not p.breakage and not p.room.blanket)
    params = next(uncovered)
    return replace(params, camera=scaled_to(params.camera, PX), duration_s=20.0)


@pytest.fixture(scope="module")
def trained(baby: InfantParams) -> Iterator[tuple[TinyPoseNetwork, np.ndarray, np.ndarray]]:
    """A tiny estimator that has seen this infant only, and frames with joints that it has not."""
    times_s = np.sort(np.random.default_rng(0).uniform(0, 20, 80))
    frames = film(scene_of(baby), baby.camera, times_s)
    xy = seen_by(baby.camera, joints_of(baby.person, parts_of(baby), times_s), times_s)
    yield train_tiny_estimator(frames[::2], xy[::2], 0, steps=60, batch=16, width=12), frames[1::2], xy[1::2]


@pytest.fixture(scope="module")
def model(trained: tuple[TinyPoseNetwork, np.ndarray, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("estimator") / "tiny.onnx"
    write_tiny_estimator(trained[0], path, PX)
    return path


@pytest.fixture(scope="module")
def filmed(baby: InfantParams, tmp_path_factory: pytest.TempPathFactory) -> Film:
    path, times_s = tmp_path_factory.mktemp("film") / "infant.mp4", frame_times(baby.camera, 20.0)
    write_video(path, film(scene_of(baby), baby.camera, times_s), times_s=times_s)
    return read_film([path], age_days=baby.person.age_days, name="infant")


def test_the_onnx_file_says_what_the_network_says(
    trained: tuple[TinyPoseNetwork, np.ndarray, np.ndarray], model: Path
) -> None:
    network, frames, _ = trained
    session = load_estimator(model).session
    with torch.inference_mode():
        wanted = network(torch.from_numpy(as_input(frames))).numpy()
    np.testing.assert_allclose(session.run(None, {"frames": as_input(frames)})[0], wanted, atol=1e-4)


def test_it_finds_the_joints_of_the_infant_that_it_learnt(
    trained: tuple[TinyPoseNetwork, np.ndarray, np.ndarray], model: Path, baby: InfantParams
) -> None:
    _, frames, xy = trained
    found = load_estimator(model).joints_in(frames)
    away = np.hypot(*(found[..., :2] - xy).transpose(2, 0, 1)) / baby.camera.scale
    assert np.median(away) < 0.25  # of a torso


def test_a_film_becomes_a_track_in_its_own_pixels_and_times(model: Path, filmed: Film, baby: InfantParams) -> None:
    track = estimated(filmed, load_estimator(model).estimate)
    wanted_s = frame_times(baby.camera, 20.0)
    np.testing.assert_allclose(track.time_s, wanted_s, atol=2e-3)
    assert (track.duration_s, track.name, track.age_days) == (filmed.duration_s, "infant", baby.person.age_days)
    xy = seen_by(baby.camera, joints_of(baby.person, parts_of(baby), wanted_s), wanted_s)
    assert np.nanmedian(abs(track.xy - xy)) < 0.2 * baby.camera.scale
    assert track.joints == JOINTS and track.digest not in ("", filmed.digest)


def test_a_film_goes_all_the_way_to_an_answer_for_every_clip(model: Path, filmed: Film) -> None:
    name = "joint_speed"
    detector = detectors.build(name)
    clips = [
        stretch_examples(detector, detector.front_end.prepare(track), truth, str(seed), str(seed))  # type: ignore[arg-type]
        for seed in (0, 1)
        for track, truth in [infant(seed, 60.0, 4)]
    ]
    assert clips[0] is not None and clips[1] is not None
    bundle, _ = fit_typing_fold(name, detector.params, clips[0], clips[1], seed=0)
    track = load_estimator(model).estimate(filmed)
    found = answer_stretches(track, bundle.detector.asked(track.duration_s), bundle)
    assert [one.code for one in found] == [None] * 4
    assert all(one.probabilities[ANSWER].sum() == pytest.approx(1) for one in found)


def test_without_an_estimator_a_film_of_an_infant_is_not_evaluable(filmed: Film) -> None:
    with pytest.raises(Refusal, match="no_pose_estimator"):
        estimated(filmed, None)


def test_the_same_seed_trains_the_same_estimator(trained: tuple[TinyPoseNetwork, np.ndarray, np.ndarray]) -> None:
    _, frames, xy = trained
    one, two, other = (train_tiny_estimator(frames[:8], xy[:8], seed, steps=2, width=4) for seed in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert not torch.equal(next(iter(one.parameters())), next(iter(other.parameters())))


# Where a joint is in a heat map, and in a film.


def test_a_peak_in_the_third_cell_of_four_is_in_the_middle_of_its_sixteen_pixels() -> None:
    logits = np.full((1, 1, 4, 4), -20.0)
    logits[0, 0, 1, 2] = 20.0
    x, y, confidence = from_heat_maps(logits, 64)[0, 0]
    assert (x, y, confidence) == pytest.approx((2.5 * 16 - 0.5, 1.5 * 16 - 0.5, 1.0))


def test_a_flat_heat_map_is_hardly_sure() -> None:
    assert from_heat_maps(np.zeros((1, 1, 16, 16)), 64)[0, 0, 2] <= 9 / 256 + 1e-9


def corner_of_the_picture(tmp_path: Path, output: np.ndarray) -> Path:
    """A model that says the same of every frame: `output` (joints, 3), taken `n` times."""
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("ReduceMean", ["frames"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "last"], ["column"]),
        helper.make_node("Mul", ["column", "nothing"], ["zeros"]),
        helper.make_node("Add", ["zeros", "said"], ["out"]),
    ]
    kept = {"last": np.array([1, 2]), "nothing": np.float32([0.0]), "said": output[None].astype(np.float32)}
    graph = helper.make_graph(
        nodes, "corner", [helper.make_tensor_value_info("frames", TensorProto.FLOAT, ["n", 1, 32, 32])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", *output.shape])],
        [numpy_helper.from_array(value, name) for name, value in kept.items()],
    )  # fmt: skip
    path = tmp_path / "corner.onnx"
    path.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()
    )
    describe(path, 32, COCO, "coordinates")
    return path


def test_coordinates_are_put_back_from_the_letterbox_and_unsure_joints_are_missing(tmp_path: Path) -> None:
    """A film of 128 × 64 fills the middle rows 8–24 of a square of 32: a joint in its middle is at (63.5, 31.5)."""
    said = np.tile([15.5, 15.5, 0.9], (17, 1))
    said[0] = [0.0, 8.0, 0.9]  # the corner of the picture: half of its four pixels before the first
    said[1, 2] = 0.05
    path = corner_of_the_picture(tmp_path, said)
    write_video(tmp_path / "wide.mp4", np.zeros((5, 64, 128), np.uint8), rate_hz=25.0)
    track = load_estimator(path).estimate(read_film([tmp_path / "wide.mp4"]))
    np.testing.assert_allclose(track.xy[:, 5], [[63.5, 31.5]] * 5, atol=1e-4)
    np.testing.assert_allclose(track.xy[:, 0], [[0.5 * 4 - 0.5, 0.5 * 4 - 0.5]] * 5, atol=1e-4)
    assert np.isnan(track.xy[:, 1]).all() and np.isnan(track.confidence[:, 1]).all()
    assert track.joints == COCO


# What is refused.


def copied(model: Path, tmp_path: Path, **changed: object) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(model.read_bytes())
    stated = json.loads(model.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps({**stated, **changed}))
    return path


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"sha256": "0" * 64}, "not those of its description"),
        ({"joints": ["snout", "tail"]}, "gives no nose"),
        ({"size_px": 32}, "expected are frames of"),
        ({"size_px": 4}, "size_px must be"),
        ({"output": "words"}, "output is one of"),
        ({"schema": "something/1"}, "does not say schema"),
    ],
)
def test_an_estimator_that_is_not_what_it_says_is_refused(model: Path, tmp_path: Path, changed: dict, why: str) -> None:
    with pytest.raises(BadEstimator, match=why):
        load_estimator(copied(model, tmp_path, **changed))


def test_a_model_without_a_description_or_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"no model")
    with pytest.raises(BadEstimator, match="beside it"):
        load_estimator(path)
    describe(path, PX, JOINTS, "heat_maps")
    with pytest.raises(BadEstimator, match="not an ONNX model"):
        load_estimator(path)


def test_an_estimator_of_fewer_joints_than_it_names_is_refused(
    trained: tuple[TinyPoseNetwork, np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    write_tiny_estimator(trained[0], path, PX)
    describe(path, PX, (*JOINTS, "tail"), "heat_maps")
    with pytest.raises(BadEstimator, match="of 19 joints"):
        load_estimator(path).joints_in(trained[1])


def test_in_a_frame_that_cannot_be_decoded_no_joint_is_seen(model: Path, filmed: Film, tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(filmed.views[0].path.read_bytes())
    track = load_estimator(model).estimate(read_film([spoilt(path, range(101, 104), 1.0)], age_days=filmed.age_days))
    unseen = ~track.seen.any(axis=1)
    assert unseen[95:110].sum() == 3 and not unseen[:95].any()
