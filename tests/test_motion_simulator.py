"""Simulated bodies obey the clock, not the camera; spasms are where the truth says; who has them shows in nothing else."""

import hashlib
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.cohorts.bids import Cohort
from data.cohorts.synthetic_infants import simulate_infants
from data.pose import EDGES, JOINTS
from data.readers.pose import read_pose
from data.simulator.infants import (
    InfantParams,
    InfantSettings,
    annotations_of,
    parts_of,
    plan_infants,
    scene_of,
    track_of,
)
from data.simulator.motion import ADULT, INFANT, Part, draw_person, joints_at, joints_of
from data.simulator.motion.parts import turns_of
from data.simulator.motion.spasms import SPASM_S, draw_cluster, draw_mimics, draw_spasm
from data.simulator.scene import film, scaled_to

few = settings(max_examples=15, deadline=None)
seeds = st.integers(0, 10**6)
SMALL = InfantSettings(patients_per_site=2, phone_patients=2, minutes=1.0, phone_minutes=1.0, filmed=1)


@cache
def infants() -> tuple[InfantParams, ...]:
    return plan_infants(InfantSettings(patients_per_site=60, phone_patients=40))


def digest_of_folder(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@given(seeds, st.sampled_from([INFANT, ADULT]))
@few
def test_bones_keep_their_length_while_nothing_bends_towards_the_camera(seed: int, body) -> None:
    angles = np.random.default_rng(seed).uniform(-1, 1, (20, 16))
    angles[:, 3:6] = 0  # roll, curl, nod
    joints = joints_at(body, angles)
    for first, last in EDGES[6:10]:  # arms, except where breathing widens the chest
        length = np.linalg.norm(joints[:, first] - joints[:, last], axis=1)
        assert np.ptp(length) < 0.02


@given(seeds)
@few
def test_a_body_is_where_it_is_whatever_the_frame_rate(seed: int) -> None:
    rng = np.random.default_rng(seed)
    person = draw_person(rng, "infant", (60, 500))
    parts = tuple(part for spasm in draw_cluster(rng, 0, 3.0, 40.0) for part in spasm.parts)
    often, seldom = np.arange(0, 40, 0.01), np.arange(0, 40, 0.25)
    np.testing.assert_allclose(joints_of(person, parts, often)[::25], joints_of(person, parts, seldom), atol=1e-6)


def test_a_frame_of_a_film_depends_on_its_time_alone() -> None:
    params = infants()[0]
    camera = scaled_to(params.camera, 32)
    time_s = np.array([1.0, 20.0, 20.04, 30.0])
    together = film(scene_of(params), camera, time_s)
    alone = np.concatenate([film(scene_of(params), camera, time_s[[number]]) for number in range(4)])
    assert np.abs(together.astype(int) - alone).max() <= 1


@given(seeds, st.floats(0.2, 1.2))
@few
def test_a_spasm_moves_the_body_between_its_onset_and_its_end_and_nowhere_else(seed: int, strength: float) -> None:
    spasm = draw_spasm(np.random.default_rng(seed), 10.0, strength, lead_s=0.08)
    person = replace(draw_person(np.random.default_rng(seed), "infant", (60, 500)), lively=(), drift=())
    time_s = np.arange(0, 20, 0.01)
    moved = np.abs(joints_of(person, spasm.parts, time_s) - joints_of(person, (), time_s)).max(axis=(1, 2)) > 1e-9
    assert SPASM_S[0] <= spasm.duration_s <= SPASM_S[1]
    assert time_s[moved][0] == pytest.approx(10.0, abs=0.021)
    assert time_s[moved][-1] == pytest.approx(10.0 + spasm.duration_s, abs=0.021)


def test_a_cluster_grows_and_fades() -> None:
    clusters = [draw_cluster(np.random.default_rng(seed), 0, 0.0, 600.0) for seed in range(200)]
    long = [[s.strength for s in c] for c in clusters if len(c) >= 9]
    ends, middles = [(s[0] + s[-1]) / 2 for s in long], [s[len(s) // 2] for s in long]
    assert np.mean(np.array(middles) > np.array(ends)) > 0.95
    gaps_s = np.concatenate([np.diff([s.onset_s for s in c]) for c in clusters])
    assert np.median(gaps_s) == pytest.approx(10.0, abs=1.0)
    assert gaps_s.min() >= 3.99 and gaps_s.max() <= 30.01


def test_jerks_slow_down_exponentially() -> None:
    part = Part("jerks", 0.0, 20.0, (), 0.1, 0.1, 4.0, 1.0)
    time_s = np.array([0.0, 10.0, 20.0])
    rates_hz = (turns_of(part, time_s + 1e-4) - turns_of(part, time_s)) / 1e-4
    np.testing.assert_allclose(rates_hz, [4.0, 2.0, 1.0], rtol=1e-3)


def test_mimics_and_liveliness_and_cameras_do_not_know_who_has_spasms() -> None:
    ill = np.array([bool(p.spasms) for p in infants()])
    assert 0.55 < ill.mean() < 0.75
    for measure in (
        lambda p: len(p.mimics),
        lambda p: sum(abs(s.amplitude) for s in p.person.lively),
        lambda p: p.camera.scale,
        lambda p: p.room.mattress,
        lambda p: p.person.age_days,
        lambda p: p.estimator.jitter,
    ):
        values = np.array([measure(p) for p in infants()])
        ranks = values.argsort().argsort()
        distance = abs(ranks[ill].mean() - ranks[~ill].mean()) / len(values)
        assert distance < 3 / np.sqrt(12 * len(values)) * np.sqrt(1 / ill.mean() + 1 / (~ill).mean()) / 1.5


def test_without_its_spasms_an_infant_moves_as_if_it_had_none() -> None:
    params = next(p for p in infants() if p.spasms)
    assert parts_of(replace(params, spasms=())) == tuple(q for m in params.mimics for q in m.parts)


def test_truth_counts_every_spasm() -> None:
    for params in infants()[:20]:
        truth = annotations_of(params)
        assert [(e.onset_s, e.duration_s) for e in truth.events] == [(s.onset_s, s.duration_s) for s in params.spasms]
        assert {e.type for e in truth.events} <= {"sz_uo_m_spasms"}


def test_a_track_misses_what_lies_under_a_blanket_and_is_close_elsewhere() -> None:
    params = next(p for p in infants() if p.room.blanket > 0.3)
    params = replace(params, estimator=replace(params.estimator, swaps=(), absent=()))
    track = track_of(params)
    seen = track.seen.mean(axis=0)
    assert seen[JOINTS.index("left_ankle")] < 0.5 < 0.95 < seen[JOINTS.index("nose")]
    assert np.isnan(track.confidence[~track.seen]).all()
    steps = np.linalg.norm(np.diff(track.xy[:, JOINTS.index("neck")], axis=0), axis=1) / params.camera.scale
    assert np.nanmedian(steps) < 0.06


@pytest.mark.parametrize("breakage", ["nobody", "jumping"])
def test_broken_tracks_are_not_whole(breakage: str) -> None:
    params = replace(infants()[1], breakage=breakage)
    whole, broken = track_of(infants()[1]), track_of(params)
    if breakage == "nobody":
        assert broken.seen.any(axis=1).mean() < 0.05
    else:
        speed = [np.nanmedian(np.linalg.norm(np.diff(t.xy[:, 17], axis=0), axis=1)) for t in (whole, broken)]
        assert speed[1] > 20 * speed[0]


def test_a_nurse_pats_where_the_truth_of_mimics_says_so() -> None:
    rng = np.random.default_rng(5)
    patting = [m for _ in range(40) for m in draw_mimics(rng, 180) if m.kind == "patting"]
    assert patting and all(1.5 <= m.parts[0].rate_hz <= 3 and 5 <= m.duration_s <= 15 for m in patting)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return simulate_infants(tmp_path_factory.mktemp("infants") / "cohort", SMALL, workers=1)


def test_the_same_seed_gives_the_same_bytes(cohort: Cohort, tmp_path: Path) -> None:
    simulate_infants(tmp_path / "again", SMALL, workers=1)
    assert digest_of_folder(tmp_path / "again") == digest_of_folder(cohort.root)


def test_another_seed_gives_another_cohort() -> None:
    assert plan_infants(SMALL) != plan_infants(replace(SMALL, seed=1))


def test_the_cohort_has_tracks_films_and_a_film_without_a_track(cohort: Cohort) -> None:
    kinds = {e.name: e.modality for e in cohort.entries}
    assert sorted(kinds.values()).count("video") == 1 and len(kinds) == 8
    assert {e.period for e in cohort.entries} == {"development", "external"}
    assert {e.site for e in cohort.entries if e.period == "external"} == {"demo-phone"}
    assert len(list(cohort.root.glob("sub-*/video/*_video.mp4"))) == 2
    assert all(cohort.annotations(e).duration_s == 60 for e in cohort.entries)


def test_a_track_is_read_as_it_was_drawn(cohort: Cohort) -> None:
    entry = cohort.entries[0]
    drawn, read = track_of(plan_infants(SMALL)[0]), read_pose(entry.path)
    np.testing.assert_allclose(read.xy, drawn.xy, rtol=1e-5)
    np.testing.assert_array_equal(read.time_s, drawn.time_s)
    assert read.duration_s == drawn.duration_s and (read.people == drawn.people).all()


def test_settings_out_of_reach_are_refused() -> None:
    for wrong in ({"broken": 3}, {"minutes": 0.5}, {"spasms_share": 1.5}):
        with pytest.raises(ValueError, match=r"must be"):
            InfantSettings(**wrong)
