"""A model goes from evaluated to retired in the order that is meant, whatever people try in whichever order."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import Phase, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from flows import approve, promote
from lineage.lifecycle import STATES
from lineage.refused import Refused
from tests.proposals import AUTHOR, FIRST, ROBOT, SECOND, Office, evaluated_office, gates_with

DEVIATION = "calibration=few patients"
PEOPLE = (AUTHOR, FIRST, SECOND, ROBOT)


class ApprovalByPeople(RuleBasedStateMachine):
    """The real acts on a real workspace, held against the shortest statement of what is allowed."""

    templates: tuple[Office, ...]
    """Before the proposal; proposed by the author; reviewed by FIRST; approved by SECOND, which puts it in force."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="ictal-states-"))
        self.before = os.environ.get("ICTAL_HOME", "")
        self.author = ""
        self.signed: list[tuple[str, str]] = []
        self.revoked = self.retired = self.rejected = False
        self.seen = 0

    @initialize(stage=st.sampled_from((0, 1, 2, 2, 3)), author=st.sampled_from((AUTHOR, FIRST)))
    def begin(self, stage: int, author: str) -> None:
        self.office = self.templates[stage].copied(self.folder / "office")
        os.environ["ICTAL_HOME"] = str(self.office.home)
        if stage == 0:
            self.office.propose(author)
        self.author = AUTHOR if stage else author
        self.signed = [(FIRST, "review"), (SECOND, "approval")][: max(0, stage - 1)]

    @rule(author=st.sampled_from(PEOPLE))
    def propose_again(self, author: str) -> None:
        """A proposal that stands is not made anew; one that ended may be, and then begins at its beginning."""
        with_new_proposal = (self.retired or self.rejected) and not self.revoked
        assert self.does(lambda: self.office.propose(author)) == (not self.revoked)
        if with_new_proposal:
            self.author, self.signed, self.seen = author, [], 0
            self.retired = self.rejected = False

    @rule(person=st.sampled_from(PEOPLE), meaning=st.sampled_from(("", "", "review", "approval", "responsibility")))
    def sign(self, person: str, meaning: str) -> None:
        """Mostly with the meaning whose turn it is, so that the person is what is wrong."""
        meaning = meaning or ("review", "approval", "approval")[len(self.signed)]
        deviations = [] if self.signed else [DEVIATION]
        allowed = self.may_sign(person, meaning)
        assert self.does(lambda: self.office.sign(person, meaning, deviations)) == allowed
        if allowed:
            self.signed.append((person, meaning))

    @rule(person=st.sampled_from(PEOPLE))
    def sign_the_other_way_too(self, person: str) -> None:
        """Whoever reviewed also approves; where nobody did, whoever comes."""
        self.sign(self.signed[0][0] if self.signed else person, "")

    @rule(person=st.sampled_from((FIRST, SECOND)))
    def sign_without_the_deviation(self, person: str) -> None:
        if not self.signed:
            assert not self.does(lambda: self.office.sign(person, "review", []))

    @rule()
    def put_in_force_out_of_turn(self) -> None:
        """The step that follows an approval, called by itself as no command does."""
        candidate = promote.read_candidate(self.office.workspace, self.office.candidate)
        if self.office.approval.exists() and not self.is_in_force():
            act = lambda: approve.put_in_force(  # noqa: E731
                self.office.workspace, candidate, self.office.approval, self.office.now
            )
            self.does(act)

    @rule(person=st.sampled_from((FIRST, ROBOT)))
    def retire(self, person: str) -> None:
        allowed = self.is_in_force() and person != ROBOT
        assert self.does(lambda: self.office.retire(person)) == allowed
        self.retired = self.retired or allowed

    @rule(person=st.sampled_from((AUTHOR, SECOND, ROBOT)), rarely=st.integers(0, 2))
    def reject(self, person: str, rarely: int) -> None:
        """What is not approved yet may be refused, by anybody whose signature counts at all."""
        if rarely:
            return
        allowed = person != ROBOT and len(self.signed) < 2 and not self.revoked and not self.rejected
        assert self.does(lambda: self.office.reject(person)) == allowed
        self.rejected = self.rejected or allowed

    @rule(person=st.sampled_from((SECOND, ROBOT)), rarely=st.integers(0, 3))
    def revoke(self, person: str, rarely: int) -> None:
        if rarely:
            return
        allowed = person != ROBOT
        assert self.does(lambda: self.office.revoke(person)) == allowed
        self.revoked = self.revoked or allowed

    @invariant()
    def no_step_is_skipped_or_taken_back(self) -> None:
        if not self.author:
            return
        state = STATES.index(self.office.state())
        assert state >= self.seen, "a step was taken back"
        self.seen = state
        event(STATES[state])
        expected = {0: "evaluated", 1: "reviewed", 2: "deployed"}[len(self.signed)]
        assert STATES[state] == ("retired" if self.retired else expected)

    @invariant()
    def a_model_may_answer_only_where_two_people_have_signed_in_order(self) -> None:
        if self.author:
            assert self.office.may_answer() == self.is_in_force()

    def may_sign(self, person: str, meaning: str) -> bool:
        """Review first, then approval, by two people who are neither the author nor a service account."""
        turn = {0: "review", 1: "approval"}.get(len(self.signed))
        is_other = person not in (self.author, ROBOT, *(who for who, _ in self.signed))
        return meaning == turn and is_other and not (self.revoked or self.retired or self.rejected)

    def is_in_force(self) -> bool:
        return len(self.signed) == 2 and not self.revoked and not self.retired

    def does(self, act) -> bool:
        """Whether it was done; what is refused is refused in one way."""
        try:
            act()
        except Refused:
            return False
        return True

    def teardown(self) -> None:
        os.environ["ICTAL_HOME"] = self.before
        shutil.rmtree(self.folder)


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Office, ...]:
    folder = tmp_path_factory.mktemp("templates")
    made = [evaluated_office(folder / "0", gates_with("fail"))]
    acts: tuple[Callable[[Office], object], ...] = (
        lambda o: o.propose(),
        lambda o: o.sign(FIRST, "review", [DEVIATION]),
        lambda o: o.sign(SECOND, "approval"),
    )
    with pytest.MonkeyPatch.context() as patch:
        for act in acts:
            made.append(made[-1].copied(folder / str(len(made))))
            patch.setenv("ICTAL_HOME", str(made[-1].home))
            act(made[-1])
    return tuple(made)


def test_whatever_people_try_no_step_is_skipped_or_taken_back(templates: tuple[Office, ...]) -> None:
    ApprovalByPeople.templates = templates
    without_shrinking = (
        Phase.reuse,
        Phase.generate,
    )  # which would take minutes, for ten steps that can be read as they are
    limits = settings(max_examples=8, stateful_step_count=10, deadline=None, phases=without_shrinking)
    run_state_machine_as_test(ApprovalByPeople, settings=limits)
