"""Servers that settings of this machine name: the ledger's database and Prefect's."""

import os
from collections.abc import Iterator

from flows.doctor.finding import Check, Finding, Outcome
from lineage.place import LEDGER
from lineage.refused import Refused

OK, MISSING, WRONG = Outcome.OK, Outcome.MISSING, Outcome.WRONG
PREFECT = "PREFECT_API_URL"
LONGEST_ANSWER_S = 5.0


def ledger_database() -> Iterator[Finding]:
    """Whether the database that ICTAL_LEDGER names can be reached; nothing is said where it names none."""
    place = os.environ.get(LEDGER)
    if not place:
        return
    from lineage.store import reach

    needed = f"for the ledger, as {LEDGER} names it"
    try:
        tables = reach(place)
    except Refused as refused:
        step = f"start the database, put {LEDGER} right, or unset it"
        yield Finding("ledger database", MISSING, str(refused), needed, step)
    else:
        yield Finding("ledger database", OK, f"it answers, with {len(tables)} tables", needed)


def prefect_server() -> Iterator[Finding]:
    """Nothing of the address is said: it may hold a password."""
    address = os.environ.get(PREFECT)
    if not address:
        return
    import httpx

    needed, step = f"for flows, as {PREFECT} names it", f"`prefect server start`, put {PREFECT} right, or unset it"
    try:
        status = httpx.get(f"{address.rstrip('/')}/health", timeout=LONGEST_ANSWER_S).status_code
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        yield Finding("prefect server", MISSING, f"it does not answer ({type(error).__name__})", needed, step)
        return
    if status == httpx.codes.OK:
        yield Finding("prefect server", OK, "it answers", needed)
    else:
        yield Finding("prefect server", WRONG, f"it answers with status {status}", needed, step)


CHECKS: tuple[Check, ...] = (ledger_database, prefect_server)
