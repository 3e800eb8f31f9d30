"""Agreement with experts: κ by its definition, Δκ by its sign, burden patient by patient; real labels of Helsinki."""

import json
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from data.cohorts.helsinki import EXPERTS, read_labels
from data.events import Annotations, Event
from data.outcomes import Refusal
from tests import SHARED, needs_shared
from validation import agreement, burden
from validation.agreement import long_enough
from validation.burden import agreement_of, burdens, limit_of_agreement
from validation.kappa import cohen_kappa, delta_kappa, fleiss_kappa, kappa_per_person, rating_counts
from validation.scoring import Case
from validation.uncertainty import interval_of, patient_draws

few = settings(max_examples=60, deadline=None)
ONE = np.ones((1, 1), dtype=int)


@st.composite
def cohorts(draw, raters: int = 4) -> tuple[list[np.ndarray], np.ndarray]:
    """Bool (raters, seconds) of 1 to 4 persons, and how often each was drawn."""
    lengths = draw(st.lists(st.integers(0, 6), min_size=1, max_size=4))
    second = st.lists(st.booleans(), min_size=raters, max_size=raters)
    masks = [np.array(draw(st.lists(second, min_size=n, max_size=n)), bool).reshape(n, raters).T for n in lengths]
    return masks, np.array(draw(st.lists(st.integers(0, 3), min_size=len(masks), max_size=len(masks))))


def resampled(masks: list[np.ndarray], weights: np.ndarray) -> np.ndarray:
    return np.concatenate([m[:, :0] for m in masks] + [np.tile(m, w) for m, w in zip(masks, weights, strict=True)], 1)


def counts_of(masks: list[np.ndarray]) -> np.ndarray:
    return rating_counts([[m] for m in masks], len(masks[0]))


def slow_fleiss(marks: np.ndarray) -> float:
    """Fleiss 1971, second by second and pair by pair; NaN where there is nothing but chance to see."""
    pairs = list(combinations(marks, 2))
    if not marks.size or marks.all() or not marks.any():
        return float("nan")
    agreed, p = np.mean([a == b for a, b in pairs]), marks.mean()
    chance = p**2 + (1 - p) ** 2
    return float((agreed - chance) / (1 - chance))


@few
@given(cohorts())
def test_fleiss_kappa_of_a_resample_equals_pooling_the_seconds_of_the_patients_drawn(cohort):
    masks, weights = cohort
    for raters in ([0, 1], [3, 1, 2], [0, 1, 2, 3]):
        fast = fleiss_kappa(raters)(weights[None], counts_of(masks))[0]
        assert fast == pytest.approx(slow_fleiss(resampled(masks, weights)[raters]), nan_ok=True, abs=1e-9)


@few
@given(cohorts(raters=2))
def test_cohen_kappa_of_a_resample_equals_that_of_scikit_learn_on_the_seconds_of_the_patients_drawn(cohort):
    masks, weights = cohort
    pooled = resampled(masks, weights)
    constant = not pooled.size or pooled.all() or not pooled.any()
    expected = np.nan if constant else cohen_kappa_score(*pooled)
    assert cohen_kappa(0, 1)(weights[None], counts_of(masks))[0] == pytest.approx(expected, nan_ok=True, abs=1e-9)


@few
@given(cohorts())
def test_delta_kappa_of_a_resample_is_experts_minus_the_mean_with_one_replaced(cohort):
    masks, weights = cohort
    pooled = resampled(masks, weights)
    replaced = [slow_fleiss(pooled[team]) for team in ([3, 1, 2], [0, 3, 2], [0, 1, 3])]
    expected = slow_fleiss(pooled[[0, 1, 2]]) - np.mean(replaced)
    fast = delta_kappa([0, 1, 2], 3)(weights[None], counts_of(masks))[0]
    assert fast == pytest.approx(expected, nan_ok=True, abs=1e-9)


