"""A simulated newborn and one recording of it: everything drawn first, then rendered without a further choice.

The drawn parameters are the lineage of the recording: `render(params_from(json))` makes the same signal again.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from data.events import Annotations, Event
from data.recording import Recording
from data.simulator.artefacts import SHAPES, draw_artefacts
from data.simulator.disturbance import Artefact
from data.simulator.eeg import Background, draw_background, render_background, typical_uv
from data.simulator.mains import Mains, draw_mains
from data.simulator.recorder import add, fields_from, record
from data.simulator.seizures import Seizure, draw_seizures, render_seizure
from data.simulator.site import Site


@dataclass(frozen=True)
class Person:
    """Who is recorded. The background amplitude is drawn without a look at whether the baby seizes."""

    key: str
    sex: str
    age_days: float
    background_uv: float
    seizes: bool


@dataclass(frozen=True)
class PatientSettings:
    """One recording to be made. `artefact_rate` multiplies all artefact rates; 0 makes a clean recording."""

    name: str = "sub-001"
    period: str = "development"
    minutes: float = 10.0
    artefact_rate: float = 1.0


@dataclass(frozen=True)
class PatientParams:
    """All that was drawn for one recording; `dataclasses.asdict` makes JSON of it and `params_from` reads that."""

    name: str
    period: str
    duration_s: float
    person: Person
    site: Site
    background: Background
    seizures: tuple[Seizure, ...]
    artefacts: tuple[Artefact, ...]
    mains: Mains
    amplifier_seed: int


def draw_person(rng: np.random.Generator, site: Site, key: str = "person-001", seizes: bool | None = None) -> Person:
    """A newborn of `site`; unless told, it seizes with the site's prevalence."""
    by_chance = bool(rng.random() < site.prevalence)
    sex = str(rng.choice(["F", "M"]))
    age_days = round(float(rng.uniform(*site.age_days)), 2)
    return Person(key, sex, age_days, typical_uv(rng), by_chance if seizes is None else seizes)


def draw_patient(
    rng: np.random.Generator,
    site: Site,
    settings: PatientSettings | None = None,
    person: Person | None = None,
) -> PatientParams:
    """Draw one recording of a newborn at `site`.

    Person, background, seizures, artefacts, mains and amplifier have streams of their own: a change of the artefact
    rate leaves the brain as it was.
    """
    settings = settings or PatientSettings()
    streams = rng.spawn(6)
    person = person or draw_person(streams[0], site)
    duration_s = float(round(settings.minutes * 60))
    return PatientParams(
        settings.name,
        settings.period,
        duration_s,
        person,
        site,
        draw_background(streams[1], person.background_uv, person.age_days, duration_s),
        draw_seizures(streams[2], person.background_uv, duration_s) if person.seizes else (),
        draw_artefacts(streams[3], duration_s, settings.artefact_rate),
        draw_mains(streams[4], site.line_hz, site.line_uv),
        int(streams[5].integers(2**63)),
    )


def render(params: PatientParams) -> Recording:
    """The recording that follows from the parameters: channels as the site names them, µV as its amplifier errs."""
    rate_hz = params.site.rate_hz
    potential = render_background(params.background, params.duration_s, rate_hz)
    for seizure in params.seizures:
        add(potential, seizure.onset_s, rate_hz, render_seizure(seizure, rate_hz))
    return record(potential, params, SHAPES, params.person.age_days, annotations_of(params))


def annotations_of(params: PatientParams) -> Annotations:
    """The truth: when the baby seized and in which derivations."""
    events = tuple(Event(s.onset_s, s.duration_s, "sz", channels=s.channels) for s in params.seizures)
    return Annotations(events, params.duration_s)


def params_from(drawn: dict[str, Any]) -> PatientParams:
    """Read the JSON of drawn parameters; `params_from(json.loads(json.dumps(asdict(p)))) == p`."""
    fields = fields_from(drawn)
    fields["person"] = Person(**fields["person"])
    fields["background"] = Background(**fields["background"])
    fields["seizures"] = tuple(Seizure(**s) for s in fields["seizures"])
    return PatientParams(**fields)
