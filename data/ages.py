"""Ages as people write them, in days after birth."""

import re

from data.outcomes import Refusal

DAYS = {"d": 1.0, "w": 7.0, "mo": 30.4375, "y": 365.25}
OLDEST_YEARS = 130


def parse_age(text: str) -> float:
    """Days of life from `3d`, `2w`, `5mo` or `34y`; refuses (`age_unknown`) anything else, and more than 130 years."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(d|w|mo|y)\s*", text.lower())
    if not match:
        raise Refusal(
            "age_unknown",
            f"age {text[:12]!r} is not understood: write days, weeks, months or years as 3d, 2w, 5mo or 34y",
        )
    days = float(match[1]) * DAYS[match[2]]
    if days > OLDEST_YEARS * DAYS["y"]:
        raise Refusal("age_unknown", f"nobody is older than {OLDEST_YEARS} years: check the number and its unit")
    return days


def describe_age(days: float) -> str:
    """The largest of years, months and days that gives a number of at least 2: 29 days, 5 months, 34 years. No weeks: what
    is made for newborns is limited to a day."""
    for unit, name in (("y", "years"), ("mo", "months")):
        if days >= 2 * DAYS[unit]:
            return f"{days / DAYS[unit]:.0f} {name}"
    return "1 day" if round(days) == 1 else f"{days:.0f} days"


def describe_ages(low: float, high: float) -> str:
    """From one age to another, both in days: 0 to 28 days, 1 to 120 years; 5 months to 3 years where no unit gives both."""
    years = [round(days / DAYS["y"]) for days in (low, high)]
    if high < 2 * DAYS["mo"]:
        return f"{low:g} to {high:g} days"
    if all(abs(days - count * DAYS["y"]) <= 1 for days, count in zip((low, high), years, strict=True)):
        return f"{years[0]} to {years[1]} years"
    return f"{describe_age(low)} to {describe_age(high)}"


def check_age(age_days: float | None, age_range_days: tuple[float, float] | None) -> None:
    """Refuse an age that is not known (`age_unknown`) or outside a range (`age_out_of_scope`); no range, no question."""
    if age_range_days is None:
        return
    low, high = age_range_days
    scope = describe_ages(low, high)
    if age_days is None:
        raise Refusal("age_unknown", f"the detector is made for {scope}: state the age at recording, as in 3d or 34y")
    if not low <= age_days <= high:
        raise Refusal(
            "age_out_of_scope",
            f"the detector is made for {scope}, the patient's age is {describe_age(age_days)}: use one for that age",
        )
