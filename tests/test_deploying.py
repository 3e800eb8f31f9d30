"""The last signature puts a model in force; where that was cut off it is done later, on the same signatures."""

from datetime import timedelta
from pathlib import Path

import pytest

from flows import approve, place
from lineage.approvals import NotApproved
from lineage.lifecycle import StepSkipped
from tests.proposals import FIRST, SECOND, Office, evaluated_office


@pytest.fixture
def cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    """Two people have signed, and the program ended before services were pointed at the model."""
    office = evaluated_office(tmp_path / "home")
    monkeypatch.setenv("ICTAL_HOME", str(office.home))
    office.propose()
    office.sign(FIRST, "review")

    def end(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(approve, "put_in_force", end)
        office.sign(SECOND, "approval")
    return office


def test_what_was_cut_off_is_finished_without_another_signature(cut_off: Office) -> None:
    assert cut_off.state() == "approved" and not cut_off.may_answer()
    assert place.deploy_approved(cut_off.candidate[:10], cut_off.now)["state"] == "deployed"
    assert cut_off.state() == "deployed" and cut_off.may_answer()


def test_the_approvals_file_is_written_again_from_the_ledger(cut_off: Office) -> None:
    cut_off.approval.unlink()
    place.deploy_approved(cut_off.candidate, cut_off.now)
    assert cut_off.approval.exists() and cut_off.may_answer()


def test_nothing_is_deployed_twice(cut_off: Office) -> None:
    place.deploy_approved(cut_off.candidate, cut_off.now)
    with pytest.raises(StepSkipped, match="after deployed comes retired"):
        place.deploy_approved(cut_off.candidate, cut_off.now)


def test_a_model_that_one_person_has_signed_is_not_deployed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    office = evaluated_office(tmp_path / "home")
    monkeypatch.setenv("ICTAL_HOME", str(office.home))
    office.propose()
    office.sign(FIRST, "review")
    with pytest.raises(StepSkipped, match="after reviewed comes approved"):
        place.deploy_approved(office.candidate, office.now)
    assert not office.may_answer()


def test_an_approval_that_ended_meanwhile_deploys_nothing(cut_off: Office) -> None:
    with pytest.raises(NotApproved, match="it ended at"):
        place.deploy_approved(cut_off.candidate, cut_off.now + timedelta(days=365))
    assert not cut_off.may_answer()