@few
@given(cohorts(), st.randoms(use_true_random=False))
def test_kappa_does_not_depend_on_the_order_of_raters_or_on_how_recordings_are_cut(cohort, random):
    masks, _ = cohort
    order = random.sample(range(4), 4)
    shuffled, cut = [m[order] for m in masks], [[m[:, :2], m[:, 2:]] for m in masks]
    together = fleiss_kappa(range(4))(np.eye(len(masks)), counts_of(masks))
    np.testing.assert_allclose(fleiss_kappa(range(4))(np.eye(len(masks)), counts_of(shuffled)), together, atol=1e-12)
    np.testing.assert_array_equal(rating_counts(cut, 4), counts_of(masks))


def test_kappa_of_a_worked_example():
    """20 s, both mark 4, one alone 2, the other alone 4: agreed 14/20, by chance .3·.4 + .7·.6 = .54."""
    a = np.array([1] * 4 + [1] * 2 + [0] * 4 + [0] * 10, bool)
    b = np.array([1] * 4 + [0] * 2 + [1] * 4 + [0] * 10, bool)
    counts = counts_of([np.stack([a, b])])
    assert cohen_kappa(0, 1)(ONE, counts)[0] == pytest.approx((14 / 20 - 0.54) / (1 - 0.54))
    p = (6 + 8) / 40
    chance = p**2 + (1 - p) ** 2
    assert fleiss_kappa([0, 1])(ONE, counts)[0] == pytest.approx((14 / 20 - chance) / (1 - chance))


def test_kappa_is_one_for_copies_nought_for_silence_against_marks_and_undefined_where_nobody_marks():
    some, none = np.array([0, 1, 1, 0], bool), np.zeros(4, bool)
    pairs = [np.stack(p) for p in ((some, some), (some, none), (none, none))]
    found = kappa_per_person(counts_of(pairs), cohen_kappa(0, 1))
    assert found[:2].tolist() == [1.0, 0.0]
    assert np.isnan(found[2])


def test_more_raters_than_can_be_counted_are_refused():
    with pytest.raises(ValueError, match="at most 11"):
        rating_counts([[np.zeros((12, 3), bool)]], 12)
    assert rating_counts([[np.zeros((11, 3), bool)]], 11)[0, 0] == 3


def reading(rng: np.random.Generator, truth: np.ndarray, wrong: float) -> np.ndarray:
    return truth ^ (rng.random(truth.shape) < wrong)


def cohort_with(detector_wrong: float, persons: int = 30) -> np.ndarray:
    """Three experts who err in 2 % of seconds, and a detector, against an unseen truth."""
    rng = np.random.default_rng(3)
    masks = []
    for _ in range(persons):
        truth = np.repeat(rng.random(20) < 0.2, 30)
        masks.append(np.stack([reading(rng, truth, wrong) for wrong in (0.02, 0.02, 0.02, detector_wrong)]))
    return counts_of(masks)


def test_delta_kappa_is_positive_for_a_worse_detector_and_negative_for_a_better_one():
    weights = patient_draws(["one"] * 30, np.random.default_rng(0))
    worse, same, better = (
        interval_of(cohort_with(wrong), delta_kappa([0, 1, 2], 3), weights) for wrong in (0.1, 0.02, 0.0)
    )
    assert worse.low > 0.05
    assert abs(same.estimate) < 0.01
    assert better.high < 0


def test_delta_kappa_of_each_replaced_expert_averages_to_the_whole():
    counts = cohort_with(0.05)
    weights = np.ones((1, 30))
    each = [delta_kappa([0, 1, 2], 3, [out])(weights, counts)[0] for out in range(3)]
    assert delta_kappa([0, 1, 2], 3)(weights, counts)[0] == pytest.approx(np.mean(each))


