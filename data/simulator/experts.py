"""Three simulated readers who mark a simulated recording as three experts marked newborns in Helsinki: not quite alike.

They are no people, and figures of agreement with them speak about the simulator. Each reader sees the seizures that
were put in, misses some (short ones sooner), shifts onset and end, and now and then marks what is none. Drawn first,
marked after: `marks_of(reading, truth)` makes no choice.

| what | value | source |
|---|---|---|
| missed, by duration (under 30 s, under 60 s, longer) | share of the seconds' runs that the other two both marked and this one did not touch | Helsinki, experts A, B, C (Stevenson 2019, `data.cohorts.helsinki`) |
| shifts of onset and end | 5, 25, 50, 75, 95 % quantiles of its distance from the three's mean, 167 seizures that each marked as one | same |
| false marks per hour, with seizures and without | events that no other expert touched, by whether the other two agreed on any second | same |
| length of false marks | log-normal with the mean and SD of their log seconds, ≥ 10 s | same |
| no edge moves inwards by more than a third of the seizure | | assumed |

Measured there: Cohen's κ of A–B .742, A–C .804, B–C .727 (F1 of seconds .777, .829, .766), Fleiss' κ .756. Left out:
one long seizure that another marks in several pieces, seizures that all find hard, and babies who are harder than
others; readers here therefore miss and err independently. Nothing here was fitted to a detector or to a wished κ.
"""

from dataclasses import dataclass

import numpy as np

from data.events import Annotations

SHORT_S, MEDIUM_S = 30.0, 60.0
SHORTEST_MARK_S = 10.0
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Habits:
    """How one reader reads. Shifts are quantiles at `QUANTILES`, in seconds, positive when later."""

    reader: str
    missed: tuple[float, float, float]
    onset_shift_s: tuple[float, ...]
    end_shift_s: tuple[float, ...]
    false_per_h_seizing: float
    false_per_h_free: float
    false_log_s: tuple[float, float]


READERS = (
    Habits("expert-1", (0.43, 0.26, 0.07), (-6.9, -0.7, 0.0, 5.0, 16.2), (-14.7, -2.2, 0.0, 1.3, 8.3), 0.19, 0.08, (2.99, 0.47)),
    Habits("expert-2", (0.12, 0.16, 0.07), (-27.9, -12.0, -2.7, -0.2, 2.0), (-8.7, -0.7, 0.3, 3.8, 20.5), 1.31, 0.37, (3.50, 0.82)),
    Habits("expert-3", (0.29, 0.19, 0.02), (-1.8, 0.3, 2.7, 8.7, 22.5), (-17.0, -3.3, -0.7, 0.0, 8.0), 0.59, 0.83, (3.32, 0.91)),
)  # fmt: skip
"""In the order of Helsinki's experts A, B, C."""


@dataclass(frozen=True)
class Reading:
    """What was drawn for one reader of one recording: one entry per seizure, and false marks (onset_s, duration_s)."""

    reader: str
    seen: tuple[bool, ...]
    onset_shift_s: tuple[float, ...]
    end_shift_s: tuple[float, ...]
    false_marks: tuple[tuple[float, float], ...]


def draw_readings(rng: np.random.Generator, truth: Annotations) -> tuple[Reading, ...]:
    """One reading by each of `READERS`, each from a stream of its own."""
    return tuple(
        _draw_reading(own, habits, truth) for own, habits in zip(rng.spawn(len(READERS)), READERS, strict=True)
    )


def marks_of(reading: Reading, truth: Annotations) -> Annotations:
    """What the reader marks, in whole seconds; marks that meet become one."""
    mask = np.zeros(int(truth.duration_s), dtype=bool)
    for event, seen, onset_shift_s, end_shift_s in zip(
        truth.events, reading.seen, reading.onset_shift_s, reading.end_shift_s, strict=True
    ):
        if seen:
            _mark(mask, event.onset_s + onset_shift_s, event.end_s + end_shift_s)
    for onset_s, duration_s in reading.false_marks:
        _mark(mask, onset_s, onset_s + duration_s)
    return Annotations.from_mask(mask, 1.0, truth.duration_s)


def _draw_reading(rng: np.random.Generator, habits: Habits, truth: Annotations) -> Reading:
    lengths_s = np.array([e.duration_s for e in truth.events])
    missed = np.array(habits.missed)[np.digitize(lengths_s, (SHORT_S, MEDIUM_S))]
    chance = rng.random((3, len(lengths_s)))
    onset_shift_s = np.minimum(_from_quantiles(chance[1], habits.onset_shift_s), lengths_s / 3)
    end_shift_s = np.maximum(_from_quantiles(chance[2], habits.end_shift_s), -lengths_s / 3)
    return Reading(
        habits.reader,
        tuple((chance[0] >= missed).tolist()),
        tuple(onset_shift_s.tolist()),
        tuple(end_shift_s.tolist()),
        tuple(_draw_false_marks(rng, habits, truth)),
    )


def _draw_false_marks(rng: np.random.Generator, habits: Habits, truth: Annotations) -> list[tuple[float, float]]:
    """In time without seizures, longer stretches sooner; none where no stretch could hold one."""
    rate_per_h = habits.false_per_h_seizing if truth.events else habits.false_per_h_free
    gaps = np.array([g for g in _free(truth) if g[1] - g[0] >= SHORTEST_MARK_S]).reshape(-1, 2)
    room_s = gaps[:, 1] - gaps[:, 0]
    marks = []
    for _ in range(rng.poisson(rate_per_h * truth.duration_s / 3600) if len(gaps) else 0):
        gap = rng.choice(len(gaps), p=room_s / room_s.sum())
        length_s = float(np.clip(rng.lognormal(*habits.false_log_s), SHORTEST_MARK_S, room_s[gap]))
        first, last = gaps[gap, 0], gaps[gap, 1] - length_s
        marks.append((float(rng.uniform(first, max(first, last))), length_s))  # one that just fits may not, rounded
    return sorted(marks)


def _free(truth: Annotations) -> list[tuple[float, float]]:
    """Start and end of the stretches between seizures."""
    starts, now_s = [], 0.0
    for event in truth.events:
        starts.append((now_s, event.onset_s))
        now_s = max(now_s, event.end_s)
    return [*starts, (now_s, truth.duration_s)]


def _from_quantiles(chance: np.ndarray, quantiles: tuple[float, ...]) -> np.ndarray:
    """Linear between the quantiles; nothing beyond the first and the last."""
    return np.interp(chance, QUANTILES, quantiles)


def _mark(mask: np.ndarray, start_s: float, end_s: float) -> None:
    start = min(max(0, round(start_s)), len(mask) - 1)
    mask[start : max(start + 1, round(end_s))] = True
