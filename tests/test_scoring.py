import json
import shutil
import sys
from math import isnan
from pathlib import Path
from statistics import median

import numpy as np
import pytest
import timescoring.annotations
import timescoring.scoring
from hypothesis import given, settings
from hypothesis import strategies as st
from timescoring.annotations import Annotation
from timescoring.scoring import EventScoring

from data.cohorts.helsinki import read_labels
from data.events import Annotations, Event
from tests import SHARED, needs_shared
from validation import reliability, subgroups
from validation.scoring import Case, clinical, false_alarms, overlap, overlaps_s, spans
from validation.scoring.clinical import not_evaluable, per_patient, worst_decile, zero_alarms_upper_per_24h
from validation.scoring.findings import compare
from validation.scoring.measures import auc, f1, mcc, mcc_statistic, pearson_statistic
from validation.scoring.overlap import OverlapCounts, any_overlap, sweep, time_aligned
from validation.scoring.scorer import ROOT, code_digest, sources
from validation.scoring.szcore import (
    Policy,
    SzcoreCounts,
    legacy_patient_mean,
    patient_mean,
    pooled,
    scorer,
    scores,
    szcore,
)
from validation.scoring.szcore import figures as szcore_figures
from validation.scoring.szcore import per_patient as szcore_per_patient
from validation.uncertainty import PairWins

CASES = SHARED / "peer_results" / "timescoring_cases.json"


def marked(*events: tuple[float, float], duration_s: float = 3600.0) -> Annotations:
    """Annotations from (start, end) pairs in seconds."""
    return Annotations(tuple(Event(start, end - start) for start, end in events), duration_s)


def listed_cases(kind: str) -> list[dict]:
    return json.loads(CASES.read_text())[kind] if CASES.is_file() else []


def event_scores(counts: SzcoreCounts) -> dict[str, float]:
    return {
        k: float(v)
        for k, v in scores(*np.array([counts.event_tp, counts.event_fp, counts.event_ref, counts.hours])).items()
    }


# The golden vectors: a 3600-s recording, reference 600-660 s unless said; computed with timescoring 0.0.7.
REF = ((600.0, 660.0),)
GOLDEN = {
    "a detection that starts 25 s early is inside the tolerance": (REF, ((575, 590),), (1, 0, 1)),
    "a detection that ends 30 s before the seizure is false": (REF, ((560, 570),), (0, 1, 1)),
    "a detection that ends 29.8 s before the seizure is a hit": (REF, ((560, 570.2),), (1, 0, 1)),
    "a detection that starts 60 s after the seizure is false": (REF, ((720, 730),), (0, 1, 1)),
    "a detection that starts 59.8 s after the seizure is a hit": (REF, ((719.8, 730),), (1, 0, 1)),
    "two detections 89 s apart are one false alarm": ((), ((100, 110), (199, 209)), (0, 1, 0)),
    "two detections 90 s apart are two false alarms": ((), ((100, 110), (200, 210)), (0, 2, 0)),
    "a seizure of 301 s is split in two": (((600, 901),), ((600, 901),), (2, 0, 2)),
    "a short detection finds one piece of a long seizure": (((600, 960),), ((600, 610),), (1, 0, 2)),
    "a detection near the split finds both pieces": (((600, 960),), ((875, 880),), (2, 0, 2)),
    "a false alarm of 20 minutes counts four times": ((), ((100, 1300),), (0, 4, 0)),
    "one detection over two seizures finds both": (((600, 660), (860, 900)), ((600, 900),), (2, 0, 2)),
    "the far piece of a split detection is false": (((1000, 1060),), ((900, 1500),), (1, 1, 1)),
    "two seizures 60 s apart are one": (((600, 620), (680, 700)), ((640, 650),), (1, 0, 1)),
    "no seizure, no detection": ((), (), (0, 0, 0)),
    "a detection without seizure": ((), ((100, 110),), (0, 1, 0)),
    "a seizure without detection": (REF, (), (0, 0, 1)),
}


@pytest.mark.parametrize("claim", GOLDEN)
def test_szcore_golden_vector(claim):
    reference, hypothesis, expected = GOLDEN[claim]
    counts = szcore(marked(*reference), marked(*hypothesis))
    assert (counts.event_tp, counts.event_fp, counts.event_ref) == expected


def test_szcore_f1_is_undefined_only_where_there_is_nothing_to_find_and_nothing_found():
    nothing, false_alarm, missed = (
        szcore(marked(*r), marked(*h)) for r, h in (((), ()), ((), ((100, 110),)), (REF, ()))
    )
    assert isnan(event_scores(nothing)["f1"])
    assert event_scores(false_alarm)["f1"] == 0
    assert event_scores(missed)["f1"] == 0 and isnan(event_scores(missed)["precision"])


def test_szcore_counts_four_false_alarms_in_an_hour_as_96_per_day():
    assert event_scores(szcore(marked(), marked((100, 1300))))["alarms_per_24h"] == pytest.approx(4 * 24)


