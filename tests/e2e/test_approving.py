"""Two people sign what they were shown, every gate that did not pass by name; anything less puts nothing in force."""

import json
import re

import pytest

from flows.workspace import Workspace
from lineage.ledger import Ledger
from lineage.refused import Refused
from serving.store import pointer_path
from tests.commands import ictal, ictal_process
from tests.e2e.conftest import PASSPHRASE, SIGNERS, Pipeline, components, sign
from tests.e2e.verbs import AUTHOR

FIRST, SECOND = SIGNERS


def state(workspace: Workspace, candidate: str) -> str:
    from flows.promote import read_candidate

    return str(read_candidate(workspace, candidate)["state"])


def test_after_two_signatures_the_candidate_is_deployed_and_listed_so(at_pipeline: Pipeline) -> None:
    listed = ictal("candidates", "--json")
    assert listed.code == 0
    (found,) = listed.json
    assert found["candidate"] == at_pipeline.candidate and found["state"] == "deployed"
    assert "state" not in at_pipeline.proposed, "where it stands follows from the ledger"


def test_the_ledger_tells_who_signed_what_and_what_was_put_in_force(pipeline: Pipeline) -> None:
    ledger = Ledger(pipeline.workspace.ledger)
    signed = [(e.actor.id, e.reason) for e in ledger.entries("approval.signed")]
    assert signed == list(SIGNERS.items())
    record = ledger.payload(ledger.entries("approval.signed")[-1].payload_digest)["record"]
    named = {d["gate"] for d in record["deviations"]}
    assert named == {gate for gate, outcome in record["gates"].items() if outcome != "passed"} != set()
    assert len(ledger.entries("deployment.promoted")) == 1


def test_without_named_deviations_the_signature_is_refused_with_exit_code_2(
    desk: Workspace, proposed: Pipeline
) -> None:
    said = ictal_process(
        "approve", proposed.candidate[:12], "--as", FIRST, "--meaning", "review",
        environment=desk.environment(), typed="".join(f"{part}\n" for part in components(desk, FIRST, lasting_s=30)),
    )  # fmt: skip
    assert said.code == 2 and "no deviation names it" in said.err and "Traceback" not in said.err
    assert "floor:0–28 days" in said.err
    assert state(desk, proposed.candidate) == "evaluated"


def test_with_deviations_the_command_signs(desk: Workspace, proposed: Pipeline) -> None:
    named = [part for d in proposed.deviations for part in ("--deviation", d)]
    said = ictal_process(
        "approve", proposed.candidate[:12], "--as", FIRST, "--meaning", "review", "--json", *named,
        environment=desk.environment(), typed="".join(f"{part}\n" for part in components(desk, FIRST, lasting_s=30)),
    )  # fmt: skip
    assert said.code == 0, said.err
    assert json.loads(said.out[said.out.index("{") :])["state"] == "reviewed" == state(desk, proposed.candidate)
    assert PASSPHRASE not in said.out + said.err


def test_one_deviation_too_few_is_refused_and_named(desk: Workspace, proposed: Pipeline) -> None:
    *kept, left_out = proposed.deviations
    with pytest.raises(Refused, match=re.escape(left_out.split("=")[0])):
        sign(proposed.candidate, FIRST, "review", kept)
    assert state(desk, proposed.candidate) == "evaluated"


def test_the_same_person_cannot_review_and_approve(desk: Workspace, proposed: Pipeline) -> None:
    sign(proposed.candidate, FIRST, "review", proposed.deviations)
    with pytest.raises(Refused, match="two different people"):
        sign(proposed.candidate, FIRST, "approval", proposed.deviations)
    assert state(desk, proposed.candidate) == "reviewed" and not pointer_path(desk.root).exists()


@pytest.mark.parametrize("meaning", ["review", "approval"])
def test_the_author_can_neither_review_nor_approve(desk: Workspace, proposed: Pipeline, meaning: str) -> None:
    if meaning == "approval":
        sign(proposed.candidate, FIRST, "review", proposed.deviations)
    before = state(desk, proposed.candidate)
    with pytest.raises(Refused, match="the author cannot"):
        sign(proposed.candidate, AUTHOR, meaning, proposed.deviations)
    assert state(desk, proposed.candidate) == before and not pointer_path(desk.root).exists()


def test_approval_cannot_come_before_review(desk: Workspace, proposed: Pipeline) -> None:
    with pytest.raises(Refused, match="after evaluated comes reviewed"):
        sign(proposed.candidate, SECOND, "approval", proposed.deviations)


@pytest.mark.parametrize("meaning", ["responsibility", "looks good"])
def test_other_meanings_do_not_count(desk: Workspace, proposed: Pipeline, meaning: str) -> None:
    sign(proposed.candidate, FIRST, "review", proposed.deviations)
    with pytest.raises(Refused, match="review or approval"):
        sign(proposed.candidate, SECOND, meaning, proposed.deviations)
    assert state(desk, proposed.candidate) == "reviewed" and not pointer_path(desk.root).exists()


def test_a_wrong_passphrase_signs_nothing(desk: Workspace, proposed: Pipeline) -> None:
    from flows.approve import approve_candidate

    shown = components(desk, FIRST)[1]
    with pytest.raises(Refused, match="do not together open the key"):
        approve_candidate(proposed.candidate, FIRST, "not the passphrase", shown, "review", proposed.deviations)
    assert state(desk, proposed.candidate) == "evaluated"


def test_evidence_that_changed_since_the_proposal_is_not_signed(desk: Workspace, proposed: Pipeline) -> None:
    path = desk.interim / "evaluation" / str(proposed.proposed["detector"]) / "patient" / "result.json"
    path.write_text(path.read_text().replace("reportable", "Reportable", 1))
    with pytest.raises(Refused, match=r"chang|propose"):
        sign(proposed.candidate, FIRST, "review", proposed.deviations)
    assert state(desk, proposed.candidate) == "evaluated"


@pytest.mark.parametrize("named", ["", "*", "../candidates/", "ffffffffffff"])
def test_a_candidate_is_named_by_its_digest_only(desk: Workspace, proposed: Pipeline, named: str) -> None:
    with pytest.raises(Refused, match="0 candidates begin with"):
        sign(named, FIRST, "review", proposed.deviations)
