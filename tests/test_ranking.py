import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.events import Annotations, Event
from validation.ranking import COUNTS, LOWER_IS_BETTER, POLICIES, RANKED, NotComparable, person_counts, rank
from validation.scoring import Case, szcore
from validation.scoring.szcore import ALARMS, ALARMS_ASSESSED, UNITS, SzcoreCounts, statistic

HOURS = 1.0


def result_of(rows: list[tuple[int, int, int]], with_counts: bool = True, assessed_h: float = HOURS) -> dict:
    """What an evaluation states of persons with (found, false, missed) events, each of one hour of which `assessed_h` were
    assessed; draws 2,000."""
    counts = {
        f"p{i}": SzcoreCounts(t, f, t + m, 10 * t, 10 * f, 10 * (t + m), HOURS) for i, (t, f, m) in enumerate(rows)
    }
    table = szcore.per_patient(counts, {name: name for name in counts}).assign(assessed_hours=assessed_h)
    blocks = {
        policy: {
            "scorer": szcore.scorer(policy).to_json(),
            **{
                unit: {m: {"estimate": _figure(m, policy, unit, table)} for m in (*RANKED[unit], ALARMS)} for unit in UNITS
            },
        }
        for policy in POLICIES
    }  # fmt: skip
    persons = [{"person": str(p), "site": "A", **row} for p, row in table.astype(float).to_dict("index").items()]
    return {
        "of": {"regime": "patient"},
        "digests": {"references": "r"},
        "uncertainty": {"seed": 1, "draws": 2000},
        "szcore": blocks,
    } | ({COUNTS: {"persons": persons}} if with_counts else {})


def _figure(measure: str, policy: str, unit: str, table: pd.DataFrame) -> float | None:
    value = float(statistic(measure, policy, unit)(np.ones((1, len(table))), table)[0])
    return None if np.isnan(value) else value


# Many seizures in one patient, few in three. `steady` finds half of everybody's, `busy` all of the many and no other.
STEADY = [(5, 1, 5), (1, 0, 1), (1, 0, 1), (1, 0, 1)]
BUSY = [(10, 0, 0), (0, 0, 2), (0, 0, 2), (0, 0, 2)]


def flips(results: dict, measure: str, unit: str = "event") -> list:
    return [f for f in rank(results).flips if (f.measure, f.unit) == (measure, unit)]


def test_a_ranking_flips_where_pooling_hides_the_patients_in_whom_nothing_is_found():
    made = flips({"steady": result_of(STEADY), "busy": result_of(BUSY)}, "f1")
    first = next(f for f in made if (f.policy, f.other_policy) == ("pooled", "patient_mean"))
    busy_pooled, steady_pooled = 2 * 10 / (2 * 10 + 0 + 6), 2 * 8 / (2 * 8 + 1 + 8)
    busy_mean, steady_mean = (1 + 0 + 0 + 0) / 4, (2 * 5 / (2 * 5 + 1 + 5) + 3 * (2 / (2 + 0 + 1))) / 4
    assert (first.lead.ahead, first.other_lead.ahead) == ("busy", "steady")
    assert first.lead.by == pytest.approx(busy_pooled - steady_pooled)
    assert first.other_lead.by == pytest.approx(steady_mean - busy_mean)


def test_dropping_undetected_patients_makes_the_detector_that_gave_up_the_leader():
    made = flips({"steady": result_of(STEADY), "busy": result_of(BUSY)}, "f1")
    last = next(f for f in made if (f.policy, f.other_policy) == ("patient_mean", "legacy_patient_mean"))
    assert (last.lead.ahead, last.other_lead.ahead) == ("steady", "busy")
    assert rank({"steady": result_of(STEADY), "busy": result_of(BUSY)}).rankings[6].places == (("busy",), ("steady",))


def test_a_flip_is_one_sentence_with_both_policies_and_by_how_much():
    made = rank({"steady": result_of(STEADY), "busy": result_of(BUSY)})
    assert made.sentence.startswith("F1 of events: pooled over patients, busy leads steady by 0.129 (reversed in ")
    assert "as the mean over patients with undetected ones as 0, steady leads busy by 0.406 (reversed" in made.sentence
    assert made.sentence.endswith(f"The order depends on the policy in {len(made.flips) - 1} more cases.")


