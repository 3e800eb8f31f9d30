"""Simulated seizures on film, with the EEG of the same minutes: focal ones, and those that become bilateral tonic-clonic.

| what | value | source |
|---|---|---|
| film | 14–20 s at 15 frames per second | cut for size: in life a median of a minute or two |
| views | the whole bed, and the upper body from near | GESTURES |
| patients with one type only | half | in GESTURES most seizures of a patient had one type; share assumed |
| a nurse beside the bed | in 40 % of films | assumed |

Who is filmed, and how, is drawn without a look at the types; what the room looks like tells who it is, and therefore, in
patients with one type, the type. Whoever finds that has found the patient.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from data.ages import DAYS
from data.events import Annotations, Event
from data.simulator.adults import ADULT_SITES, AdultParams
from data.simulator.adults.background import draw_background
from data.simulator.adults.patient import Person as EegPerson
from data.simulator.adults.patient import draw_person as draw_eeg_person
from data.simulator.adults.seizures import draw_seizure as draw_eeg_seizure
from data.simulator.mains import draw_mains
from data.simulator.motion.actions import ACTIONS, draw_action
from data.simulator.motion.parts import Part
from data.simulator.motion.person import Person, draw_person
from data.simulator.motion.seizures import FilmedSeizure, Semiology, draw_seizure, draw_semiology
from data.simulator.scene.camera import Camera, camera_near
from data.simulator.scene.figure import Looks, draw_looks
from data.simulator.scene.filming import Scene, Visit
from data.simulator.scene.room import Room, draw_room
from data.simulator.scene.site import FilmSite

DEVELOPMENT, EXTERNAL, PRETRAINING = "development", "external", "pretraining"
AGES_DAYS = (16 * DAYS["y"], 70 * DAYS["y"])
BREAKS = ("black", "frozen", "truncated")
"""A lens cap; a picture that stands still; a copy that was cut off."""

DEALT = (("FOS", "FOS"), ("FBTCS", "FOS"), ("FBTCS", "FBTCS"), ("FOS", "FBTCS"))
"""Types of the first, second, … patient of a site, seizure by seizure; after the last row it begins again."""

TYPES = {
    "automotor": "sz_foc_ia_m_automatisms",
    "hyperkinetic": "sz_foc_m_hyperkinetic",
    "clonic": "sz_foc_m_clonic",
    "posture": "sz_foc_m_tonic",
}
BILATERAL = "sz_foc_f2b_m_tonicClonic"


_NEAR, _FAR = (32.0, 46.0), (32.0, 32.0)
SITES = (
    FilmSite(
        "demo-north",
        (
            Camera("large", 64, 15.0, 13.5, _FAR, 0.0, 0.1, 0.2, 0.001, 0.003, noise=3.0),
            Camera("small", 64, 15.0, 22.0, _NEAR, 0.05, 0.2, 0.1, 0.001, 0.003, noise=3.0),
        ),
    ),
    FilmSite(
        "demo-south",
        (
            Camera("large", 64, 15.0, 12.0, _FAR, 0.3, 0.35, 0.35, 0.004, 0.01, noise=5.0, vignette=0.6),
            Camera("small", 64, 15.0, 19.0, _NEAR, -0.15, 0.1, 0.3, 0.004, 0.01, noise=5.0, vignette=0.6),
        ),
    ),
)
PHONE = FilmSite("demo-phone", (Camera("phone", 64, 15.0, 15.0, (32.0, 34.0), -0.3, 0.3, 0.4, 0.006, 0.015, 0.9),))


@dataclass(frozen=True)
class SemiologySettings:
    """What changes the cohort of filmed seizures. `actors`: other persons, who have none. `eeg`: whether the EEG of the
    same minutes is made too.

    `seconds`: shortest and longest film. ValueError for films of less than 12 s, and more `broken` ones than `BREAKS`
    has ways.
    """

    seed: int = 2029
    patients_per_site: int = 15
    phone_patients: int = 6
    actors: int = 8
    seconds: tuple[float, float] = (14.0, 20.0)
    broken: int = 2
    eeg: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.broken <= len(BREAKS):
            raise ValueError(f"broken must be 0–{len(BREAKS)} ({', '.join(BREAKS)}), got {self.broken}")
        if not 12 <= self.seconds[0] <= self.seconds[1]:
            raise ValueError(f"seconds must be 12 ≤ shortest ≤ longest, got {self.seconds[0]:g}, {self.seconds[1]:g}")


@dataclass(frozen=True)
class Filmed:
    """All that was drawn for one film. `task`: "seizure" or an action; `type`: FOS, FBTCS, or "" without a seizure."""

    name: str
    period: str
    duration_s: float
    task: str
    run: int
    site: FilmSite
    person: Person
    room: Room
    looks: Looks
    cameras: tuple[Camera, ...]
    parts: tuple[Part, ...]
    visits: tuple[Visit, ...]
    type: str = ""
    seizure: FilmedSeizure | None = None
    eeg: AdultParams | None = None
    breakage: str = ""

    @property
    def stem(self) -> str:
        """What the names of its files begin with, such as `sub-001_task-seizure_run-01`."""
        return f"{self.name}_task-{self.task}_run-{self.run:02d}"


@dataclass(frozen=True)
class Patient:
    """Who is filmed again and again."""

    site: FilmSite
    person: Person
    room: Room
    looks: Looks
    cameras: tuple[Camera, ...]
    semiology: Semiology
    eeg: EegPerson


def plan_semiology(settings: SemiologySettings) -> tuple[Filmed, ...]:
    """Everything that is drawn, ordered by participant."""
    made = [*_patients(settings), *_actors(settings)]
    return tuple(replace(film, name=f"sub-{number:03d}") for number, films in enumerate(made, 1) for film in films)


def annotations_of(params: Filmed) -> Annotations:
    """The truth, of film and EEG alike: the seizure from its first sign to its last."""
    seizure = params.seizure
    if seizure is None:
        return Annotations((), params.duration_s)
    type = TYPES[seizure.kind] if seizure.bilateral_s is None else BILATERAL
    return Annotations((Event(seizure.onset_s, seizure.duration_s, type),), params.duration_s)


def scene_of(params: Filmed) -> Scene:
    """What all cameras of a film see: the person with a seizure, if any, and all else that they do; room, visits."""
    parts = (*(params.seizure.parts if params.seizure else ()), *params.parts)
    return Scene(params.person, params.looks, params.room, parts, params.visits)


def _patients(settings: SemiologySettings) -> Iterator[tuple[Filmed, ...]]:
    groups = [(site, DEVELOPMENT, settings.patients_per_site) for site in SITES]
    for site, period, count in [*groups, (PHONE, EXTERNAL, settings.phone_patients)]:
        for number in range(count):
            yield _films(settings, site, period, number, "")
    for number, breakage in enumerate(BREAKS[: settings.broken]):
        yield _films(settings, SITES[number % len(SITES)], DEVELOPMENT, 1000 + number, breakage)[:1]


def _films(settings: SemiologySettings, site: FilmSite, period: str, number: int, breakage: str) -> tuple[Filmed, ...]:
    """The films of one patient, one for each seizure."""
    place = [*SITES, PHONE].index(site)
    patient = _draw_patient(np.random.default_rng([settings.seed, place, number, 1]), site, place)
    dealt = DEALT[(number + place) % len(DEALT)]
    return tuple(
        _draw_film(settings, [place, number, 10 + run], patient, period, run, type, breakage)
        for run, type in enumerate(dealt, 1)
    )


def _draw_patient(rng: np.random.Generator, site: FilmSite, place: int) -> Patient:
    who, where, how, eeg = rng.spawn(4)
    room = draw_room(where, (1.2, 2.1), (0.0, 0.45) if where.random() < 0.5 else (0.0, 0.0))
    return Patient(
        site,
        draw_person(who, "adult", AGES_DAYS),
        room,
        draw_looks(where, room.mattress),
        tuple(camera_near(where, camera) for camera in site.cameras),
        draw_semiology(how),
        draw_eeg_person(eeg, ADULT_SITES[place % len(ADULT_SITES)]),
    )


def _draw_film(
    settings: SemiologySettings, stream: list[int], patient: Patient, period: str, run: int, type: str, breakage: str
) -> Filmed:
    when, what, else_, eeg, lens = (np.random.default_rng([settings.seed, *stream, use]) for use in range(5))
    duration_s = float(round(when.uniform(*settings.seconds)))
    onset_s, end_s = round(float(when.uniform(0.5, 2.5)), 2), round(duration_s - float(when.uniform(0.5, 2.0)), 2)
    seizure = draw_seizure(what, patient.semiology, onset_s, end_s, duration_s, type == "FBTCS")
    film = Filmed(
        "",
        period,
        duration_s,
        "seizure",
        run,
        patient.site,
        patient.person,
        patient.room,
        patient.looks,
        tuple(replace(camera, seed=int(lens.integers(2**31))) for camera in patient.cameras),
        (),
        _draw_visits(else_, duration_s),
        type,
        seizure,
        breakage=breakage,
    )
    return replace(film, eeg=_draw_eeg(eeg, film, patient.eeg)) if settings.eeg and not breakage else film


def _draw_visits(rng: np.random.Generator, duration_s: float) -> tuple[Visit, ...]:
    comes, side = rng.random() < 0.4, float(rng.choice([-1, 1]))
    onset_s, lasting_s = round(float(rng.uniform(0, duration_s - 6)), 2), round(float(rng.uniform(3, 6)), 2)
    rate_hz = 0.0 if rng.random() < 0.5 else round(float(rng.uniform(0.5, 2)), 2)
    return (Visit(onset_s, lasting_s, side, rate_hz),) if comes else ()


def _draw_eeg(rng: np.random.Generator, film: Filmed, person: EegPerson) -> AdultParams:
    """The EEG of the film: focal until it becomes bilateral, if it does."""
    streams = rng.spawn(4)
    site = ADULT_SITES[[*SITES, PHONE].index(film.site) % len(ADULT_SITES)]
    person = replace(person, key=film.person.key, sex=film.person.sex, age_days=film.person.age_days)
    seizure, duration_s = film.seizure, film.duration_s
    assert seizure is not None
    end_s = seizure.onset_s + seizure.duration_s
    bounds = [seizure.onset_s, *([] if seizure.bilateral_s is None else [seizure.bilateral_s]), end_s]
    waves = tuple(
        draw_eeg_seizure(streams[1], pattern, first_s, last_s - first_s, person.habits, person.rhythms.rms_uv)
        for pattern, first_s, last_s in zip(("focal", "tonic_clonic"), bounds, bounds[1:], strict=False)
    )
    return AdultParams(
        "",
        film.period,
        duration_s,
        person,
        site,
        draw_background(streams[0], person.rhythms, duration_s),
        waves,
        ("FNSZ", "TCSZ")[: len(waves)],
        (),
        draw_mains(streams[2], site.line_hz, site.line_uv),
        int(streams[3].integers(2**63)),
    )


def _actors(settings: SemiologySettings) -> Iterator[tuple[Filmed, ...]]:
    """Other persons, each doing each of ACTIONS once."""
    for number in range(settings.actors):
        site = SITES[number % len(SITES)]
        place = SITES.index(site)
        patient = _draw_patient(np.random.default_rng([settings.seed, place, number, 2]), site, place)
        yield tuple(_draw_act(settings, patient, number, run, action) for run, action in enumerate(ACTIONS))


def _draw_act(settings: SemiologySettings, actor: Patient, number: int, run: int, action: str) -> Filmed:
    rng = np.random.default_rng([settings.seed, number, run, 3])
    duration_s = round(float(rng.uniform(4, 6)), 1)
    cameras = tuple(replace(camera, seed=int(rng.integers(2**31))) for camera in actor.cameras)
    room = replace(actor.room, blanket=0.0)
    parts = draw_action(rng, action, duration_s)
    return Filmed(
        "", PRETRAINING, duration_s, action, 1, actor.site, actor.person, room, actor.looks, cameras, parts, ()
    )  # fmt: skip
