"""Every fast score equals its slow reference, on the annotations that scorers get wrong."""

import json
from dataclasses import dataclass
from functools import cache
from math import isnan, nan

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from timescoring.annotations import Annotation
from timescoring.scoring import EventScoring, SampleScoring

from data.events import Annotations, Event
from tests import SHARED, needs_shared
from tests.references import bootstrap, calibration, clinical, overlap, szcore
from tests.references.ticks import PER_SECOND, inside, joined
from validation.evaluation import evaluate
from validation.scoring import Case, false_alarms
from validation.scoring import clinical as fast_clinical
from validation.scoring import overlap as fast_overlap
from validation.scoring import szcore as fast_szcore
from validation.scoring.findings import compare
from validation.uncertainty import PairWins, interval_of, patient_draws, pooled_auc

GAPS_S = (0.0, 0.5, 1.0, 29.5, 30.0, 59.5, 60.0, 89.5, 90.0, 90.5, 120.0, 149.5, 150.0)
LENGTHS_S = (0.5, 1.0, 1.5, 10.0, 299.5, 300.0, 300.5, 600.0, 610.5)
"""Half seconds are exact in binary and lie on the 10-Hz grid, so that nothing hangs on a last bit."""


@st.composite
def annotations(draw, duration_s: float, overlapping: bool = False) -> Annotations:
    """Up to five events with touching, exactly-90-s, exactly-300-s and sub-second edges; the last may end the recording."""
    gaps = st.sampled_from((*GAPS_S, -0.5, -5.0, -400.0) if overlapping else GAPS_S)
    at_s, events = draw(st.sampled_from((0.0, 0.5, 20.0, 100.0, 333.5))), []
    for gap_s, length_s in draw(st.lists(st.tuples(gaps, st.sampled_from(LENGTHS_S)), max_size=5)):
        onset_s = max(0.0, at_s + gap_s)
        at_s = min(onset_s + length_s, duration_s)
        if onset_s < at_s:
            events.append(Event(onset_s, at_s - onset_s))
    if events and events[-1].end_s < duration_s and draw(st.booleans()):
        events[-1] = Event(events[-1].onset_s, duration_s - events[-1].onset_s)
    return Annotations(tuple(events), duration_s)


@st.composite
def pairs(draw, durations_s: tuple[float, ...] = (1.0, 400.0, 900.5, 1500.0)) -> tuple[Annotations, Annotations]:
    """Reference and hypothesis of one recording; hypotheses may overlap themselves, or lie at a seizure's tolerance."""
    duration_s = draw(st.sampled_from(durations_s))
    reference = draw(annotations(duration_s))
    if draw(st.booleans()):
        return reference, draw(annotations(duration_s, overlapping=True))
    return reference, Annotations(tuple(e for s in reference.events for e in draw(near(s, duration_s))), duration_s)


@st.composite
def near(draw, seizure: Event, duration_s: float) -> list[Event]:
    """No detection, or a short one that ends shortly before a seizure or begins shortly after it."""
    before_s, after_s = draw(st.sampled_from((29.5, 30.0, 30.5))), draw(st.sampled_from((59.5, 60.0, 60.5)))
    length_s = draw(st.sampled_from((0.5, 5.0)))
    early, late = seizure.onset_s - before_s - length_s, seizure.end_s + after_s
    made = [Event(at, length_s) for at in (early, late) if at >= 0 and at + length_s <= duration_s]
    return draw(st.sampled_from([[], *([event] for event in made)]))


def events_of(counts: fast_szcore.SzcoreCounts) -> tuple[int, int, int]:
    return counts.event_tp, counts.event_fp, counts.event_ref


def samples_of(counts: fast_szcore.SzcoreCounts) -> tuple[int, int, int]:
    return counts.sample_tp, counts.sample_fp, counts.sample_ref


@settings(max_examples=100)
@given(pairs())
def test_szcore_equals_the_plain_loops(pair):
    fast, slow = fast_szcore.szcore(*pair), szcore.count(*pair)
    assert (events_of(fast), samples_of(fast), fast.hours) == (slow.event, slow.sample, pytest.approx(slow.hours))