def annotations_of(case: dict, who: str) -> Annotations:
    given_ = case[who]
    duration_s = given_["numSamples"] / given_["fs"]
    if given_["kind"] == "mask":
        return Annotations.from_mask(np.array(given_["labels"], dtype=bool), given_["fs"])
    return marked(*given_["labels"], duration_s=duration_s)


NAMED = {
    "toleranceStart": "tolerance_before_s",
    "toleranceEnd": "tolerance_after_s",
    "minOverlap": "min_overlap",
    "maxEventDuration": "max_event_s",
    "minDurationBetweenEvents": "merge_gap_s",
}


@needs_shared
@pytest.mark.parametrize("case", listed_cases("scoring_cases"), ids=lambda c: c["name"].strip("\u200b"))
def test_szcore_equals_the_librarys_own_cases(case):
    policy = Policy(**{NAMED[key]: value for key, value in case["parameters"].items()})
    counts = szcore(annotations_of(case, "ref"), annotations_of(case, "hyp"), policy)
    kind = case["kind"]
    tp, fp, ref = (getattr(counts, f"{kind}_{name}") for name in ("tp", "fp", "ref"))
    expected = case["expected"] | case["also_computed"]
    assert (tp, fp, ref) == (expected["tp"], expected["fp"], expected["refTrue"])
    made = scores(*np.array([tp, fp, ref, counts.hours], dtype=float))
    for theirs, ours in (("sensitivity", "sensitivity"), ("precision", "precision"), ("f1", "f1")):
        assert made[ours] == pytest.approx(float(expected[theirs]), nan_ok=True)
    if "fpRate" in expected:
        assert made["alarms_per_24h"] == pytest.approx(expected["fpRate"])


@needs_shared
@pytest.mark.parametrize("case", listed_cases("annotation_cases"), ids=lambda c: "".join(map(str, c["mask"])))
def test_our_events_of_a_mask_are_the_librarys(case):
    ours = Annotations.from_mask(np.array(case["mask"], dtype=bool), case["fs"])
    assert [(e.onset_s, e.end_s) for e in ours.events] == [pytest.approx(tuple(e)) for e in case["events"]]


@needs_shared
@pytest.mark.parametrize("case", listed_cases("transform_cases"), ids=lambda c: c["op"])
def test_the_pinned_library_merges_and_extends_as_it_did(case):
    events = Annotation([tuple(e) for e in case["events"]], case["fs"], case["numSamples"])
    if case["op"] == "merge":
        made = EventScoring._mergeNeighbouringEvents(events, case["minDurationBetweenEvents"])
    else:
        made = EventScoring._extendEvents(events, case["before"], case["after"])
    assert [list(e) for e in made.events] == case["expected"]


@needs_shared
def test_szcore_sums_recordings_as_szcore_evaluation_does():
    first, total, empty = listed_cases("szcore_evaluation_cases")[:3]
    ref, hyp = (Annotations.from_mask(np.array(first[k], dtype=bool), 1) for k in ("ref", "hyp"))
    one = szcore(ref, hyp)
    assert (one.sample_tp, one.sample_fp, one.sample_ref) == (2, 1, 4)
    both = one + szcore(ref, ref)
    made = scores(*np.array([both.sample_tp, both.sample_fp, both.sample_ref, both.hours]))
    assert made["sensitivity"] == total["expected"]["sensitivity"]
    assert made["precision"] == pytest.approx(total["expected"]["precision"])
    assert both.hours == pytest.approx(total["expected"]["numSamples"] / 3600)
    silent = Annotations.from_mask(np.array(empty["ref"], dtype=bool), 1)
    assert isnan(event_scores(szcore(silent, silent))["sensitivity"])


def test_szcore_takes_a_second_of_difference_if_told_and_refuses_to_score_a_failed_analysis_as_silence():
    reference, policy = marked((10, 15), duration_s=60), Policy(duration_tolerance_s=1)
    for duration_s in (59.0, 61.0):
        counts = szcore(reference, marked((10, 15), duration_s=duration_s), policy)
        assert (counts.sample_tp, counts.sample_fp, counts.sample_ref) == (5, 0, 5)
        with pytest.raises(ValueError, match="not evaluable"):
            szcore(reference, marked((10, 15), duration_s=duration_s))
    with pytest.raises(ValueError, match="covers 55 s and the reference 60 s"):
        szcore(reference, marked((10, 15), duration_s=55.0), policy)
    assert szcore(reference, marked((10, 15), duration_s=60.5)).sample_tp == 5, "half a second is rounding"
    with pytest.raises(ValueError, match=r"more than 0\.5 s apart"):
        szcore(reference, marked((10, 15), duration_s=60.6))


def test_a_detection_beyond_the_recordings_last_sample_is_no_false_alarm():
    counts = szcore(marked(duration_s=60.0), marked((60.1, 60.4), duration_s=60.5))
    assert counts.event_fp == 0


