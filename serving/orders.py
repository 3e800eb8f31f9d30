"""What whoever runs the service has ordered: the ledger is asked every second, so that nothing needs a restart."""

import threading
import time
from collections.abc import Callable

from lineage.deployments import LINES, Deployments, Trial, deployments
from lineage.ledger import Ledger
from serving.problems import write_line

POLL_S = 1.0


class Orders:
    """Stopped sites, and models on trial. May be used from several threads; where the ledger cannot be read nobody is
    answered, since no answer could be written down either."""

    def __init__(self, ledger: Ledger, clock: Callable[[], float] = time.monotonic):
        self._ledger, self._clock, self._lock = ledger, clock, threading.Lock()
        self._found = Deployments()
        self._last: int | None = None
        self._looked_s = float("-inf")

    def is_known(self) -> bool:
        """Whether `now` answers without asking the ledger."""
        return self._clock() - self._looked_s < POLL_S

    def now(self, patience_s: float = 0.0) -> Deployments:
        """At most `POLL_S` seconds old, or as old as `patience_s` where that is more: then nobody waits for the ledger.
        Raises what the ledger raises where it cannot be read."""
        if self._clock() - self._looked_s < patience_s:
            return self._found
        with self._lock:
            if self._clock() - self._looked_s >= POLL_S:
                last = self._ledger.last_of(LINES)
                if last != self._last:
                    self._take(deployments(self._ledger))
                self._last, self._looked_s = last, self._clock()
            return self._found

    def _take(self, found: Deployments) -> None:
        """These are the orders from now on; what is new about them is said."""
        for site in sorted(found.stopped.keys() ^ self._found.stopped.keys()):
            write_line("site", site=site, stopped=site in found.stopped)
        for kind, task in sorted(found.trials.keys() | self._found.trials.keys()):
            trial = found.trials.get((kind, task))
            if trial != self._found.trials.get((kind, task)):
                write_line(kind, task=task, digest=trial.bundle if trial else "")
        self._found = found

    def trial(self, kind: str, task: str, patience_s: float = 0.0) -> Trial | None:
        """The model on trial for a task as `canary` or `shadow`, if any."""
        return self.now(patience_s).trials.get((kind, task))

    def why_stopped(self, site: str) -> str | None:
        """Why a site is not served, as it reads it; None where it is."""
        reason = self.now().stopped.get(site)
        return None if reason is None else f"this site was stopped by whoever runs the service: {reason}"

    def stopped(self) -> frozenset[str]:
        """The sites that are not served."""
        return frozenset(self.now().stopped)
