"""What README promises exists: its commands, its files, its folders."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from flows.cli import app

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


def commands() -> list[str]:
    """Every `ictal …` line of README's console blocks, without comments."""
    blocks = re.findall(r"```console\n(.*?)```", README, re.S)
    lines = [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ictal ")]
    return [line.split("  #")[0].strip() for line in lines]


def test_there_are_commands_to_test() -> None:
    assert len(commands()) > 12


@pytest.mark.parametrize("line", commands())
def test_every_command_of_readme_is_one_that_the_command_line_knows(line: str) -> None:
    words = [w for w in line.split()[1:] if w]
    command = get_command(app)
    while words and hasattr(command, "commands") and words[0] in command.commands:
        command = command.commands[words.pop(0)]
    assert not hasattr(command, "commands"), f"{line}: no such command"
    known = {option for parameter in command.params for option in parameter.opts}
    assert {w.split("=")[0] for w in words if w.startswith("--")} <= known, line


def test_files_and_folders_that_readme_names_exist() -> None:
    named = re.findall(r"`((?:data|flows|models|tests|validation|serving|monitoring|lineage)/[\w./]*)`", README)
    links = re.findall(r"\]\(((?!http|#)[^)]+)\)", README)
    assert named and links
    for path in {*named, *links}:
        assert (ROOT / path).exists() or "NAME" in path, path


def test_readme_holds_no_place_left_to_fill_in() -> None:
    assert "@@" not in README
