"""A recording as a row of tenths of seconds: what everybody can count."""

from data.events import Annotations

PER_SECOND = 10

Run = tuple[int, int]
"""First tick of an event, and the first tick after it."""


def runs(annotations: Annotations) -> list[Run]:
    """Each event as it was marked, by ticks; overlapping and touching ones stay apart."""
    return [(round(e.onset_s * PER_SECOND), round(e.end_s * PER_SECOND)) for e in annotations.events]


def inside(annotations: Annotations) -> list[bool]:
    """Is this tick in any event?"""
    row = [False] * round(annotations.duration_s * PER_SECOND)
    for first, after in runs(annotations):
        for tick in range(first, min(after, len(row))):
            row[tick] = True
    return row


def joined(row: list[bool]) -> list[Run]:
    """The events of a row: touching and overlapping ones have become one."""
    found, first = [], None
    for tick, is_in in enumerate([*row, False]):
        if is_in and first is None:
            first = tick
        elif not is_in and first is not None:
            found.append((first, tick))
            first = None
    return found


def shared(a: Run, b: Run) -> int:
    """Ticks that lie in both."""
    return len(set(range(*a)) & set(range(*b)))


def seconds(annotations: Annotations) -> list[bool]:
    """Is this second in an event? Edges go to the nearest second (a tie to the even one, as `round` has it)."""
    row = [False] * round(annotations.duration_s)
    for event in annotations.events:
        for second in range(round(event.onset_s), round(event.end_s)):
            row[second] = True
    return row
