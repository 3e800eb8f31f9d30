"""Whoever was ever locked away is never learned from, whatever their cohort or they themselves are called by now."""

import csv
import io
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from data.cohorts.bids import read_cohort
from flows import holdout as holdout_flow
from flows import records
from flows.params import set_params
from flows.stages import audits
from flows.stages.files import development, holdout, write_json
from flows.workspace import Workspace
from lineage.ledger import Ledger
from lineage.refused import Refused
from tests.patients import MODEL, PEOPLE, light_workspace
from validation.holdout import is_locked


@pytest.fixture
def locked(tmp_path: Path) -> Workspace:
    """A workspace whose cohort of three persons was split with two of them locked away, sub-01 with sub-02, and sub-03."""
    workspace = light_workspace(tmp_path / "home")
    away = {p: p != "p-3" for _, p in PEOPLE.values()}
    seed = next(s for s in range(1000) if all(is_locked(p, 0.4, s) == is_away for p, is_away in away.items()))
    set_params(workspace.root / "params.yaml", {"holdout.share": 0.4, "holdout.seed": seed})
    assert (len(holdout(workspace)), len(development(workspace))) == (3, 1)
    records._record_locked(workspace, records.open_ledger(workspace))
    return workspace


def comes_in_again(workspace: Workspace, people: dict[str, dict[str, str]], patients: tuple[str, ...]) -> None:
    """The recordings of these patients once more, as the cohort `again`, with other cells in participants.tsv, all checked."""
    again = workspace.raw / "again"
    shutil.copytree(workspace.cohort, again)
    for folder in set(again.glob("sub-*")) - {again / patient for patient in patients}:
        shutil.rmtree(folder)
    columns = ["participant_id", *dict.fromkeys(c for cells in people.values() for c in cells)]
    text = io.StringIO()
    table = csv.DictWriter(text, columns, restval="n/a", delimiter="\t")
    table.writeheader()
    table.writerows({"participant_id": patient, **cells} for patient, cells in people.items())
    (again / "participants.tsv").write_text(text.getvalue())
    set_params(workspace.root / "params.yaml", {"cohort.name": "again", "holdout.share": 0.0})
    names = [e.name for e in read_cohort(again).entries]
    write_json(workspace.interim / "checks" / "accepted.json", names)


def test_nobody_of_the_hold_out_is_learned_from_after_it_was_set_open(locked: Workspace) -> None:
    set_params(locked.root / "params.yaml", {"holdout.share": 0.0})
    with pytest.raises(Refused, match=r"^2 persons .* set holdout.share and holdout.seed"):
        records.refuse_freed(locked)


def test_nobody_of_the_hold_out_is_learned_from_under_another_name_of_the_cohort(locked: Workspace) -> None:
    """Without a column `person` their keys are COHORT:sub-NNN, so that nobody is locked by their key any more."""
    comes_in_again(locked, {}, ("sub-02", "sub-03"))
    with pytest.raises(Refused, match=r"^2 persons .* column person of participants.tsv") as told:
        records.refuse_freed(locked)
    assert "sub-0" not in str(told.value)


def test_nobody_of_the_hold_out_teaches_a_detector_beforehand(locked: Workspace) -> None:
    comes_in_again(
        locked, {"sub-02": {"period": "pretraining"}, "sub-03": {"period": "surveillance"}}, ("sub-02", "sub-03")
    )
    with pytest.raises(Refused, match=r"^1 persons .* column person of participants.tsv"):
        records.refuse_freed(locked)


def test_who_was_never_locked_away_is_learned_from(locked: Workspace) -> None:
    comes_in_again(locked, {}, ("sub-04",))
    records.refuse_freed(locked)
    assert len(development(locked)) == 1


def test_the_audit_judges_openings_by_the_smallest_budget_that_was_ever_stated(locked: Workspace) -> None:
    ask = partial(holdout_flow._count_opening, locked, "line_length", MODEL, "before the first deployment")
    ask()
    set_params(locked.root / "params.yaml", {"holdout.budget": 5})
    use = audits.holdout_use(locked)
    assert (use.budget, use.opened) == (1, 1)
    with pytest.raises(holdout_flow.BudgetSpent, match="opened 1 times of 1"):
        ask()


def test_two_openings_at_once_do_not_both_count_as_the_last(locked: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    append, others = Ledger.append_many, []

    def with_another_just_before(ledger: Ledger, drafts: Any, **how: Any) -> Any:
        if not others:
            others.append("the other")
            assert holdout_flow._count_opening(locked, "line_length", MODEL, others[0]) == 1
        return append(ledger, drafts, **how)

    monkeypatch.setattr(Ledger, "append_many", with_another_just_before)
    with pytest.raises(holdout_flow.BudgetSpent, match="the other"):
        holdout_flow._count_opening(locked, "line_length", MODEL, "before the first deployment")
    assert [e.reason for e in records.openings(records.open_ledger(locked))] == others