def test_szcore_does_not_shorten_an_event_that_contains_another():
    late, containing = marked((390, 400)), marked((100, 400), (110, 120))
    assert szcore(late, containing).event_tp == 1  # the library alone would end the detection at 120 s


def test_the_szcore_scorer_names_library_version_code_and_policy():
    named = scorer("pooled").to_json()
    assert (named["name"], named["version"], named["policy"]["merge_gap_s"]) == ("szcore", "0.0.7", 90.0)
    assert len(named["code_digest"]) == len(named["policy_digest"]) == 64
    assert scorer("pooled").to_json()["policy_digest"] != scorer("patient_mean").to_json()["policy_digest"]
    assert scorer("pooled", Policy(merge_gap_s=0)).name == "timescoring"  # only the community's settings are SzCORE


def test_each_averaging_has_its_own_number_on_the_same_counts():
    counts = {
        "a": SzcoreCounts(9, 1, 10, 0, 0, 0, 24.0),
        "b": SzcoreCounts(0, 0, 2, 0, 0, 0, 24.0),  # two seizures, nothing found
        "c": SzcoreCounts(0, 3, 0, 0, 0, 0, 24.0),  # no seizures, three false alarms
        "d": SzcoreCounts(0, 0, 0, 0, 0, 0, 24.0),  # no seizures, silence
    }
    table = szcore_per_patient(counts, {name: name for name in counts})
    f1_a = 2 * 9 / (2 * 9 + 1 + 1)
    assert pooled(table).scores["f1"] == pytest.approx(2 * 9 / (2 * 9 + 4 + 3))
    assert patient_mean(table).scores["f1"] == pytest.approx((f1_a + 0 + 0) / 3)
    assert legacy_patient_mean(table).scores["f1"] == pytest.approx(f1_a)  # the undetected patient is gone
    assert patient_mean(table).scores["sensitivity"] == pytest.approx((0.9 + 0) / 2)
    assert patient_mean(table).scores["alarms_per_24h"] == pytest.approx((1 + 0 + 3 + 0) / 4)
    assert patient_mean(table).patients == {"sensitivity": 2, "precision": 2, "f1": 3, "alarms_per_24h": 4}
    assert legacy_patient_mean(table).patients["f1"] == 1


def test_recordings_of_one_patient_are_summed_before_they_are_averaged():
    counts = {"r1": SzcoreCounts(1, 0, 1, 5, 0, 5, 1.0), "r2": SzcoreCounts(0, 2, 1, 0, 4, 5, 2.0)}
    table = szcore_per_patient(counts, {"r1": "p", "r2": "p"})
    assert table.loc["p"].tolist() == [1, 2, 2, 5, 4, 10, 3.0]


@needs_shared
def test_szcore_of_helsinki_experts_against_their_majority_is_as_published():
    """Values computed from the public labels of 79 neonates (Stevenson 2019) by another hand with timescoring 0.0.7."""
    newborns = read_labels(SHARED / "helsinki" / "annotations_2017.mat")
    expected = {"A": (0.873, 1.6, 0.814), "B": (0.814, 12.9, 0.737), "C": (0.761, 11.2, 0.719)}
    for expert, (f1_event, alarms, f1_sample) in expected.items():
        counts = {n.recording: szcore(n.marked_by(2), n.experts[expert]) for n in newborns}
        table = szcore_per_patient(counts, {name: name for name in counts})
        event, sample = patient_mean(table).scores, patient_mean(table, "sample").scores
        assert event["f1"] == pytest.approx(f1_event, abs=6e-4)
        assert event["alarms_per_24h"] == pytest.approx(alarms, abs=0.06)
        assert sample["f1"] == pytest.approx(f1_sample, abs=6e-4)
    assert legacy_patient_mean(table).scores["f1"] > patient_mean(table).scores["f1"] + 0.1  # what dropping hides


def test_clinical_events_are_never_merged():
    found = compare(marked((100, 110), (150, 160)), marked((100, 110)))
    assert (found.seizures, found.detected, found.seizure_s) == (2, 1, 20)


def test_latency_is_from_seizure_onset_to_the_first_detection_that_overlaps_it():
    found = compare(marked((100, 160), (300, 360), (500, 520)), marked((112, 120), (130, 140), (290, 310)))
    assert found.latencies_s == (112 - 100, 290 - 300)
    assert (found.detected, found.false_detections) == (2, 0)


def test_latency_counts_from_where_an_alarm_would_have_begun_anew():
    """A permanent alarm of 20 h has not foreseen the seizure: every 300 s without a seizure it is another alarm."""
    permanent = compare(marked((72_100, 72_160), duration_s=86_400), marked((0, 86_400), duration_s=86_400))
    assert permanent.latencies_s == (72_000 + 0 - 72_100,) and permanent.early == 1  # 240 · 300 s = 72,000 s
    anew = compare(marked((300.3, 360)), marked((0.3, 400)))
    assert anew.latencies_s == pytest.approx((0,)) and anew.early == 0
    kept = compare(marked((300, 360)), marked((0.5, 400)))
    assert kept.latencies_s == (0.5 - 300,) and kept.early == 1


