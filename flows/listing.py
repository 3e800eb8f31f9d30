"""Predictions in a list: the newest first, some at a time, and all of them only one by one."""

from collections.abc import Iterable, Iterator
from typing import Any

from console.spelling import OUTCOMES
from lineage.graph import Issued

SHOWN = 50
"""Predictions of which a question tells, unless asked for more."""

Told = dict[str, str]


def told(issued: Iterable[Issued]) -> Iterator[Told]:
    """Predictions as answers name them."""
    for i in issued:
        named = {"id": i.node.label, "digest": i.node.digest}
        yield {**named, "type": i.type, "recorded_at": i.recorded_at, "site": i.site}


def line(told: Told) -> str:
    """A prediction in a line for people."""
    how = OUTCOMES[told["type"]]
    return f"  {told['recorded_at'][:19]}  {told['site'] or '-':14} {how:27} {told['id']}"


def older(count: int, shown: int) -> list[str]:
    """What is said of the predictions that a list leaves out."""
    return [f"  and {count - shown} older ones: --limit N tells of more, --all of each"] if count > shown else []


def page(count: int, issued: Iterable[Issued]) -> dict[str, Any]:
    """Some of `count` predictions, with how many there are and how many of them are told of."""
    rows = list(told(issued))
    return {"count": count, "shown": len(rows), "predictions": rows}


def lines_of(page: dict[str, Any]) -> list[str]:
    """A page as people read it."""
    return [*map(line, page["predictions"]), *older(page["count"], page["shown"])]
