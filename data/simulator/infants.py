"""Simulated infants in bed: spasms in clusters, what looks like them, and the pose tracks that an estimator would give.

Two hospitals with cameras above the bed, and families who film with a phone. Who has spasms is dealt before anything is
drawn about the infant: age, body, liveliness, camera, and the rates of mimics do not know of it.

| what | value | source |
|---|---|---|
| ages | 2–18 months | spasms begin in the first year; recalled |
| with spasms | 2 of 3 | assumed: enough of both for folds over patients |
| clusters | one or two within 3 minutes | cut for size; clusters last 1–10 min in life |
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from data.ages import DAYS
from data.events import Annotations, Event
from data.pose import JOINTS, PoseTrack
from data.simulator.motion.parts import Part
from data.simulator.motion.person import Person, draw_person, joints_of
from data.simulator.motion.spasms import Mimic, Spasm, draw_cluster, draw_mimics
from data.simulator.scene.camera import Camera, camera_near, frame_times, seen_by
from data.simulator.scene.estimator import Estimator, draw_estimator, estimated
from data.simulator.scene.figure import Looks, draw_looks
from data.simulator.scene.filming import Scene, Visit
from data.simulator.scene.room import Room, draw_room
from data.simulator.scene.site import FilmSite

DEVELOPMENT, EXTERNAL = "development", "external"
SPASMS = "sz_uo_m_spasms"
AGES_DAYS = (2 * DAYS["y"] / 12, 1.5 * DAYS["y"])
BREAKS = ("nobody", "jumping")
"""A track in which nearly no frame holds a person; one whose joints jump from place to place."""

FIRST_S, LAST_S = 12.0, 2.0
"""No cluster begins before, or ends after the recording's end less, so many seconds."""


SITES = (
    FilmSite("demo-north", (Camera("bed", 480, 25.0, 125.0, (240, 235), 0.0, 0.1, 0.15, 0.001, 0.002),)),
    FilmSite("demo-south", (Camera("bed", 640, 30.0, 150.0, (320, 310), 0.5, 0.35, 0.3, 0.004, 0.01),)),
)
PHONE = FilmSite("demo-phone", (Camera("phone", 720, 29.97, 190.0, (360, 350), -0.3, 0.3, 0.45, 0.006, 0.015, 9.0),))


@dataclass(frozen=True)
class InfantSettings:
    """What changes the cohort of simulated infants. `filmed`: infants of either period of whom a film exists as well as
    a track; `unposed`: phone infants of whom there is a film and no track.

    `spasms_share` (0–1) of infants have spasms. ValueError for another share, recordings of less than a minute, and
    more `broken` ones than `BREAKS` has ways.
    """

    seed: int = 2028
    patients_per_site: int = 12
    phone_patients: int = 8
    minutes: float = 3.0
    phone_minutes: float = 1.5
    spasms_share: float = 2 / 3
    broken: int = 2
    filmed: int = 2
    unposed: int = 1
    film_px: int = 64

    def __post_init__(self) -> None:
        if not 0 <= self.broken <= len(BREAKS):
            raise ValueError(f"broken must be 0–{len(BREAKS)} ({', '.join(BREAKS)}), got {self.broken}")
        if min(self.minutes, self.phone_minutes) < 1:
            raise ValueError(f"minutes must be ≥ 1, got {min(self.minutes, self.phone_minutes):g}")
        if not 0 <= self.spasms_share <= 1:
            raise ValueError(f"spasms_share must be 0–1, got {self.spasms_share:g}")


@dataclass(frozen=True)
class InfantParams:
    """All that was drawn for one infant. `filmed`: "" (only a track), "also" (a film as well), "only" (no track)."""

    name: str
    period: str
    duration_s: float
    site: FilmSite
    person: Person
    room: Room
    looks: Looks
    camera: Camera
    spasms: tuple[Spasm, ...]
    mimics: tuple[Mimic, ...]
    passing: tuple[Visit, ...]
    estimator: Estimator
    filmed: str = ""
    breakage: str = ""

    @property
    def stem(self) -> str:
        """What the names of its files begin with: the participant, and the camera as the task."""
        return f"{self.name}_task-{self.camera.name}"

    @property
    def visits(self) -> tuple[Visit, ...]:
        """Who is beside the bed, a patting nurse included."""
        patting = [m for m in self.mimics if m.kind == "patting"]
        rates_hz = (next(p.rate_hz for p in m.parts) for m in patting)
        return (
            *(Visit(m.onset_s, m.duration_s, 1.0, hz) for m, hz in zip(patting, rates_hz, strict=True)),
            *self.passing,
        )


def plan_infants(settings: InfantSettings) -> tuple[InfantParams, ...]:
    """Everything that is drawn, in the order of the participants; a larger cohort begins like a smaller one at a site."""
    made = [*_development(settings), *_phones(settings), *_broken(settings)]
    return tuple(replace(params, name=f"sub-{number:03d}") for number, params in enumerate(made, 1))


def annotations_of(params: InfantParams) -> Annotations:
    """The truth: each spasm, exactly."""
    events = tuple(Event(s.onset_s, s.duration_s, SPASMS) for s in params.spasms)
    return Annotations(events, params.duration_s)