def test_the_share_of_early_detections_is_of_the_seizures_found():
    cases = [
        case("p", marked((100, 160), (1000, 1060), (2000, 2060)), marked((90, 110), (1005, 1010))),
        case("q", marked((100, 160)), marked((100, 120))),
    ]
    table = per_patient(cases)
    assert table["early"].tolist() == [1, 0] and table["detected"].tolist() == [2, 1]
    labels, trend = clinical.trends(cases)
    made = clinical.figures(table, PairWins.of(labels, trend), np.ones((2000, 2), dtype=int))
    assert made["early_detections"]["estimate"] == pytest.approx(1 / 3)
    assert (made["scorer"]["version"], made["latency_s_patient_mean"]["estimate"]) == ("3", (median((-10, 5)) + 0) / 2)


def test_a_touching_detection_is_not_an_overlap():
    found = compare(marked((100, 160)), marked((160, 170)))
    assert (found.detected, found.false_detections, found.false_alarm_s) == (0, 1, 10)


def test_false_alarm_time_is_the_time_outside_seizures():
    found = compare(marked((100, 160)), marked((90, 170), (500, 530), (520, 540)))
    assert found.false_alarm_s == pytest.approx((170 - 90) - 60 + (540 - 500))
    assert (found.tp, found.fp, found.fn, found.tn) == (60, 60, 0, 3600 - 120)
    for answered_s in (3599, 3600, 3601):  # a detector counts a recording's seconds to its last whole window
        found = compare(marked((100, 160)), marked((90, 170), duration_s=answered_s))
        assert (found.tp, found.fp, found.fn, found.tn) == (60, 20, 0, 3600 - 80)


def test_a_seizure_without_an_assessed_second_is_missed_and_counted_as_unassessable():
    assessed = np.ones(3600, dtype=bool)
    assessed[90:200] = False
    found = compare(marked((100, 160), (300, 330)), marked((300, 330)), assessed)
    assert (found.seizures, found.detected, found.unassessable) == (2, 1, 1)
    assert found.assessed_s == 3600 - 110 and found.fn == 0


def case(person: str, reference: Annotations, hypothesis: Annotations, trend: np.ndarray | None = None) -> Case:
    labels = reference.to_mask(1.0).astype(int)
    return Case(
        f"{person}-r",
        person,
        person,
        "A",
        labels * 0.8 + 0.1 if trend is None else trend,
        labels,
        reference,
        hypothesis,
    )


def figures_of(cases: list[Case]) -> dict:
    table = per_patient(cases)
    return clinical.figures(table, PairWins.of(*clinical.trends(cases)), np.ones((2000, len(table)), dtype=int))


def test_every_figure_of_a_cohort_that_does_not_exist_says_why_and_no_other_does():
    """One person who was never assessed, nobody seizing, and a whole cohort; and there is a reason for each figure."""
    unheard = figures_of([case("p", marked((100, 160)), marked(), np.full(3600, np.nan))])
    quiet = figures_of([case("p", marked(), marked()), case("q", marked(), marked((50, 60)))])
    whole = figures_of([
        case("p", marked((100, 160)), marked((110, 160))), case("q", marked((100, 130)), marked((90, 190))),
    ])  # fmt: skip
    for made in (unheard, quiet, whole):
        absent = {name for name, found in made.items() if isinstance(found, dict) and found.get("estimate", 0) is None}
        assert absent == set(made["not_evaluable"])
    assert quiet["not_evaluable"]["event_sensitivity"] == "nobody had a seizure" and not whole["not_evaluable"]
    assert unheard["not_evaluable"]["time_in_alarm"] == "no assessable second"
    assert set(clinical.WHY_NOT) == {
        name for name, found in whole.items() if isinstance(found, dict) and "estimate" in found
    }


def test_a_patient_without_seizures_is_not_evaluable_for_sensitivity_and_counts_for_false_detections():
    cases = [case("p", marked((100, 160)), marked((100, 160))), case("q", marked(), marked((50, 60), (90, 100)))]
    table = per_patient(cases)
    row = table.loc["q"]
    assert isnan(row["sensitivity"]) and isnan(row["auc"]) and isnan(row["mcc"])
    assert row["false_per_hour"] == 2 and row["alarms_per_24h"] == 48
    assert not_evaluable(row)["auc"] == "no seizures in this patient"
    assert not_evaluable(table.loc["p"]) == {}


def test_fault_who_alarms_all_the_time_is_in_the_worst_tenth_although_no_detection_is_false():
    quiet = [case(f"q{n}", marked((100, 160)), marked((100, 160))) for n in range(9)]
    table = per_patient([*quiet, case("loud", marked((100, 160)), marked((0, 3600)))])
    worst = worst_decile(table)["alarms_per_24h"]
    assert table.loc["loud", "false_per_hour"] == 0  # its one detection touches a seizure
    assert worst["persons"] == ["loud"] and worst["mean"] >= 24 * 11  # an alarm again every five minutes