@needs_shared
def test_three_experts_agree_on_the_helsinki_neonates_with_fleiss_kappa_0_756():
    """All seconds of the 79 pooled; interval by redrawing neonates. The mean over neonates is another number."""
    newborns = read_labels(SHARED / "helsinki" / "annotations_2017.mat")
    counts = rating_counts([[n.masks] for n in newborns], 3)
    weights = patient_draws(["Helsinki"] * 79, np.random.default_rng(0))
    found = interval_of(counts, fleiss_kappa(range(3)), weights)
    assert found.estimate == pytest.approx(0.756, abs=5e-4)
    assert (found.low, found.high) == (pytest.approx(0.65, abs=0.01), pytest.approx(0.83, abs=0.01))
    pairs = [cohen_kappa(a, b)(np.ones((1, 79)), counts)[0] for a, b in combinations(range(3), 2)]
    assert pairs == pytest.approx([0.742, 0.804, 0.727], abs=5e-4)
    alone = kappa_per_person(counts, fleiss_kappa(range(3)))
    assert np.isnan(alone).sum() == 22  # the neonates in whom nobody marks anything
    assert np.nanmean(alone) == pytest.approx(0.497, abs=5e-4)


@needs_shared
def test_a_copy_of_the_majority_agrees_better_than_an_expert_and_a_silent_detector_far_worse():
    newborns = read_labels(SHARED / "helsinki" / "annotations_2017.mat")
    weights = patient_draws(["Helsinki"] * 79, np.random.default_rng(0))

    def delta(detector):
        counts = rating_counts([[np.vstack([n.masks, detector(n)])] for n in newborns], 4)
        return interval_of(counts, delta_kappa(range(3), 3), weights)

    majority, silent = delta(lambda n: n.marked_by(2).to_mask()), delta(lambda n: np.zeros(n.masks.shape[1], bool))
    assert majority.estimate == pytest.approx(-0.079, abs=5e-4)
    assert majority.high < 0
    assert silent.low > 0.3


def marked(*times: tuple[float, float], duration_s: float = 600.0) -> Annotations:
    return Annotations(tuple(Event(a, b - a) for a, b in times), duration_s)


def test_events_shorter_than_ten_seconds_are_left_out_and_touching_ones_count_as_one():
    found = long_enough(marked((0, 9.9), (20, 30), (40, 46), (46, 52), (60, 69), (100, 130)))
    assert found == marked((20, 30), (40, 46), (46, 52), (100, 130))
    assert long_enough(found) == found
    assert long_enough(marked((0, 9.995), (20.1, 30.1))) == marked((20.1, 30.1))
    assert long_enough(marked((5, 6)), 0.0) == marked((5, 6))


def case(recording: str, reference: Annotations, hypothesis: Annotations, gap: slice = slice(0, 0)) -> Case:
    trend = np.full(round(reference.duration_s), 0.5)
    trend[gap] = np.nan
    labels = reference.to_mask().astype(int)
    return Case(recording, recording, f"person-{recording}", "north", trend, labels, reference, hypothesis)


SEIZURES = {"a": ((100, 200),), "b": ((50, 90), (300, 420)), "c": (), "d": ((10, 40),)}
CASES = [case(name, marked(*times), marked(*times)) for name, times in SEIZURES.items()]
WEIGHTS = patient_draws(["north"] * 4, np.random.default_rng(0))


def shifted(by_s: float) -> dict[str, Annotations]:
    return {name: marked(*((a + by_s, b + by_s) for a, b in times)) for name, times in SEIZURES.items()}


def experts_of(**shifts_s: float) -> dict[str, dict[str, Annotations]]:
    read = {name: shifted(by_s) for name, by_s in shifts_s.items()}
    return {recording: {name: marks[recording] for name, marks in read.items()} for recording in SEIZURES}


