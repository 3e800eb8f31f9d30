"""The recordings of a workspace as pages speak of them: what lies there, what the checks said, who said what of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lineage.digest import Digest


@dataclass(frozen=True)
class Shelved:
    """One recording in a list. `verdict` is `accepted`, `quarantined` or empty where nobody checked it yet.

    `reasons` are the sentences of the checks, `holds` the kinds of files (`eeg`, `video`, `pose`); `age_days` is None
    where the age is not known. What is `locked` lies in the hold-out: it is counted, and opened by nobody but `ictal
    holdout`.
    """

    cohort: str
    name: str
    patient: str
    site: str
    period: str
    age_days: float | None
    holds: tuple[str, ...]
    verdict: str = ""
    reasons: tuple[str, ...] = ()
    locked: bool = False

    @property
    def address(self) -> str:
        """The recording's page in the console."""
        return f"/recordings/{self.cohort}/{self.name}"


@dataclass(frozen=True)
class Shelf:
    """A cohort: the task that looks at it, its recordings, and the page of its checks (empty where there is none)."""

    cohort: str
    task: str
    recordings: tuple[Shelved, ...]
    checks: str = ""

    @property
    def quarantined(self) -> tuple[Shelved, ...]:
        """What the checks put aside, in the cohort's order; without what nobody has checked yet."""
        return tuple(r for r in self.recordings if r.verdict == "quarantined")


@dataclass(frozen=True)
class Stretch:
    """A part of a recording that somebody or something gave a name, in seconds from its start. `confidence` (0–1) is
    None where nobody says how sure it is. `drivers` are channels with their shares (0–1)."""

    onset_s: float
    duration_s: float
    text: str
    confidence: float | None = None
    drivers: tuple[tuple[str, float], ...] = ()

    @property
    def end_s(self) -> float:
        """Where it ends, in seconds of the recording."""
        return self.onset_s + self.duration_s


@dataclass(frozen=True)
class Reading:
    """What one source says of a recording: `kind` is `label` (the reference), `expert`, or `model`.

    `trend` is a probability for each second, None where nothing could be said, and `threshold` the one from which on it
    is an alarm; it lags `trend_delay_s` seconds behind the stretches, and is drawn as much earlier. `silent` are stretches that were not assessed or in which a model does not commit itself. `address`
    leads to the answer itself.
    """

    source: str
    kind: str
    stretches: tuple[Stretch, ...] = ()
    trend: tuple[float | None, ...] | None = None
    threshold: float | None = None
    silent: tuple[Stretch, ...] = ()
    address: str = ""
    note: str = ""
    trend_delay_s: float = 0.0


@dataclass(frozen=True)
class Recorded:
    """A recording that is opened: its files, and everything that was said of it.

    `digests` are those of its files' bytes as they are now, by kind; `registered` says which of them the ledger knows.
    `pose_rate_hz` are frames per second, `line_hz` is the mains frequency; None where nobody says so.
    """

    shelved: Shelved
    eeg: Path | None = None
    views: tuple[Path, ...] = ()
    pose: Path | None = None
    pose_rate_hz: float | None = None
    digests: Mapping[str, Digest] = field(default_factory=dict)
    registered: frozenset[str] = frozenset()
    readings: tuple[Reading, ...] = ()
    line_hz: float | None = None
