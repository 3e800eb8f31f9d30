"""Has a site changed? Decided on whole patients, within a false-alarm budget, and saying what would be missed.

Windows of one patient resemble each other, so tests on windows alarm although nothing changed. Here a patient is one
value per feature, and p-values come from exchanging whole patients between reference and site.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from monitoring.acquisition import Breach, Checked, breaches, refusals
from monitoring.findings import ALL_SITES, NOT_ENOUGH, OWN_PAST, DriftReport, DriftSettings, Shift, SiteDrift
from monitoring.permutation import benjamini_hochberg, permutation_effects
from monitoring.power import SHIFTS_SD, detectable_shift, power_of_rule


def compare_sites(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    settings: DriftSettings,
    rng: np.random.Generator,
    period: str = "",
    checked: Checked | None = None,
) -> DriftReport:
    """Compare every site in `current` with the reference (both: rows as `monitoring.features.patient_features`).

    `rng` draws the exchanges of patients; the same gives the same report. Several rows of one patient are averaged
    first: the patient is the unit. A site's features are one family: what
    other sites did makes its own alarm no likelier. A site with fewer than `min_patients`
    is reported as “not enough data” and not tested; rules of acquisition hold for any number. So does that of `checked`, by
    which a site of which the checks let nothing through is not passed over.
    """
    then, now = by_patient(reference, settings.features), by_patient(current, settings.features)
    sites = {*now["site"], *(checked.now["site"] if checked else ())}
    sides = [_Sides.of(site, then, now, settings) for site in sorted(sites)]
    return DriftReport(
        period,
        tuple(
            _outcome(
                side,
                side.shifts(settings, rng) if side.testable else (),
                (
                    *(refusals(side.site, checked) if checked else ()),
                    *breaches(side.site, reference, current, settings.features),
                ),
                settings,
            )
            for side in sides
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

    def shifts(self, settings: DriftSettings, rng: np.random.Generator) -> tuple[Shift, ...]:
        """All features of the site, which are one family; untestable ones (p is NaN) do not belong to it."""
        columns = list(settings.features)
        past, here = self.past[columns].to_numpy(), self.here[columns].to_numpy()
        draws = draws_for(len(columns), settings)
        effect, p = permutation_effects(past, here, draws, rng, settings.outlier_sd, settings.min_patients)
        q = np.full(p.shape, np.nan)
        q[np.isfinite(p)] = benjamini_hochberg(p[np.isfinite(p)])
        alarm = (q < settings.q) & (np.abs(effect) >= settings.effect_floor)
        values = zip(columns, effect.tolist(), p.tolist(), q.tolist(), alarm.tolist(), strict=True)
        return tuple(Shift(self.site, *own) for own in values)


def _outcome(side: _Sides, shifts: tuple[Shift, ...], broken: tuple[Breach, ...], settings: DriftSettings) -> SiteDrift:
    alarm = bool(broken) or any(s.alarm for s in shifts)
    state = "alarm" if alarm else "steady" if side.testable else NOT_ENOUGH
    here, past, tests = len(side.here), len(side.past), sum(np.isfinite(s.p) for s in shifts)
    if not tests:
        return SiteDrift(side.site, state, here, past, side.against, np.inf, shifts, broken)
    rule = (here, past, tests, settings.q, settings.effect_floor, draws_for(len(shifts), settings))
    finds = tuple(power_of_rule(shift_sd, *rule) for shift_sd in SHIFTS_SD)
    return SiteDrift(side.site, state, here, past, side.against, detectable_shift(*rule), shifts, broken, finds)


def draws_for(tests: int, settings: DriftSettings) -> int:
    """Enough draws that a lone shift among `tests` features of a site can reach q, five of them as extreme as it is."""
    return max(settings.draws, int(np.ceil(5 * tests / settings.q)))
