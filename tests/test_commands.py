"""Every command of the command line, found by walking it: an example that it would take, JSON where it says anything, and
exit codes that are written down. A new command without them fails here."""

import ast
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from flows import cli, completion
from flows.workspace import make_workspace
from models import detectors
from tests.commands import ictal, ictal_process

ROOT = Path(__file__).resolve().parents[1]

NOTHING_TO_SAY = {"demo", "serve", "console", "audit serve"}
"""They run until they are done or stopped, and answer nothing: what they made is asked for by other commands."""


def walked(command: Any, named: str = "") -> Iterator[tuple[str, Any]]:
    """Every command that is not hidden, by what is typed for it."""
    for name, own in getattr(command, "commands", {}).items():
        if hasattr(own, "commands"):
            yield from walked(own, f"{named} {name}".strip())
        elif not own.hidden:
            yield f"{named} {name}".strip(), own


COMMANDS = dict(walked(get_command(cli.app)))


def examples(epilog: str) -> list[str]:
    """`Example: ictal …`, or several with ` · ` between them; after four spaces follows what is no part of the command."""
    if not re.match(r"Examples?: ", epilog):
        return []
    return [example.split("    ")[0] for example in epilog.split(": ", 1)[1].split(" · ")]


def refused(command: Any, words: list[str]) -> str:
    """Why a command would not take these words; whether files are there is not asked."""
    context = command.make_context(command.name, [], resilient_parsing=True)
    try:
        values, left, _ = command.make_parser(context).parse_args(list(words))
        for parameter in command.params:
            given = values.get(parameter.name)
            if parameter.required and given in (None, (), []):
                return f"{parameter.name} is missing"
            if given not in (None, (), []) and not names_a_path(parameter):
                parameter.process_value(context, given)
    except Exception as error:
        return f"{type(error).__name__}: {getattr(error, 'message', error)}"
    return f"{left} are too many" if left else ""


def names_a_path(parameter: Any) -> bool:
    return "Path" in str(parameter.type_descriptor.annotation)


def test_commands_are_found_at_every_depth() -> None:
    assert {"demo", "doctor", "cohort fetch", "audit verify", "deploy canary", "person add"} <= COMMANDS.keys()
    assert "stage" not in COMMANDS


@pytest.mark.parametrize("named", COMMANDS)
def test_every_command_shows_an_example_that_it_takes(named: str) -> None:
    shown = examples(COMMANDS[named].epilog or "")
    assert shown, f"ictal {named}: its epilog begins with no example"
    for example in shown:
        words = shlex.split(example)
        while re.match(r"[A-Z_]+=", words[0]):
            words = words[1:]
        assert words[: 1 + len(named.split())] == ["ictal", *named.split()], example
        assert refused(COMMANDS[named], words[1 + len(named.split()) :]) == "", example


@pytest.mark.parametrize("words", [["--jsn"], ["3f2a", "more"], ["3f2a", "--examples", "some"], []])
def test_an_example_that_a_command_would_not_take_is_found(words: list[str]) -> None:
    assert refused(COMMANDS["deploy compare"], words)


def test_an_epilog_without_an_example_is_found() -> None:
    assert examples("See the manual: ictal drift") == [] and examples("") == []


@pytest.mark.parametrize("named", COMMANDS)
def test_every_command_says_what_it_does_and_answers_in_json(named: str) -> None:
    command = COMMANDS[named]
    options = {option for parameter in command.params for option in parameter.opts}
    assert command.help
    assert ("--json" in options) != (named in NOTHING_TO_SAY), named


def test_every_help_is_shown() -> None:
    for named in ("doctor", "audit restore", "cohort fetch"):
        said = ictal(*named.split(), "--help")
        assert said.code == 0 and "Example" in said.out


def test_a_help_text_breaks_where_the_terminal_does_and_not_where_its_source_does() -> None:
    for named in ("schedule register", "rehearse", "cohort import"):
        command = COMMANDS[named]
        assert command.help and all("\n" not in paragraph for paragraph in command.help.split("\n\n")), named


def test_exit_codes_are_written_down_and_there_are_no_others() -> None:
    shown = " ".join(ictal("--help").out.split())
    for code in cli.EXIT_CODES:
        assert re.search(rf"\b{code} ", shown.partition("Exit codes:")[2]), code
    assert codes_of((ROOT / "flows").glob("cli*.py")) | {cli.STOPPED} <= cli.EXIT_CODES.keys()


def codes_of(files: Iterator[Path]) -> set[int]:
    """What is given to `sys.exit` and `typer.Exit` in numbers."""
    calls = [node for file in files for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
    ends = [c for c in calls if ast.unparse(c.func) in ("sys.exit", "typer.Exit")]
    return {argument.value for c in ends for argument in c.args if isinstance(argument, ast.Constant)}


def test_the_version_names_the_commit() -> None:
    said = ictal("--version")
    assert said.code == 0
    assert re.fullmatch(r"ictal \d+\.\d+\.\d+ \(commit ([0-9a-f]{12}|unknown)(, with changes)?\)\n", said.out)


COMPLETED = [
    ("audit ve", ["verify", "verify-pack"]),
    ("train da", ["da_stnet"]),
    ("evaluate line_length se", ["seizurenet"]),
    ("deploy end --for sp", ["spasms"]),
]


@pytest.mark.parametrize(("typed", "expected"), COMPLETED)
def test_a_shell_completes_commands_and_names(typed: str, expected: list[str]) -> None:
    asked = {"_ICTAL_COMPLETE": "complete_bash", "COMP_WORDS": f"ictal {typed}", "COMP_CWORD": str(len(typed.split()))}
    said = ictal_process(environment={**os.environ, "PYTHONPATH": str(ROOT), **asked})
    assert said.out.split() == expected, said.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_shown_for_every_shell(shell: str) -> None:
    """As `ictal --show-completion`, which asks in which shell it runs."""
    asked = {"_ICTAL_COMPLETE": f"source_{shell}"}
    said = ictal_process(environment={**os.environ, "PYTHONPATH": str(ROOT), **asked})
    assert said.code == 0 and "_ICTAL_COMPLETE" in said.out and "ictal" in said.out


def test_completing_imports_nothing_heavy() -> None:
    code = "import sys, flows.cli; print([m for m in ('numpy', 'yaml', 'sqlalchemy', 'rich', 'torch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_names_to_complete_are_those_of_the_house_and_of_the_workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert completion.detectors("") == sorted(detectors.names()) and tuple(detectors.TASKS) == completion.TASKS
    monkeypatch.setenv("ICTAL_HOME", str(tmp_path / "home"))
    assert completion.sites("") == completion.candidates("") == completion.people("") == []
    home = make_workspace(tmp_path / "home", "real").root
    for path, text in {
        "data/raw/nursery/participants.tsv": "participant_id\tsite\nsub-1\tdemo-north\nsub-2\tdemo-south\n",
        "data/raw/.fetch/participants.tsv": "participant_id\tsite\nsub-1\telsewhere\n",
        "store/candidates/3f2a.json": "{}",
        "keys/people.json": '[{"id": "reviewer-1"}]',
    }.items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(text)
    assert completion.sites("demo-") == ["demo-north", "demo-south"] and completion.sites("e") == []
    assert completion.candidates("3") == ["3f2a"] and completion.people("rev") == ["reviewer-1"]
    assert completion.cohorts("") == ["nursery"]
    (home / "keys" / "people.json").write_text("no JSON")
    assert completion.people("") == []
