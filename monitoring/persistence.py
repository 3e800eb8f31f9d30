"""Since when: an alarm of one period is a sign, the same alarm in two of three periods is confirmed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from monitoring.acquisition import REFUSED
from monitoring.findings import NOT_ENOUGH, DriftReport, SiteDrift

NEEDED, AMONG = 2, 3
"""In how many of how many last periods a shift has to be found to be confirmed. However large it is: what one period shows
may be of the patients or the borrowed recorder of that period, and be gone in the next."""


@dataclass(frozen=True)
class Persistence:
    """How long a site's present alarm has lasted. `since` is the first period of its unbroken run, "" when steady.

    `refused`: of all that is confirmed there is only that the checks refuse its recordings, from which nothing can be learnt.
    """

    since: str
    periods: int
    confirmed: bool
    refused: bool = False

    @property
    def doubt(self) -> str:
        """Why an alarm is not confirmed; empty where it is, and where there is none."""
        return f"no shift returned in {NEEDED} of {AMONG} periods" if self.periods and not self.confirmed else ""

    @property
    def untrained(self) -> str:
        """Why no retraining is begun for an alarm; empty where one is, and where there is no alarm."""
        if self.refused:
            return "the checks refuse the recordings, so that there is nothing to learn from them"
        return f"not confirmed: {self.doubt}" if self.doubt else ""

    @property
    def told(self) -> str:
        """Of an alarm, whether it is confirmed, and why no retraining was begun where none was."""
        if self.refused:
            return f"confirmed; no retraining was begun: {self.untrained}"
        return f"not yet confirmed, so that no retraining was begun: {self.doubt}" if self.doubt else "confirmed"


def persistence(history: Sequence[DriftReport], site: str) -> Persistence:
    """Judge the last report of `history` (oldest first) for one site.

    A shift is confirmed when the same feature alarms in the same direction in `NEEDED` of the last `AMONG` periods; a
    broken rule of acquisition is a fact and confirmed at once.
    """
    known = [(r.period, r.site(site)) for r in history if any(s.site == site for s in r.sites)]
    if not known or known[-1][1].state != "alarm":
        return Persistence("", 0, False)
    run, now = _run(known), known[-1][1]
    refused = any(breach.rule == REFUSED for breach in now.breaches)
    learnt = _confirmed([s for _, s in known[-AMONG:]])
    return Persistence(run[0], len(run), learnt or refused, refused and not learnt)


def alarms_to_train_for(history: Sequence[DriftReport]) -> dict[str, str]:
    """Sites whose alarm calls for a retraining and has not ended, each with the alarm's last period: periods in which nothing
    came from a site, or too little to judge it, end none."""
    last = {s.site: n for n, report in enumerate(history, 1) for s in report.sites if s.state != NOT_ENOUGH}
    stands = {site: persistence(history[:n], site) for site, n in last.items()}
    return {site: history[last[site] - 1].period for site, p in stands.items() if p.confirmed and not p.refused}


def ended(history: Sequence[DriftReport]) -> tuple[str, ...]:
    """Sites that are steady in the last report of `history` and were in alarm when they were last judged before it."""
    earlier = {s.site: s.state for report in history[:-1] for s in report.sites if s.state != NOT_ENOUGH}
    return tuple(s.site for s in history[-1].sites if s.state == "steady" and earlier.get(s.site) == "alarm")


def _run(known: list[tuple[str, SiteDrift]]) -> list[str]:
    periods: list[str] = []
    for period, site in reversed(known):
        if site.state != "alarm":
            break
        periods.insert(0, period)
    return periods


def _confirmed(recent: list[SiteDrift]) -> bool:
    now = recent[-1]
    counts = Counter(change for site in recent for change in _changes(site))
    broken = any(breach.rule != REFUSED for breach in now.breaches)
    return broken or any(counts[change] >= NEEDED for change in _changes(now))


def _changes(site: SiteDrift) -> set[tuple[str, bool]]:
    """Which features shifted, and whether upwards."""
    return {(shift.feature, shift.effect_sd > 0) for shift in site.alarms}
