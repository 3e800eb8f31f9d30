"""What the console says of candidates is what was proposed and signed, whatever was trained and evaluated since."""

from pathlib import Path

import pytest

from console.acts import Candidate
from flows import evidence, promote
from flows.console import _card, _evaluation, candidate, candidates
from lineage.refused import Refused
from serving.terms import revocations_folder
from tests.proposals import NAME, Office, evaluate, evaluated_office, train


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    """A model that two people approved, beside the page of another that was trained since."""
    made = evaluated_office(tmp_path / "home")
    monkeypatch.setenv("ICTAL_HOME", str(made.home))
    page = made.workspace.reports / "evaluation" / f"{NAME}.html"
    made.propose()
    made.both_sign()
    train(made, 0.999)
    evaluate(made)
    page.write_text("the page of the next model")
    return made


def shown(office: Office) -> Candidate:
    (found,) = candidates(office.workspace, office.now)
    return found


def test_a_model_in_force_leads_to_the_evaluation_that_was_signed_and_calls_the_newest_another(office: Office) -> None:
    pages = shown(office).pages
    address = f"/models/{office.candidate}/evaluation/{NAME}.html"
    assert pages["Evaluation"] == address
    assert pages["Last evaluation, not of this model as proposed"] == f"/reports/evaluation/{NAME}.html"
    assert _evaluation(office.workspace, office.candidate, f"{NAME}.html") == b"page"
    assert _evaluation(office.workspace, office.candidate, "index.html") is None
    assert _evaluation(office.workspace, "0" * 64, f"{NAME}.html") is None


def test_a_page_that_is_still_the_one_that_was_signed_is_not_called_another(office: Office) -> None:
    (office.workspace.reports / "evaluation" / f"{NAME}.html").write_text("page")
    assert not any("Last evaluation, not" in text for text in shown(office).pages)


def test_a_kept_page_that_was_changed_is_not_shown(office: Office) -> None:
    kept = evidence.evidence_folder(office.workspace, dict(shown(office).proposed)) / evidence.PAGE
    kept.write_text("better figures")
    with pytest.raises(Refused, match="no longer what the ledger names"):
        _evaluation(office.workspace, office.candidate, f"{NAME}.html")


def test_one_candidate_alone_is_what_the_list_says_of_it_and_no_other_is_read(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = office.candidate
    second = office.propose()
    listed, read = candidates(office.workspace, office.now), []
    whole = promote.read_candidate
    monkeypatch.setattr(promote, "read_candidate", lambda *a: read.append(a[1]) or whole(*a))
    assert {one.digest: one for one in listed} == {
        digest: candidate(office.workspace, digest, office.now) for digest in (first, second)
    }
    assert read == [first, second] and candidate(office.workspace, first[:12], office.now) is None
    assert _card(office.workspace, first) and _evaluation(office.workspace, first, f"{NAME}.html")
    assert read == [first, second, first, first]


def test_a_file_under_another_models_name_is_no_candidate(office: Office) -> None:
    path = promote.candidate_path(office.workspace, office.candidate)
    path.rename(path.with_name(f"{'0' * 64}.json"))
    assert candidate(office.workspace, "0" * 64, office.now) is None
    assert candidate(office.workspace, office.candidate, office.now) is None


def test_where_a_revocation_cannot_be_read_no_candidate_is_approved_and_the_page_says_why(office: Office) -> None:
    """The services stop then, and this is where people look for the reason."""
    folder = revocations_folder(office.workspace.root)
    folder.mkdir(parents=True)
    (folder / "broken.json").write_text("{")
    assert shown(office).against == ("the revocation broken.json cannot be read, so nothing counts as approved",)
