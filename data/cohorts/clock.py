"""Times of day as laboratories type them, and the seconds between them across midnight."""

import re

DAY_S = 24 * 3600.0


def clock_s(text: str) -> float | None:
    """Seconds after midnight from `19.58.36`, `19:58:36` or a mixture; None for anything else."""
    match = re.fullmatch(r"\s*(\d{1,2})[.:](\d{2})[.:](\d{2})\s*", text)
    if not match:
        return None
    hours, minutes, seconds = (int(part) for part in match.groups())
    return hours * 3600.0 + minutes * 60 + seconds if hours < 24 and minutes < 60 and seconds < 60 else None


def after_s(earlier_s: float, later_s: float) -> float:
    """Seconds from one time of day to the next time that a clock shows the other: less than a day."""
    return (later_s - earlier_s) % DAY_S
