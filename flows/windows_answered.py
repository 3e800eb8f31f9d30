"""Windows that were answered: there is a line in the ledger for each second of them, so they are counted, never listed."""

from collections.abc import Iterable
from typing import Any

from lineage.graph import Alike
from serving.windows import counted, in_words


def summed(answered: Iterable[Alike]) -> dict[str, Any]:
    """Windows in all and at each site, and when the first and the last of their lines were recorded. Refused where the
    ledger counts them in words that nobody here writes."""
    sites: dict[str, dict[str, Any]] = {}
    for one in answered:
        windows, answers = counted(one.label)
        at = sites.setdefault(one.site, {"site": one.site, "windows": 0, "answers": 0, "first": one.first, "last": ""})
        at["windows"] += one.lines * windows
        at["answers"] += one.lines * answers
        at["last"] = max(at["last"], one.last)
    told = list(sites.values())
    return {"count": sum(s["windows"] for s in told), "answers": sum(s["answers"] for s in told), "sites": told}


def lines_of(found: dict[str, Any]) -> list[str]:
    """As people read it: one line, and one for each site."""
    lines = [f"windows answered: {in_words(found['count'], found['answers'])}"]
    for at in found["sites"]:
        when = f"{at['first'][:19]} to {at['last'][:19]}"
        lines.append(f"  {when}  {at['site'] or '-':14} {in_words(at['windows'], at['answers'])}")
    return lines
