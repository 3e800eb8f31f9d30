"""Simulated films before seizures and between them, and the films of rats and other people that come before training.

| what | value | source |
|---|---|---|
| film | 28–34 s at 15 frames per second | cut for size |
| seizure | in 4 of 7 films; begins after 55–85 % of the film, lasts 4–6 s | assumed |
| sign before it | see `data.simulator.motion.cues`; strength `cue` | assumed |
| rats | 10-s films, seizing (Y) or not (N) | RodEpil, as used by Zhai et al. (arXiv 2603.12887) |
| other people | 5-s films without a seizure | the same |

Who is filmed, and what else happens, is drawn without a look at whether a seizure comes. With `cue` 0 nothing before a
seizure differs from any other film: whoever forecasts it then has found a leak.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from data.ages import DAYS
from data.events import Annotations, Event
from data.simulator.motion.cues import cue_before, draw_gestures
from data.simulator.motion.parts import Part
from data.simulator.motion.person import Person, draw_person
from data.simulator.motion.seizures import Semiology, draw_focal, draw_semiology
from data.simulator.rodents import Animal, Cage, draw_animal, draw_cage, film_cage, seizure_of
from data.simulator.scene.camera import Camera, camera_near
from data.simulator.scene.figure import Looks, draw_looks
from data.simulator.scene.filming import Scene, Visit, film
from data.simulator.scene.room import Room, draw_room
from data.simulator.scene.site import FilmSite

DEVELOPMENT, PRETRAINING = "development", "pretraining"
AGES_DAYS = (16 * DAYS["y"], 70 * DAYS["y"])
RATS_DAYS = (60.0, 200.0)
SEIZURE, RAT_SEIZURE = "sz_foc", "sz"
BREAKS = ("black", "frozen")

DEALT = ((True, False), (False, True, True), (True, False, True), (False, True), (False, True), (False, True, False))
"""Which films of the first, second, … patient of a site have a seizure; after the last row it begins again."""

SITES = (
    FilmSite("demo-north", (Camera("bed", 64, 15.0, 16.0, (32, 33), 0.0, 0.1, 0.2, 0.001, 0.003, noise=3.0),)),
    FilmSite(
        "demo-south",
        (Camera("bed", 64, 15.0, 15.0, (32, 33), 0.25, 0.3, 0.3, 0.004, 0.01, noise=4.5, vignette=0.55),),
    ),
)
OTHERS = FilmSite("demo-others", (Camera("room", 64, 15.0, 14.0, (32, 33), -0.2, 0.2, 0.3, 0.003, 0.005, noise=4.0),))
VIVARIUM = FilmSite("demo-vivarium", (Camera("cage", 64, 15.0, 29.0, (31.5, 31.5), noise=3.0, vignette=0.25),))


@dataclass(frozen=True)
class ForecastSettings:
    """What changes the cohort. `cue`: strength of the sign before a seizure, 0 (none) to 1. `rats`: seizing, and as
    many that do not.

    `seconds`: shortest and longest film. ValueError for a cue outside 0–1, films of less than 20 s, and more `broken`
    ones than `BREAKS` has ways.
    """

    seed: int = 2030
    patients_per_site: int = 12
    seconds: tuple[float, float] = (28.0, 34.0)
    cue: float = 1.0
    rats: int = 20
    others: int = 10
    broken: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.cue <= 1:
            raise ValueError(f"cue must be 0–1, got {self.cue:g}")
        if not 20 <= self.seconds[0] <= self.seconds[1]:
            raise ValueError(f"seconds must be 20 ≤ shortest ≤ longest, got {self.seconds[0]:g}, {self.seconds[1]:g}")
        if not 0 <= self.broken <= len(BREAKS):
            raise ValueError(f"broken must be 0–{len(BREAKS)} ({', '.join(BREAKS)}), got {self.broken}")


@dataclass(frozen=True)
class Watched:
    """All that was drawn for one film of a person. `parts` hold everything that is done, sign and seizure included.

    `seizure`: (onset_s, duration_s) or None.
    """

    name: str
    period: str
    duration_s: float
    task: str
    run: int
    site: FilmSite
    person: Person
    room: Room
    looks: Looks
    camera: Camera
    parts: tuple[Part, ...]
    visits: tuple[Visit, ...]
    seizure: tuple[float, float] | None = None
    breakage: str = ""

    @property
    def stem(self) -> str:
        """What the names of its files begin with, such as `sub-001_task-film_run-01`."""
        return f"{self.name}_task-{self.task}_run-{self.run:02d}"

    def frames(self, time_s: np.ndarray) -> np.ndarray:
        """Frames at ascending seconds of the film, uint8 (times, size, size), before `breakage`."""
        scene = Scene(self.person, self.looks, self.room, self.parts, self.visits)
        return film(scene, self.camera, time_s)

    @property
    def truth(self) -> Annotations:
        """The seizure, if there is one; the sign before it is no event."""
        events = (Event(*self.seizure, SEIZURE),) if self.seizure else ()
        return Annotations(events, self.duration_s)


@dataclass(frozen=True)
class Rat:
    """What the participants' table says of an animal."""

    key: str
    sex: str
    age_days: float


@dataclass(frozen=True)
class Caged:
    """All that was drawn for one film of a rat."""

    name: str
    period: str
    duration_s: float
    task: str
    site: FilmSite
    person: Rat
    cage: Cage
    animal: Animal
    camera: Camera
    breakage: str = ""

    @property
    def stem(self) -> str:
        """What the names of its files begin with: the participant and the task."""
        return f"{self.name}_task-{self.task}"

    def frames(self, time_s: np.ndarray) -> np.ndarray:
        """Frames at ascending seconds of the film, uint8 (times, size, size), before `breakage`."""
        return film_cage(self.cage, self.animal, self.camera, time_s)

    @property
    def truth(self) -> Annotations:
        """The animal's seizure, if it has one, up to the film's end at the latest."""
        ill = seizure_of(self.animal)
        events = (Event(ill[0], round(min(ill[1], self.duration_s) - ill[0], 2), RAT_SEIZURE),) if ill else ()
        return Annotations(events, self.duration_s)


