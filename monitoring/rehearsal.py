"""Would we notice? Faults put into a site's own recordings, judged as its real ones are, again and again on other patients.

A period (a week) is drawn from the patients at hand; checks, rules of acquisition and the statistics of `monitoring.drift`
see it as they see real weeks. So power is a share of drawn weeks, and time counts weeks until an alarm, and until it is
confirmed. The same without any fault is the control: what it alarms at is no power.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from monitoring.causes import named
from monitoring.drift import compare_sites
from monitoring.faults import FAULTS
from monitoring.findings import DriftReport, DriftSettings, SiteDrift
from monitoring.persistence import persistence
from validation.abstention import binomial_interval

SCHEMA = "ictal.rehearsal/1"

NOTICED = 0.8
"""Share of weeks from which a fault is said to be noticed."""

LONGEST = 12
"""Periods after which waiting for an alarm is given up."""

COURSES = 500
"""Drawn courses of periods that the times to alarm are taken from."""


@dataclass(frozen=True)
class Sent:
    """What became of a site's recordings with one fault: `rows` of features (as `monitoring.features.patient_features`) of
    those that the checks let through, and of the others the code of the refusal, by patient.

    `left_out` says why the fault could not be put in, and is empty where it was. `fault` is a name of `faults.FAULTS`,
    or that of a control.
    """

    fault: str
    rows: pd.DataFrame = field(default_factory=pd.DataFrame)
    refused: Mapping[str, str] = field(default_factory=dict)
    left_out: str = ""

    @property
    def patients(self) -> list[str]:
        """All who were sent, in a fixed order."""
        passed = set(self.rows["patient"]) if len(self.rows) else set()
        return sorted(passed | set(self.refused))


@dataclass(frozen=True)
class World:
    """The other side of the comparison: `reference` rows, of the site's own past and of other sites.

    `apart`: there is no later period, and the patients that are drawn are taken out of the reference instead.
    """

    site: str
    reference: pd.DataFrame
    settings: DriftSettings
    apart: bool = False

    def compared(self, rows: pd.DataFrame, chosen: Sequence[str], rng: np.random.Generator) -> SiteDrift | None:
        """What a period with these rows at the site comes to; None where no recording was let through."""
        here = rows[rows["patient"].isin(chosen)] if len(rows) else rows
        if not len(here):
            return None
        drawn = (self.reference["site"] == self.site) & self.reference["patient"].isin(chosen)
        reference = self.reference[~drawn] if self.apart else self.reference
        return compare_sites(reference, here, self.settings, rng).site(self.site)


@dataclass(frozen=True)
class Week:
    """One drawn period: after how many recordings the checks refused the first (0: none), and what the comparison said."""

    refused_at: int
    drift: SiteDrift | None

    @property
    def found_by(self) -> tuple[str, ...]:
        """Which of `checks`, `rules` and `statistics` speak of a change."""
        drift = self.drift
        return tuple(
            name
            for name, speaks in (
                ("checks", self.refused_at > 0),
                ("rules", drift is not None and bool(drift.breaches)),
                ("statistics", drift is not None and bool(drift.alarms)),
            )
            if speaks
        )


def rehearse(sent: Sent, world: World, patients: int, draws: int, rng: np.random.Generator) -> dict[str, Any]:
    """Power and times of one fault over `draws` periods of `patients` patients each, as plain JSON.

    Power is that of a single period. Times are counted in patients from the fault's first recording on: `median` and
    `p90` over drawn courses, null where more than half (a tenth) of the courses come to nothing within `LONGEST` periods.
    """
    about = _about(sent.fault)
    if sent.left_out:
        return {**about, "state": "not evaluable", "reason": sent.left_out}
    everyone = sent.patients
    few = min(patients, len(everyone))
    weeks = [_week(sent, world, [str(p) for p in rng.permutation(everyone)[:few]], rng) for _ in range(draws)]
    found = sum(bool(week.found_by) for week in weeks)
    low, high = binomial_interval(found, draws)
    first, sure = _times(weeks, few, world.settings, rng)
    return {
        **about,
        "state": "measured",
        "power": found / draws,
        "interval": [low, high],
        "found": found,
        "draws": draws,
        "found_by": {
            part: sum(part in w.found_by for w in weeks) / draws for part in ("checks", "rules", "statistics")
        },
        "said": _said(weeks, sent.refused),
        "patients": few,
        "patients_at_hand": len(everyone),
        "to_alarm": _quantiles(first, few),
        "to_confirmed": _quantiles(sure, few),
    }


def _about(fault: str) -> dict[str, Any]:
    if fault in FAULTS:
        return {"fault": fault, "meaning": FAULTS[fault].meaning, "modality": FAULTS[fault].modality}
    return {"fault": fault, "meaning": "nothing was changed", "modality": "video" if "film" in fault else "eeg"}


def _week(sent: Sent, world: World, chosen: list[str], rng: np.random.Generator) -> Week:
    refused = [place for place, patient in enumerate(chosen, 1) if patient in sent.refused]
    return Week(refused[0] if refused else 0, world.compared(sent.rows, chosen, rng))


def _said(weeks: Sequence[Week], refused: Mapping[str, str]) -> list[str]:
    """What was said of it most often: codes of refusals, and causes by their names."""
    codes = Counter(f"refused: {code}" for code in refused.values())
    causes = Counter(cause.name for week in weeks if week.drift is not None for cause in named(week.drift))
    return [text for text, _ in [*codes.most_common(2), *causes.most_common(3)]]


def _times(
    weeks: Sequence[Week], patients: int, settings: DriftSettings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Patients until the first alarm, and until one is confirmed, of drawn courses of independent periods (inf: never)."""
    courses = [_course([weeks[n] for n in order], patients, settings) for order in _orders(len(weeks), rng)]
    first, sure = zip(*courses, strict=True)
    return np.array(first), np.array(sure)


def _orders(weeks: int, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(weeks, size=(COURSES, LONGEST))


def _course(weeks: Sequence[Week], patients: int, settings: DriftSettings) -> tuple[float, float]:
    """Recordings that the checks refuse are known when they come; the rest when the period is over."""
    first = np.inf
    history: list[DriftReport] = []
    for number, week in enumerate(weeks):
        if week.refused_at:
            at = number * patients + week.refused_at
            return min(first, at), at
        if week.drift is not None:
            history = [*history[-2:], DriftReport(str(number), (week.drift,), settings)]
            if week.found_by:
                first = min(first, (number + 1) * patients)
                if persistence(history, week.drift.site).confirmed:
                    return first, (number + 1) * patients
    return first, np.inf


def _quantiles(patients_until: np.ndarray, per_period: int) -> dict[str, float | int | None]:
    """`median` and `p90` in patients, and the same in periods, rounded to hundredths; null where that many never come.
    `within` is the share of courses that come to it at all."""
    found: dict[str, float | int | None] = {"within": float(np.isfinite(patients_until).mean())}
    for name, share in (("median", 0.5), ("p90", 0.9)):
        value = float(np.quantile(patients_until, share, method="inverted_cdf"))
        found[name] = int(value) if np.isfinite(value) else None
        found[f"{name}_periods"] = round(value / per_period, 2) if np.isfinite(value) else None
    return found
