"""Which predictions did a model issue, to whom and when?"""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from flows import books
from flows.listing import SHOWN, Told, lines_of, page, told
from flows.workspace import open_workspace
from lineage import graph
from lineage.refused import Refused


def predictions(model: str, site: str | None = None, since: str | None = None, limit: int = SHOWN) -> dict[str, Any]:
    """The newest predictions of a model: all are counted, `limit` are told of."""
    workspace = open_workspace()
    ledger = books.books_of(workspace)
    found, after = books.model(workspace, ledger, model), moment(since)
    count = graph.count_predictions(ledger, found.digest, site=site, since=after)
    listed = page(count, graph.predictions_of(ledger, found.digest, site=site, since=after, limit=limit))
    head = f"{count} predictions of {found.label} {found.digest[:12]}"
    head += f" at {site}" * bool(site) + f" since {since}" * bool(since)
    return {
        "model": books.in_short(found),
        "site": site,
        "since": since,
        "types": dict(Counter(row["type"] for row in listed["predictions"])),
        **listed,
        "text": "\n".join([head, *lines_of(listed)]),
    }


def every_prediction(
    model: str, site: str | None = None, since: str | None = None
) -> tuple[dict[str, Any], Iterator[Told]]:
    """The same of all of them, which are told one by one."""
    workspace = open_workspace()
    ledger = books.books_of(workspace)
    found, after = books.model(workspace, ledger, model), moment(since)
    head = predictions(model, site, since, limit=0)
    head["text"] = head["text"].splitlines()[0]
    del head["types"]
    every = graph.each_prediction_of(ledger, found.digest, site=site, since=after)
    return {**head, "shown": head["count"]}, told(every)


def moment(text: str | None) -> datetime | None:
    """A date (its beginning in UTC) or a time with its zone."""
    if text is None:
        return None
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(f"a date reads 2026-11-01, a time 2026-11-01T08:00:00+00:00; got {text[:40]!r}") from None
    return read if read.tzinfo else read.replace(tzinfo=UTC)
