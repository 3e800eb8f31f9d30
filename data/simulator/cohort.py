"""Who is recorded where in the simulated cohort, drawn before anything is rendered."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from data.simulator.experts import Reading, draw_readings
from data.simulator.patient import (
    PatientParams,
    PatientSettings,
    Person,
    annotations_of,
    draw_patient,
    draw_person,
)
from data.simulator.recorder import stem_of
from data.simulator.site import SITES, Site, site_named, with_changed_amplifier

DEVELOPMENT, SURVEILLANCE = "development", "surveillance"
BREAKS = ("truncated", "gain_1000", "flat")
"""A copy that was cut off; a file in nanovolts that says microvolts; electrodes that were never connected."""


@dataclass(frozen=True)
class SimulationSettings:
    """What changes the simulated cohort. `transferred` babies of the first site are recorded at the second as well.

    `changed_site` has the new amplifier in the later period, `broken` recordings are broken on purpose; `artefact_rate`
    multiplies all artefact rates. ValueError for an unknown site, and for more broken or transferred than there can be.
    """

    seed: int = 2026
    patients_per_site: int = 8
    minutes: float = 10.0
    surveillance_per_site: int = 12
    surveillance_minutes: float = 3.0
    changed_site: str = "demo-east"
    broken: int = 2
    transferred: int = 1
    artefact_rate: float = 1.0

    def __post_init__(self) -> None:
        site_named(self.changed_site)
        if not 0 <= self.broken <= len(BREAKS):
            raise ValueError(f"broken must be 0–{len(BREAKS)} ({', '.join(BREAKS)}), got {self.broken}")
        if not 0 <= self.transferred <= self.patients_per_site:
            raise ValueError(f"transferred must be 0–{self.patients_per_site}, got {self.transferred}")


@dataclass(frozen=True)
class Plan:
    """One recording to be made, how it is broken on purpose (`""`: it is not), and how simulated experts read it."""

    params: PatientParams
    breakage: str = ""
    readings: tuple[Reading, ...] = ()

    @property
    def stem(self) -> str:
        """What the names of its files begin with, such as `sub-001_task-eeg_run-01`."""
        return stem_of(self.params.name)


def plan_cohort(settings: SimulationSettings) -> tuple[Plan, ...]:
    """Everything that is drawn, in the order of the participants; a larger cohort begins like a smaller one at a site."""
    made = [*_development(settings), *_surveillance(settings), *_broken(settings)]
    named = [replace(p, params=replace(p.params, name=f"sub-{n:03d}")) for n, p in enumerate(made, 1)]
    return tuple(named)


def _development(settings: SimulationSettings) -> Iterator[Plan]:
    recording = PatientSettings("", DEVELOPMENT, settings.minutes, settings.artefact_rate)
    first_site = _people(settings, SITES[0], 0, settings.patients_per_site)
    for site in SITES:
        people = _people(settings, site, 0, settings.patients_per_site)
        if site is SITES[1]:
            people[: settings.transferred] = [_days_later(p) for p in first_site[: settings.transferred]]
        for number, plan in enumerate(_recorded(settings, site, 0, people, recording)):
            rng = _stream(settings, site, 0, number, 4)
            yield replace(plan, readings=draw_readings(rng, annotations_of(plan.params)))


def _surveillance(settings: SimulationSettings) -> Iterator[Plan]:
    recording = PatientSettings("", SURVEILLANCE, settings.surveillance_minutes, settings.artefact_rate)
    for site in SITES:
        people = _people(settings, site, 1, settings.surveillance_per_site)
        equipped = with_changed_amplifier(site) if site.name == settings.changed_site else site
        yield from _recorded(settings, equipped, 1, people, recording)


def _broken(settings: SimulationSettings) -> Iterator[Plan]:
    recording = PatientSettings("", DEVELOPMENT, settings.minutes, settings.artefact_rate)
    for breakage, site in zip(BREAKS[: settings.broken], SITES, strict=False):
        for plan in _recorded(settings, site, 2, _people(settings, site, 2, 1), recording):
            yield replace(plan, breakage=breakage)


def _recorded(
    settings: SimulationSettings, site: Site, period: int, people: list[Person], recording: PatientSettings
) -> Iterator[Plan]:
    for number, person in enumerate(people):
        rng = _stream(settings, site, period, number, 2)
        yield Plan(draw_patient(rng, site, recording, person))


def _people(settings: SimulationSettings, site: Site, period: int, count: int) -> list[Person]:
    """Newborns of a site; who seizes is spread evenly, so that even few of them show the site's prevalence."""
    start = _stream(settings, site, period, 0, 3).random()
    steps = np.floor(start + site.prevalence * np.arange(count + 1))
    people = []
    for number, seizes in enumerate(np.diff(steps) > 0):
        rng = _stream(settings, site, period, number, 1)
        people.append(draw_person(rng, site, f"p{rng.integers(16**8):08x}", bool(seizes)))
    return people


def _days_later(person: Person) -> Person:
    """The same baby after its transfer to another hospital."""
    return replace(person, age_days=person.age_days + 2)


def _stream(settings: SimulationSettings, site: Site, period: int, number: int, purpose: int) -> np.random.Generator:
    """Randomness of its own for persons (1), recordings (2), sites (3), readers (4): nobody's draw moves another's."""
    return np.random.default_rng([settings.seed, period, [s.name for s in SITES].index(site.name), number, purpose])