def test_no_flip_is_said_as_well():
    made = rank({"good": result_of([(2, 0, 0)] * 3), "bad": result_of([(1, 1, 1)] * 3)})
    assert made.flips == () and made.sentence.startswith("No two of 2 detectors change places")


rows = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 2)), min_size=4, max_size=4)
cohorts = st.lists(rows, min_size=2, max_size=4)


@settings(max_examples=25)
@given(cohorts, st.permutations(["a", "b", "c", "d"]))
def test_relabelling_detectors_relabels_the_ranking(detectors, names):
    made = rank({chr(97 + i): result_of(d, False) for i, d in enumerate(detectors)})
    named = dict(zip("abcd", names, strict=True))
    again = rank({named[chr(97 + i)]: result_of(d, False) for i, d in enumerate(detectors)})
    for one, other in zip(made.rankings, again.rankings, strict=True):
        assert [{named[n] for n in place} for place in one.places] == [set(place) for place in other.places]
        assert {named[n]: v for n, v in one.figures.items()} == other.figures
        assert {named[n] for n in one.without} == set(other.without)

    def flipped(of, name):
        return {
            (f.unit, f.measure, f.policy, f.other_policy, name(f.lead.ahead), name(f.lead.behind)) for f in of.flips
        }

    assert flipped(made, named.get) == flipped(again, str)


@settings(max_examples=25)
@given(rows)
def test_identical_detectors_share_every_place_and_never_flip(detector):
    made = rank({"a": result_of(detector, False), "b": result_of(detector, False)})
    assert made.flips == ()
    assert all(r.places in ((), (("a", "b"),)) for r in made.rankings)


@settings(max_examples=25)
@given(cohorts)
def test_every_order_is_by_the_figure_and_fewer_alarms_are_better(detectors):
    for ranking in rank({chr(97 + i): result_of(d, False) for i, d in enumerate(detectors)}).rankings:
        values = [ranking.figures[place[0]] for place in ranking.places]
        assert values == sorted(values, reverse=ranking.measure not in LOWER_IS_BETTER)
        assert all(lead.by > 0 and lead.reversed_in is None for lead in ranking.leads)


def test_every_measure_is_ranked_under_every_policy():
    made = rank({"a": result_of(STEADY), "b": result_of(BUSY)})
    wanted = {(unit, m, policy) for unit in UNITS for m in RANKED[unit] for policy in POLICIES}
    assert {(r.unit, r.measure, r.policy) for r in made.rankings} == wanted and len(made.rankings) == len(wanted)


def test_a_detector_without_a_figure_has_no_place_and_flips_with_nobody():
    silent = result_of([(0, 0, 2)] * 3, False)  # no precision, and no F1 under the old policy
    made = rank({"a": result_of([(1, 1, 1)] * 3, False), "silent": silent})
    legacy = next(r for r in made.rankings if (r.unit, r.measure, r.policy) == ("event", "f1", "legacy_patient_mean"))
    assert (legacy.places, legacy.without) == ((("a",),), ("silent",))


def test_the_order_is_reversed_in_as_many_draws_as_the_arithmetic_says():
    # Two patients: in the first `a` is better by three, in the second `b` by one. Both are drawn in half of the draws
    # and each alone in a quarter, so `b` leads in the quarter with the second patient twice.
    a, b = result_of([(3, 0, 0), (0, 0, 3)]), result_of([(0, 0, 3), (1, 0, 2)])
    ranking = next(r for r in rank({"a": a, "b": b}).rankings if (r.measure, r.policy) == ("sensitivity", "pooled"))
    (lead,) = ranking.leads
    assert (lead.ahead, lead.behind) == ("a", "b") and lead.by == pytest.approx(3 / 6 - 1 / 6)
    assert lead.reversed_in == pytest.approx(1 / 4, abs=0.03)


def test_equal_detectors_are_reversed_in_half_of_the_draws():
    from validation.ranking import _Paired

    paired = _Paired.of({"a": result_of(STEADY), "b": result_of(STEADY)})
    assert paired.reversed_in("a", "b", "event", "f1", "pooled") == 0.5


