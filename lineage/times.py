"""How lineage writes time: UTC to the microsecond in one spelling, so that equal instants are equal bytes."""

import re
from datetime import UTC, datetime


def utc_text(moment: datetime) -> str:
    """`2026-01-02T03:04:05.000006Z`; texts of this form sort as the instants do. Refuses a time without a zone
    (ValueError)."""
    return in_a_zone(moment).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def in_a_zone(moment: datetime) -> datetime:
    """`moment` itself; refuses (ValueError) a time that does not say in which zone it is."""
    if moment.tzinfo is None:
        raise ValueError(f"a time needs its zone to be evidence, got {moment.isoformat()}; pass an aware datetime")
    return moment


def read_utc(text: str) -> datetime:
    """The inverse of `utc_text`; refuses (ValueError) every other spelling."""
    if not _SPELLING.fullmatch(text):
        raise ValueError(f"not a time in the ledger's spelling: {text!r}")
    return datetime.fromisoformat(text)


_SPELLING = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
