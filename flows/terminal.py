"""What the commands share: how an answer is printed, and the options that mean the same in all of them."""

import json
import sys
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]


def show(value: Any, as_json: bool, text: str) -> None:
    """Print `value` as JSON, or the text that people read; say so where it comes from the demo's workspace."""
    from flows.workspace import opened

    print(json.dumps(value, indent=1, allow_nan=False) if as_json else text)
    if opened and opened[-1].is_demo:
        print(f"(demo workspace {opened[-1].root})", file=sys.stderr)


def names_in(text: str | None) -> list[str]:
    """The names of a list with commas."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]
