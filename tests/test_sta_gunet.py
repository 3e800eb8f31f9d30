"""Spasms from pose: the network knows the skeleton, missing joints are no evidence, and every eval pass is the same."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from data.events import Annotations, Event
from data.kinematics import MIRROR, kinematics
from data.outcomes import Refusal
from data.pose import EDGES, JOINTS
from data.pose_frontend import PoseFrontEnd
from data.spasms import clips_of, clusters_of, spasms_of
from models import detectors
from models.detector import Examples, TypingDetector
from models.detectors.joint_speed import PARTS, energies
from models.detectors.sta_gunet import StaGunet, focal, mirrored
from models.detectors.sta_gunet.network import NECK, Size, StaGunetNetwork
from models.layers.graph import GraphPool, adjacency, from_neighbours, spatial_partition, unpool
from models.offset import best_offset, f1, offset_of
from models.typing import (
    ANSWER,
    TypingBundle,
    answer_stretches,
    fit_typing_fold,
    load_typing,
    save_typing,
    stretch_examples,
)
from tests.infants import infant

NAMES = detectors.names("spasms")
QUICK = {"width": 8, "attention": 4, "epochs": 2, "windows_per_epoch": 128}
SMALL = Size(8, 4, (0.8, 0.5, 0.2), 1, 3, 5, 0.0)


def params(name: str, preset: str = "demo") -> dict:
    numbers = detectors.params_of(name, preset)
    return {**numbers, **{k: v for k, v in QUICK.items() if k in numbers}} if preset == "demo" else numbers


def clips(name: str, *seeds: int) -> Examples:
    detector = detectors.build(name, params(name))
    assert isinstance(detector, TypingDetector)
    parts = []
    for seed in seeds:
        track, truth = infant(seed, 60.0, 4)
        part = stretch_examples(detector, detector.front_end.prepare(track), truth, f"rec-{seed}", f"sub-{seed}")
        assert part is not None
        parts.append(part)
    return Examples.join(parts)


@pytest.fixture(scope="module", params=NAMES)
def fitted(request: pytest.FixtureRequest) -> tuple[str, Examples, TypingBundle]:
    name = request.param
    bundle, log = fit_typing_fold(name, params(name), clips(name, 0, 1, 2, 3), clips(name, 4, 5), seed=1)
    assert log["classes_seen"] == ["other", "spasm"] and 0 <= log["inner_auc"] <= 1
    return name, clips(name, 6), bundle


# What both detectors of spasms promise.


def test_spasms_are_told_from_waving_in_an_infant_never_seen(fitted: tuple[str, Examples, TypingBundle]) -> None:
    _, test, bundle = fitted
    assert test.label is not None and (bundle.detector.score(test).argmax(axis=1) == test.label).mean() >= 0.75


def test_the_inner_infants_who_set_the_threshold_are_stated_for_the_guard(
    fitted: tuple[str, Examples, TypingBundle],
) -> None:
    name, test, bundle = fitted
    inner = sorted({str(r) for r in clips(name, 4, 5).recording})
    assert bundle.detector.offset and bundle.origin["fitted_on"]["threshold"] == inner
    asked = test.take(np.flatnonzero(test.label == 0))  # without both classes nothing can be set
    quick = {**params(name), **({"epochs": 1, "windows_per_epoch": 32} if "epochs" in params(name) else {})}
    unset, _ = fit_typing_fold(name, quick, clips(name, 0, 1), asked, seed=1)
    assert unset.origin["fitted_on"]["threshold"] == []


def test_two_eval_passes_are_bit_equal_alone_and_in_company(fitted: tuple[str, Examples, TypingBundle]) -> None:
    _, test, bundle = fitted
    first, second = bundle.detector.score(test), bundle.detector.score(test)
    assert np.array_equal(first, second) and first.shape == (len(test), 2)
    assert np.array_equal(bundle.detector.score(test.take(np.array([3])))[0], first[3])


def test_a_bundle_read_back_answers_bit_equally(fitted: tuple[str, Examples, TypingBundle], tmp_path: Path) -> None:
    _, test, bundle = fitted
    save_typing(bundle, tmp_path / "bundle")
    back = load_typing(tmp_path / "bundle")
    assert np.array_equal(back.detector.score(test), bundle.detector.score(test))
    assert back.temperature == bundle.temperature


def test_two_fits_with_one_seed_give_the_same_bundle(
    fitted: tuple[str, Examples, TypingBundle], tmp_path: Path
) -> None:
    name, test, _ = fitted
    numbers = {**params(name), **({"epochs": 1, "windows_per_epoch": 32} if "epochs" in params(name) else {})}
    made = [fit_typing_fold(name, numbers, test, test, seed=1)[0] for _ in range(2)]
    digests = {save_typing(bundle, tmp_path / str(i)).digest for i, bundle in enumerate(made)}
    assert len(digests) == 1


def test_a_recording_of_which_nothing_is_known_is_asked_clip_by_clip(
    fitted: tuple[str, Examples, TypingBundle],
) -> None:
    _, test, bundle = fitted
    track, truth = infant(6, 60.0, 4)
    asked = bundle.detector.asked(track.duration_s)
    assert [(s.onset_s, s.end_s) for s in asked] == [(s.onset_s, s.end_s) for s in bundle.detector.stretches(truth)]
    found = answer_stretches(track, asked, bundle)
    wanted = bundle.probabilities(bundle.detector.score(test))
    np.testing.assert_allclose(np.array([one.probabilities[ANSWER] for one in found]), wanted, atol=1e-6)


def test_a_body_that_no_training_infant_had_gets_no_name(fitted: tuple[str, Examples, TypingBundle]) -> None:
    _, _, bundle = fitted
    track, truth = infant(6, 60.0, 4)
    xy = track.xy.copy()
    for side in ("left", "right"):
        shoulder, elbow, wrist = (JOINTS.index(f"{side}_{part}") for part in ("shoulder", "elbow", "wrist"))
        xy[:, [elbow, wrist]] += 5 * (xy[:, [elbow, wrist]] - xy[:, [shoulder]])
    assert {one.code for one in answer_stretches(track, bundle.detector.stretches(truth), bundle)} == {None}
    found = answer_stretches(replace(track, xy=xy), bundle.detector.stretches(truth), bundle)
    assert {one.code for one in found} == {"ood"} and "how long the arms are" in str(found[0].reason)


def test_a_clip_without_anybody_is_not_answered(fitted: tuple[str, Examples, TypingBundle]) -> None:
    _, _, bundle = fitted
    track, truth = infant(6, 60.0, 4)
    xy = track.xy.copy()
    xy[(track.time_s >= 19) & (track.time_s < 26)] = np.nan
    found = answer_stretches(replace(track, xy=xy), bundle.detector.stretches(truth), bundle)
    assert [one.code for one in found if one.event in (3, 4, 5)] == [None, "no_person", None]


def test_an_adult_and_a_moment_are_refused(fitted: tuple[str, Examples, TypingBundle]) -> None:
    _, _, bundle = fitted
    track, truth = infant(6, 60.0, 4)
    stretches = bundle.detector.stretches(truth)
    adult = answer_stretches(replace(track, age_days=40 * 365.25), stretches, bundle)
    assert {one.code for one in adult} == {"age_out_of_scope"}
    prepared = bundle.detector.front_end.prepare(track)
    with pytest.raises(Refusal, match="too_short"):
        bundle.detector.examples(prepared.between(10.0, 10.2))


def test_it_states_what_it_is(fitted: tuple[str, Examples, TypingBundle]) -> None:
    name, _, bundle = fitted
    facts, detector = detectors.facts(name), bundle.detector
    assert (facts["task"], facts["modality"]) == (detector.task, detector.modality) == ("spasms", "pose")
    assert tuple(facts["classes"]) == detector.classes and facts["montage"] == detector.contract.montage


# What a clip of a spasm is.


def truth(*spasms: tuple[float, float], duration_s: float = 30.0) -> Annotations:
    return Annotations(tuple(Event(*spasm, "sz_gen_m_spasms") for spasm in spasms), duration_s)


def test_a_spasm_belongs_to_the_clip_that_holds_more_of_it() -> None:
    """4.5–6.5 s: half a second in the first clip, 1.5 s in the second; neither is clear. 11–12 s: the third clip's own."""
    found = clips_of(truth((4.5, 2.0), (11.0, 1.0)), 5.0)
    assert [(c.spasm, c.clear) for c in found] == [
        (False, False), (True, False), (True, True), (False, True), (False, True), (False, True),
    ]  # fmt: skip


