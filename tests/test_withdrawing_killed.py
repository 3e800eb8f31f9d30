"""A withdrawal that is killed outright, wherever that happens, is finished by the next run, and nothing is half said."""

import json
import os
import signal
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lineage.ledger
from data.processes import begin_alone
from flows import taking_out, withdraw, withdrawal_report
from flows.backup import backup_ledger
from flows.consent import withdrawn
from flows.dvc_stores import Stores
from flows.stages.files import read_json
from flows.workspace import Workspace, git
from lineage import dsse, graph
from lineage.digest import sha256_file
from lineage.ledger import Ledger
from tests.patients import PERSON, THEIRS, copied_here, edf_of, made_once  # noqa: F401
from tests.test_withdrawing import REASON, contents

POINTS: dict[str, tuple[Any, str, int, bool]] = {
    "the line stands in the ledger and nothing else was done": (withdraw, "_record", 0, True),
    "new lists lie in the stores and no list says so": (withdraw, "note", 0, False),
    "some of the files are gone": (taking_out.Taken, "delete", 3, True),
    "files are gone and dvc.lock names them": (withdraw, "rewrite_locks", 0, False),
    "some of the objects are gone": (Stores, "delete", 2, True),
    "the payloads are erased and their bytes stand in the store's files": (lineage.ledger, "settle", 0, False),
    "the payloads are erased": (Ledger, "erase", 0, True),
    "the report is signed and not in the ledger": (withdrawal_report, "enter", 0, False),
    "the report is in the ledger and the pieces lie there yet": (withdrawal_report, "enter", 0, True),
}
"""What is killed: where the function stands, its name, which call of it, and whether after it or before."""


def killed(act: Callable[[], object], point: tuple[Any, str, int, bool]) -> int:
    """Do it in a process that is killed at a point; returns the signal that ended it, 0 if none did, 1 for an error."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        begin_alone()  # a fork cannot use the server of workers that its parent may have
        _mine(*point)
        act()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def _mine(place: Any, name: str, call: int, after: bool) -> None:
    whole, calls = getattr(place, name), iter(range(1000))

    def dies(*arguments: Any, **named: Any) -> Any:
        last = next(calls) == call
        made = whole(*arguments, **named) if after or not last else None
        if last:
            os.kill(os.getpid(), signal.SIGKILL)
        return made

    setattr(place, name, dies)


@pytest.mark.parametrize("point", POINTS)
def test_a_withdrawal_that_is_killed_is_finished_by_the_next_run(here: Workspace, point: str) -> None:
    theirs = {sha256_file(edf_of(here, patient)) for patient in THEIRS}
    assert killed(lambda: withdraw.withdraw(PERSON, REASON, {}), POINTS[point]) == -signal.SIGKILL
    assert withdrawn(here).persons == {PERSON}

    said = withdraw.withdraw(PERSON, "", {})
    assert said["ok"], said["text"]
    assert not contents(here.root) & theirs
    assert not any(b"onset_s" in file.read_bytes() for file in here.ledger.parent.iterdir())
    assert not list((here.root / "reports" / "withdrawals").glob(".unfinished*"))
    assert git(here, "status", "--porcelain") == ""
    ledger = Ledger(here.ledger)
    assert ledger.verify().ok and len(ledger.entries("consent.withdrawn")) == 1
    runs = 1 if said["again"] or point.startswith("the line stands") else 2  # of those that took something out
    reports = list((here.root / "reports" / "withdrawals").glob("[!.]*.json"))
    assert reports
    for file in reports:
        report = json.loads(dsse.payload_of(read_json(file)))
        assert graph.find(ledger, withdrawal_report.sha256_bytes(withdrawal_report.canonical(report)))
        assert report["clean"] and report["runs"] == runs
    lines = len(ledger.entries())
    assert withdraw.withdraw(PERSON, "", {})["again"] and len(ledger.entries()) == lines


@pytest.mark.parametrize("after", [False, True])
def test_no_backup_has_its_name_before_its_line_stands_in_the_ledger(
    here: Workspace, tmp_path: Path, after: bool
) -> None:
    out = tmp_path / "january.jsonl"
    assert killed(lambda: backup_ledger(out), (Ledger, "append_many", 0, after)) == -signal.SIGKILL
    ledger = Ledger(here.ledger)
    assert not out.exists() and len(ledger.entries("ledger.backed_up")) == int(after)
    assert list(tmp_path.glob("*.new")), "it was killed over it"
    digest = backup_ledger(out)["digest"]
    assert not list(tmp_path.glob("*.new")), "what was left holds payloads"
    assert digest == sha256_file(out) and digest == ledger.entries("ledger.backed_up")[-1].subjects[0].digest