def test_a_silent_detector_scores_zero_in_a_seizing_patient_and_is_not_dropped():
    row = per_patient([case("p", marked((100, 160)), marked())]).loc["p"]
    assert row["sensitivity"] == 0 and row["mcc"] == 0 and isnan(row["latency_s"])
    assert not_evaluable(row) == {"latency_s": "no seizure was detected"}


def test_a_patient_who_could_not_be_assessed_has_no_rates_and_no_coverage():
    row = per_patient([case("p", marked((100, 160)), marked(), np.full(3600, np.nan))]).loc["p"]
    assert row["coverage"] == 0 and isnan(row["false_per_hour"]) and isnan(row["auc"])
    assert row["sensitivity"] == 0 and row["unassessable"] == 1
    assert not_evaluable(row) == {
        "latency_s": "no seizure was detected",
        "auc": "no assessable second",
        "mcc": "no assessable second",
        "false_per_hour": "no assessable second",
        "alarms_per_24h": "no assessable second",
        "detected_burden_min_per_h": "no assessable second",
        "time_in_alarm": "no assessable second",
    }


@given(st.data())
def test_every_measure_of_a_patient_that_does_not_exist_has_a_reason_and_no_other_has_one(data):
    length = data.draw(st.sampled_from((0, 1, 40)))
    edges = st.tuples(st.integers(0, 39), st.integers(1, 40)).filter(lambda e: e[0] < e[1] <= length)
    reference, hypothesis = (
        marked(*data.draw(st.lists(edges, max_size=2 * (length == 40))), duration_s=length) for _ in range(2)
    )
    known = np.repeat(data.draw(st.lists(st.booleans(), min_size=4, max_size=4)), 10)[:length]
    (row,) = clinical.rows(per_patient([case("p", reference, hypothesis, np.where(known, 0.5, np.nan))]))
    assert {name for name, value in row.items() if value is None} == set(row["not_evaluable"])


def test_burden_is_minutes_of_raw_events_per_hour():
    row = per_patient([case("p", marked((0, 120), (200, 260)), marked((0, 60)))]).loc["p"]
    assert row["burden_min_per_h"] == 3 and row["detected_burden_min_per_h"] == 1
    assert row["time_in_alarm"] == 60 / 3600


def test_two_ids_of_one_person_are_one_row():
    reference = marked((100, 160))
    first = case("p", reference, reference)
    second = Case("r2", "other-id", "p", "B", first.trend, first.labels, reference, marked())
    row = per_patient([first, second]).loc["p"]
    assert (row["patients"], row["site"], row["recordings"], row["seizures"], row["detected"]) == (
        "other-id+p",
        "A+B",
        2,
        2,
        1,
    )


trends = st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.2, 0.5, 0.5, 0.9, np.nan])), min_size=1, max_size=40)


@settings(deadline=None, max_examples=200)
@given(trends)
def test_auc_equals_counting_every_pair(seconds):
    labels, scores_ = (np.array(x, dtype=float) for x in zip(*seconds, strict=True))
    pairs = [(p, n) for p in scores_[labels == 1] for n in scores_[labels == 0] if not isnan(p) and not isnan(n)]
    expected = np.mean([(p > n) + 0.5 * (p == n) for p, n in pairs]) if pairs else np.nan
    assert auc(labels, scores_) == pytest.approx(expected, nan_ok=True)


def test_auc_mcc_and_f1_equal_scikit_learn():
    from sklearn.metrics import f1_score, matthews_corrcoef, roc_auc_score

    rng = np.random.default_rng(0)
    labels = rng.random(500) < 0.2
    scores_ = np.round(rng.random(500) + 0.3 * labels, 2)
    said = scores_ > 0.7
    assert auc(labels, scores_) == pytest.approx(roc_auc_score(labels, scores_))
    assert f1(labels, said) == pytest.approx(f1_score(labels, said))
    counts = [(labels & said).sum(), (~labels & said).sum(), (labels & ~said).sum(), (~labels & ~said).sum()]
    assert mcc(*counts) == pytest.approx(matthews_corrcoef(labels, said))
    assert mcc_statistic(np.ones((1, 1)), np.array([counts]))[0] == pytest.approx(mcc(*counts))
    assert (mcc(1, 0, 0, 1), mcc(0, 1, 1, 0)) == (1, -1), "of one second each"


def test_the_correlation_of_a_cohort_without_a_second_of_a_seizure_does_not_exist():
    """0 would say that the detector is no better than chance; it was right of every second, and asked about one kind."""
    assert isnan(mcc(0, 0, 0, 3600)) and isnan(mcc(0, 10, 0, 3590)) and mcc(0, 0, 60, 3540) == 0
    of_nobody_seizing = figures_of([case("p", marked(), marked()), case("q", marked(), marked((50, 60)))])["mcc_pooled"]
    assert of_nobody_seizing["estimate"] is None and of_nobody_seizing["undefined"] == 2000