def test_a_spasm_that_ends_just_behind_the_border_is_clear_where_it_began() -> None:
    found = clips_of(truth((3.5, 2.0)), 5.0)
    assert [(c.spasm, c.clear) for c in found[:3]] == [(True, True), (False, False), (False, True)]


def test_a_clip_that_a_long_spasm_fills_holds_it_too() -> None:
    found = clips_of(truth((3.0, 9.0)), 5.0)  # 2 s, 5 s, 2 s
    assert [c.spasm for c in found] == [False, True, False, False, False, False]
    assert [c.spasm for c in clips_of(truth((2.0, 10.5)), 5.0)][:3] == [True, True, True]  # 3 s, 5 s, 2.5 s


def test_seizures_that_are_no_spasms_are_other() -> None:
    mixed = Annotations((Event(1.0, 1.0, "sz_gen_m_tonic"), Event(6.0, 1.0, "sz_gen_m_spasms")), 10.0)
    assert [c.spasm for c in clips_of(mixed, 5.0)] == [False, True]
    assert [e.onset_s for e in spasms_of(mixed)] == [6.0]


def test_the_rest_after_the_last_whole_clip_is_not_asked_about() -> None:
    assert len(clips_of(truth(duration_s=29.8), 5.0)) == 5
    assert len(clips_of(truth(duration_s=29.999), 5.0)) == 6  # a film whose stamps were rounded


