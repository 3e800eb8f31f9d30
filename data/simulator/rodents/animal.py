"""A rat in a cage from above: an ellipse with head, ears and tail that walks, grooms, rears, and may have a seizure.

| what | value | source |
|---|---|---|
| body | 2 : 1, tail as long as the body | assumed |
| Racine stages | 3 forelimb clonus, 4 rearing, 5 rearing and falling | Racine 1972 |
| clonus | 3–6 Hz | recalled |
| cage | one animal, 10-s films | RodEpil |

All places follow from the time alone.
"""

from dataclasses import dataclass, replace

import numpy as np

CALM = ("walk", "still", "groom", "rear")


@dataclass(frozen=True)
class Spell:
    """What the animal does from `onset_s` on. `kind`: one of CALM or `racine3` … `racine5`; `rate_hz`: of grooming or
    clonus; `side`: −1 or 1, to which it falls or turns."""

    kind: str
    onset_s: float
    duration_s: float
    rate_hz: float
    side: float


@dataclass(frozen=True)
class Animal:
    """Lengths in half cages. `path`: (rate in Hz, phase x, phase y, size) of the sines that it walks along.

    `tone` is of 0–255, `start` where the path lies, `heading` in radians.
    """

    length: float
    tone: float
    start: tuple[float, float]
    heading: float
    path: tuple[tuple[float, float, float, float], ...]
    spells: tuple[Spell, ...]


def draw_animal(rng: np.random.Generator, duration_s: float, seizing: bool) -> Animal:
    """An animal in a film of `duration_s`; who and where it is, is drawn without a look at `seizing`."""
    who, calm, ill = rng.spawn(3)
    path = tuple(
        (
            round(float(who.uniform(0.03, 0.25)), 4),
            round(float(who.uniform(0, 6.28)), 3),
            round(float(who.uniform(0, 6.28)), 3),
            round(float(who.uniform(0.1, 0.3)), 3),
        )
        for _ in range(3)
    )
    spells = _draw_calm(calm, duration_s)
    seizure = _draw_seizure(ill, duration_s)
    if seizing:
        begins_s = seizure[0].onset_s
        before = (s for s in spells if s.onset_s < begins_s)
        spells = (*(replace(s, duration_s=min(s.duration_s, begins_s - s.onset_s)) for s in before), *seizure)
    start = (round(float(who.uniform(-0.3, 0.3)), 3), round(float(who.uniform(-0.3, 0.3)), 3))
    length, tone = round(float(who.uniform(0.42, 0.6)), 3), round(float(who.uniform(20, 235)), 1)
    return Animal(length, tone, start, round(float(who.uniform(0, 6.28)), 3), path, tuple(spells))


def seizure_of(animal: Animal) -> tuple[float, float] | None:
    """(onset_s, end_s) of its seizure; None where it has none."""
    ill = [s for s in animal.spells if s.kind.startswith("racine")]
    return (ill[0].onset_s, ill[-1].onset_s + ill[-1].duration_s) if ill else None