def track_of(params: InfantParams) -> PoseTrack:
    """What an estimator gives for each frame: pixels of the infant's camera, NaN where nothing was seen."""
    time_s = frame_times(params.camera, params.duration_s)
    places = joints_of(params.person, parts_of(params), time_s)
    pixels = seen_by(params.camera, places, time_s)
    covered = _under_the_blanket(params.room, places)
    xy, confidence = estimated(params.estimator, time_s, pixels, params.camera.scale, covered)
    xy, confidence = _broken_track(params, xy, confidence)
    people = np.isfinite(xy).any(axis=(1, 2)).astype(int) + _beside(params.visits, time_s)
    return PoseTrack(
        time_s, np.round(xy, 2), np.round(confidence, 3), params.duration_s, JOINTS, people, "", params.name,
        params.person.age_days,
    )  # fmt: skip


def scene_of(params: InfantParams) -> Scene:
    """What a camera films of an infant: the body with all its movements, its looks, the bed, and who comes by."""
    return Scene(params.person, params.looks, params.room, parts_of(params), params.visits)


def parts_of(params: InfantParams) -> tuple[Part, ...]:
    """The movements of all spasms, then those of what looks like spasms."""
    return (*(p for s in params.spasms for p in s.parts), *(p for m in params.mimics for p in m.parts))


def _development(settings: InfantSettings) -> Iterator[InfantParams]:
    for site in SITES:
        for number in range(settings.patients_per_site):
            also = site is SITES[0] and number < settings.filmed
            params = _draw(settings, site, DEVELOPMENT, number, settings.minutes)
            yield replace(params, filmed="also" if also else "")


def _phones(settings: InfantSettings) -> Iterator[InfantParams]:
    for number in range(settings.phone_patients):
        params = _draw(settings, PHONE, EXTERNAL, number, settings.phone_minutes)
        kinds = ["only"] * settings.unposed + ["also"] * max(0, settings.filmed - settings.unposed)
        yield replace(params, filmed=kinds[number] if number < len(kinds) else "")


def _broken(settings: InfantSettings) -> Iterator[InfantParams]:
    for number, breakage in enumerate(BREAKS[: settings.broken]):
        params = _draw(settings, SITES[number % len(SITES)], DEVELOPMENT, 1000 + number, settings.minutes)
        yield replace(params, breakage=breakage)


def _draw(settings: InfantSettings, site: FilmSite, period: str, number: int, minutes: float) -> InfantParams:
    """One infant at a site; person, spasms, mimics and picture have streams of their own."""
    place = [*SITES, PHONE].index(site)
    who, what, else_, seen = (np.random.default_rng([settings.seed, place, number, use]) for use in (1, 2, 3, 4))
    duration_s = float(round(minutes * 60))
    person = draw_person(who, "infant", AGES_DAYS)
    spasms = _draw_spasms(what, duration_s) if _has_spasms(settings, place, number) else ()
    room = draw_room(seen, (1.25, 1.75), (0.0, 0.5) if seen.random() < 0.5 else (0.0, 0.0))
    return InfantParams(
        "",
        period,
        duration_s,
        site,
        person,
        room,
        draw_looks(seen, room.mattress),
        camera_near(seen, site.cameras[0]),
        spasms,
        draw_mimics(else_, duration_s),
        _draw_passing(else_, duration_s),
        draw_estimator(seen, duration_s),
    )


def _has_spasms(settings: InfantSettings, place: int, number: int) -> bool:
    """Spread evenly over a site's infants, so that even few of them show the cohort's share."""
    start = np.random.default_rng([settings.seed, place, 9]).random()
    return bool(
        np.floor(start + settings.spasms_share * (number + 1)) > np.floor(start + settings.spasms_share * number)
    )


def _draw_spasms(rng: np.random.Generator, duration_s: float) -> tuple[Spasm, ...]:
    """One cluster, or two where a second finds room, within the recording."""
    first_s = round(float(rng.uniform(FIRST_S, 0.35 * duration_s)), 2)
    first = draw_cluster(rng, 0, first_s, duration_s - LAST_S)
    second_s = round(first[-1].onset_s + float(rng.uniform(30, 60)), 2)
    wanted = rng.random() < 0.5
    return (*first, *(draw_cluster(rng, 1, second_s, duration_s - LAST_S) if wanted else ()))


def _draw_passing(rng: np.random.Generator, duration_s: float) -> tuple[Visit, ...]:
    count = int(rng.poisson(20 * duration_s / 3600))
    drawn = ((rng.uniform(0, duration_s - 5), rng.uniform(2, 5), rng.choice([-1, 1])) for _ in range(count))
    return tuple(Visit(round(float(a), 2), round(float(b), 2), float(c), 0.0) for a, b, c in sorted(drawn))


def _under_the_blanket(room: Room, places: np.ndarray) -> np.ndarray:
    """(time, joint) bool."""
    upper = room.bed[1] * (1 - 1.6 * room.blanket)
    return np.asarray((places[..., 1] > upper) & (room.blanket > 0))


def _beside(visits: tuple[Visit, ...], time_s: np.ndarray) -> np.ndarray:
    there = np.zeros(len(time_s), dtype=int)
    for visit in visits:
        there[slice(*np.searchsorted(time_s, (visit.onset_s, visit.onset_s + visit.duration_s)))] = 1
    return there


def _broken_track(params: InfantParams, xy: np.ndarray, confidence: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng([params.estimator.seed, 1])
    if params.breakage == "nobody":
        lost = rng.random(len(xy)) < 0.97
        xy[lost], confidence[lost] = np.nan, np.nan
    if params.breakage == "jumping":
        xy += rng.normal(0, 2 * params.camera.scale, xy.shape)
    return xy, confidence
