"""Which adult is recorded where, and which types of seizure each has: dealt from a table, before anything is drawn.

In the TUH corpus (v1.5.2; computed from IBM's published splits) 237 patients have FNSZ 150, GNSZ 81, CPSZ 41, TCSZ 14,
ABSZ 12, TNSZ 3, SPSZ 3, and 55 of them more than one type. `DEALT` follows this in spirit, not in proportion: the most
have FNSZ, TNSZ and SPSZ stay below five, so that nobody can be judged by them, and the others are frequent enough to be:

| of 36 patients | FNSZ | GNSZ | CPSZ | ABSZ | TCSZ | TNSZ | SPSZ | none | two types |
|---|---|---|---|---|---|---|---|---|---|
| with the type | 11 | 7 | 6 | 5 | 5 | 3 | 3 | 3 | 7 |

Each type comes at two sites at least. Patients without seizures are here because a cohort of nobody else is refused by
the checks. Who a patient is (age, sex, rhythms, habits) is drawn without a look at the table.
"""

from dataclasses import dataclass, replace

import numpy as np

from data.ages import DAYS
from data.simulator.adults.patient import AdultParams, draw_adult, draw_person
from data.simulator.adults.seizures import SHORTEST_PER_SEIZURE_S
from data.simulator.patient import PatientSettings
from data.simulator.site import SITES, Site

DEALT = (
    (("FNSZ",), ("GNSZ",), ("CPSZ",)),
    (("ABSZ",), ("TCSZ",), ("FNSZ",)),
    (("TNSZ",), ("SPSZ",), ()),
    (("CPSZ", "FNSZ"), ("FNSZ",), ("ABSZ",)),
    (("GNSZ",), ("FNSZ", "CPSZ"), ("TCSZ", "FNSZ")),
    ((), ("CPSZ",), ("FNSZ",)),
    (("FNSZ",), (), ("SPSZ",)),
    (("TCSZ",), ("GNSZ", "ABSZ"), ("GNSZ",)),
    (("FNSZ",), ("ABSZ",), ("TNSZ", "GNSZ")),
    (("GNSZ", "TCSZ"), ("FNSZ",), ("CPSZ", "SPSZ")),
    (("ABSZ",), ("TNSZ",), ("GNSZ",)),
    (("CPSZ",), ("TCSZ",), ("FNSZ",)),
)
"""Types of the first, second, … patient (rows) of each site (columns); after the last row it begins again."""

AGES_DAYS = (4 * DAYS["y"], 89 * DAYS["y"])
_SEIZING = sum(bool(types) for row in DEALT for types in row) / sum(len(row) for row in DEALT)
ADULT_SITES = tuple(replace(site, age_days=AGES_DAYS, prevalence=_SEIZING) for site in SITES)
"""The three demo hospitals with older patients; all ages at each, so that neither age nor hospital tells the type."""

_STREAM = 9
"""Randomness apart from that of the simulated newborns, whatever their seed."""


@dataclass(frozen=True)
class AdultSettings:
    """What changes the cohort of simulated adults. `seizures_per_patient`: fewest and most, for those who seize.

    `artefact_rate` multiplies all artefact rates. ValueError for less than a patient per site, fewer than 2 seizures,
    less than a minute of recording for each, and a rate below 0.
    """

    seed: int = 2027
    patients_per_site: int = 12
    minutes: float = 5.0
    seizures_per_patient: tuple[int, int] = (2, 4)
    artefact_rate: float = 1.0

    def __post_init__(self) -> None:
        fewest, most = self.seizures_per_patient
        if self.patients_per_site < 1:
            raise ValueError(f"patients_per_site must be ≥ 1, got {self.patients_per_site}")
        if not 2 <= fewest <= most:
            raise ValueError(f"seizures_per_patient must be 2 ≤ fewest ≤ most, got {fewest} and {most}")
        if round(self.minutes * 60) < most * SHORTEST_PER_SEIZURE_S:
            least = most * SHORTEST_PER_SEIZURE_S / 60
            raise ValueError(f"minutes must be ≥ {least:g} for {most} seizures, got {self.minutes:g}")
        if self.artefact_rate < 0:
            raise ValueError(f"artefact_rate must be ≥ 0, got {self.artefact_rate:g}")


def plan_adults(settings: AdultSettings) -> tuple[AdultParams, ...]:
    """Everything that is drawn, in the order of the participants; a larger cohort begins like a smaller one at a site."""
    places = [(site, number) for site in ADULT_SITES for number in range(settings.patients_per_site)]
    return tuple(_plan(settings, site, number, f"sub-{n:03d}") for n, (site, number) in enumerate(places, 1))


def _plan(settings: AdultSettings, site: Site, number: int, name: str) -> AdultParams:
    column = [s.name for s in ADULT_SITES].index(site.name)
    who, when, what = (np.random.default_rng([settings.seed, _STREAM, column, number, use]) for use in (1, 2, 3))
    person = draw_person(who, site, f"a{who.integers(16**8):08x}")
    types = _draw_types(what, DEALT[number % len(DEALT)][column], settings.seizures_per_patient)
    recording = PatientSettings(name, "development", settings.minutes, settings.artefact_rate)
    return draw_adult(when, site, types, recording, person)


def _draw_types(rng: np.random.Generator, dealt: tuple[str, ...], count: tuple[int, int]) -> tuple[str, ...]:
    """The type of each seizure of a patient: all that were dealt occur."""
    number = int(rng.integers(count[0], count[1] + 1))
    further = rng.random(number)
    if not dealt:
        return ()
    return tuple(dealt[n] if n < len(dealt) else dealt[int(further[n] * len(dealt))] for n in range(number))
