"""How an opinion becomes a figure: verdicts and labels against what was answered, and what had been expected of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from monitoring.performance import (
    Counted,
    Expected,
    Given,
    Opinion,
    annotations,
    estimated,
    last_of_each,
    measured,
    opinion,
    reconciled,
    traffic,
    week_of,
)

NOW = datetime(2026, 11, 27, 9, tzinfo=UTC)
HOUR = 3600


def given(number: int = 1, events: list[tuple[float, float]] | None = None, **more: object) -> Given:
    """An hour that was assessed whole: probability 0.9 inside what was called a seizure, 0.1 elsewhere."""
    called = [] if events is None else events
    trend = np.full(HOUR, 0.1)
    for onset_s, duration_s in called:
        trend[int(onset_s) : int(onset_s + duration_s)] = 0.9
    said = {
        "prediction_id": f"p{number}",
        "recording_digest": f"{number:064x}",
        "outcome": "completed",
        "duration_s": float(HOUR),
        "analysed_s": float(HOUR),
        "decided_share": 1.0,
        "events": None if events is None else [{"onset_s": a, "duration_s": d} for a, d in called],
        "trend_1hz": trend.tolist(),
        **more,
    }
    return Given.of(said, "demo-north", NOW)


def judged(answer: Given, verdict: str, *events: tuple[float, float]) -> tuple[Given, Opinion]:
    said = {"verdict": verdict, "events": [{"onset_s": a, "duration_s": d} for a, d in events]}
    held = opinion(answer, said, None, NOW)
    assert held is not None
    return answer, held


def figures(*pairs: tuple[Given, Opinion]) -> dict:
    return measured(pairs, np.random.default_rng(0))


def test_a_week_is_named_as_iso_does_and_names_sort_by_time():
    assert week_of(NOW) == "2026-W48" and week_of(datetime(2027, 1, 1, tzinfo=UTC)) == "2026-W53"
    assert week_of(NOW + timedelta(weeks=8)) > week_of(NOW)


def test_a_confirmed_answer_is_right_in_every_event():
    found = figures(judged(given(events=[(100, 60), (900, 60)]), "confirm"))
    assert (found["sensitivity"]["estimate"], found["precision"]["estimate"]) == (1.0, 1.0)
    assert found["false_alarms_per_24h"]["estimate"] == 0.0 and found["by"]["confirm"] == 1


def test_an_edit_says_what_was_missed_and_what_was_called_for_nothing():
    """Of 2 called events 1 touches a seizure; of 2 seizures 1 was found; 1 false alarm in 1 h is 24 in 24 h."""
    found = figures(judged(given(events=[(100, 60), (900, 60)]), "edit", (110, 60), (2000, 30)))
    assert (found["sensitivity"]["estimate"], found["precision"]["estimate"]) == (0.5, 0.5)
    assert found["false_alarms_per_24h"]["estimate"] == pytest.approx(24.0)


def test_a_rejected_answer_counts_for_precision_alone():
    right = judged(given(1, [(100, 60)]), "confirm")
    found = figures(right, judged(given(2, [(100, 60), (300, 60), (700, 60)]), "reject"))
    assert found["precision"]["estimate"] == pytest.approx(1 / 4)
    assert found["sensitivity"]["estimate"] == 1.0 and found["sensitivity"]["n"] == 1 and found["ece"]["n"] == 1


def test_a_silent_answer_that_was_rejected_is_counted_and_changes_no_figure():
    found = figures(judged(given(events=[]), "reject"))
    assert found["by"]["reject"] == 1 and found["precision"] is None and found["sensitivity"] is None


def test_a_label_is_the_truth_whatever_a_reader_said():
    answer = given(events=[(100, 60)])
    label = {"events": [{"onset_s": 2000.0, "duration_s": 60.0}]}
    held = opinion(answer, {"verdict": "confirm"}, label, NOW)
    assert held is not None and held.source == "label" and held.events == annotations(label["events"], HOUR)
    assert figures((answer, held))["sensitivity"]["estimate"] == 0.0


def test_calibration_is_that_of_the_seconds():
    """Called 60 s at 0.9 of which all are seizure, and 3540 s at 0.1 of which none is: ECE is 0.1, and Brier 0.01."""
    found = figures(judged(given(events=[(100, 60)]), "confirm"))
    assert found["ece"]["estimate"] == pytest.approx(0.1) and found["brier"]["estimate"] == pytest.approx(0.01)


def test_answers_are_counted_with_what_could_be_looked_at():
    nothing = given(3, None, outcome="not_evaluable", trend_1hz=None, analysed_s=0.0, decided_share=None)
    half = given(2, [(100, 60)], outcome="completed_with_abstentions", analysed_s=1800.0, decided_share=0.5)
    found = traffic([given(1, [(100, 60), (900, 60)]), half, nothing])
    assert found["answers"] == 3 and found["assessed_hours"] == 1.5 and found["alarms_per_24h"] == pytest.approx(48.0)
    assert found["coverage"] == pytest.approx(0.5) and found["decided"] == pytest.approx((3600 + 900) / 5400)
    assert found["not_evaluable"]["count"] == found["abstained"]["count"] == 1
    assert found["not_evaluable"]["share"] == found["abstained"]["share"] == pytest.approx(1 / 3)


def test_numbers_that_a_service_keeps_are_counted_as_the_answer_is():
    """Half of two hours was looked at, with 3 alarms in each hour of it; a quarter of it undecided."""
    kept = {
        "prediction_id": "p1", "recording": "a" * 64, "outcome": "completed_with_abstentions", "duration_s": 7200.0,
        "coverage": 0.5, "alarms_per_hour": 3.0, "abstained_share": 0.25, "mean_probability": 0.2,
    }  # fmt: skip
    found = Counted.of_fact(kept, "demo-north", NOW)
    assert (found.analysed_s, found.alarms, found.decided_share, found.mean_probability) == (3600.0, 3, 0.75, 0.2)
    nothing = dict.fromkeys(("coverage", "alarms_per_hour", "abstained_share", "mean_probability"))
    silent = Counted.of_fact({**kept, **nothing, "outcome": "not_evaluable"}, "demo-north", NOW)
    assert silent.analysed_s == 0.0 and silent.alarms is None
    assert np.isnan(silent.decided_share) and np.isnan(silent.mean_probability)
    assert traffic([found, silent])["mean_probability"] == 0.2 and traffic([silent])["mean_probability"] is None
    refused = traffic([found, replace(silent, analysed_s=1800.0)])  # looked at, and then too strange to be called
    assert (refused["assessed_hours"], refused["alarms_per_24h"], refused["coverage"]) == (1.0, 72.0, 5400 / 14400)
    assert traffic([replace(found, alarms=0)])["alarms_per_24h"] == 0.0
    assert traffic([found, replace(found, decided_share=np.nan)])["decided"] == 0.75


def test_nothing_answered_is_not_zero():
    found = traffic([])
    assert found["alarms_per_24h"] is None and found["coverage"] is None and found["abstained"]["share"] is None


def test_what_is_expected_follows_from_the_probabilities_alone():
    """60 s called at 0.9: 54 s of them are one; 3540 s at 0.1: 354 s are missed."""
    expected = Expected.of(given(events=[(100, 60)]))
    assert (expected.true_s, expected.false_s, expected.missed_s) == pytest.approx((54, 6, 354))
    together = estimated([expected])
    assert (together["precision"], together["sensitivity"]) == pytest.approx((0.9, 54 / 408))
    even = estimated([Expected("p1", 3.0, 3.0, 3.0)])
    assert (even["precision"], even["sensitivity"]) == (0.5, 0.5)
    assert estimated([]) == {"answers": [], "precision": None, "sensitivity": None}


def test_a_calibrated_detector_keeps_its_estimates():
    """Truth drawn from the stated probabilities: the estimate lies inside the interval of what is measured."""
    rng, pairs = np.random.default_rng(4), []
    for number in range(24):
        answer = given(number, [(600, 600)])
        truth = rng.random(HOUR) < answer.trend
        spans = [{"onset_s": float(at), "duration_s": 1.0} for at in np.flatnonzero(truth)]
        pairs.append((answer, Opinion("label", NOW, annotations(spans, HOUR))))
    found = reconciled(estimated([Expected.of(a) for a, _ in pairs]), pairs, rng)
    assert found is not None and found["kept"] == {"precision": True, "sensitivity": True}
    assert found["measured"]["precision"]["estimate"] == pytest.approx(0.9, abs=0.02)


def test_an_estimate_that_was_too_good_is_told():
    rng = np.random.default_rng(5)
    pairs = [(given(n, [(600, 600)]), Opinion("label", NOW, annotations([], HOUR))) for n in range(9)]
    pairs[0] = (pairs[0][0], Opinion("label", NOW, annotations([{"onset_s": 600.0, "duration_s": 60.0}], HOUR)))
    found = reconciled(estimated([Expected.of(a) for a, _ in pairs]), pairs, rng)
    assert found is not None and found["kept"]["precision"] is False


@pytest.mark.parametrize(("recordings", "kept"), [(7, None), (8, False)])
def test_few_recordings_decide_nothing_about_an_estimate(recordings, kept):
    answers = [given(n, [(600, 600)]) for n in range(recordings)]
    pairs = [judged(answer, "confirm") for answer in answers]
    found = reconciled(estimated([Expected.of(a) for a in answers]), pairs, np.random.default_rng(0))
    assert found is not None and found["kept"] == {"precision": kept, "sensitivity": kept}


def test_a_recording_that_was_sent_twice_is_one_recording():
    first, again = given(1), given(1, prediction_id="again")
    assert [a.prediction for a in last_of_each([first, again, given(2)])] == ["again", "p2"]


def test_what_was_said_of_a_recording_stands_though_it_is_asked_about_again():
    first, again = given(1), replace(given(1, prediction_id="again"), at=NOW + timedelta(hours=1))
    assert [a.prediction for a in last_of_each([first, again], judged={"p1"})] == ["p1"]
    assert [a.prediction for a in last_of_each([first, again], judged={"p1", "again"})] == ["again"]


def test_an_estimate_is_held_to_the_recordings_that_were_judged_and_no_others():
    answers = [given(n, [(600, 600)]) for n in range(4)]
    estimate = estimated([Expected.of(a) for a in answers])
    pairs = [judged(answers[0], "confirm"), judged(given(9, [(0, 60)]), "confirm")]
    found = reconciled(estimate, pairs, np.random.default_rng(0))
    assert found is not None and (found["recordings"], found["of"]) == (1, 4)
    assert reconciled(estimate, pairs[1:], np.random.default_rng(0)) is None