def test_spasms_less_than_a_minute_apart_are_one_cluster() -> None:
    spasms = spasms_of(truth((0, 1), (30, 1), (90.9, 1), (200, 1), duration_s=300.0))
    assert [[e.onset_s for e in group] for group in clusters_of(spasms)] == [[0, 30, 90.9]]


def test_clips_on_a_border_are_asked_about_and_not_learnt_from() -> None:
    detector = detectors.build("joint_speed")
    assert isinstance(detector, TypingDetector)
    track, _ = infant(0, 60.0, 0)
    marked = truth((4.5, 2.0), (11.0, 1.0), (31.0, 1.0), duration_s=60.0)
    made = stretch_examples(detector, detector.front_end.prepare(track), marked, "r", "s")
    assert made is not None and made.clear is not None and len(made) == 12
    assert list(np.flatnonzero(~made.clear)) == [0, 1]
    log = fit_typing_fold("joint_speed", detector.params, made, made, seed=0)[1]
    assert log["windows"] == 10


def test_the_threshold_of_the_best_f1_lies_at_equal_logits() -> None:
    """Margins 3 (spasm), 1 (spasm), 0 (other), −2 (spasm), −3 (other): two called make F1 4 / 5, four called 6 / 7."""
    margin, label = np.array([0.0, 3.0, -2.0, 1.0, -3.0]), np.array([0, 1, 1, 1, 0])
    assert best_offset(margin, label, f1) == pytest.approx(2.5)  # half-way between −2 and −3
    assert best_offset(np.array([2.0, 2.0, -1.0]), np.array([1, 0, 0]), f1) == pytest.approx(-0.5)
    assert offset_of("spasms", margin, np.zeros(5, dtype=int)) == 0.0 == offset_of("seizure_typing", margin, label)


# Motion.


def test_turning_scaling_or_moving_the_picture_changes_no_motion() -> None:
    xy = infant(0, 5.0, 1)[0].xy
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    np.testing.assert_allclose(kinematics(3 * xy @ turn.T + 100, 25.0), kinematics(xy, 25.0), atol=1e-6)


def test_even_motion_has_an_even_speed_and_no_acceleration() -> None:
    """One trunk length is 2 units here, so 3 units per second are 1.5 trunk lengths per second."""
    xy = np.zeros((50, len(JOINTS), 2))
    xy[:, NECK] = [0, -2]
    xy[:, 9, 0] = 3 * np.arange(50) / 25
    moved = kinematics(xy, 25.0)
    np.testing.assert_allclose(moved[2, :, 9], 1.5, atol=1e-9)
    np.testing.assert_allclose(moved[4, :, 9], 0, atol=1e-9)
    np.testing.assert_allclose(moved[:2, 0, NECK], [0, -1])


def test_mirrored_twice_a_motion_is_itself_and_sides_change_places() -> None:
    moved = kinematics(infant(0, 5.0, 1)[0].xy, 25.0)
    clip = torch.from_numpy(moved)[None]
    assert np.array_equal(mirrored(mirrored(clip))[0], moved, equal_nan=True)
    left, right = JOINTS.index("left_wrist"), JOINTS.index("right_wrist")
    assert MIRROR[left] == right and MIRROR[NECK] == NECK
    assert np.array_equal(mirrored(clip)[0, 0, :, left], -moved[0, :, right], equal_nan=True)


def test_a_part_that_moves_has_the_energy_of_its_speed() -> None:
    """Both wrists at 2 lengths per second: arms mean 4 · 2 / 4 = 2, all 8 / 18; the rest is still."""
    moved = np.zeros((1, 6, 125, len(JOINTS)))
    moved[0, 2, :, [9, 10]] = 2.0
    found = dict(zip([*PARTS, "whole"], 10 ** energies(moved)[0], strict=True))
    assert found["arms"] == pytest.approx(2.0, rel=1e-3) and found["whole"] == pytest.approx(8 / 18, rel=1e-3)
    assert found["head"] == pytest.approx(1e-4, rel=1e-3)


