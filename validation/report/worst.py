"""Where a detector fails most: the longest seizures that it missed, and the alarms that it was surest of for nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from data.events import Event
from validation.scoring import Case

Kind = Literal["missed seizure", "false alarm"]


@dataclass(frozen=True)
class WorstCase:
    """One seizure that was missed, or one detection that touches no seizure; raw events.

    `highest_probability` inside it (0–1): how near a miss came to be found; None where no second was assessed.
    """

    kind: Kind
    recording: str
    person: str
    site: str
    onset_s: float
    duration_s: float
    highest_probability: float | None

    @property
    def sentence(self) -> str:
        """What happened, when and where, in whole seconds; names the recording and the site, not the person."""
        what = {"missed seizure": "Missed", "false alarm": "False alarm"}[self.kind]
        nothing = "no second of it was assessed"
        sure = nothing if self.highest_probability is None else f"highest probability {self.highest_probability:.2f}"
        return (
            f"{what}: {self.duration_s:.0f} s from second {self.onset_s:.0f} of {self.recording} ({self.site}), {sure}"
        )


def worst_cases(cases: Sequence[Case], each: int = 3) -> list[WorstCase]:
    """The `each` longest missed seizures, then the `each` worst false alarms, each of another person.

    A false alarm is the worse the longer and the surer it is: it is ranked by its probability summed over seconds.
    """
    missed = [(e.duration_s, _worst("missed seizure", c, e)) for c in cases for e in _missed(c)]
    false = [(float(np.nansum(_inside(c, e))), _worst("false alarm", c, e)) for c in cases for e in _false(c)]
    return [*_first_of_each_person(missed, each), *_first_of_each_person(false, each)]


def _missed(case: Case) -> Iterable[Event]:
    return (e for e in case.reference.events if not any(e.overlaps(f) for f in case.hypothesis.events))


def _false(case: Case) -> Iterable[Event]:
    return (f for f in case.hypothesis.events if not any(f.overlaps(e) for e in case.reference.events))


def _inside(case: Case, event: Event) -> np.ndarray:
    return case.trend[int(event.onset_s) : int(np.ceil(event.end_s))]


def _worst(kind: Kind, case: Case, event: Event) -> WorstCase:
    assessed = _inside(case, event)
    assessed = assessed[np.isfinite(assessed)]
    highest = float(assessed.max()) if len(assessed) else None
    return WorstCase(kind, case.recording, case.person, case.site, event.onset_s, event.duration_s, highest)


def _first_of_each_person(weighed: list[tuple[float, WorstCase]], each: int) -> list[WorstCase]:
    ranked = sorted(weighed, key=lambda found: (-found[0], found[1].recording, found[1].onset_s))
    of_persons: dict[str, WorstCase] = {}
    for _, case in ranked:
        of_persons.setdefault(case.person, case)
    return list(of_persons.values())[:each]
