"""The pages' words: one for each thing, whatever the ledger and the API call it."""

from console.spelling import line_type, percent
from flows.listing import line
from lineage.entries import EntryType
from serving.journal import ENTRY_OF

OF_OUTCOMES = {
    "completed": "answered",
    "completed_with_abstentions": "answered, with abstentions",
    "not_evaluable": "not evaluable",
}


def test_an_outcome_is_called_alike_in_the_ledger_s_pages_and_in_lists_of_the_command_line() -> None:
    for outcome, said in OF_OUTCOMES.items():
        type = EntryType(ENTRY_OF[outcome]).value
        assert line_type(type) == f"Prediction {said}"
        told = {"id": "p-1", "digest": "", "type": type, "recorded_at": "2026-03-01T12:00:00", "site": "north"}
        assert f" {said} " in line(told)


def test_other_lines_are_called_by_their_type() -> None:
    assert line_type("approval.signed") == "Approval signed"


def test_a_share_that_is_not_there_is_no_nought() -> None:
    assert (percent(None), percent(0.0), percent(0.997222), percent(1.0)) == ("–", "0.0 %", "99.7 %", "100.0 %")
