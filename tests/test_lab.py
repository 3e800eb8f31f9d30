from dataclasses import replace

import numpy as np
import pytest

from data.events import Annotations, Event
from validation.lab import in_common, inflation
from validation.scoring import Case

SECONDS = 120


def case(number: int, rng: np.random.Generator, strength: float = 1.0) -> Case:
    """Two minutes of one person with a seizure from 40 to 60 s, called as far as the trend tells it."""
    reference = Annotations((Event(40.0, 20.0),), float(SECONDS))
    labels = reference.to_mask(1.0).astype(int)
    trend = rng.random(SECONDS) + strength * labels
    called = Annotations.from_mask(trend > 1.0, 1.0)
    return Case(f"r{number:02d}", f"sub-{number}", f"p{number}", "AB"[number % 2], trend, labels, reference, called)


def cohort(strength: float, seed: int = 0) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [case(n, rng, strength) for n in range(12)]


def test_the_same_predictions_flatter_by_nothing():
    made = inflation({"window": cohort(0.5), "patient": cohort(0.5)}, seed=1)
    assert list(made) == ["window_to_patient"]
    for figure in ("auc", "event_sensitivity"):
        assert [made["window_to_patient"][figure][k] for k in ("estimate", "low", "high")] == [0, 0, 0]


def test_a_regime_that_sees_more_is_found_to_flatter_and_the_other_way_round():
    strong, weak = cohort(0.9), cohort(0.1)
    up = inflation({"window": strong, "patient": weak}, seed=1)["window_to_patient"]["auc"]
    down = inflation({"window": weak, "patient": strong}, seed=1)["window_to_patient"]["auc"]
    assert up["low"] > 0.2 and up["unit"] == "patient" and up["n"] == 12
    assert down["estimate"] == pytest.approx(-up["estimate"]) and down["high"] == pytest.approx(-up["low"])


def test_both_steps_are_shown_where_three_regimes_were_run():
    made = inflation({"site": cohort(0.2), "window": cohort(0.9), "patient": cohort(0.5)}, seed=1)
    assert list(made) == ["window_to_patient", "patient_to_site"]
    assert all(step["auc"]["estimate"] > 0 for step in made.values())


def test_what_one_of_them_refused_is_compared_in_neither():
    honest = cohort(0.5)
    refused = [replace(c, trend=np.full(SECONDS, np.nan)) if c.person == "p3" else c for c in honest]
    ours, theirs = in_common(honest, refused)
    assert all(np.isnan(c.trend).all() and not c.reference.events for c in (ours[3], theirs[3]))
    made = inflation({"window": honest, "patient": refused}, seed=1)["window_to_patient"]
    assert made["auc"]["estimate"] == made["event_sensitivity"]["estimate"] == 0
    assert made["rests_on"]["coverage"] == pytest.approx(11 / 12)


def test_what_one_called_where_the_other_refused_is_no_seizure_that_it_found_more_of():
    """Of the seizure from 40 to 60 s the honest one assessed 40–50 s and found nothing; the leaky one called 52–58 s."""
    honest = [replace(c, hypothesis=Annotations((), SECONDS)) for c in cohort(0.5)]
    blank = [replace(c, trend=np.where(np.arange(SECONDS) < 50, c.trend, np.nan)) for c in honest]
    leaky = [replace(c, hypothesis=Annotations((Event(10.0, 2.0), Event(52.0, 6.0)), SECONDS)) for c in honest]
    assert {c.hypothesis.events for c in in_common(leaky, blank)[0]} == {(Event(10.0, 2.0),)}
    made = inflation({"window": leaky, "patient": blank}, seed=1)["window_to_patient"]
    assert made["event_sensitivity"]["estimate"] == 0
    assert (
        inflation({"window": leaky, "patient": honest}, seed=1)["window_to_patient"]["event_sensitivity"]["estimate"]
        == 1
    )


def test_regimes_of_other_recordings_are_refused():
    with pytest.raises(ValueError, match="same recordings"):
        inflation({"window": cohort(0.5), "patient": [replace(c, recording=f"x{c.recording}") for c in cohort(0.5)]}, 1)
