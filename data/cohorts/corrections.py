"""What a user says of a seizure instead of what was published, with a reason: nothing is corrected in silence."""

from dataclasses import dataclass, field
from pathlib import Path

from data.cohorts.published import FetchRefused

FIELDS = ("start", "end", "registration")


@dataclass(frozen=True)
class Corrections:
    """What a user says instead of what was published, by recording, number of the seizure (from 1) and field.

    A tab-separated file with the columns recording, seizure, field, value, reason; every correction needs a reason, and
    one that is used nowhere is refused.
    """

    values: dict[tuple[str, int, str], str] = field(default_factory=dict)
    used: set[tuple[str, int, str]] = field(default_factory=set, compare=False)

    def get(self, recording: str, seizure: int, what: str) -> str | None:
        """What the user says of one of `FIELDS` of a recording's seizure, or None; what is given counts as used."""
        key = (recording, seizure, what)
        if key in self.values:
            self.used.add(key)
        return self.values.get(key)

    def seconds(self, recording: str, value: str) -> float:
        """A correction that must be a number of seconds; FetchRefused where it is none."""
        try:
            return float(value)
        except ValueError:
            raise FetchRefused(f"a correction of {recording} is not a number of seconds from its start") from None

    def refuse_unused(self) -> None:
        """Refuses corrections that nobody asked for (`FetchRefused`); to be called when a cohort is converted."""
        left = sorted(set(self.values) - self.used)
        if left:
            said = "; ".join(f"{r}, seizure {n}, {what}" for r, n, what in left)
            raise FetchRefused(f"the corrections file corrects what is not there or needs no correction: {said}")


def read_corrections(path: Path) -> Corrections:
    """Read a corrections file; refuses rows without a recording, a number, a known field, a value and a reason, and a
    second row for the same (`FetchRefused`)."""
    columns = ("recording", "seizure", "field", "value", "reason")
    try:
        lines = [line.split("\t") for line in path.read_text("utf-8-sig").splitlines() if line.strip()]
    except UnicodeDecodeError:
        raise FetchRefused("the corrections file is not UTF-8 text: write it as tab-separated text") from None
    if not lines or tuple(c.strip() for c in lines[0]) != columns:
        raise FetchRefused(f"the corrections file must have the columns {', '.join(columns)}, separated by tabs")
    values: dict[tuple[str, int, str], str] = {}
    for number, cells in enumerate(lines[1:], start=2):
        row = dict(zip(columns, (c.strip() for c in cells), strict=False))
        if (
            len(row) < len(columns)
            or not all(row.values())
            or not (row["seizure"].isascii() and row["seizure"].isdigit())
        ):
            raise FetchRefused(
                f"row {number} of the corrections file needs {', '.join(columns)}, the seizure as a number"
            )
        if row["field"] not in FIELDS:
            raise FetchRefused(f"row {number} of the corrections file: the field is {', '.join(FIELDS)}")
        key = (row["recording"], int(row["seizure"]), row["field"])
        if key in values:
            raise FetchRefused(
                f"row {number} of the corrections file corrects again what a row above it does: keep one"
            )
        values[key] = row["value"]
    return Corrections(values)
