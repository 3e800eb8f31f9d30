"""What the demo says of gates that did not pass: each by name, with the reason, for every detector that was signed."""

from flows.demo import _deviations, justification
from flows.summary import _by_deviation

FAILED = {"name": "site:demo-east", "outcome": "fail", "reason": "lower bound must be ≥ -0.1"}
UNDECIDED = {"name": "floor:0–28 days", "outcome": "insufficient_evidence", "reason": "16 patients, 60 are needed"}
ITSELF = {"name": "superior", "outcome": "unknown", "reason": "not applicable: it is the floor itself"}
PASSED = {"name": "cost", "outcome": "pass", "reason": "1.6 s"}


def test_a_deviation_names_the_gate_what_it_came_to_and_why_the_demo_signs_nevertheless() -> None:
    assert justification(FAILED) == (
        "failed (lower bound must be ≥ -0.1); the data are simulated and the small preset was not meant to meet it; demo "
        "sites only, 24 hours"
    )
    assert justification(UNDECIDED) == (
        "could not be decided (16 patients, 60 are needed); the data are simulated and so few patients cannot show it; demo "
        "sites only, 24 hours"
    )
    assert justification(ITSELF) == (
        "could not be decided (not applicable: it is the floor itself); the data are simulated; demo sites only, 24 hours"
    )


def test_every_gate_that_did_not_pass_has_a_deviation_of_its_own_text() -> None:
    named = [text.partition("=") for text in _deviations({"gates": [PASSED, FAILED, UNDECIDED]})]
    assert [gate for gate, _, _ in named] == ["site:demo-east", "floor:0–28 days"]
    assert len({why for _, _, why in named}) == 2


def test_the_closing_table_names_the_deviations_of_a_detector_what_failed_first() -> None:
    assert _by_deviation("da_stnet", [UNDECIDED, PASSED, FAILED]) == (
        "da_stnet by deviation: site:demo-east failed; floor:0–28 days not decided"
    )
    assert _by_deviation("sta_gunet", [PASSED]) == "sta_gunet: every gate passed"
