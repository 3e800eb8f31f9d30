"""How a guard answers: a broken promise names its pair, and what could not be looked at says so."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from validation.leakage.audit import LeakageAudit


class BrokenPromise(Exception):
    """A promise of the platform does not hold: not the input's fault, so it ends with a traceback."""


class Leak(BrokenPromise):
    """The test has been seen: names the guard and the pair. `audit` is set when a whole audit was made."""

    def __init__(self, guard: str, reason: str):
        super().__init__(guard, reason)  # both, so that a leak survives the way out of a worker process
        self.guard, self.reason = guard, reason
        self.audit: LeakageAudit | None = None

    def __str__(self) -> str:
        return f"{self.guard}: {self.reason}"


class Unknown(Exception):
    """A guard had nothing to look at, or not enough of it."""