@settings(max_examples=60)
@given(pairs())
def test_szcore_equals_the_library_called_directly(pair):
    reference, hypothesis = (
        Annotation([(a / PER_SECOND, b / PER_SECOND) for a, b in joined(inside(x))], PER_SECOND, len(inside(x)))
        for x in pair
    )
    events, seconds = EventScoring(reference, hypothesis), SampleScoring(reference, hypothesis)
    fast = fast_szcore.szcore(*pair)
    assert events_of(fast) == (events.tp, events.fp, events.refTrue)
    assert samples_of(fast) == (seconds.tp, seconds.fp, seconds.refTrue)


POLICIES = [
    {"merge_gap_s": 0.0}, {"merge_gap_s": 10.5}, {"max_event_s": 60.0}, {"tolerance_before_s": 0.0},
    {"tolerance_after_s": 0.0}, {"tolerance_before_s": 60.0, "tolerance_after_s": 30.0}, {"min_overlap": 0.3},
]  # fmt: skip
NAMES = {
    "tolerance_before_s": "before_s", "tolerance_after_s": "after_s", "min_overlap": "min_overlap",
    "max_event_s": "max_event_s", "merge_gap_s": "merge_gap_s",
}  # fmt: skip


@pytest.mark.parametrize("policy", POLICIES, ids=str)
@settings(max_examples=20)
@given(pairs())
def test_other_policies_equal_the_plain_loops_too(policy, pair):
    fast = fast_szcore.szcore(*pair, fast_szcore.Policy(**policy))
    assert events_of(fast) == szcore.count(*pair, **{NAMES[k]: v for k, v in policy.items()}).event


@pytest.mark.parametrize(
    "wrong",
    [
        {"merge_gap_s": 89.5}, {"merge_gap_s": 90.5}, {"max_event_s": 299.5}, {"max_event_s": 300.5},
        {"tolerance_before_s": 29.5}, {"tolerance_before_s": 30.5}, {"tolerance_after_s": 59.5},
        {"tolerance_after_s": 60.5},
    ],
    ids=str,
)  # fmt: skip
def test_the_random_annotations_would_catch_a_limit_that_is_off_by_half_a_second(wrong):
    """A test that cannot fail proves nothing: each wrong limit gives another count somewhere."""
    policy = fast_szcore.Policy(**wrong)
    find(
        pairs((1500.0,)),
        lambda pair: events_of(fast_szcore.szcore(*pair, policy)) != events_of(fast_szcore.szcore(*pair)),
        settings=settings(max_examples=2000, phases=[Phase.generate], database=None, derandomize=True),
    )


def counted_by_the_library(seizures: list, detections: list) -> tuple[int, int, int]:
    made = EventScoring(Annotation(seizures, 10, 9000), Annotation(detections, 10, 9000))
    return made.tp, made.fp, made.refTrue


def test_in_the_pinned_library_a_last_bit_decides_over_exactly_90_and_exactly_300_s():
    """Times in tenths of seconds are not exact in binary, and the library compares them as they are.

    So its counts and the plain loops agree on whole and half seconds. Of the onsets below 300 s in tenths, a gap of
    exactly 90 s is merged at 12 %, and a seizure of exactly 300 s is split at 6 %.
    """
    assert counted_by_the_library([(212.0, 212.0 + 300.0)], [])[2] == 1
    assert counted_by_the_library([(212.2, 512.2)], [])[2] == 2  # 512.2 − 212.2 = 300.00000000000006
    assert counted_by_the_library([], [(37.0, 38.0), (128.0, 129.0)])[1] == 2
    assert counted_by_the_library([], [(37.2, 38.2), (128.2, 129.2)])[1] == 1  # 128.2 − 38.2 = 89.99999999999999


def test_in_the_pinned_library_a_rest_too_short_for_its_grid_is_a_false_alarm_inside_a_seizure():
    assert counted_by_the_library([(100.0, 400.0)], [(100.0, 400.0)]) == (1, 0, 1)
    assert counted_by_the_library([(100.0, 400.0)], [(100.0, 400.04)]) == (1, 1, 1)


