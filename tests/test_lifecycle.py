"""A model goes from draft to retirement in steps of which none can be skipped."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.entries import Actor, Draft, Edge, Subject
from lineage.ledger import Ledger
from lineage.lifecycle import STATES, Lifecycle, Standing, Steps, StepSkipped, record_of, standing, why_rejected
from tests.ledgers import NOW

CHECKS, MODEL, OTHER, SEEN, RECORD, AFTERWARDS, PROPOSAL = (
    Subject(kind, kind, digest * 64)
    for kind, digest in zip(
        ("validation", "model", "model", "evaluation", "approval", "approval", "proposal"), "abcdef1", strict=True
    )
)
ONE, TWO = Actor("reviewer-1"), Actor("reviewer-2")


def line(type: str, subject: Subject, *edges: tuple[str, Subject], by: Actor = ONE, reason: str = "") -> Draft:
    drawn = tuple(Edge(subject.digest, relation, parent.digest) for relation, parent in edges)
    return Draft(type, by, (subject,), reason, edges=drawn)


def signed(meaning: str, by: Actor, record: Subject = RECORD) -> Draft:
    return line("approval.signed", record, ("approves", MODEL), ("decides", PROPOSAL), by=by, reason=meaning)


NAMED = [line("research.recorded", thing) for thing in (CHECKS, PROPOSAL, RECORD, AFTERWARDS)]
MADE = [line("run.finished", model, ("made_by", CHECKS)) for model in (MODEL, OTHER)]
PASSED, EVALUATED = line("validation.passed", CHECKS), line("evaluation.recorded", SEEN, ("evaluates", MODEL))
REVIEWED, APPROVED = signed("review", ONE), signed("approval", TWO)
DEPLOYED = line("deployment.promoted", Subject("pointer", "detection", "2" * 64), ("permitted_by", RECORD))
RETIRED = line("model.retired", Subject("retirement", "m", "3" * 64), ("retires", RECORD), reason="superseded")
LIFE = [PASSED, EVALUATED, REVIEWED, APPROVED, DEPLOYED, RETIRED]


def stands(folder: Path, lines: list[Draft], record: str = RECORD.digest) -> Standing:
    ledger = Ledger(folder / "ledger.db")
    ledger.append_many([*NAMED, *MADE, *lines], now=NOW)
    return standing(Steps(ledger), MODEL.digest, record)


@pytest.mark.parametrize("lacking", range(len(LIFE) + 1))
def test_without_one_line_of_the_ledger_no_later_one_counts(tmp_path: Path, lacking: int) -> None:
    assert stands(tmp_path, LIFE[:lacking] + LIFE[lacking + 1 :]).state == STATES[lacking]


OUT_OF_TURN: dict[str, tuple[list[Draft], str]] = {
    "checks that failed": ([line("validation.failed", CHECKS), *LIFE[1:]], "draft"),
    "another model evaluated": ([PASSED, line("evaluation.recorded", SEEN, ("evaluates", OTHER)), *LIFE[2:]], "validated"),
    "responsibility instead of a review": ([PASSED, EVALUATED, signed("responsibility", ONE), APPROVED], "evaluated"),
    "responsibility instead of an approval": (
        [PASSED, EVALUATED, REVIEWED, signed("responsibility", TWO), DEPLOYED],
        "reviewed",
    ),
    "approved before it was reviewed": ([PASSED, EVALUATED, APPROVED, REVIEWED, DEPLOYED], "reviewed"),
    "one person for both": ([PASSED, EVALUATED, REVIEWED, signed("approval", ONE), DEPLOYED], "reviewed"),
    "reviewed under another record": ([PASSED, EVALUATED, signed("review", ONE, AFTERWARDS), APPROVED], "evaluated"),
    "approved under another record": (
        [PASSED, EVALUATED, REVIEWED, signed("approval", TWO, AFTERWARDS), DEPLOYED],
        "reviewed",
    ),
    "deployed before it was approved": ([PASSED, EVALUATED, REVIEWED, DEPLOYED, APPROVED], "approved"),
    "retired before it was deployed": ([PASSED, EVALUATED, REVIEWED, APPROVED, RETIRED, DEPLOYED], "deployed"),
}  # fmt: skip


@pytest.mark.parametrize("case", OUT_OF_TURN)
def test_a_line_out_of_turn_is_no_step(tmp_path: Path, case: str) -> None:
    lines, state = OUT_OF_TURN[case]
    assert stands(tmp_path, lines).state == state


def test_a_model_without_a_record_is_no_further_than_evaluated(tmp_path: Path) -> None:
    assert stands(tmp_path, LIFE, record="").state == "evaluated"


def revoked(what: Subject, by: Actor) -> Draft:
    return line(
        "approval.revoked", Subject("revocation", what.kind, "4" * 64), ("revokes", what), by=by, reason="misses"
    )


@pytest.mark.parametrize(
    ("lines", "ended"),
    [
        ([], ""),
        ([RETIRED], "retired by reviewer-1: superseded"),
        ([revoked(MODEL, ONE), revoked(RECORD, TWO)], "revoked by reviewer-1: misses"),
        ([revoked(RECORD, TWO), revoked(MODEL, ONE), RETIRED], "revoked by reviewer-2: misses"),
        ([revoked(OTHER, ONE), revoked(AFTERWARDS, ONE)], ""),
        ([line("model.retired", Subject("retirement", "m", "3" * 64), ("retires", AFTERWARDS))], ""),
    ],
)
def test_a_model_that_was_taken_back_or_retired_goes_no_further(tmp_path: Path, lines: list[Draft], ended: str) -> None:
    found = stands(tmp_path, [*LIFE[:-1], *lines])
    assert found.ended == ended
    if ended:
        with pytest.raises(StepSkipped, match=ended):
            found.refuse_ended()
    else:
        found.refuse_ended()


def test_what_became_of_a_proposal_is_what_was_last_signed_and_first_refused_of_it(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.append_many([*NAMED, *MADE], now=NOW)
    assert (record_of(Steps(ledger), PROPOSAL.digest), why_rejected(Steps(ledger), PROPOSAL.digest)) == ("", "")
    rejected = [
        line("approval.rejected", Subject("rejection", who.id, "5" * 64), ("rejects", PROPOSAL), by=who, reason="why")
        for who in (ONE, TWO)
    ]
    ledger.append_many([REVIEWED, signed("review", ONE, AFTERWARDS), *rejected], now=NOW)
    assert record_of(Steps(ledger), PROPOSAL.digest) == AFTERWARDS.digest
    assert record_of(Steps(ledger), MODEL.digest) == ""
    assert why_rejected(Steps(ledger), PROPOSAL.digest) == "rejected by reviewer-1: why"


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
