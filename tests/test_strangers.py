"""What was never learnt from gets no name, and what was is refused no more often than declared."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from data.pose import JOINTS
from models.appearance import FEATURES, JOINTED, PICTURES, of_eeg, of_joints, of_pictures
from models.look import FEATURES as OF_EEG
from models.look import looks
from models.ood import CEILING, TooFewPatients
from models.strangers import FALSE_REFUSALS, Strangers
from tests.infants import infant

N = len(PICTURES)


def patients(rng: np.random.Generator, count: int, stretches: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Clips (rows, features), whose, of which stretch: two clips of each, patients as far apart as their own stretches."""
    own = rng.normal(0, 0.3, (count, 1, 1, N)) + rng.normal(0, 0.3, (count, stretches, 1, N))
    x = own + rng.normal(0, 0.1, (count, stretches, 2, N))
    return x.reshape(-1, N), np.repeat(np.arange(count), 2 * stretches), np.repeat(np.arange(count * stretches), 2)


def fitted(seed: int = 0, count: int = 12) -> Strangers:
    return Strangers.fit("video", *patients(np.random.default_rng(seed), count))


@pytest.mark.parametrize("count", [6, 12, 24])
def test_stretches_of_new_patients_are_refused_no_more_often_than_declared(count: int) -> None:
    refused = []
    for seed in range(40):
        rng = np.random.default_rng([seed, count])
        known = Strangers.fit("video", *patients(rng, count))
        x, _, stretch = patients(rng, 20)
        refused.append(np.mean([known.refusal(x[stretch == one]) is not None for one in np.unique(stretch)]))
    assert np.mean(refused) <= 1.5 * FALSE_REFUSALS


def test_the_limit_is_the_prediction_limit_over_patients_left_out_one_by_one() -> None:
    """Student's, for one more: mean + t · √(s² · (1 + 1/n) + the stretches' own variance), of the logarithms of each
    stretch's middle score by what the other patients showed."""
    x, patient, stretch = patients(np.random.default_rng(3), 7)
    logs = []
    for one in range(7):
        others = Strangers.fit("video", *(part[patient != one] for part in (x, patient, stretch)))
        mine = np.unique(stretch[patient == one])
        logs.append(np.log([np.median(others.scores(x[stretch == s])) for s in mine]))
    means, within = np.mean(logs, axis=1), np.var(logs, axis=1).mean()
    beyond = stats.t.ppf(0.99, 6) * np.sqrt(means.var(ddof=1) * (1 + 1 / 7) + within)
    assert Strangers.fit("video", x, patient, stretch).limit == pytest.approx(np.exp(means.mean() + beyond))


def test_a_score_at_the_limit_is_no_stranger_and_the_highest_score_always_is() -> None:
    known, clips = fitted(), np.full((1, N), 0.4)
    at_limit = replace(known, limit=float(known.scores(clips)[0]))
    assert at_limit.refusal(clips) is None
    assert replace(at_limit, limit=np.nextafter(at_limit.limit, 0)).refusal(clips) is not None
    assert replace(known, limit=CEILING).refusal(np.full((1, N), np.nan)) is not None


def test_a_stretch_far_from_all_is_refused_by_the_name_of_what_differs_most() -> None:
    known, far = fitted(), np.zeros((3, N))
    far[:, list(PICTURES).index("motion")] = 9.0
    refusal = known.refusal(far)
    assert refusal is not None and refusal.code == "ood"
    assert "the 12 patients" in refusal.reason and PICTURES["motion"] in refusal.reason
    assert known.refusal(np.zeros((3, N))) is None


def test_one_strange_clip_of_three_refuses_no_stretch() -> None:
    known, clips = fitted(), np.zeros((3, N))
    clips[1] = 9.0
    assert known.refusal(clips) is None and known.refusal(clips[1:2]) is not None


def test_what_could_not_be_measured_says_nothing_and_a_clip_without_anything_is_strange() -> None:
    known, clip = fitted(), np.zeros((1, N))
    clip[0, 3] = np.nan
    assert known.scores(clip) == known.scores(np.where(np.isnan(clip), known.centre, clip))
    refusal = known.refusal(np.full((1, N), np.nan))
    assert refusal is not None and f"{CEILING:.0f} or more" in refusal.reason