def test_fewer_false_alarms_lead_and_their_probability_has_the_same_sense():
    quiet, loud = result_of([(1, 0, 0)] * 4), result_of([(1, 3, 0)] * 4)
    rates = [r for r in rank({"quiet": quiet, "loud": loud}).rankings if r.measure == ALARMS_ASSESSED]
    assert [r.places for r in rates] == [(("quiet",), ("loud",))] * 3
    assert [r.leads[0].reversed_in for r in rates] == [0.0] * 3 and rates[0].leads[0].by == pytest.approx(3 * 24)


def test_who_refuses_most_of_the_night_does_not_lead_by_few_false_alarms():
    """One false alarm in each of four hours is 24 a day recorded by SzCORE's rule, with a quarter of an hour assessed 96. The
    other raises two in each hour, all of which it assessed: 48."""
    refusing, looking = result_of([(1, 1, 0)] * 4, assessed_h=0.25), result_of([(1, 2, 0)] * 4)
    rates = [r for r in rank({"refusing": refusing, "looking": looking}).rankings if r.measure == ALARMS_ASSESSED]
    assert [r.places for r in rates] == [(("looking",), ("refusing",))] * 3
    assert rates[0].figures == {"looking": 48.0, "refusing": 96.0} and rates[0].leads[0].reversed_in == 0.0
    recorded = [r["szcore"]["pooled"]["event"][ALARMS]["estimate"] for r in (refusing, looking)]
    assert recorded == [24.0, 48.0], "SzCORE's own figure stays what it is"


def test_without_counts_per_person_there_is_an_order_and_no_probability():
    made = rank({"a": result_of(STEADY), "b": result_of(BUSY, with_counts=False)})
    assert all(lead.reversed_in is None for r in made.rankings for lead in r.leads)
    assert made.flips and "redraws" not in made.sentence


def test_the_ranking_is_plain_json():
    made = rank({"a": result_of(STEADY), "b": result_of(BUSY)}).to_json()
    assert json.loads(json.dumps(made, allow_nan=False))["sentence"] == made["sentence"]
    assert made["sentence"].split(" The order")[0] in [flip["sentence"] for flip in made["flips"]]


def test_results_that_cannot_be_compared_are_refused():
    good = result_of(STEADY)
    for what, changed in {
        "under window: rank": {"of": {"regime": "window"}},
        "under another regime": {"of": {"regime": "site"}},
        "on other recordings": {"digests": {"references": "other"}},
    }.items():
        with pytest.raises(NotComparable, match=what):
            rank({"a": good, "b": result_of(BUSY) | changed})
    other = json.loads(json.dumps(result_of(BUSY)))
    other["szcore"]["pooled"]["scorer"]["code_digest"] = "another"
    with pytest.raises(NotComparable, match="by another scorer than a"):
        rank({"a": good, "b": other})
    with pytest.raises(NotComparable, match="at least two detectors, got 1"):
        rank({"a": good})


def test_counts_of_other_persons_are_refused():
    other = result_of(BUSY)
    other[COUNTS]["persons"][0]["person"] = "somebody"
    with pytest.raises(NotComparable, match="other persons"):
        rank({"a": result_of(STEADY), "b": other})


def test_counts_per_person_are_those_of_szcore_with_recordings_summed():
    reference = Annotations((Event(100.0, 60.0),), 3600.0)
    silence = Annotations((), 3600.0)
    labels = reference.to_mask(1.0).astype(int)
    cases = [
        Case(f"r{i}", person, person, site, labels * 1.0, labels, reference, hypothesis)
        for i, (person, site, hypothesis) in enumerate([("p", "A", reference), ("p", "B", silence), ("q", "A", silence)])
    ]  # fmt: skip
    cases[1] = replace(cases[1], trend=np.where(np.arange(3600) < 1800, labels, np.nan))
    p, q = person_counts(cases)["persons"]
    assert (p["assessed_hours"], q["assessed_hours"]) == (1.5, 1)
    assert (p["person"], p["site"], p["event_tp"], p["event_ref"], p["hours"]) == ("p", "A+B", 1, 2, 2)
    assert (q["person"], q["site"], q["event_tp"], q["event_ref"], q["hours"]) == ("q", "A", 0, 1, 1)
