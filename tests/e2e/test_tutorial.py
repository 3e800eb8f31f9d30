"""What the tutorial has its reader ask of a demo's workspace, asked of the small one."""

import pytest

from tests.commands import ictal
from tests.e2e.conftest import Pipeline
from tests.snippets import DOCS, snippets_of

COMMANDS = [line for s in snippets_of(DOCS / "tutorial.md") if s.how != "not run" for line in s.commands]


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_of_the_tutorial_is_answered(line: str, at_pipeline: Pipeline, prediction: str) -> None:
    said = ictal(*line.replace("$PREDICTION", prediction).split()[1:])
    assert said.code == 0 and said.out and "Traceback" not in said.err
