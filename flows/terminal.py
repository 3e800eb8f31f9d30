"""What the commands share: how an answer is printed, and the options that mean the same in all of them."""

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from io import StringIO
from itertools import zip_longest
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]


def show(value: Any, as_json: bool, text: str) -> None:
    """Print `value` as JSON, or the text that people read; say so where it comes from the demo's workspace."""
    print(json.dumps(value, indent=1, allow_nan=False) if as_json else text)
    _say_where()


def show_each(value: dict[str, Any], as_json: bool, text: str, rows: Iterable[Any], line: Callable[[Any], str]) -> None:
    """As `show`, and after it each of `rows` (in JSON as `predictions`) while it is read: none is kept."""
    if as_json:
        head = json.dumps({name: own for name, own in value.items() if name != "predictions"}, allow_nan=False)
        print(f'{head[:-1]}, "predictions": [', end="")
        for number, row in enumerate(rows):
            print("," * bool(number) + "\n" + json.dumps(row, allow_nan=False), end="")
        print("]}")
    else:
        print(text)
        for row in rows:
            print(line(row))
    _say_where()


def scannable(address: str) -> str:
    """An address as a QR code for a camera, dark on light whatever the terminal's colours; "" where nobody looks at one."""
    if not sys.stdout.isatty():
        return ""
    import segno

    segno.make(address, error="l").terminal(drawn := StringIO(), compact=True, border=2)
    return "\n".join(f"\x1b[97;40m{line}\x1b[0m" for line in drawn.getvalue().splitlines())


def in_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines whose cells begin below each other; the last cell of a row is as long as it is."""
    widths = [max(map(len, column)) for column in zip_longest(*(row[:-1] for row in rows), fillvalue="")]
    return ["  ".join([*map(str.ljust, row[:-1], widths), row[-1]]).rstrip() for row in rows]


def _say_where() -> None:
    from flows.workspace import opened

    if not opened:
        return
    if opened[-1].is_demo:
        print(f"(demo workspace {opened[-1].root})", file=sys.stderr)
    elif not opened[-1].id:
        print(_without_id(), file=sys.stderr)


def _without_id() -> str:
    """To a workspace of an earlier release; a command that gave it one by itself would change a file that people keep."""
    from datetime import UTC, datetime

    from lineage.entries import uuid7

    return (
        "(this workspace is of an earlier release: it has no id, so that another could write into its ledger. Write "
        f'"id": "{uuid7(datetime.now(UTC))}" into its workspace.json, and the next command binds the two)'
    )


def prompt(what: str, **how: Any) -> str:
    """What somebody types; Ctrl-C there raises KeyboardInterrupt, and stops the command as anywhere else."""
    try:
        return str(typer.prompt(what, **how))
    except typer.Abort:
        raise KeyboardInterrupt from None


def confirm(what: str) -> bool:
    """Whether somebody says yes; asked on standard error, beside the answer, and stopped as `prompt` is
    (KeyboardInterrupt)."""
    try:
        return typer.confirm(what, err=True)
    except typer.Abort:
        raise KeyboardInterrupt from None


def names_in(text: str | None) -> list[str]:
    """The names of a list with commas."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]
