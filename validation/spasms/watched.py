"""What was said of one recording, clip after clip: which clips, which alarms, and which spasms and clusters were found.

An alarm is a run of positive clips, one right after the other; what goes on for longer than `LONGEST_ALARM_S` is an alarm
again, so that one who never stops does not count as one who was right once (as SzCORE parts long events). It is false if
no part of a spasm lies in it. A spasm is found if any positive clip holds a part of it, a cluster if any of its spasms is. A clip without an answer raises none.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.events import Annotations, Event
from data.spasms import clusters_of, spasms_of

COUNTS = (
    "tp", "fp", "fn", "tn", "silent_spasm", "silent_other", "alarms", "false_alarms", "hours", "spasms", "spasms_found",
    "clusters", "clusters_found",
)  # fmt: skip
"""What a recording amounts to at one threshold. Clips: right and wrong ones, and those without an answer by what they
held; alarms; assessed hours; spasms and clusters, and those found."""

LONGEST_ALARM_S = 30.0


@dataclass(frozen=True)
class Watched:
    """`onset_s`, `spasm` (bool) and `probability` of a spasm (NaN where nothing was said), each (clips,), in order."""

    recording: str
    person: str
    site: str
    clip_s: float
    onset_s: np.ndarray
    spasm: np.ndarray
    probability: np.ndarray
    truth: Annotations

    @property
    def answered(self) -> np.ndarray:
        """Where a probability was given, bool (clips,)."""
        return np.isfinite(self.probability)

    def positive(self, threshold: float) -> np.ndarray:
        """(clips,) bool: from this probability on."""
        return self.answered & (np.nan_to_num(self.probability, nan=-1.0) >= threshold)

    def alarms(self, threshold: float) -> list[tuple[float, float]]:
        """Runs of positive clips as (onset_s, end_s), none longer than `LONGEST_ALARM_S`."""
        runs: list[tuple[float, float]] = []
        for onset_s in self.onset_s[self.positive(threshold)]:
            end_s = float(onset_s) + self.clip_s
            goes_on = bool(runs) and onset_s - runs[-1][1] < 1e-6
            if goes_on and end_s - runs[-1][0] < LONGEST_ALARM_S + 1e-6:
                runs[-1] = (runs[-1][0], end_s)
            else:
                runs.append((float(onset_s), end_s))
        return runs

    def counts(self, threshold: float) -> np.ndarray:
        """`COUNTS` at a threshold, (13,)."""
        said, answered, spasms = self.positive(threshold), self.answered, spasms_of(self.truth)
        alarms = self.alarms(threshold)
        found = {spasm for spasm in spasms if any(_overlaps(run, spasm) for run in alarms)}
        clusters = clusters_of(spasms)
        clips = (self.spasm & said, ~self.spasm & said, self.spasm & ~said & answered, ~self.spasm & ~said & answered)
        return np.array(
            [
                *(own.sum() for own in (*clips, self.spasm & ~answered, ~self.spasm & ~answered)),
                len(alarms),
                sum(not any(_overlaps(run, spasm) for spasm in spasms) for run in alarms),
                answered.sum() * self.clip_s / 3600,
                len(spasms),
                len(found),
                len(clusters),
                sum(any(spasm in found for spasm in cluster) for cluster in clusters),
            ],
            dtype=float,
        )


def watched(table: pd.DataFrame, truths: Mapping[str, Annotations], clip_s: float) -> list[Watched]:
    """Every recording of an answers table (one variant; `validation.seizure_typing.answers`) beside its truth."""
    made = []
    for name, part in table.sort_values(["recording", "onset_s"], kind="stable").groupby("recording", sort=True):
        first = part.iloc[0]
        made.append(
            Watched(
                str(name), str(first["person"]), str(first["site"]), clip_s, part["onset_s"].to_numpy(dtype=float),
                (part["truth"] == "spasm").to_numpy(), part["spasm"].to_numpy(dtype=float), truths[str(name)],
            )
        )  # fmt: skip
    return made


def by_person(recordings: list[Watched]) -> dict[str, list[Watched]]:
    """The recordings of each person, persons in order of their names."""
    people: dict[str, list[Watched]] = {}
    for one in recordings:
        people.setdefault(one.person, []).append(one)
    return dict(sorted(people.items()))


def site_of(own: list[Watched]) -> str:
    """The site of one person's recordings; several are joined by `+`, in order."""
    return "+".join(sorted({one.site for one in own}))


def _overlaps(run: tuple[float, float], spasm: Event) -> bool:
    return run[0] < spasm.end_s and spasm.onset_s < run[1]