# The network.


def batch(seed: int = 0, count: int = 4, frames: int = 125) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((count, 6, frames, len(JOINTS)))
    x[np.broadcast_to(rng.random((count, 1, frames, len(JOINTS))) < 0.1, x.shape)] = np.nan
    return torch.from_numpy(x).float()


def network(size: Size = SMALL, edges: tuple[tuple[int, int], ...] = EDGES) -> StaGunetNetwork:
    torch.manual_seed(0)
    return StaGunetNetwork(size, edges).eval()


def test_the_output_changes_when_the_adjacency_is_permuted() -> None:
    order = np.random.default_rng(0).permutation(len(JOINTS))
    other = tuple((int(order[a]), int(order[b])) for a, b in EDGES)
    x = batch()
    assert (network()(x) - network(edges=other)(x)).abs().min() > 1e-4


@pytest.mark.parametrize("part", ["unet", "convolve", "blocks"])
def test_every_part_that_should_know_the_skeleton_does(part: str) -> None:
    """Only the named part is given another skeleton."""
    own, other = network(), network(edges=tuple((a, (b + 5) % 18) for a, b in EDGES))
    setattr(own, part, getattr(other, part))
    assert (own(batch()) - network()(batch())).abs().max() > 1e-5


@pytest.mark.parametrize("without", [{"attention": 0}, {"graph": False}, {"unet": False}])
def test_a_part_taken_away_changes_the_answer(without: dict) -> None:
    assert (network(replace(SMALL, **without))(batch()) - network()(batch())).abs().max() > 1e-4


def test_without_a_graph_no_joint_hears_of_another_but_by_the_mean() -> None:
    """One joint moves otherwise: with the skeleton the features of others change, without it none does."""
    for graph in (True, False):
        net = network(replace(SMALL, attention=0, unet=False, graph=graph))
        x, changed = batch(), batch()
        changed[:, :, :, 9] += 1.0
        heard = _features(net, changed) - _features(net, x)
        others = [j for j in range(len(JOINTS)) if j != 9]
        assert (heard[..., others].abs().max() > 1e-6) == graph


def _features(net: StaGunetNetwork, x: torch.Tensor) -> torch.Tensor:
    kept: list[torch.Tensor] = []
    handle = net.blocks[-1].register_forward_hook(lambda _module, _args, out: kept.append(out))
    net(x)
    handle.remove()
    return kept[0].detach()


def test_what_stands_where_nothing_was_seen_has_no_influence() -> None:
    x = batch()
    seen = torch.isfinite(x[:, :1]).float()
    zeros, noise = torch.nan_to_num(x), torch.where(torch.isfinite(x), x, torch.full_like(x, 7.0))
    net = network()
    assert torch.equal(net.judge(zeros, seen), net.judge(noise, seen))


def test_a_missing_neighbour_gives_its_weight_to_the_others() -> None:
    """A path 0–1–2: into 1 each weighs ⅓. Without 0, those of 1 and 2 (4 and 6) make 5; with all, (2 + 4 + 6) / 3 = 4."""
    weights = torch.from_numpy(spatial_partition([(0, 1), (1, 2)], 3, 1).sum(axis=0))
    x, seen = torch.tensor([2.0, 4.0, 6.0]).reshape(1, 1, 1, 3), torch.ones(1, 1, 1, 3)
    assert float(from_neighbours(x, seen, weights)[..., 1]) == pytest.approx(4.0)
    seen[..., 0] = 0
    assert float(from_neighbours(x * seen, seen, weights)[..., 1]) == pytest.approx(5.0)


def test_neighbours_are_parted_by_their_distance_from_the_neck() -> None:
    """Left shoulder: itself, the neck (nearer), elbow and hip (farther)."""
    partition = spatial_partition(EDGES, len(JOINTS), NECK)
    shoulder = JOINTS.index("left_shoulder")
    into = [{JOINTS[j] for j in np.flatnonzero(part[:, shoulder])} for part in partition]
    assert into == [{"left_shoulder"}, {"neck"}, {"left_elbow", "left_hip"}]
    np.testing.assert_allclose(partition.sum(axis=(0, 1)), 1, atol=1e-6)


