"""Where nobody looks, as in a file or in CI, the demo says in lines which step it is at."""

from io import StringIO

import pytest
from rich.console import Console

from flows.demo import _progress, _timed
from flows.progress import shown


def test_without_a_terminal_each_step_is_a_line_when_it_begins_and_one_when_it_is_done(
    capsys: pytest.CaptureFixture[str],
) -> None:
    facts = {"seconds": {}}
    with _progress(Console(file=StringIO())) as progress:
        _timed(progress, facts, "audit", lambda: print("at work"))
    begun, at_work, done = capsys.readouterr().out.splitlines()
    assert begun.startswith("audit: follow one prediction") and at_work == "at work"
    assert done.startswith("audit: done after ")


def test_what_follows_a_step_does_not_show_itself_at_that_steps_bar() -> None:
    before = shown()
    with _progress(Console(file=StringIO())) as progress:
        facts = {"seconds": {}}
        _timed(progress, facts, "audit", shown)
    assert facts["audit"] is not before and shown() is before


def test_a_terminal_has_bars_and_no_such_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with _progress(Console(file=StringIO(), force_terminal=True)) as progress:
        _timed(progress, {"seconds": {}}, "audit", lambda: None)
    assert not capsys.readouterr().out