def test_pearson_of_burden_equals_numpy_on_the_patients_drawn():
    burdens = np.random.default_rng(1).random((6, 2))
    weights = np.array([[1, 1, 1, 1, 1, 1], [2, 0, 1, 3, 0, 0]])
    made = pearson_statistic(weights, burdens)
    for row, r in zip(weights, made, strict=True):
        drawn = np.repeat(burdens, row, axis=0)
        assert r == pytest.approx(np.corrcoef(drawn.T)[0, 1])
    assert pearson_statistic(weights, 1e-3 * burdens) == pytest.approx(made), "seconds where there were minutes"
    unknown = np.vstack([burdens, [[np.nan, 0.9], [0.9, np.nan]]])
    assert pearson_statistic(np.hstack([weights, [[1, 1], [0, 3]]]), unknown) == pytest.approx(made)


def test_pearson_is_undefined_where_burden_does_not_vary():
    assert isnan(pearson_statistic(np.ones((1, 3)), np.array([[1.0, 2.0], [1.0, 3.0], [1.0, 4.0]]))[0])


def test_no_alarm_in_four_hours_still_allows_22_a_day():
    assert zero_alarms_upper_per_24h(0, 4.0) == pytest.approx(3.689 / 4 * 24, abs=0.01)
    assert zero_alarms_upper_per_24h(1, 4.0) is None


def test_any_overlap_counts_events_as_they_are():
    counts = any_overlap(marked((100, 160), (300, 360)), marked((90, 101), (150, 155), (400, 410)))
    assert counts == OverlapCounts(1, 1, 1)


def test_hours_that_the_detector_refused_do_not_dilute_false_alarms():
    """One false alarm in the 1.2 h of 4.8 that it could assess: 20 per 24 h by every scorer that is ours."""
    trend = np.full(17_280, np.nan)
    trend[:4_320] = 0.1
    cases = [case("p", marked(duration_s=17_280), marked((100, 110), duration_s=17_280), trend)]
    assert per_patient(cases).loc["p", "alarms_per_24h"] == pytest.approx(20)
    for name, made in overlap.figures(cases).items():
        assert made["false_alarms_per_24h"] == pytest.approx(20)
        assert (made["scorer"]["name"], made["scorer"]["version"]) == (name, "2")
        assert made["scorer"]["policy"]["false_per"] == "assessed hour"
    silent = [case("q", marked(), marked(), np.full(3600, np.nan))]
    assert overlap.figures(silent)["any_overlap"]["false_alarms_per_24h"] is None


def test_figures_of_a_cohort_written_out():
    """4.8 h of which 1.2 h were assessed, with a seizure of 120 s found for 60 s and one false detection of 10 s; and 1 h of
    which all was, with nothing in it."""
    trend = np.full(17_280, np.nan)
    trend[:4_320] = 0.1
    seizing, alarms = marked((1000, 1120), duration_s=17_280), marked((100, 110), (1000, 1060), duration_s=17_280)
    cases = [case("p", seizing, alarms, trend), case("q", marked(), marked())]
    table = per_patient(cases)
    assert table["coverage"].tolist() == [0.25, 1.0]
    counted = clinical.counts(cases, table)
    assert (counted["hours"], counted["assessed_hours"]) == pytest.approx((5.8, 2.2))
    assert counted["coverage"] == pytest.approx(2.2 / 5.8)
    assert [counted[k] for k in ("persons", "seizing_persons", "seizures", "abstained_recordings")] == [2, 1, 1, 0]
    made = clinical.figures(table, PairWins.of(*clinical.trends(cases)), np.ones((2000, 2), dtype=int))
    stated = {
        name: found["estimate"] for name, found in made.items() if isinstance(found, dict) and "estimate" in found
    }
    expected = {
        "event_sensitivity": 1.0, "false_detections_per_hour": 1 / 2.2, "false_alarms_per_24h": 24 / 2.2,
        "time_in_alarm": 70 / 7920, "coverage": 2.2 / 5.8,
    }  # fmt: skip
    assert {name: stated[name] for name in expected} == pytest.approx(expected)
    assert made["burden_total"] == pytest.approx({"marked_min": 2.0, "detected_min": 70 / 60})


def test_beside_szcores_false_alarms_per_recorded_day_stand_those_per_assessed_day():
    trend = np.full(17_280, np.nan)
    trend[:4_320] = 0.1
    half = case("p", marked(duration_s=17_280), marked((100, 110), duration_s=17_280), trend)
    whole = case("q", marked(), marked((100, 110)))
    refused = case("r", marked(), marked(), np.full(3600, np.nan))
    made = szcore_figures([half, whole, refused], np.ones((2000, 3), dtype=int))
    recorded_h, assessed_h = 4.8 + 1 + 1, 1.2 + 1
    assert made["pooled"]["event"]["alarms_per_24h"]["estimate"] == pytest.approx(2 / recorded_h * 24)
    assert made["pooled"]["event"]["alarms_per_24h_assessed"]["estimate"] == pytest.approx(2 / assessed_h * 24)
    mean = made["patient_mean"]["event"]
    assert mean["alarms_per_24h"]["estimate"] == pytest.approx((5 + 24 + 0) / 3)
    assert mean["alarms_per_24h_assessed"]["estimate"] == pytest.approx((20 + 24) / 2)  # the third has no assessed hour
    assert mean["patients_behind"]["alarms_per_24h_assessed"] == 2
    assert made["pooled"]["scorer"]["policy"]["alarms_per_24h"] == "recorded hours"


