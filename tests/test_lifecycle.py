"""A model goes from draft to retirement in steps of which none can be skipped."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.lifecycle import STATES, Lifecycle, StepSkipped


@given(st.lists(st.sampled_from(STATES), max_size=40))
@settings(max_examples=100, deadline=None)
def test_no_path_through_a_models_life_skips_a_step(wishes: list[str]) -> None:
    life = Lifecycle()
    been = [life.state]
    for wish in wishes:
        try:
            life = life.advance(wish)
            been.append(life.state)
        except StepSkipped:
            assert STATES.index(wish) != len(been)
    assert tuple(been) == STATES[: len(been)] == life.history


def test_a_models_life_can_be_walked_to_its_end_and_no_further() -> None:
    life = Lifecycle()
    for state in ("validated", "evaluated", "reviewed", "approved", "deployed", "retired"):
        life = life.advance(state)
    with pytest.raises(StepSkipped, match="after retired comes nothing"):
        life.advance("draft")
    with pytest.raises(StepSkipped, match="after draft comes validated, not deployed"):
        Lifecycle().advance("deployed")
    with pytest.raises(ValueError, match="unknown state"):
        Lifecycle("blessed")
