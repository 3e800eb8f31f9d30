"""A simulated adult or older child and one recording: everything drawn first, then rendered without a further choice.

What reaches the signal is drawn from the patterns of the seizures; their types are only written down. Exchange CPSZ and
SPSZ in `types`, and every sample stays as it was.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from data.ages import DAYS
from data.events import Annotations, Event
from data.recording import Recording
from data.seizure_types import TUH_TYPES
from data.simulator.adults.artefacts import SHAPES, draw_artefacts
from data.simulator.adults.background import (
    Background,
    Rhythms,
    draw_background,
    draw_rhythms,
    eyes_open,
    render_background,
)
from data.simulator.adults.parts import Part, at, render_part
from data.simulator.adults.seizures import PATTERN_OF, Habits, Seizure, draw_habits, draw_seizures
from data.simulator.disturbance import Artefact
from data.simulator.mains import Mains, draw_mains
from data.simulator.patient import PatientSettings
from data.simulator.recorder import add, fields_from, record
from data.simulator.site import Site


@dataclass(frozen=True)
class Person:
    """Who is recorded; drawn without a look at the types of their seizures."""

    key: str
    sex: str
    age_days: float
    rhythms: Rhythms
    habits: Habits


@dataclass(frozen=True)
class AdultParams:
    """All that was drawn for one recording. `types` has a TUH code for each of `seizures`, in order of time."""

    name: str
    period: str
    duration_s: float
    person: Person
    site: Site
    background: Background
    seizures: tuple[Seizure, ...]
    types: tuple[str, ...]
    artefacts: tuple[Artefact, ...]
    mains: Mains
    amplifier_seed: int


def draw_person(rng: np.random.Generator, site: Site, key: str = "person-001") -> Person:
    """Somebody of a whole number of years (`age_days` holds them in days) within the ages of the site's patients."""
    sex = str(rng.choice(["F", "M"]))
    age_days = round(float(rng.uniform(*site.age_days)) / DAYS["y"]) * DAYS["y"]
    return Person(key, sex, age_days, draw_rhythms(rng), draw_habits(rng))


def draw_adult(
    rng: np.random.Generator,
    site: Site,
    types: tuple[str, ...] = (),
    settings: PatientSettings | None = None,
    person: Person | None = None,
) -> AdultParams:
    """Draw one recording with a seizure of each of `types` (TUH codes, in order of time).

    Person, background, seizures, artefacts, mains and amplifier have streams of their own. ValueError for a type of
    which no pattern is simulated, and for less than a minute of recording per seizure.
    """
    unknown = sorted(set(types) - set(PATTERN_OF))
    if unknown:
        raise ValueError(f"no pattern is simulated for {', '.join(unknown)}; there are {', '.join(PATTERN_OF)}")
    settings = settings or PatientSettings(minutes=5.0)
    streams = rng.spawn(6)
    person = person or draw_person(streams[0], site)
    duration_s = float(round(settings.minutes * 60))
    background = draw_background(streams[1], person.rhythms, duration_s)
    patterns = tuple(PATTERN_OF[t] for t in types)
    seizures = draw_seizures(streams[2], patterns, person.habits, person.rhythms.rms_uv, duration_s)
    spans = [(s.onset_s, s.onset_s + s.duration_s) for s in seizures]
    rate, restless = settings.artefact_rate, person.habits.restless
    return AdultParams(
        settings.name,
        settings.period,
        duration_s,
        person,
        site,
        background,
        seizures,
        types,
        draw_artefacts(streams[3], duration_s, eyes_open(background), spans, restless, rate),
        draw_mains(streams[4], site.line_hz, site.line_uv),
        int(streams[5].integers(2**63)),
    )


def render(params: AdultParams) -> Recording:
    """The recording that follows from the parameters: channels as the site names them, µV as its amplifier errs."""
    rate_hz = params.site.rate_hz
    potential = render_background(params.background, params.duration_s, rate_hz)
    time_s = np.arange(potential.shape[1]) / rate_hz
    for seizure in params.seizures:
        potential *= at(seizure.background, time_s)
    for part in (*params.background.runs, *(p for s in params.seizures for p in s.parts)):
        add(potential, part.onset_s, rate_hz, render_part(part, rate_hz))
    return record(potential, params, SHAPES, params.person.age_days, annotations_of(params))


def annotations_of(params: AdultParams) -> Annotations:
    """The truth: when the patient seized, of which type (in HED-SCORE's names) and in which derivations."""
    events = tuple(
        Event(s.onset_s, s.duration_s, TUH_TYPES[code], channels=s.channels)
        for s, code in zip(params.seizures, params.types, strict=True)
    )
    return Annotations(events, params.duration_s)


def params_from(drawn: dict[str, Any]) -> AdultParams:
    """Read the JSON of drawn parameters; `params_from(json.loads(json.dumps(asdict(p)))) == p`."""
    fields = fields_from(drawn)
    person, background = fields["person"], fields["background"]
    fields["person"] = Person(
        **{**person, "rhythms": Rhythms(**person["rhythms"]), "habits": Habits(**person["habits"])}
    )
    rhythms, runs = Rhythms(**background["rhythms"]), tuple(Part(**run) for run in background["runs"])
    fields["background"] = Background(**{**background, "rhythms": rhythms, "runs": runs})
    fields["seizures"] = tuple(
        Seizure(**{**s, "parts": tuple(Part(**p) for p in s["parts"])}) for s in fields["seizures"]
    )
    return AdultParams(**fields)
