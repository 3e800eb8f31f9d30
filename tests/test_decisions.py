import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.decisions import Decision
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