def test_clips_with_gaps_are_learnt_from() -> None:
    x, patient, stretch = patients(np.random.default_rng(0), 12)
    x[::7, 2], x[:, 5] = np.nan, np.nan
    known = Strangers.fit("video", x, patient, stretch)
    assert np.isfinite(known.limit) and known.refusal(np.zeros((1, N))) is None


def test_a_patient_with_many_clips_counts_as_one_with_few() -> None:
    x, patient, stretch = patients(np.random.default_rng(0), 6)
    again = np.concatenate([np.arange(len(x)), *[np.flatnonzero(patient == 0)] * 9])
    once, often = (Strangers.fit("video", x[i], patient[i], stretch[i]) for i in (np.arange(len(x)), again))
    np.testing.assert_allclose(once.centre, often.centre)
    assert once.limit == pytest.approx(often.limit)


def test_one_patient_is_refused() -> None:
    x, patient, stretch = patients(np.random.default_rng(0), 1)
    with pytest.raises(TooFewPatients, match="1 training patient, 2 are needed"):
        Strangers.fit("video", x, patient, stretch)
    assert fitted(count=2).patients == 2, "two are enough"


def test_it_comes_back_from_json_and_not_with_other_features() -> None:
    known = fitted()
    value = json.loads(json.dumps(known.to_json()))
    assert Strangers.from_json(value) == known
    with pytest.raises(ValueError, match="measured are"):
        Strangers.from_json({**value, "features": value["features"][1:]})


def test_eeg_is_the_middle_of_its_windows_and_a_second_of_it_is_unknown() -> None:
    clips = np.random.default_rng(0).normal(0, 20, (3, 4, 5 * 250)).astype(np.float32)
    seen = of_eeg(clips, 250.0)
    assert seen.shape == (3, len(OF_EEG))
    np.testing.assert_array_equal(seen[1], np.median(looks(clips[1:2].swapaxes(0, 1), 250.0)[0], axis=0))
    assert np.isnan(of_eeg(clips[..., :250], 250.0)).all()


@given(st.floats(0.1, 10), st.floats(-100, 100), st.floats(0, 6))
@settings(max_examples=20)
def test_of_joints_size_place_and_turn_of_the_picture_do_not_count(size: float, moved: float, turn: float) -> None:
    xy = infant(1, 10.0, 1)[0].xy[:125]
    turned = xy @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    np.testing.assert_allclose(of_joints((size * turned + moved)[None], 25.0), of_joints(xy[None], 25.0), atol=1e-6)


def test_longer_arms_and_faster_joints_show_and_covered_legs_are_unknown() -> None:
    xy = infant(1, 10.0, 1)[0].xy[:125].copy()
    longer, covered = xy.copy(), xy.copy()
    for side in ("left", "right"):
        shoulder, elbow, wrist = (JOINTS.index(f"{side}_{part}") for part in ("shoulder", "elbow", "wrist"))
        arm = xy[:, [elbow, wrist]] - xy[:, [shoulder]]
        longer[:, [elbow, wrist]] = xy[:, [shoulder]] + 2 * arm
        covered[:, JOINTS.index(f"{side}_ankle")] = np.nan  # of half a leg nobody says that the leg is short
    named = {name: at for at, name in enumerate(JOINTED)}
    plain, with_arms, hidden = of_joints(np.stack([xy, longer, covered]), 25.0)
    assert with_arms[named["arms"]] - plain[named["arms"]] == pytest.approx(np.log10(2), abs=0.01)
    assert with_arms[named["legs"]] == plain[named["legs"]]
    faster = of_joints(xy[None], 50.0)[0]
    assert faster[named["speed"]] - plain[named["speed"]] == pytest.approx(np.log10(2), abs=0.02)
    assert np.isnan(hidden[named["legs"]]) and np.isfinite(hidden[named["arms"]])
    assert np.isnan(of_joints(np.full((1, 50, len(JOINTS), 2), np.nan), 25.0)).all()


