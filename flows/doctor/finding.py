"""What one look at the machine found."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """`missing` is not there, `wrong` is there and not as it should be, `unknown` cannot be found out here."""

    OK = "ok"
    MISSING = "missing"
    WRONG = "wrong"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """`needed` is false of what only tests or some sites need: it is told, and does not make the machine unfit."""

    name: str
    outcome: Outcome
    found: str
    needed_for: str
    next: str = ""
    needed: bool = True


Check = Callable[[], Iterator[Finding]]