def test_time_aligned_counts_shares_of_events():
    counts = time_aligned(marked((100, 160), (300, 360)), marked((130, 190), (400, 410)))
    assert counts.hits == pytest.approx(30 / 60)
    assert counts.misses == pytest.approx(30 / 60 + 1)
    assert counts.false_alarms == pytest.approx(30 / 60 + 1)


def test_time_aligned_false_alarm_of_one_detection_is_at_most_one():
    assert time_aligned(marked((100, 110)), marked((0, 3600))).false_alarms == 1


events = st.lists(st.tuples(st.integers(0, 550), st.integers(1, 50)), max_size=6)


@settings(deadline=None, max_examples=100)
@given(events, events)
def test_hits_and_misses_are_all_references_in_both_overlap_scorers(ref, hyp):
    reference, hypothesis = (marked(*((a, a + d) for a, d in e), duration_s=600) for e in (ref, hyp))
    whole, share = any_overlap(reference, hypothesis), time_aligned(reference, hypothesis)
    assert whole.hits + whole.misses == len(reference.events)
    assert share.hits + share.misses == pytest.approx(len(spans(reference)))
    assert 0 <= share.hits <= len(spans(reference)) + 1e-9


@settings(deadline=None, max_examples=100)
@given(events, events)
def test_a_perfect_detector_is_perfect_for_every_scorer(ref, _):
    reference = marked(*((a, a + d) for a, d in ref), duration_s=600)
    counts = szcore(reference, reference)
    assert counts.event_tp == counts.event_ref and counts.event_fp == 0
    assert compare(reference, reference).detected == len(reference.events)
    assert time_aligned(reference, reference).misses == pytest.approx(0)


@settings(deadline=None, max_examples=100)
@given(events)
def test_spans_hold_the_same_time_as_the_events_counted_once(ref):
    annotations = marked(*((a, a + d) for a, d in ref), duration_s=600)
    assert sum(b - a for a, b in spans(annotations)) == pytest.approx(annotations.total_s())


def test_shared_seconds_of_spans():
    assert overlaps_s([(0, 10), (20, 30)], [(5, 25)]).tolist() == [[5], [5]]
    assert overlaps_s([], [(5, 25)]).shape == (0, 1)


def threshold_events(trend: np.ndarray, threshold: float) -> Annotations:
    return Annotations.from_mask(np.nan_to_num(trend, nan=-1.0) >= threshold, 1.0)


def test_the_operating_curve_finds_the_threshold_that_allows_the_alarms():
    reference = marked((100, 160), (300, 360), duration_s=3600)
    trend = np.full(3600, 0.05)
    trend[100:160], trend[300:360] = 0.9, 0.5
    trend[1000:1010], trend[2000:2010] = 0.6, 0.4  # false alarms above and below the weaker seizure
    curve = sweep([case("p", reference, marked(), trend)], threshold_events)
    none, one = curve.best_at(0.0), curve.best_at(24.0)
    assert (curve.detected[none].sum(), curve.alarms_per_24h[none]) == (1, 0)
    assert (curve.detected[one].sum(), curve.alarms_per_24h[one]) == (2, 24)
    assert overlap.operating_curve(curve, np.ones((2000, 1), dtype=int))["one_alarm_is_per_24h"] == 24


def test_a_detector_that_is_always_on_has_false_alarms_by_its_length():
    reference = marked((100, 160))
    assert false_alarms(reference, marked((0, 3600))) == (3600 - 60) // 300
    assert false_alarms(reference, marked((50, 399))) == 0  # 289 s outside: late to end, not another alarm
    assert false_alarms(reference, marked((500, 510), (600, 900), (1000, 1301))) == 1 + 1 + 2
    assert false_alarms(reference, marked()) == 0
    assert per_patient([case("p", reference, marked((0, 3600)))]).loc["p", "alarms_per_24h"] == 11 * 24


def test_knowing_only_the_patient_wins_nothing_on_the_operating_curve():
    seizing, free = marked((100, 160), duration_s=600), marked(duration_s=600)
    cases = [case("p", seizing, marked(), np.full(600, 0.9)), case("q", free, marked(), np.full(600, 0.1))]
    curve = sweep(cases, threshold_events)
    assert curve.detected[curve.best_at(10.0)].sum() == 0