def test_light_colour_forms_and_what_stands_show_in_pictures() -> None:
    rng, named = np.random.default_rng(0), {name: at for at, name in enumerate(PICTURES)}
    scene = np.repeat(np.repeat(rng.integers(40, 120, (4, 4)), 8, axis=0), 8, axis=1)
    still = np.broadcast_to(scene, (3, 5, 32, 32)).astype(np.uint8)
    noise = rng.integers(40, 120, still.shape).astype(np.uint8)
    lit = still + np.uint8(51)
    calm, restless, bright = of_pictures(still), of_pictures(noise), of_pictures(lit)
    assert calm[named["standing"]] == 1 and restless[named["standing"]] < 0.5
    assert restless[named["motion"]] > calm[named["motion"]] + 2 and restless[named["detail"]] > calm[named["detail"]]
    assert calm[named["forms"]] > calm[named["detail"]]
    assert bright[named["brightness"]] - calm[named["brightness"]] == pytest.approx(0.2)
    others = [at for name, at in named.items() if name != "brightness"]
    np.testing.assert_allclose(bright[others], calm[others], atol=1e-6)
    tinted = np.stack([still, still, still // 2], axis=-1)
    assert of_pictures(tinted)[named["colour"]] > 1 > of_pictures(np.stack([still] * 3, axis=-1))[named["colour"]]
    assert of_pictures(still // 10)[named["dark"]] == 1


def test_what_is_measured_of_pictures_is_as_worked_out_by_hand() -> None:
    """A ramp of 4 grey levels a point across and 2 down, 16 points wide; the second and third picture are 8 brighter."""
    ramp = 4 * np.arange(16) + 2 * np.arange(16)[:, None]
    shown = np.stack([ramp, ramp + 8, ramp + 8]).astype(np.uint8)[None]
    amounts = {
        "contrast": ramp.std(), "detail": (4 + 2) / 2, "forms": (8 + 4) / 2, "colour": 0,
        "motion": (8 + 0) / 2, "moving": 255 * (1 + 0) / 2, "uneven": 4,
    }  # fmt: skip
    black = (ramp < 16).sum() + 2 * (ramp + 8 < 16).sum()
    expected = {name: np.log10(amount + 0.01) for name, amount in amounts.items()}
    expected |= {"brightness": (45 + 53 + 53) / 3 / 255, "dark": black / (3 * 256), "standing": 2 / 3}
    measured = of_pictures(np.concatenate([shown, shown]))
    assert dict(zip(PICTURES, measured, strict=True)) == pytest.approx(expected, rel=1e-5)


def test_a_picture_of_colours_is_measured_as_their_mean_but_for_how_coloured_it_is() -> None:
    coloured = np.random.default_rng(0).integers(0, 256, (2, 3, 16, 16, 3)).astype(np.uint8)
    apart, grey = (dict(zip(PICTURES, of_pictures(x), strict=True)) for x in (coloured, coloured.mean(axis=-1)))
    widest = np.log10(np.ptp(coloured, axis=-1).mean(axis=(1, 2, 3)) + 0.01)
    assert apart == pytest.approx({**grey, "colour": np.median(widest)}, rel=1e-5)


def test_what_is_measured_of_joints_is_as_worked_out_by_hand() -> None:
    """In trunk lengths of 7: all joints move by 0.1 a frame at 10 Hz, and once the nose jumps, of 1800 steps two."""
    at = {"neck": (0, 0), "nose": (0, -0.5)}
    for side, sign, arm in (("left", -1, 1), ("right", 1, 0.5)):  # the right arm points to the camera
        at |= {f"{side}_shoulder": (sign, 0), f"{side}_elbow": (sign, arm), f"{side}_wrist": (sign, 2 * arm)}
        at |= {f"{side}_{joint}": (sign / 2, 1 + down) for down, joint in enumerate(("hip", "knee", "ankle"))}
    xy = np.array([at.get(joint, (0, -0.5)) for joint in JOINTS]) + 0.1 * np.arange(101)[:, None, None] * [1, 0]
    xy[50, JOINTS.index("nose")] += 5
    amounts = {"shoulders": 2, "hips": 1, "arms": 2, "legs": 2, "head": 0.5, "speed": 1, "fastest": 1}
    expected = {name: np.log10(amount + 0.01) for name, amount in amounts.items()}
    measured = of_joints(7 * xy[None], 10.0)[0]
    assert dict(zip(JOINTED, measured, strict=True)) == pytest.approx({**expected, "trunk": 0}, abs=1e-9)


def test_every_modality_has_a_word_for_each_number() -> None:
    assert {name: len(words) for name, words in FEATURES.items()} == {"eeg": 10, "pose": 8, "video": 10}
