"""Every type of line that the ledger allows is written somewhere, and says what it means."""

import re

import pytest

from lineage.entries import EntryType
from lineage.meanings import MEANINGS
from tests.commands import CHECKOUT

READ = r"""entries\([^()]*\)|[=!]= (?:"[^"]*"|EntryType\.\w+)|_said\([^()]*\)"""
"""How lines are asked for and looked at, which writes none."""
PUT_TOGETHER = {"deployment.{kind}": ("deployment.shadow", "deployment.canary")}
"""Names that are made where they are written."""


def written() -> str:
    """The product's source without the list itself, what it means, and whatever only reads lines."""
    apart = {"lineage/entries.py", "lineage/meanings.py", "console/granted.py", "lineage/deployments.py"}
    files = (path for package in ("flows", "lineage", "serving") for path in sorted((CHECKOUT / package).rglob("*.py")))
    source = "\n".join(path.read_text() for path in files if str(path.relative_to(CHECKOUT)) not in apart)
    for name, types in PUT_TOGETHER.items():
        source = source.replace(name, " ".join(f'"{type}"' for type in types))
    return re.sub(READ, "", source)


SOURCE = written()


@pytest.mark.parametrize("type", EntryType)
def test_a_type_is_written_somewhere(type: EntryType) -> None:
    assert f'"{type.value}"' in SOURCE or re.search(rf"EntryType\.{type.name}\b", SOURCE), (
        f"nothing writes {type.value}"
    )


def test_each_says_what_it_means() -> None:
    assert set(MEANINGS) == set(EntryType)