levels = st.sampled_from([0.1, 0.3, 0.5, 0.7, np.nan])


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(events, st.lists(levels, min_size=30, max_size=30)), min_size=1, max_size=3))
def test_the_sweep_counts_what_the_scorers_count_at_each_threshold(recordings):
    cases = [
        case("pq"[i % 2], marked(*((a, a + d) for a, d in ref), duration_s=600), marked(), np.repeat(trend, 20))
        for i, (ref, trend) in enumerate(recordings)
    ]
    curve = sweep(cases, threshold_events)
    for person, group in enumerate(clinical.people(cases).values()):
        for at, threshold in enumerate(curve.thresholds[:-1]):
            made = [(c.reference, threshold_events(c.trend, threshold)) for c in group]
            assert curve.detected[at, person] == sum(any_overlap(*m).hits for m in made)
            assert curve.false_alarms[at, person] == sum(false_alarms(*m) for m in made)
    assert not curve.detected[-1].any() and not curve.false_alarms[-1].any()


def test_a_detector_that_is_always_on_is_not_set_like_one_that_raises_more_alarms():
    reference = marked((100, 260), duration_s=3600)
    trend = np.full(3600, 0.05)
    trend[100:260] = 0.2  # the seizure: below twenty short false alarms, and above the rest
    for start in range(300, 3300, 150):
        trend[start : start + 10] = 0.5
    curve = sweep([case("p", reference, marked(), trend)], threshold_events)
    always_on, some = curve.alarms_per_24h[0], curve.alarms_per_24h.max()
    assert (always_on, some) == (11 * 24, 20 * 24) and curve.detected[0].sum() == 1
    assert curve.detected[curve.best_at(always_on)].sum() == 0, "being always on finds it at that rate"
    assert curve.thresholds[curve.best_at(some)] == 0.2


def test_of_equal_thresholds_the_highest_is_taken():
    trend = np.full(3600, 0.05)
    trend[100:160] = np.linspace(0.5, 0.9, 60)
    curve = sweep([case("p", marked((100, 160)), marked(), trend)], threshold_events)
    assert curve.thresholds[curve.best_at(0.0)] == 0.9


def test_the_operating_curve_always_has_a_point_without_alarms():
    curve = sweep([case("p", marked(), marked(), np.full(3600, 0.3))], threshold_events)
    assert curve.alarms_per_24h[curve.best_at(0.0)] == 0
    unassessed = sweep([case("p", marked(), marked(), np.full(3600, np.nan))], threshold_events)
    assert unassessed.best_at(0.5) == 0
    once = np.ones((2000, 1), dtype=int)
    two_hours = sweep(
        [case("p", marked(duration_s=7200), marked(duration_s=7200), np.full(7200, 0.3))], threshold_events
    )
    assert overlap.operating_curve(two_hours, once)["one_alarm_is_per_24h"] == 12
    assert overlap.operating_curve(unassessed, once)["one_alarm_is_per_24h"] is None


def named_sources(*paths: object) -> set[str]:
    return set(sources([Path(str(p)) for p in paths]))


def test_a_scorers_digest_covers_the_code_that_it_calls():
    assert named_sources(clinical.__file__) >= {
        "validation/scoring/clinical.py", "validation/scoring/findings.py", "validation/scoring/measures.py",
        "validation/scoring/__init__.py", "validation/uncertainty.py", "data/events.py",
    }  # fmt: skip
    assert named_sources(overlap.__file__) > named_sources(clinical.__file__)  # who is whose patient is asked there
    assert named_sources(subgroups.__file__) > named_sources(clinical.__file__)
    assert "validation/uncertainty.py" in named_sources(reliability.__file__)
    assert not any(name.startswith("lineage/") for name in named_sources(clinical.__file__))


def copied(root: Path) -> Path:
    """The code of figures in another place, as of another version."""
    for package in ("data", "validation"):
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    return root


@pytest.mark.parametrize("changed", ["validation/uncertainty.py", "data/events.py", "validation/scoring/findings.py"])
def test_a_change_in_code_that_a_scorer_calls_changes_its_digest(tmp_path, changed):
    before, after = copied(tmp_path / "before"), copied(tmp_path / "after")
    with open(after / changed, "a") as file:
        file.write("\n# mended\n")
    with open(after / "validation" / "gates.py", "a") as file:  # nothing that a scorer calls
        file.write("\n# mended\n")
    of = {root: code_digest([str(root / "validation/scoring/clinical.py")], root) for root in (before, after)}
    assert of[before] == code_digest([clinical]) != of[after]


def test_a_change_elsewhere_leaves_a_scorers_digest_as_it_was(tmp_path):
    root = copied(tmp_path)
    with open(root / "validation" / "gates.py", "a") as file:
        file.write("\n# mended\n")
    assert code_digest([str(root / "validation/scoring/clinical.py")], root) == code_digest([clinical])


def test_the_szcore_digest_covers_the_library():
    module = sys.modules["validation.scoring.szcore"]
    assert scorer("pooled").code_digest != code_digest([module])
    assert scorer("pooled").code_digest == code_digest([timescoring.annotations, timescoring.scoring, module])