@dataclass(frozen=True)
class Patient:
    """Who is filmed again and again. `fidget_hz`: how fast this patient fidgets before a seizure."""

    site: FilmSite
    person: Person
    room: Room
    looks: Looks
    camera: Camera
    semiology: Semiology
    fidget_hz: float


def plan_forecasting(settings: ForecastSettings) -> tuple[Watched | Caged, ...]:
    """Everything that is drawn, ordered by participant."""
    made: list[tuple[Watched, ...] | tuple[Caged, ...]] = [*_patients(settings), *_others(settings), *_rats(settings)]
    return tuple(replace(film, name=f"sub-{number:03d}") for number, films in enumerate(made, 1) for film in films)


def _patients(settings: ForecastSettings) -> Iterator[tuple[Watched, ...]]:
    for place, site in enumerate(SITES):
        for number in range(settings.patients_per_site):
            yield _films(settings, site, place, number)
    for number, breakage in enumerate(BREAKS[: settings.broken]):
        first, *_ = _films(settings, SITES[0], 0, 1000 + number)
        yield (replace(first, breakage=breakage),)


def _films(settings: ForecastSettings, site: FilmSite, place: int, number: int) -> tuple[Watched, ...]:
    patient = _draw_patient(np.random.default_rng([settings.seed, place, number, 1]), site)
    dealt = DEALT[(number + 3 * place) % len(DEALT)]
    return tuple(
        _draw_film(settings, [place, number, 10 + run], patient, run, seizing) for run, seizing in enumerate(dealt, 1)
    )


def _draw_patient(rng: np.random.Generator, site: FilmSite) -> Patient:
    who, where, how = rng.spawn(3)
    room = draw_room(where, (1.2, 2.0), (0.0, 0.4) if where.random() < 0.5 else (0.0, 0.0))
    return Patient(
        site,
        draw_person(who, "adult", AGES_DAYS),
        room,
        draw_looks(where, room.mattress),
        camera_near(where, site.cameras[0]),
        draw_semiology(how),
        round(float(how.uniform(1.2, 2.2)), 3),
    )


def _draw_film(settings: ForecastSettings, stream: list[int], patient: Patient, run: int, seizing: bool) -> Watched:
    """Onset, bouts and gestures are drawn for every film; only a seizing one gets the sign and the seizure."""
    when, what, else_, lens = (np.random.default_rng([settings.seed, *stream, use]) for use in range(4))
    duration_s = float(round(when.uniform(*settings.seconds)))
    onset_s, lasting_s = round(float(when.uniform(0.55, 0.85)) * duration_s, 2), round(float(when.uniform(4, 6)), 2)
    lasting_s = round(min(lasting_s, duration_s - onset_s - 0.1), 2)
    # bouts come elsewhere in every film of a patient
    later = tuple(replace(s, phase=round(float(when.uniform(0, 2 * np.pi)), 4)) for s in patient.person.bouts)
    person = replace(patient.person, bouts=later)
    gestures = draw_gestures(else_, duration_s)
    kind = patient.semiology.kind
    ictal = draw_focal(what, kind, patient.semiology, onset_s, onset_s + lasting_s)
    sign = cue_before(person, patient.fidget_hz, onset_s, settings.cue)
    return Watched(
        "",
        DEVELOPMENT,
        duration_s,
        "film",
        run,
        patient.site,
        person,
        patient.room,
        patient.looks,
        replace(patient.camera, seed=int(lens.integers(2**31))),
        (*gestures, *sign, *ictal) if seizing else gestures,
        _draw_visits(else_, duration_s),
        (onset_s, lasting_s) if seizing else None,
    )


def _draw_visits(rng: np.random.Generator, duration_s: float) -> tuple[Visit, ...]:
    """Somebody passes in a quarter of films."""
    comes, side = rng.random() < 0.25, float(rng.choice([-1, 1]))
    visit = Visit(round(float(rng.uniform(0, duration_s - 5)), 2), round(float(rng.uniform(2, 5)), 2), side, 0.0)
    return (visit,) if comes else ()


def _others(settings: ForecastSettings) -> Iterator[tuple[Watched, ...]]:
    for number in range(settings.others):
        rng = np.random.default_rng([settings.seed, 7, number])
        other = _draw_patient(rng, OTHERS)
        camera = replace(other.camera, seed=int(rng.integers(2**31)))
        gestures = draw_gestures(rng, 5.0)
        yield (
            Watched(
                "", PRETRAINING, 5.0, "human", 1, OTHERS, other.person, other.room, other.looks, camera, gestures, ()
            ),
        )


def _rats(settings: ForecastSettings) -> Iterator[tuple[Caged, ...]]:
    for number in range(2 * settings.rats):
        rng, seizing = np.random.default_rng([settings.seed, 8, number]), number % 2 == 0
        rat = Rat(f"r{rng.integers(16**8):08x}", str(rng.choice(["F", "M"])), float(round(rng.uniform(*RATS_DAYS))))
        animal = draw_animal(rng, 10.0, seizing)
        cage, camera = draw_cage(rng, animal.tone), camera_near(rng, VIVARIUM.cameras[0])
        task = "rodentseizure" if seizing else "rodentnormal"
        yield (Caged("", PRETRAINING, 10.0, task, VIVARIUM, rat, cage, animal, camera),)
