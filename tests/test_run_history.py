"""Runs as they are listed, from the events that tell of them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from lineage.entries import Software
from lineage.graph import Node
from lineage.run_events import Run, RunEvents, Touched
from lineage.run_history import runs_in

FIRST, SECOND, THIRD = (str(UUID(int=n)) for n in (1, 2, 3))
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_runs_are_told_newest_first_with_how_they_ended(tmp_path: Path) -> None:
    events = RunEvents(tmp_path / "log.ndjson")
    outer = Run(FIRST, "retrain", Software("abc", "def", dirty=True), engine_run="prefect-1")
    inner, killed = Run(SECOND, "train", parent=outer), Run(THIRD, "check")
    events.started(outer, NOW)
    events.started(inner, NOW + timedelta(seconds=1))
    events.failed(inner, "no split", Touched(), NOW + timedelta(seconds=5))
    events.completed(
        outer, Touched((), (Node("a" * 64, "model", "m"), Node("b" * 64, "model", "n"))), NOW + timedelta(seconds=9)
    )
    events.started(killed, NOW + timedelta(minutes=1))
    newest, second, first = runs_in(events.path)
    assert (newest.id, newest.state, newest.seconds) == (THIRD, "running", None)
    assert (second.state, second.why, second.parent, second.seconds) == ("failed", "no split", FIRST, 4.0)
    assert (first.state, first.seconds, first.made) == ("completed", 9.0, {"model": 2})
    assert (first.commit, first.dirty, first.engine_run) == ("abc", True, "prefect-1")


def test_no_file_is_no_run_and_a_line_that_was_cut_short_is_passed_over(tmp_path: Path) -> None:
    assert runs_in(tmp_path / "nothing") == []
    events = RunEvents(tmp_path / "log.ndjson")
    events.started(Run(FIRST, "check"), NOW)
    with events.path.open("a") as file:
        file.write('{"eventTime": "20')
    assert [run.id for run in runs_in(events.path)] == [FIRST]


def test_of_a_run_whose_beginning_is_not_told_it_is_unknown_how_long_it_took(tmp_path: Path) -> None:
    events = RunEvents(tmp_path / "log.ndjson")
    events.completed(Run(FIRST, "check"), Touched(), NOW)
    events.started(Run(SECOND, "train"), NOW + timedelta(seconds=1))
    later, run = runs_in(events.path)
    assert (later.id, run.state, run.began, run.ended, run.seconds) == (SECOND, "completed", None, NOW, None)
