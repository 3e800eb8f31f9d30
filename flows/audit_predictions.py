"""Which predictions did a model issue, to whom and when, and how many windows did it answer?"""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from flows import books, windows_answered
from flows.listing import SHOWN, Told, lines_of, page, told
from flows.workspace import open_workspace
from lineage import graph
from lineage.graph import Node
from lineage.ledger import Ledger
from lineage.refused import Refused


def predictions(model: str, site: str | None = None, since: str | None = None, limit: int = SHOWN) -> dict[str, Any]:
    """The newest predictions of a model: all are counted, `limit` are told of. `site` and `since` (as `moment` reads
    it) narrow it; None does not. Answered windows are counted at each site. Refused where no or several models are called `model`."""
    ledger, found, after = _asked(model, since)
    issued = graph.predictions_of(ledger, [found.digest], site=site, since=after, limit=limit)
    listed = page(graph.count_predictions(ledger, [found.digest], site=site, since=after), issued)
    windows = windows_answered.summed(graph.windows_of(ledger, [found.digest], site=site, since=after))
    lines = [*windows_answered.lines_of(windows), _said(listed["count"], found, site, since), *lines_of(listed)]
    return {
        **_head(found, site, since),
        "types": dict(Counter(row["type"] for row in listed["predictions"])),
        **listed,
        "windows": windows,
        "text": "\n".join(lines),
    }


def every_prediction(
    model: str, site: str | None = None, since: str | None = None
) -> tuple[dict[str, Any], Iterator[Told]]:
    """The same of all of them, which are told one by one."""
    ledger, found, after = _asked(model, since)
    count = graph.count_predictions(ledger, [found.digest], site=site, since=after)
    every = graph.each_prediction_of(ledger, [found.digest], site=site, since=after)
    windows = windows_answered.summed(graph.windows_of(ledger, [found.digest], site=site, since=after))
    text = "\n".join([*windows_answered.lines_of(windows), _said(count, found, site, since)])
    head = {**_head(found, site, since), "count": count, "shown": count, "windows": windows, "text": text}
    return head, told(every)


def _asked(model: str, since: str | None) -> tuple[Ledger, Node, datetime | None]:
    workspace = open_workspace()
    ledger = books.books_of(workspace)
    return ledger, books.model(workspace, ledger, model), moment(since)


def _head(model: Node, site: str | None, since: str | None) -> dict[str, Any]:
    return {"model": books.in_short(model), "site": site, "since": since}


def _said(count: int, model: Node, site: str | None, since: str | None) -> str:
    of = f"{count} predictions of {model.label} {model.digest[:12]}"
    return of + f" at {site}" * bool(site) + f" since {since}" * bool(since)


def moment(text: str | None) -> datetime | None:
    """A date (its beginning in UTC) or a time with its zone, UTC where it names none. None stays None; Refused for all
    else."""
    if text is None:
        return None
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(f"a date reads 2026-11-01, a time 2026-11-01T08:00:00+00:00; got {text[:40]!r}") from None
    return read if read.tzinfo else read.replace(tzinfo=UTC)
