"""What a comparison of sites found: shifts, broken rules, and a statement for every site, ready to be kept as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from monitoring.acquisition import Breach
from monitoring.features import FEATURES
from monitoring.power import SHIFTS_SD
from validation.checks.suites import plain

NOT_ENOUGH = "not enough data"
OWN_PAST, ALL_SITES = "its own past", "all reference sites"
BUDGET = 0.05
"""Share of a site's periods without any change that may raise an alarm: declared, and measured by `ictal drift --calibrate`."""


@dataclass(frozen=True)
class DriftSettings:
    """What counts as an alarm; these numbers change results and belong in `params.yaml`.

    `effect_floor` and effects are in SD between reference patients, `outlier_sd` in robust SDs of the patients of both
    sides. `draws` is how many exchanges of patients there are at least, `min_patients` how many a side needs to be
    tested. `q` is the false-discovery rate over the features of one site in one period. Of those without any change at
    most this share raises any alarm, so that what is counted stays below the budget of `BUDGET`, which a rule at the
    budget itself would exceed every other time by chance.
    """

    features: tuple[str, ...] = tuple(FEATURES)
    effect_floor: float = 0.5
    q: float = 0.03
    draws: int = 999
    min_patients: int = 6
    outlier_sd: float = 4.0


@dataclass(frozen=True)
class Shift:
    """One feature at one site: standardised mean difference to the reference (above 0: more here than there), its p,
    and its q among the features of the site. All three are NaN where too few patients have the feature."""

    site: str
    feature: str
    effect_sd: float
    p: float
    q: float
    alarm: bool


@dataclass(frozen=True)
class SiteDrift:
    """What became of one site in one period: `state` is `alarm`, `steady` or `not enough data`.

    `against` says with whom it was compared: its own past where that has enough patients, else all reference sites.
    `detectable_sd` is the shift of a single feature that would be missed half of the time (infinite when untested);
    `finds` are the shares (0–1) of shifts of `monitoring.power.SHIFTS_SD` that would be found (none when untested).
    """

    site: str
    state: str
    patients: int
    reference_patients: int
    against: str
    detectable_sd: float
    shifts: tuple[Shift, ...]
    breaches: tuple[Breach, ...]
    finds: tuple[float, ...] = ()

    @property
    def alarms(self) -> tuple[Shift, ...]:
        """Those of its shifts that are alarms."""
        return tuple(s for s in self.shifts if s.alarm)

    @property
    def power(self) -> str:
        """The statement that stands beside every result: what this many patients cannot show."""
        here = f"With {self.patients} {'patient' if self.patients == 1 else 'patients'} here"
        beside = f"{here} and {self.reference_patients} in the reference"
        if not np.isfinite(self.detectable_sd):
            return f"{beside} nothing was tested: too few."
        sentence = f"{beside} we would miss half of {self.detectable_sd:.1f}-SD shifts of a single feature."
        shares = ", ".join(f"{100 * f:.0f} % of {sd:g} SD" for sd, f in zip(SHIFTS_SD, self.finds, strict=False))
        return f"{sentence} Found would be {shares}." if shares else sentence


@dataclass(frozen=True)
class DriftReport:
    """All sites of one period; the features of each site are a family of tests of their own."""

    period: str
    sites: tuple[SiteDrift, ...]
    settings: DriftSettings

    @property
    def alarmed(self) -> tuple[str, ...]:
        """Names of the sites in alarm, by a rule of acquisition or by a shift."""
        return tuple(s.site for s in self.sites if s.state == "alarm")

    def site(self, name: str) -> SiteDrift:
        """What became of the site of this name; KeyError where it was not compared."""
        return {s.site: s for s in self.sites}[name]

    def to_json(self) -> dict[str, Any]:
        """The report as plain JSON; what could not be measured is null. `DriftReport.from_json` undoes it."""
        return dict(plain({"schema": "ictal.drift/1", **asdict(self)}))

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "DriftReport":
        """Null is NaN, in `detectable_sd` infinite. Law: `DriftReport.from_json(j).to_json() == j` of a kept `j`."""
        settings: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in value["settings"].items()}
        return cls(value["period"], tuple(_site(s) for s in value["sites"]), DriftSettings(**settings))


def _site(value: Mapping[str, Any]) -> SiteDrift:
    limit = value["detectable_sd"]
    parts: dict[str, Any] = {
        "shifts": tuple(_shift(s) for s in value["shifts"]),
        "breaches": tuple(Breach(**b) for b in value["breaches"]),
        "finds": tuple(value.get("finds", ())),
        "detectable_sd": np.inf if limit is None else limit,
    }
    return SiteDrift(**{**value, **parts})


def _shift(value: Mapping[str, Any]) -> Shift:
    measured: dict[str, Any] = {key: np.nan if part is None else part for key, part in value.items()}
    return Shift(**measured)
