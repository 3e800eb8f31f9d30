"""A model's card as it was signed, made readable: the few marks that our cards use, everything else as it stands."""

import re
from typing import Any, NamedTuple

import yaml
from markupsafe import Markup, escape


class Card(NamedTuple):
    """What the card states in its header, name by name, and its text as HTML."""

    facts: dict[str, str]
    text: Markup


def read_card(card: str) -> Card:
    """Header (YAML between `---`) and text of a card. Every sign of the card is escaped: a card can hold no HTML."""
    header, text = re.fullmatch(r"(?:---\n(.*?)\n---\n)?(.*)", card, re.S).groups()  # type: ignore[union-attr]
    blocks = [_block(block) for block in re.split(r"\n\s*\n", text.strip()) if block.strip()]
    return Card(_facts(header or ""), Markup("\n").join(blocks))


def _facts(header: str) -> dict[str, str]:
    try:
        stated = yaml.safe_load(header)
    except yaml.YAMLError:
        return {}
    return {name: _plain(value) for name, value in stated.items()} if isinstance(stated, dict) else {}


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{name}: {_plain(own)}" for name, own in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _block(text: str) -> Markup:
    """A heading, a table, a list or a paragraph."""
    lines = text.strip().splitlines()
    if heading := re.fullmatch(r"(#{1,4}) (.*)", lines[0]):
        level = min(len(heading[1]) + 1, 4)
        own = Markup("<h{0}>{1}</h{0}>").format(level, _marked(heading[2]))
        return own + _block("\n".join(lines[1:])) if lines[1:] else own
    if len(lines) > 2 and re.fullmatch(r"[\s|:-]+", lines[1]):
        return _table(lines)
    if all(line.startswith(("- ", "* ", "  ")) for line in lines):
        items = re.split(r"\n[-*] ", "\n" + "\n".join(lines))[1:]
        return Markup("<ul>{}</ul>").format(
            Markup("").join(Markup("<li>{}</li>").format(_marked(item)) for item in items)
        )
    return Markup("<p>{}</p>").format(_marked(" ".join(lines)))


def _table(lines: list[str]) -> Markup:
    head, *rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in (lines[0], *lines[2:])]
    cells = Markup("").join(
        Markup('<th scope="col">{}</th>').format(_marked(cell)) if cell else Markup("<td></td>") for cell in head
    )
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(Markup("").join(Markup("<td>{}</td>").format(_marked(cell)) for cell in row))
        for row in rows
    )
    return Markup(
        '<div class="scroll" tabindex="0" role="group" aria-label="Table of the card">'
        "<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>"
    ).format(cells, body)


def _marked(text: str) -> Markup:
    """**Bold** and `code`; the text is escaped before."""
    safe = str(escape(text))
    safe = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", safe)
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", safe))