def blobs_of(animal: Animal, time_s: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centres (time, blob, 2) and radii (time, blob) in half cages, tones (blob,)."""
    place, heading, rear, fall, shaking = _posture(animal, time_s)
    ahead = np.stack([np.cos(heading), np.sin(heading)], axis=1)[:, None]
    aside = np.stack([-np.sin(heading), np.cos(heading)], axis=1)[:, None]
    length = animal.length * (1 - 0.45 * rear)[:, None, None]
    along, width = np.array([-0.42, -0.2, 0.02, 0.22, 0.42]), np.array([0.2, 0.25, 0.25, 0.2, 0.13])
    bend = shaking[:, None] * np.array([0.0, 0.02, 0.05, 0.1, 0.16])
    trunk = place[:, None] + length * along[:, None] * ahead + animal.length * bend[..., None] * aside
    ears = trunk[:, [4]] + 0.12 * animal.length * np.array([-1.0, 1.0])[:, None] * aside
    paws = trunk[:, [3]] + animal.length * (np.array([-0.24, 0.24]) + 0.35 * shaking[:, None])[..., None] * aside
    paws = paws + (fall[:, None] * 0.2 * animal.length)[..., None] * aside
    back = np.linspace(0.55, 1.35, 6)
    sway = 0.12 * np.sin(2 * np.pi * 0.4 * time_s[:, None] - 2.5 * back) * back
    tail = place[:, None] - length * back[:, None] * ahead + animal.length * sway[..., None] * aside
    widths = np.concatenate([width, [0.07, 0.07], [0.07, 0.07], [0.035] * 6]) * animal.length
    radii = np.broadcast_to(widths, (len(time_s), len(widths))).copy()
    radii[:, :5] *= (1 + 0.25 * rear - 0.2 * fall)[:, None]
    tones = np.array([animal.tone] * 5 + [animal.tone * 0.8 + 40] * 4 + [animal.tone * 0.6 + 60] * 6)
    return np.concatenate([trunk, ears, paws, tail], axis=1), radii, tones


def _posture(animal: Animal, time_s: np.ndarray) -> tuple[np.ndarray, ...]:
    """Place (time, 2), heading, and 0–1: how far it rears and lies on its side; how far it shakes, −1 … 1."""
    walked_s = _walked_s(animal, time_s)
    rates, first, second, sizes = np.transpose(animal.path)
    turns = 2 * np.pi * rates * walked_s[:, None]
    place = np.stack([(sizes * np.sin(turns + phase)).sum(axis=1) for phase in (first, second)], axis=1)
    speed = np.stack([(sizes * rates * np.cos(turns + phase)).sum(axis=1) for phase in (first, second)], axis=1)
    heading = np.arctan2(speed[:, 1], speed[:, 0])
    rear, fall, shaking = np.zeros((3, len(time_s)))
    for spell in animal.spells:
        inside = _edges(time_s, spell.onset_s, spell.duration_s, 0.4)
        turn = np.sin(2 * np.pi * spell.rate_hz * (time_s - spell.onset_s))
        if spell.kind == "groom":
            shaking = shaking + 0.35 * inside * turn
            heading = heading + 0.5 * spell.side * inside
        if spell.kind in ("rear", "racine4", "racine5"):
            rear = np.maximum(rear, inside)
        if spell.kind.startswith("racine"):
            shaking = shaking + inside * turn
            place = place + 0.012 * (inside * turn)[:, None] * np.array([1.0, 0.6])
        if spell.kind == "racine5":
            fallen = _edges(time_s, spell.onset_s + 0.4 * spell.duration_s, 0.6 * spell.duration_s, 0.3)
            fall, rear = np.maximum(fall, fallen), rear * (1 - fallen)
            heading = heading + spell.side * np.pi / 2 * fallen
    return 0.75 * place + np.array(animal.start), heading + animal.heading, rear, fall, shaking


def _walked_s(animal: Animal, time_s: np.ndarray) -> np.ndarray:
    """Seconds walked until each time: the animal moves along its path only while it walks."""
    walked = np.zeros(len(time_s))
    for spell in (s for s in animal.spells if s.kind == "walk"):
        walked += np.clip(time_s - spell.onset_s, 0, spell.duration_s)
    return 2.5 * walked


def _edges(time_s: np.ndarray, onset_s: float, lasting_s: float, edge_s: float) -> np.ndarray:
    inner = np.minimum(time_s - onset_s, onset_s + lasting_s - time_s) / min(edge_s, lasting_s / 2)
    return np.asarray(np.sin(np.pi / 2 * np.clip(inner, 0, 1)) ** 2)


def _draw_calm(rng: np.random.Generator, duration_s: float) -> tuple[Spell, ...]:
    at_s, spells = 0.0, []
    while at_s < duration_s:
        kind, lasting_s = str(rng.choice(CALM, p=(0.45, 0.15, 0.25, 0.15))), round(float(rng.uniform(1, 4)), 2)
        side, rate_hz = float(rng.choice([-1, 1])), round(float(rng.uniform(3, 7)), 2)
        spells.append(Spell(kind, round(at_s, 2), lasting_s, rate_hz, side))
        at_s += lasting_s
    return tuple(spells)


def _draw_seizure(rng: np.random.Generator, duration_s: float) -> tuple[Spell, ...]:
    """Forelimb clonus, and in most animals more, until the film ends."""
    onset_s, worst = float(rng.uniform(0.1, 0.4)) * duration_s, int(rng.choice([3, 4, 5], p=(0.3, 0.3, 0.4)))
    bounds = np.linspace(onset_s, duration_s, worst - 1)
    rate_hz, side = round(float(rng.uniform(3, 6)), 2), float(rng.choice([-1, 1]))
    return tuple(
        Spell(f"racine{stage}", round(float(first), 2), round(float(last - first), 2), rate_hz, side)
        for stage, first, last in zip(range(3, worst + 1), bounds, bounds[1:], strict=False)
    )
