"""Whatever takes more than two seconds shows how far it is: every command has a bar, or a reason why it needs none."""

import importlib
import inspect
import re

import pytest

from tests.test_commands import COMMANDS

SHOWS = re.compile(r"\b(on_terminal|run_flow|run_stages|shown|shown_with)\(")
"""What a command does that has a bar (`flows.progress`)."""

LOOKS_UP = "asks the ledger's indices"
SIGNS = "unlocks a key and writes a few lines; what it checks, it looks up"
NO_BAR = {
    "approvals": LOOKS_UP,
    "audit blast": LOOKS_UP,
    "audit diff": LOOKS_UP,
    "audit predictions": LOOKS_UP,
    "audit receipt": "one signature and one path of hashes",
    "audit verify-pack": "hashes one zip of a few MB",
    "audit consent-again": LOOKS_UP,
    "approve": SIGNS,
    "reject": SIGNS,
    "retire": SIGNS,
    "revoke": SIGNS,
    "cohort list": "reads a list",
    "detectors": "reads a list",
    "deploy canary": SIGNS,
    "deploy compare": LOOKS_UP,
    "deploy end": SIGNS,
    "deploy promote": SIGNS,
    "deploy resume": SIGNS,
    "deploy rollback": SIGNS,
    "deploy shadow": SIGNS,
    "deploy stop": SIGNS,
    "key issue": "one row",
    "key list": LOOKS_UP,
    "key list-sites": LOOKS_UP,
    "key revoke-platform": SIGNS,
    "key revoke-site": "one row",
    "key rotate-platform": SIGNS,
    "person add": SIGNS,
    "person list": LOOKS_UP,
    "person revoke": SIGNS,
    "person rotate": SIGNS,
    "schedule list": "asks the server once",
    "schedule register": "tells the server a few times, after seconds of importing its client",
    "schedule remove": "tells the server a few times",
    "audit serve": "runs until it is stopped",
    "console": "runs until it is stopped",
    "serve": "runs until it is stopped",
    "demo": "its steps have a bar each, in the process that makes the new workspace",
}


def shows(name: str) -> bool:
    """Whether the command, or a module whose function it imports when it runs, shows how far it is."""
    source = inspect.getsource(inspect.unwrap(COMMANDS[name].callback))
    modules = re.findall(r"from ((?:flows|serving|console)[\w.]*) import", source)
    sources = [source, *(inspect.getsource(importlib.import_module(module)) for module in modules)]
    return any(SHOWS.search(text) for text in sources)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_has_a_bar_or_a_reason_why_not(name: str) -> None:
    assert shows(name) != (name in NO_BAR), f"{name} has no bar and no reason, or both"


def test_reasons_are_given_for_commands_that_are_there() -> None:
    assert set(NO_BAR) <= set(COMMANDS)