def test_with_one_expert_kappa_is_given_and_what_needs_several_is_not_evaluable():
    alone = agreement.figures(CASES, {}, WEIGHTS)
    assert alone["with_reference"]["kappa"]["estimate"] == 1.0
    assert alone["with_experts"] == {}
    assert "the reference" in alone["delta_kappa"]["not_evaluable"]
    one = agreement.figures(CASES, experts_of(anna=5), WEIGHTS)
    assert 0.8 < one["with_experts"]["anna"]["kappa"]["estimate"] < 1
    assert set(one["delta_kappa"]) == set(one["between_experts"]) == {"not_evaluable"}
    assert alone["per_person"][0]["not_evaluable"] == {"between_experts": "fewer than two experts"}
    json.dumps([alone, one], allow_nan=False)


def test_figures_state_their_scorer_and_what_they_rest_on():
    found = agreement.figures(CASES, experts_of(anna=5, ben=-5, cleo=10), WEIGHTS)
    assert found["scorer"]["name"] == "agreement" and found["scorer"]["policy"]["shortest_event_s"] == 10
    assert found["rests_on"]["persons"] == found["read_by_all"]["persons"] == 4
    assert found["experts"] == ["anna", "ben", "cleo"]
    assert [p["with_reference"] for p in found["per_person"]] == [1.0, 1.0, None, 1.0]
    assert found["with_reference"]["evaluable_persons"] == 3
    assert agreement.scorer(0.0).to_json()["policy_digest"] != found["scorer"]["policy_digest"]
    json.dumps(found, allow_nan=False)


def test_a_detector_like_the_experts_passes_and_one_unlike_them_does_not():
    experts = experts_of(anna=3, ben=-3, cleo=4)
    good = agreement.figures(CASES, experts, WEIGHTS)["delta_kappa"]
    late = [replace(c, hypothesis=shifted(60)[c.recording]) for c in CASES]
    bad = agreement.figures(late, experts, WEIGHTS)["delta_kappa"]
    assert good["passes"] and good["estimate"] < 0
    assert not bad["passes"] and bad["low"] > 0
    assert bad["half_width"] == pytest.approx((bad["high"] - bad["low"]) / 2)
    assert set(bad["replaced"]) == {"anna", "ben", "cleo"}


def test_kappa_with_the_reference_is_that_of_the_detector_as_worked_out_by_hand():
    """Of 600 s both mark 100, and 40 of them together: agreement 480 / 600, by chance (100² + 500²) / 600²."""
    late = [case("a", marked((100, 200)), marked((160, 260)))]
    found = agreement.figures(late, {}, WEIGHTS[:, :1])
    by_chance = (100**2 + 500**2) / 600**2
    assert found["with_reference"]["kappa"]["estimate"] == pytest.approx((480 / 600 - by_chance) / (1 - by_chance))
    assert found["per_person"][0]["with_reference"] == pytest.approx(found["with_reference"]["kappa"]["estimate"])


def test_a_detector_that_says_what_all_experts_say_passes_with_a_difference_of_nought():
    found = agreement.figures(CASES, experts_of(anna=0, ben=0), WEIGHTS)["delta_kappa"]
    assert (found["low"], found["estimate"], found["high"], found["passes"]) == (0, 0, 0, True)


def test_a_detector_that_cannot_be_told_from_the_experts_passes():
    """Each second of four raters is wrong in 2 %: the interval of Δκ lies on both sides of 0."""
    rng, cases, experts = np.random.default_rng(3), [], {}
    for name in map(str, range(12)):
        truth = np.repeat(rng.random(20) < 0.2, 30)
        *marks, said = (Annotations.from_mask(reading(rng, truth, 0.02), 1.0) for _ in range(4))
        cases.append(case(name, Annotations.from_mask(truth, 1.0), said))
        experts[name] = dict(zip(("anna", "ben", "cleo"), marks, strict=True))
    found = agreement.figures(cases, experts, patient_draws(["one"] * 12, rng), shortest_s=0)["delta_kappa"]
    assert found["low"] < 0 < found["high"]
    assert found["passes"]