KIND = {"toleranceStart": "before_s", "toleranceEnd": "after_s", "minOverlap": "min_overlap",
        "maxEventDuration": "max_event_s", "minDurationBetweenEvents": "merge_gap_s"}  # fmt: skip
CASES = SHARED / "peer_results" / "timescoring_cases.json"


@needs_shared
@pytest.mark.parametrize("case", json.loads(CASES.read_text())["scoring_cases"] if CASES.is_file() else [],
                         ids=lambda c: c["name"].strip("\u200b"))  # fmt: skip
def test_the_plain_loops_equal_the_librarys_own_cases(case):
    """The reference is no judge unless it agrees with the authors' own examples."""

    def annotated(given_: dict) -> Annotations:
        if given_["kind"] == "mask":
            return Annotations.from_mask(np.array(given_["labels"], dtype=bool), given_["fs"])
        return Annotations(tuple(Event(a, b - a) for a, b in given_["labels"]), given_["numSamples"] / given_["fs"])

    counts = szcore.count(annotated(case["ref"]), annotated(case["hyp"]),
                          **{KIND[k]: v for k, v in case["parameters"].items()})  # fmt: skip
    expected = case["expected"] | case["also_computed"]
    made = counts.event if case["kind"] == "event" else counts.sample
    assert made == (expected["tp"], expected["fp"], expected["refTrue"])


patient_counts = st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 3))


@settings(max_examples=100)
@given(st.lists(patient_counts, min_size=1, max_size=6))
def test_the_three_ways_to_average_equal_the_plain_means(patients):
    rows = [(found, false, found + missed, 2.0) for found, false, missed in patients]
    counts = {f"p{i}": fast_szcore.SzcoreCounts(*row[:3], *row[:3], row[3]) for i, row in enumerate(rows)}
    table = fast_szcore.per_patient(counts, {name: name for name in counts})
    for averaging, slow in szcore.POLICIES.items():
        for unit in ("event", "sample"):
            fast = fast_szcore.AGGREGATES[averaging](table, unit).scores
            assert fast == pytest.approx({m: slow(rows, m) for m in fast}, nan_ok=True)


assessed_seconds = st.lists(st.booleans(), min_size=8, max_size=8)


