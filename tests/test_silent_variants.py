"""A recording of which nothing is answered is silent in every variant, so that variants are of the same stretches."""

from flows.stages.evaluate_types import in_every_variant
from models.typing import ANSWER
from validation.seizure_typing import Answer


def said(recording: str, event: int, variant: str, code: str = "") -> Answer:
    probabilities = () if code else (0.4, 0.6)
    return Answer(recording, "sub", "p", "north", event, 5.0 * event, "a", 0, variant, 1, code, probabilities)


def test_a_refused_recording_is_silent_in_every_variant_and_one_refused_stretch_is_not_said_twice() -> None:
    named = [
        said("one", 0, ANSWER), said("one", 1, ANSWER, "ood"), said("one", 0, "probe"), said("one", 1, "probe", "ood"),
        said("two", 0, ANSWER, "ood"), said("two", 1, ANSWER, "ood"),
    ]  # fmt: skip
    whole = in_every_variant(named)
    assert whole[: len(named)] == named
    assert whole[len(named) :] == [said("two", 0, "probe", "ood"), said("two", 1, "probe", "ood")]
    assert in_every_variant(whole) == whole