def test_seconds_that_the_detector_could_not_assess_count_for_nobody():
    experts = experts_of(anna=0, ben=0)
    missed = case("a", marked((100, 200)), marked(), gap=slice(90, 210))
    found = agreement.figures([missed, *CASES[1:]], experts, WEIGHTS)
    assert found["with_experts"]["anna"]["kappa"]["estimate"] == 1.0
    assert found["rests_on"]["coverage"] == pytest.approx(1 - 120 / 2400)
    nobody = "nobody marked a second, or everybody all of them"
    assert found["per_person"][0] == {
        "person": "person-a", "with_reference": None, "between_experts": None,
        "not_evaluable": {"with_reference": nobody, "between_experts": nobody},
    }  # fmt: skip


def test_a_recording_that_an_expert_did_not_read_is_no_recording_without_seizures():
    experts = experts_of(anna=0, ben=0)
    del experts["b"]["ben"]
    found = agreement.figures(CASES, experts, WEIGHTS)
    assert (found["read_by_all"]["recordings"], found["rests_on"]["recordings"]) == (3, 4)
    assert (found["read_by_all"]["persons"], found["rests_on"]["persons"]) == (3, 4)
    assert [p["between_experts"] for p in found["per_person"]] == [1.0, None, None, 1.0]
    assert found["between_experts"]["fleiss_kappa"]["estimate"] == 1.0
    del experts["a"]["anna"]
    never = agreement.figures(CASES[:2], experts, WEIGHTS[:, :2])
    assert "no assessed second was read by all 2" in never["delta_kappa"]["not_evaluable"]


def test_where_nobody_marks_anything_delta_kappa_is_not_evaluable():
    free = [case(name, marked(), marked()) for name in "abcd"]
    experts = {name: {"anna": marked(), "ben": marked()} for name in "abcd"}
    found = agreement.figures(free, experts, WEIGHTS)
    assert "nobody marked anything" in found["delta_kappa"]["not_evaluable"]
    assert found["with_reference"]["kappa"]["estimate"] is None


def test_short_events_of_detector_and_experts_are_dropped_alike_and_counted():
    noisy = [replace(c, hypothesis=marked(*SEIZURES[c.recording], (590, 594))) for c in CASES]
    experts = experts_of(anna=0, ben=0)
    experts["c"]["anna"] = marked((5, 14))
    found = agreement.figures(noisy, experts, WEIGHTS)
    assert found["shorter_events_dropped"] == {"reference": 0, "detector": 4, "experts": 1}
    assert found["with_experts"]["anna"]["kappa"]["estimate"] == 1.0
    assert agreement.figures(noisy, experts, WEIGHTS, shortest_s=0)["with_experts"]["anna"]["kappa"]["estimate"] < 1


def test_marks_of_a_recording_of_another_length_are_refused():
    experts = experts_of(anna=0, ben=0)
    for stated_s in (601.4, 598.6, 700):
        experts["a"]["ben"] = marked(duration_s=stated_s)
        with pytest.raises(Refusal, match=rf"corrupt.*{stated_s:g} s.*600 s"):
            agreement.figures(CASES, experts, WEIGHTS)
    for stated_s in (599, 601):  # a file states whole seconds
        experts["a"]["ben"] = marked(*SEIZURES["a"], duration_s=stated_s)
        assert agreement.figures(CASES, experts, WEIGHTS)["between_experts"]["fleiss_kappa"]["estimate"] == 1.0


def slow_hour(mask: np.ndarray) -> float:
    """Every 60 consecutive minutes, one after the other."""
    return max(mask[i : i + 3600].sum() for i in range(max(1, len(mask) - 3599))) / 60


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9000), st.integers(1, 3000)), max_size=6), st.integers(600, 10_000))
def test_the_worst_hour_equals_looking_at_every_hour(times, seconds):
    events = tuple(Event(a, min(n, seconds - a)) for a, n in times if a < seconds)
    annotations = Annotations(events, float(seconds))
    assert annotations.max_hourly_burden_min() == pytest.approx(slow_hour(annotations.to_mask()))


