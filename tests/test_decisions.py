import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from data.events import Annotations, Event
from models.decisions import THRESHOLDS, Decision, choose_threshold
from tests.references import decisions as slow

VALUES = st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0, float("nan")])


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.tuples(VALUES, st.integers(1, 30)), max_size=20),
    st.sampled_from([0.0, 0.3, 0.5, 0.7]),
    st.sampled_from([0.0, 0.4]),
)
def test_the_fast_events_are_the_obvious_ones(runs, threshold, rest_s):
    trend = np.concatenate([np.zeros(0), *(np.full(n, value) for value, n in runs)])
    decision = Decision(threshold=threshold)
    assert decision.events(trend, len(trend) + rest_s) == slow.events(decision, trend, len(trend) + rest_s)


def test_an_event_begins_half_of_the_smoothing_before_its_first_second_and_never_in_what_was_not_assessed():
    decision = Decision(threshold=0.5)
    trend = np.concatenate([np.full(20, 0.1), np.full(30, 0.9), np.full(20, 0.1)])
    (event,) = decision.events(trend).events
    assert (event.onset_s, event.end_s) == (20 - decision.smooth_s / 2, 50 - decision.smooth_s / 2)
    trend[:18] = np.nan
    (event,) = decision.events(trend).events
    assert event.onset_s == max(18.0, 20 - decision.smooth_s / 2)


LEVELS = st.lists(st.sampled_from([0.1, 0.3, 0.45, 0.6, 0.8, float("nan")]), min_size=1, max_size=6)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(LEVELS, st.integers(0, 40), st.integers(0, 60)), min_size=1, max_size=3))
def test_the_threshold_has_the_best_f1_of_all_seconds_together_and_of_equals_is_the_nearest_to_a_half(drawn):
    """Stretches of 15 s; F1 = 2 · hits / (found + true), 0 where nothing is found and nothing is there."""
    decision, trends, truths = Decision(smooth_s=2), [], []
    for levels, onset_s, lasts_s in drawn:
        trends.append(np.repeat(levels, 15).astype(float))
        end_s = min(onset_s + lasts_s, len(trends[-1]))
        events = (Event(onset_s, end_s - onset_s),) if end_s > onset_s else ()
        truths.append(Annotations(events, float(len(trends[-1]))))
    there = np.concatenate([t.to_mask(1.0) for t in truths])

    def f1(threshold: float) -> float:
        found = np.concatenate([decision.at(threshold).events(trend).to_mask(1.0) for trend in trends])
        return 2 * (found & there).sum() / max(found.sum() + there.sum(), 1)

    best = max(map(f1, THRESHOLDS))
    nearest = min(abs(t - 0.5) for t in THRESHOLDS if f1(t) == best)
    chosen = choose_threshold(decision, trends, truths).threshold
    assert chosen in THRESHOLDS and f1(chosen) == best and abs(chosen - 0.5) == nearest