def test_pooling_keeps_the_highest_joints_and_unpooling_puts_them_back() -> None:
    pool = GraphPool(1, 0.5)
    pool.direction.data.fill_(1.0)
    x = torch.tensor([0.1, 3.0, 0.2, 2.0]).reshape(1, 1, 1, 4)
    seen, beside = torch.ones_like(x), torch.from_numpy(adjacency([(0, 1), (1, 2), (2, 3)], 4))[None]
    smaller, _, among, index = pool(x, seen, beside)
    assert index.tolist() == [[1, 3]] and among.tolist() == [[[1, 1], [1, 1]]]  # 1–2–3: two edges apart
    back = unpool(smaller, index, 4)
    assert (back[..., [0, 2]] == 0).all() and torch.equal(back[..., [1, 3]], smaller)
    seen[..., 1] = 0
    assert pool(x * seen, seen, beside)[3].tolist() == [[2, 3]]  # what was not seen goes first


def test_the_unet_keeps_14_7_and_2_of_18_joints() -> None:
    net = network()
    assert net.unet is not None
    kept: list[int] = []
    for pool in net.unet.pools:
        pool.register_forward_hook(lambda _module, _args, out: kept.append(out[3].shape[1]))
    net(batch())
    assert kept == [14, 7, 2]


def test_the_focal_loss_is_that_of_its_paper() -> None:
    """p of the true class is 0.8 and 0.5: γ = 2 weighs their logarithms by 0.04 and 0.25."""
    logits = torch.log(torch.tensor([[0.2, 0.8], [0.5, 0.5]]))
    label = torch.tensor([1, 0])
    assert float(focal(logits, label, 2.0)) == pytest.approx(-(0.04 * np.log(0.8) + 0.25 * np.log(0.5)) / 2, rel=1e-5)
    assert float(focal(logits, label, 0.0)) == pytest.approx(-(np.log(0.8) + np.log(0.5)) / 2, rel=1e-5)


def parameters(p: dict) -> int:
    """A 1×1 map has inputs · outputs + outputs, a normalisation 2 numbers per feature."""
    w, inner, levels = p["width"], p["attention"], len(p["ratios"])
    mapped = lambda a, b: a * b + b  # noqa: E731
    embed = mapped(6 * p["together"], w) + 2 * w
    attention = 2 * mapped(w, 3 * inner) + mapped(2 * inner, w) + 2 * w
    convolve = mapped(3 * w, w) + 2 * w
    unet = (2 * levels + 1) * (mapped(w, w) + 2 * w) + levels * w
    block = mapped(3 * w, w) + 2 * w + mapped(p["frames"] * w, w) + 2 * w
    return embed + attention + convolve + unet + p["blocks"] * block + mapped(2 * w, 2)


def test_the_paper_preset_has_the_size_that_its_numbers_give_and_every_weight_learns() -> None:
    p = params("sta_gunet", "paper")
    detector = StaGunet(p)
    track, _ = infant(0, 10.0, 1, rate_hz=41.0)
    x = torch.from_numpy(detector.examples(detector.front_end.prepare(track)).x)
    assert x.shape == (2, 6, 205, 18) and (p["batch"], p["epochs"]) == (128, 20)
    net = detector.network.train()
    assert sum(q.numel() for q in net.parameters()) == parameters(p) == 200_610
    focal(net(x), torch.tensor([0, 1]), p["gamma"]).backward()
    assert all(q.grad is not None and q.grad.abs().sum() > 0 for q in net.parameters())


def test_the_demo_preset_builds_with_the_size_of_its_numbers() -> None:
    p = detectors.params_of("sta_gunet", "demo")
    assert sum(q.numel() for q in StaGunet(p).network.parameters()) == parameters(p)


def test_every_declared_ablation_builds_and_takes_something_away() -> None:
    declared = detectors.ablations_of("sta_gunet", "demo")
    sizes = {v.name: sum(q.numel() for q in StaGunet(v.params).network.parameters()) for v in declared.variants}
    assert sizes["no_graph"] == sizes["full"]  # the same weights, which hear of nobody
    assert max(sizes["no_attention"], sizes["no_unet"]) < sizes["full"]


def test_the_front_end_of_the_paper_gives_205_frames() -> None:
    assert StaGunet(params("sta_gunet", "paper")).front_end == PoseFrontEnd(rate_hz=41.0)


def test_a_card_states_the_published_figures_with_their_protocol() -> None:
    card = (Path(detectors.__file__).parent / "sta_gunet" / "card.md").read_text()
    stated = yaml.safe_load(card.split("---")[1])["published"]
    assert (stated["accuracy"], stated["f1"], stated["auroc"]) == (0.9314, 0.9028, 0.9184)
    assert "folds over clips" in stated["protocol"]