def test_burden_is_counted_in_assessed_time_for_detector_and_expert_alike():
    """300 s of 600 assessed: of 100–200 s, 50 s are seen: 50/60 min in 300/3600 h are 10 min/h."""
    seen = case("a", marked((100, 200)), marked(), gap=slice(150, 450))
    found = burdens([[seen]], {"a": seen.reference}, 10.0)[0]
    assert found.tolist() == pytest.approx([10.0, 50 / 60, 50 / 60])
    blind = case("b", marked((100, 200)), marked(), gap=slice(None))
    assert np.isnan(burdens([[blind], []], {"b": blind.reference}, 10.0)).all()


def test_a_persons_recordings_add_up_and_the_worst_hour_is_that_of_one_recording():
    found = burdens([CASES[:2]], {c.recording: c.reference for c in CASES}, 10.0)[0]
    assert found.tolist() == pytest.approx([(100 + 160) / 60 / (1200 / 3600), 260 / 60, 160 / 60])


def test_limits_of_agreement_are_those_of_bland_and_altman():
    """Differences 1, 2, 6: mean 3, SD √7."""
    differences, weights = np.array([1.0, 2.0, np.nan, 6.0]), np.ones((1, 4))
    assert limit_of_agreement(1)(weights, differences)[0] == pytest.approx(3 + 1.96 * 7**0.5)
    assert limit_of_agreement(-1)(weights, differences)[0] == pytest.approx(3 - 1.96 * 7**0.5)
    drawn = np.array([[2, 0, 1, 1]])
    assert limit_of_agreement(1)(drawn, differences)[0] == pytest.approx(8 / 3 + 1.96 * np.std([1, 1, 6], ddof=1))
    assert np.isnan(limit_of_agreement(1)(np.array([[0, 1, 3, 0]]), differences)[0])


def test_a_detector_that_always_says_the_double_correlates_and_does_not_agree():
    theirs = np.array([1.0, 4.0, 10.0, 20.0])
    found = agreement_of(2 * theirs, theirs, WEIGHTS)
    assert found["pearson_r"]["estimate"] == pytest.approx(1.0)
    assert found["mean_difference"]["estimate"] == pytest.approx(35 / 4)
    assert found["lower_limit"]["estimate"] < found["mean_difference"]["estimate"] < found["upper_limit"]["estimate"]


def test_burden_figures_compare_with_reference_experts_and_experts_among_themselves():
    found = burden.figures(CASES, experts_of(anna=0, ben=5), WEIGHTS)
    assert found["with_reference"]["total_min"]["mean_difference"]["estimate"] == 0.0
    assert set(found["with_experts"]) == {"anna", "ben"}
    assert found["between_experts"][0]["experts"] == ["anna", "ben"]
    assert found["scorer"]["policy"]["hour"] == "any 60 consecutive minutes"
    json.dumps(found, allow_nan=False)
    assert burden.figures(CASES, {}, WEIGHTS)["with_experts"] == {}


@needs_shared
def test_burden_of_helsinki_experts_correlates_while_their_minutes_differ():
    newborns = read_labels(SHARED / "helsinki" / "annotations_2017.mat")
    cases = [case(n.recording, n.experts["A"], n.experts["B"]) for n in newborns]
    weights = patient_draws(["Helsinki"] * 79, np.random.default_rng(0))
    found = burden.figures(cases, {n.recording: n.experts for n in newborns}, weights)
    pair = found["between_experts"][0]
    assert pair["experts"] == list(EXPERTS[:2])
    assert pair["min_per_h"]["pearson_r"]["estimate"] > 0.85
    assert pair["min_per_h"]["mean_difference"]["high"] < 0  # B marks more than A