def assessed_of(pattern: list[bool], duration_s: float) -> list[bool]:
    """A recording in eight stretches, each assessed or not."""
    seconds = round(duration_s)
    return [pattern[8 * second // seconds] for second in range(seconds)]


@settings(max_examples=100)
@given(pairs(), assessed_seconds)
def test_clinical_findings_equal_the_plain_loops(pair, pattern):
    reference, hypothesis = pair
    known = assessed_of(pattern, reference.duration_s)
    fast = compare(reference, hypothesis, np.array(known))
    assert (fast.seizures, fast.detections) == (len(reference.events), len(hypothesis.events))
    assert fast.detected == clinical.detected(reference, hypothesis)
    assert fast.false_detections == clinical.false_detections(reference, hypothesis)
    assert fast.false_alarms == clinical.false_alarms(reference, hypothesis)
    assert list(fast.latencies_s) == pytest.approx(clinical.latencies_s(reference, hypothesis))
    assert fast.early == clinical.early(reference, hypothesis)
    assert fast.seizure_s == pytest.approx(clinical.marked_s(reference))
    assert fast.alarm_s == pytest.approx(clinical.marked_s(hypothesis))
    assert fast.false_alarm_s == pytest.approx(clinical.false_alarm_s(reference, hypothesis))
    assert fast.assessed_s == sum(known)
    assert (fast.tp, fast.fp, fast.fn, fast.tn) == clinical.confusion(reference, hypothesis, known)


@settings(max_examples=100)
@given(annotations(900.0), st.data())
def test_seizures_without_an_assessed_second_equal_the_plain_loops(reference, data):
    """A detector that knows little, and that little at the edges of seizures."""
    edges = sorted({round(at) + by for e in reference.events for at in (e.onset_s, e.end_s) for by in (-1, 0, 1)})
    chosen = data.draw(st.sets(st.sampled_from(edges), max_size=3)) if edges else set()
    known = [second in chosen for second in range(900)]
    fast = compare(reference, Annotations((), 900.0), np.array(known))
    assert fast.unassessable == clinical.unassessable(reference, known)


@settings(max_examples=60)
@given(pairs((1500.0,)))
def test_false_alarms_by_their_length_equal_the_plain_loops(pair):
    assert false_alarms(*pair) == clinical.false_alarms(*pair)


@settings(max_examples=8)
@given(annotations(5000.5))
def test_the_worst_hour_equals_trying_every_hour(marked):
    assert marked.max_hourly_burden_min() == pytest.approx(clinical.max_hourly_burden_min(marked))


@settings(max_examples=60)
@given(pairs())
def test_any_overlap_and_time_aligned_equal_the_plain_loops(pair):
    for fast, slow in (
        (fast_overlap.any_overlap, overlap.any_overlap),
        (fast_overlap.time_aligned, overlap.time_aligned),
    ):
        made = fast(*pair)
        assert (made.hits, made.misses, made.false_alarms) == pytest.approx(slow(*pair))


levels = st.sampled_from((0.05, 0.2, 0.2, 0.5, 0.8, 0.95, nan))


@st.composite
def cases(draw) -> list[Case]:
    """Two or three short recordings of at most two persons with trends in steps of 20 s and gaps in them."""
    made = []
    for i in range(draw(st.integers(2, 3))):
        reference = draw(annotations(400.0))
        trend = np.repeat(draw(st.lists(levels, min_size=20, max_size=20)), 20)
        labels = reference.to_mask(1.0).astype(int)
        hypothesis = overlap.runs_at_or_above(trend, 0.5)
        person = f"p{i % 2}"
        made.append(Case(f"r{i}", person, person, "A", trend, labels, reference, hypothesis))
    return made


@settings(max_examples=30)
@given(cases())
def test_figures_of_a_person_equal_the_plain_loops(made):
    table = fast_clinical.per_patient(made)
    for person in sorted({c.person for c in made}):
        mine = [c for c in made if c.person == person]
        slow = Person("A", mine).clinical()
        fast = table.loc[person]
        assert {k: float(fast[k]) for k in slow} == pytest.approx(slow, nan_ok=True)


@settings(max_examples=15)
@given(cases(), st.sampled_from(fast_overlap.ALARMS_PER_24H), st.sampled_from((100.0, 300.0, 1000.0)))
def test_the_operating_curve_equals_trying_every_threshold(made, at_most, also):
    if not any(c.reference.events for c in made) or not any(c.assessed.any() for c in made):
        return
    curve = fast_overlap.sweep(made, overlap.runs_at_or_above)
    trends, references = [c.trend for c in made], [c.reference for c in made]
    for n, threshold in enumerate(curve.thresholds):
        slow = overlap.at_threshold(trends, references, threshold)
        assert (curve.detected[n].sum(), curve.false_alarms[n].sum()) == slow
    for rate in (at_most, also):
        slow_best = overlap.sensitivity_at(trends, references, list(curve.thresholds), rate)
        assert curve.detected[curve.best_at(rate)].sum() / curve.seizures.sum() == pytest.approx(slow_best)


@dataclass(frozen=True)
class Person:
    """One person of the small cohort: what a statistic of the plain bootstrap may look at."""

    site: str
    cases: list[Case]

    @property
    def labels(self) -> list[float]:
        return [float(y) for c in self.cases for y in c.labels]

    @property
    def trend(self) -> list[float]:
        return [float(p) for c in self.cases for p in c.trend]

    def total(self, count) -> float:
        return sum(count(c.reference, c.hypothesis) for c in self.cases)

    def confusion(self) -> tuple[float, ...]:
        rows = [clinical.confusion(c.reference, c.hypothesis, [p == p for p in c.trend]) for c in self.cases]
        return tuple(sum(column) for column in zip(*rows, strict=True))

    def szcore(self, unit: str) -> szcore.Patient:
        counts = [szcore.count(c.reference, c.hypothesis) for c in self.cases]
        found, false, all_ = (sum(column) for column in zip(*(getattr(n, unit) for n in counts), strict=True))
        return found, false, all_, sum(n.hours for n in counts)

    def clinical(self) -> dict[str, float]:
        """The columns of a person's row."""
        hours = sum(1 for p in self.trend if p == p) / 3600
        recorded_s = sum(c.reference.duration_s for c in self.cases)
        seizures = sum(len(c.reference.events) for c in self.cases)
        found, early, false, alarms = (
            self.total(n) for n in (clinical.detected, clinical.early, clinical.false_detections, clinical.false_alarms)
        )
        latencies = [s for c in self.cases for s in clinical.latencies_s(c.reference, c.hypothesis)]
        marked_s, alarm_s = (sum(clinical.marked_s(getattr(c, who)) for c in self.cases) for who in WHO)
        tp, fp, fn, tn = self.confusion()
        return {
            "seizures": seizures, "detected": found, "early": early, "false_detections": false, "false_alarms": alarms,
            "sensitivity": found / seizures if seizures else nan,
            "false_per_hour": false / hours if hours else nan,
            "alarms_per_24h": alarms / hours * 24 if hours else nan,
            "latency_s": clinical.median(latencies),
            "auc": clinical.auc(self.labels, self.trend),
            "mcc": clinical.mcc(tp, fp, fn, tn),
            "burden_min_per_h": marked_s / 60 / (recorded_s / 3600),
            "detected_burden_min_per_h": alarm_s / 60 / hours if hours else nan,
            "time_in_alarm": alarm_s / 3600 / hours if hours else nan,
            "coverage": hours * 3600 / recorded_s,
            "max_hourly_burden_min": max(clinical.max_hourly_burden_min(c.reference) for c in self.cases),
            "alarm_s": alarm_s, "assessed_s": hours * 3600, "recorded_s": recorded_s,
        }  # fmt: skip


WHO = ("reference", "hypothesis")
SECONDS = 36
MARKED = {"p0": (), "p1": ((4, 9),), "p2": ((10, 16), (30, 36)), "p3": ((0, 6),), "p4": ((20, 24),), "p5": ((5, 8),)}
"""Seizures of each person in seconds; p1 has two recordings with the same."""


def small_cohort() -> dict[str, Person]:
    """Six persons of two sites with recordings of 36 s; few levels of probability, so that there are ties."""
    rng, people = np.random.default_rng(5), {}
    for i, (person, spans) in enumerate(MARKED.items()):
        reference = Annotations(tuple(Event(a, b - a) for a, b in spans), float(SECONDS))
        made = []
        for run in range(2 if person == "p1" else 1):
            labels = reference.to_mask(1.0).astype(int)
            skill = 0.0 if person == "p4" else 0.5
            trend = np.clip(np.round(rng.random(SECONDS) * 0.55 + skill * labels, 1), 0, 1)
            trend[:2] = np.nan
            name = f"{person}-r{run}"
            hypothesis = overlap.runs_at_or_above(trend, 0.6)
            made.append(Case(name, person, person, "AB"[i % 2], trend, labels, reference, hypothesis))
        people[person] = Person("AB"[i % 2], made)
    return people


@cache
def evaluated() -> tuple[list[Person], dict, np.ndarray]:
    """The persons, the evaluation of the product, and how often its 2,000 draws took each of them."""
    people = small_cohort()
    everything = [c for person in people.values() for c in person.cases]
    rows = [
        pd.DataFrame({"recording": c.recording, "patient": c.patient, "person": c.person, "site": c.site,
                      "second": range(SECONDS), "probability": c.trend, "label": c.labels})
        for c in everything
    ]  # fmt: skip
    result = evaluate(
        pd.concat(rows, ignore_index=True), {c.recording: c.hypothesis for c in everything},
        {c.recording: c.reference for c in everything}, {}, seed=3, to_events=overlap.runs_at_or_above,
    )  # fmt: skip
    draws = patient_draws([p.site for p in people.values()], np.random.default_rng(3), 2000)
    return list(people.values()), result, draws


def assert_same_interval(stated: dict, slow: tuple[float, float, float, int]) -> None:
    numbers = [nan if stated[k] is None else stated[k] for k in ("estimate", "low", "high")]
    assert numbers == pytest.approx(list(slow[:3]), nan_ok=True, abs=1e-9)
    assert stated["undefined"] == slow[3]


def ratio(part: str, whole: str, factor: float = 1.0):
    return lambda rows: (
        sum(r[part] for r in rows) / sum(r[whole] for r in rows) * factor if sum(r[whole] for r in rows) else nan
    )


def mean(name: str):
    return lambda rows: szcore.mean_of_known([r[name] for r in rows])


CLINICAL = {
    "event_sensitivity": ratio("detected", "seizures"),
    "event_sensitivity_patient_mean": mean("sensitivity"),
    "false_detections_per_hour": ratio("false_detections", "assessed_s", 3600),
    "false_alarms_per_24h": ratio("false_alarms", "assessed_s", 86400),
    "auc_patient_mean": mean("auc"),
    "mcc_pooled": lambda rows: clinical.mcc(*(sum(column) for column in zip(*(r["confusion"] for r in rows), strict=True))),
    "mcc_patient_mean": mean("mcc"),
    "burden_pearson_r": lambda rows: clinical.pearson(
        [r["burden_min_per_h"] for r in rows], [r["detected_burden_min_per_h"] for r in rows]
    ),
    "latency_s_patient_mean": mean("latency_s"),
    "early_detections": ratio("early", "detected"),
    "time_in_alarm": ratio("alarm_s", "assessed_s"),
    "coverage": ratio("assessed_s", "recorded_s"),
}  # fmt: skip


@pytest.mark.parametrize("measure", CLINICAL)
def test_a_clinical_interval_equals_really_duplicating_patients(measure):
    people, result, draws = evaluated()
    rows = [p.clinical() | {"confusion": p.confusion()} for p in people]
    assert_same_interval(result["clinical"][measure], bootstrap.interval(rows, CLINICAL[measure], draws))


def test_every_clinical_interval_has_a_reference():
    stated = {k for k, v in evaluated()[1]["clinical"].items() if isinstance(v, dict) and "estimate" in v}
    assert stated == {*CLINICAL, "auc_pooled", "auc_all_seconds"}


def test_the_pooled_area_and_its_interval_equal_really_duplicating_patients():
    people, result, draws = evaluated()

    def area(drawn: list[tuple[list[float], list[float]]]) -> float:
        return clinical.auc([y for labels, _ in drawn for y in labels], [p for _, trend in drawn for p in trend])

    # Every pair in 2,000 draws takes long in plain loops: a tenth of the draws, for both.
    slow = bootstrap.interval([(p.labels, p.trend) for p in people], area, draws[:200])
    wins = PairWins.of([np.array(p.labels) for p in people], [np.array(p.trend) for p in people])
    assert_same_interval(interval_of(wins, pooled_auc, draws[:200]).to_json(), slow)
    assert_same_interval(result["clinical"]["auc_pooled"], bounds_of(interval_of(wins, pooled_auc, draws)))


def test_the_area_of_all_seconds_counts_every_pair_with_an_unassessed_second_half():
    people, result, draws = evaluated()

    def area(drawn: list[tuple[list[float], list[float]]]) -> float:
        return clinical.auc_all_seconds([y for y, _ in drawn for y in y], [p for _, p in drawn for p in p])

    assert any(np.isnan(p) for person in people for p in person.trend), "nothing is silent here"
    everybody = [(p.labels, p.trend) for p in people]
    assert result["clinical"]["auc_all_seconds"]["estimate"] == pytest.approx(area(everybody), abs=1e-12)
    wins = PairWins.of([np.array(p.labels) for p in people], [np.array(p.trend) for p in people])
    seizure = np.array([float(sum(p.labels)) for p in people])
    asked = wins.asked(seizure, np.array([float(len(p.labels)) for p in people]) - seizure)
    slow = bootstrap.interval(everybody, area, draws[:100])
    assert_same_interval(interval_of(asked, pooled_auc, draws[:100]).to_json(), slow)
    assert_same_interval(result["clinical"]["auc_all_seconds"], bounds_of(interval_of(asked, pooled_auc, draws)))


def bounds_of(made) -> tuple[float, float, float, int]:
    return made.estimate, made.low, made.high, made.undefined


@pytest.mark.parametrize("averaging", szcore.POLICIES)
@pytest.mark.parametrize("unit", ["event", "sample"])
def test_an_szcore_interval_equals_really_duplicating_patients(averaging, unit):
    people, result, draws = evaluated()
    stated = result["szcore"][averaging][unit]
    rows = [p.szcore(unit) for p in people]
    for measure in set(stated) & set(szcore.SCORES):
        slow = bootstrap.interval(rows, lambda drawn, m=measure: szcore.POLICIES[averaging](drawn, m), draws)
        assert_same_interval(stated[measure], slow)


@pytest.mark.parametrize("averaging", szcore.POLICIES)
def test_szcores_alarms_of_assessed_hours_and_their_interval_equal_really_duplicating_patients(averaging):
    people, result, draws = evaluated()
    rows = [(*p.szcore("event")[:3], sum(1 for second in p.trend if second == second) / 3600) for p in people]
    slow = bootstrap.interval(rows, lambda drawn: szcore.POLICIES[averaging](drawn, "alarms_per_24h"), draws)
    assert_same_interval(result["szcore"][averaging]["event"]["alarms_per_24h_assessed"], slow)


@pytest.mark.parametrize("place", ["all", "A", "B"])
def test_ece_and_brier_and_their_intervals_equal_really_duplicating_patients(place):
    people, result, draws = evaluated()
    chosen = [i for i, p in enumerate(people) if place in ("all", p.site)]
    stated = result["calibration"] if place == "all" else result["calibration"]["sites"][place]
    for measure in ("ece", "brier"):
        count = getattr(calibration, measure)
        slow = bootstrap.interval(
            [people[i] for i in chosen],
            lambda drawn, c=count: c([p for d in drawn for p in d.trend], [y for d in drawn for y in d.labels]),
            draws[:, chosen],
        )
        assert_same_interval(stated[measure], slow)


def test_sensitivity_on_the_operating_curve_and_its_interval_equal_really_duplicating_patients():
    people, result, draws = evaluated()
    for point in result["operating_curve"]["points"]:
        threshold = np.inf if point["threshold"] is None else point["threshold"]
        rows = [
            {
                "detected": sum(
                    clinical.detected(c.reference, overlap.runs_at_or_above(c.trend, threshold)) for c in p.cases
                ),
                "seizures": sum(len(c.reference.events) for c in p.cases),
            }
            for p in people
        ]
        assert_same_interval(point["sensitivity"], bootstrap.interval(rows, ratio("detected", "seizures"), draws))


def test_the_overlap_scorers_of_a_cohort_equal_the_plain_sums():
    people, result, _ = evaluated()
    for name, slow in (("any_overlap", overlap.any_overlap), ("time_aligned", overlap.time_aligned)):
        hits, misses, false = (
            sum(column)
            for column in zip(*(slow(c.reference, c.hypothesis) for p in people for c in p.cases), strict=True)
        )
        made, hours = result["overlap"][name], sum(1 for p in people for second in p.trend if second == second) / 3600
        assert (made["hits"], made["misses"], made["false_alarms"]) == pytest.approx((hits, misses, false))
        assert made["sensitivity"] == pytest.approx(hits / (hits + misses))
        assert made["false_alarms_per_24h"] == pytest.approx(false / hours * 24)


def test_the_small_cohort_has_what_bootstraps_get_wrong():
    """A patient without seizures, one in whom nothing is found, ties and gaps in the trend."""
    people, result, _ = evaluated()
    assert any(not p.szcore("event")[2] for p in people)
    assert any(p.clinical()["sensitivity"] == 0 for p in people)
    assert any(isnan(s) for s in people[0].trend)
    figures = {a: result["szcore"][a]["event"]["f1"]["estimate"] for a in szcore.POLICIES}
    assert len({round(f, 6) for f in figures.values()}) == 3
