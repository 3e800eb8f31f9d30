"""Has a site changed? Decided on whole patients, within a false-alarm budget, and saying what would be missed.

Windows of one patient resemble each other, so tests on windows alarm although nothing changed. Here a patient is one
value per feature, and p-values come from exchanging whole patients between reference and site.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from monitoring.acquisition import Breach, breaches
from monitoring.findings import ALL_SITES, NOT_ENOUGH, OWN_PAST, DriftReport, DriftSettings, Shift, SiteDrift
from monitoring.permutation import benjamini_hochberg, permutation_effects
from monitoring.power import detectable_shift


def compare_sites(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    settings: DriftSettings,
    rng: np.random.Generator,
    period: str = "",
) -> DriftReport:
    """Compare every site in `current` with the reference (both: rows as `monitoring.features.patient_features`).

    Several rows of one patient are averaged first: the patient is the unit. A site with fewer than `min_patients`
    is reported as “not enough data” and not tested; rules of acquisition hold for any number.
    """
    then, now = by_patient(reference, settings.features), by_patient(current, settings.features)
    sides = {site: _Sides.of(site, then, now, settings) for site in sorted(now["site"].unique())}
    tests = sum(s.testable for s in sides.values()) * len(settings.features)
    raw = [(site, *s.compare(settings, tests, rng)) for site, s in sides.items() if s.testable]
    judged = _judge(raw, settings)
    return DriftReport(
        period,
        tuple(
            s.outcome(judged.get(site, ()), breaches(site, reference, current, settings.features), settings, tests)
            for site, s in sides.items()
        ),
        settings,
    )


def by_patient(table: pd.DataFrame, features: tuple[str, ...]) -> pd.DataFrame:
    """One row per site and patient: the mean of that patient's rows, missing values left out."""
    numbers = table.reindex(columns=list(features)).astype(float)
    return numbers.groupby([table["site"], table["patient"]], sort=True).mean().reset_index()


@dataclass(frozen=True)
class _Sides:
    """The patients of one site and those they are compared with."""

    site: str
    past: pd.DataFrame
    here: pd.DataFrame
    against: str
    testable: bool

    @classmethod
    def of(cls, site: str, then: pd.DataFrame, now: pd.DataFrame, settings: DriftSettings) -> "_Sides":
        own, here = then[then["site"] == site], now[now["site"] == site]
        past, against = (own, OWN_PAST) if len(own) >= settings.min_patients else (then, ALL_SITES)
        return cls(site, past, here, against, min(len(past), len(here)) >= settings.min_patients)

    def compare(self, settings: DriftSettings, tests: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        columns = list(settings.features)
        past, here = self.past[columns].to_numpy(), self.here[columns].to_numpy()
        return permutation_effects(
            past, here, draws_for(tests, settings), rng, settings.outlier_sd, settings.min_patients
        )

    def outcome(
        self, shifts: tuple[Shift, ...], broken: tuple[Breach, ...], settings: DriftSettings, tests: int
    ) -> SiteDrift:
        alarm = bool(broken) or any(s.alarm for s in shifts)
        state = "alarm" if alarm else "steady" if self.testable else NOT_ENOUGH
        here, past = len(self.here), len(self.past)
        limit = detectable_shift(here, past, tests, settings.q, settings.effect_floor) if self.testable else np.inf
        return SiteDrift(self.site, state, here, past, self.against, float(limit), shifts, broken)


def draws_for(tests: int, settings: DriftSettings) -> int:
    """Enough draws that a lone shift among `tests` can reach q at all: the smallest possible p is 1 / (1 + draws)."""
    return max(settings.draws, int(np.ceil(5 * tests / settings.q)))


def _judge(raw: list[tuple[str, np.ndarray, np.ndarray]], settings: DriftSettings) -> dict[str, tuple[Shift, ...]]:
    """All sites and features are one family; untestable features (p is NaN) do not belong to it."""
    if not raw:
        return {}
    p = np.stack([p for _, _, p in raw])
    q = np.full(p.shape, np.nan)
    q[np.isfinite(p)] = benjamini_hochberg(p[np.isfinite(p)])
    return {
        site: tuple(
            Shift(
                site, feature, float(e), float(pv), float(qv), bool(qv < settings.q and abs(e) >= settings.effect_floor)
            )
            for feature, e, pv, qv in zip(settings.features, effect, p[row], q[row], strict=True)
        )
        for row, (site, effect, _) in enumerate(raw)
    }
