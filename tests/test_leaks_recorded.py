"""A study that a guard stops is refused, and stands in the ledger with everything that the guards found."""

from pathlib import Path

import pytest

from flows.records import leaks_recorded, open_ledger
from flows.workspace import make_workspace
from validation.leakage import Leak, audit
from validation.splits import Fold, Member, Split

SPLIT = Split("patient", 0, 0.25, (Fold(("a",), ("b",), ("c",)),))
ONE_PERSON = [Member(name, f"sub-{name}", "one person", "north", True, name * 64) for name in "abc"]


def test_what_the_guards_found_is_written_once_and_the_study_stays_refused(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "home", "demo")
    open_ledger(workspace).engine.dispose()
    for _ in range(2):
        with pytest.raises(Leak, match="same_person"), leaks_recorded(workspace, "line_length, patient"):
            audit(SPLIT, ONE_PERSON)
    ledger = open_ledger(workspace)
    (line,) = ledger.entries("split.audit_failed")
    kept = ledger.payload(line.payload_digest)
    assert (line.reason, line.edges[0].parent) == ("same_person", SPLIT.digest)
    assert kept is not None and not kept["clean"] and kept["split_digest"] == SPLIT.digest
    ledger.engine.dispose()


def test_where_nothing_leaks_nothing_is_written(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "home", "demo")
    open_ledger(workspace).engine.dispose()
    with pytest.raises(KeyError), leaks_recorded(workspace, "line_length, patient"):
        raise KeyError
    ledger = open_ledger(workspace)
    assert not ledger.entries()
    ledger.engine.dispose()
