"""Which predictions did a model issue, to whom and when?"""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from flows import books
from flows.workspace import open_workspace
from lineage import graph
from lineage.refused import Refused

SHOWN = 50


def predictions(model: str, site: str | None = None, since: str | None = None, limit: int = SHOWN) -> dict[str, Any]:
    """Every prediction of a model, newest first: all are counted, `limit` are told of (0: all of them)."""
    workspace = open_workspace()
    ledger = books.books_of(workspace)
    found, after = books.model(workspace, ledger, model), moment(since)
    count = graph.count_predictions(ledger, found.digest, site=site, since=after)
    issued = graph.predictions_of(ledger, found.digest, site=site, since=after, limit=limit or None)
    rows = [
        {"id": i.node.label, "digest": i.node.digest, "type": i.type, "recorded_at": i.recorded_at, "site": i.site}
        for i in issued
    ]
    head = f"{count} predictions of {found.label} {found.digest[:12]}"
    head += f" at {site}" * bool(site) + f" since {since}" * bool(since)
    return {
        "model": books.in_short(found),
        "site": site,
        "since": since,
        "count": count,
        "shown": len(rows),
        "types": dict(Counter(row["type"] for row in rows)),
        "predictions": rows,
        "text": "\n".join([head, *_lines(rows, count)]),
    }


def moment(text: str | None) -> datetime | None:
    """A date (its beginning in UTC) or a time with its zone."""
    if text is None:
        return None
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(f"a date reads 2026-11-01, a time 2026-11-01T08:00:00+00:00; got {text[:40]!r}") from None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _lines(rows: list[dict[str, str]], count: int) -> list[str]:
    lines = [
        f"  {r['recorded_at'][:19]}  {r['site'] or '-':14} {r['type'].removeprefix('prediction.'):14} {r['id']}"
        for r in rows
    ]
    left = count - len(rows)
    return [*lines, *([f"  and {left} older ones: --limit 0 tells of all"] if left else [])]
