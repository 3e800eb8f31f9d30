"""The five patterns of adults' seizures, each drawn as waves over the scalp and what becomes of the background.

| pattern | what it does | source |
|---|---|---|
| focal | rhythm of 5.5–9 Hz at the focus, falling to .4–.65 of that, rising from .35–.5 of its strength | read (epilepsydiagnosis.org); fall and rise assumed |
| | spreads over the scalp at LogNormal(ln .9, .4) cm/s, each crest at 150 cm/s | assumed; .5–18 cm/s in Al-Sa'd & Boashash 2019 |
| | joins in on the other side in 20 %, at .3–.6 of its length | 20 % bitemporal read; when, assumed |
| | slowing at the focus for 8–25 s afterwards in 70 % | 70 % read; length assumed |
| generalised | irregular spike-wave of 1.8–5.5 Hz, one or two spikes, everywhere at once | inferred |
| | slowing everywhere for 5–15 s afterwards in 50 % | assumed |
| absence | regular spike-wave, 3.2–3.6 Hz slowing to 2.5–2.9 Hz, on and off within 0.2 s | 2.5–4 Hz read; slowing, frontal maximum recalled |
| tonic | background flattens, then 17–25 Hz falling to 10–14 Hz, rising in strength, with muscle | 10–25 Hz, muscle recalled |
| tonic_clonic | 9.5–11 Hz falling to 7–8.5 Hz and rising muscle for 25–40 %, | recalled (tonic 10–20 s) |
| | then bursts of spikes with jerks, 2.6–3.2 Hz slowing to 1.1–1.5 Hz, | recalled (2–3 Hz, slowing) |
| | then background at .1–.2 for 8–20 s, back with slowing over 15–30 s | recalled; lengths assumed |

Generalised patterns are strongest frontally (F3, Fz, F4; recalled for absence, assumed for the others), lean a little to
one side, and reach the back up to 30 ms later (assumed).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from data.montage import ELECTRODES
from data.simulator.adults.parts import Knots, Part
from data.simulator.scalp import ADULT, HOMOLOGUES, POSITIONS, index_of

CORE_CM, SPREAD_CM, SPREAD_SHARE = 4.5, 9.0, 0.7
LAG_CM_PER_S = 150.0
FRONTAL = ("F3", "Fz", "F4")
NOW = (0.0,) * len(ELECTRODES)

MUSCLE_WEIGHTS = {
    "Fp1": 0.7, "Fp2": 0.7, "F7": 0.9, "F3": 0.4, "Fz": 0.2, "F4": 0.4, "F8": 0.9, "T3": 1.0, "C3": 0.2, "Cz": 0.08,
    "C4": 0.2, "T4": 1.0, "T5": 0.6, "P3": 0.15, "Pz": 0.08, "P4": 0.15, "T6": 0.6, "O1": 0.35, "O2": 0.35,
}  # fmt: skip
"""Where the muscles of head and neck are heard (assumed: temporal most, vertex least)."""


@dataclass(frozen=True)
class Drawing:
    """What a pattern is drawn from: randomness, place in time, and the patient's habits as this seizure has them.

    `pace`, `strength_uv`, `march_cm_per_s`, `lean` and `muscle_uv` as in `Habits`; `background_uv`: RMS.
    """

    rng: np.random.Generator
    onset_s: float
    length_s: float
    focus: str
    pace: float
    strength_uv: float
    march_cm_per_s: float
    lean: float
    muscle_uv: float
    background_uv: float

    @property
    def end_s(self) -> float:
        """Seconds of the recording at which the seizure ends."""
        return self.onset_s + self.length_s

    def part(
        self,
        wave: str,
        from_s: float,
        length_s: float,
        frequency_hz: Knots,
        amplitude_uv: Knots,
        weights: np.ndarray,
        *,
        lag_s: np.ndarray | None = None,
        unsteady: float = 0.0,
        spikes: int = 1,
        edges_s: tuple[float, float] = (0.3, 0.3),
        seed: int | None = None,
    ) -> Part:
        """A wave that begins `from_s` after the seizure's onset; equal seeds make equal rhythms.

        `weights` (electrodes,), shares of the amplitude; `lag_s` (electrodes,), None where all crests come at once.
        `edges_s`: rise and fall. See `Part` for the rest.
        """
        return Part(
            wave,
            self.onset_s + from_s,
            length_s,
            _plain(frequency_hz),
            _plain(amplitude_uv),
            tuple(np.asarray(weights).tolist()),
            NOW,
            NOW if lag_s is None else tuple(lag_s.tolist()),
            unsteady,
            spikes,
            *edges_s,
            self.seed() if seed is None else seed,
        )

    def seed(self) -> int:
        """Another seed at each call, drawn from `rng`: an added call moves every draw after it."""
        return int(self.rng.integers(2**63))

    def between(self, low: float, high: float) -> float:
        """A number drawn from `rng`, uniform from `low` to `high`."""
        return float(self.rng.uniform(low, high))


def _plain(knots: Knots) -> Knots:
    return tuple((float(at_s), float(value)) for at_s, value in knots)


Drawn = tuple[tuple[Part, ...], Knots]
"""The waves, and the gain of the background over the recording's seconds."""


def focal(d: Drawing) -> Drawn:
    """A slowing, growing rhythm at the focus that spreads with the distance, joined by the other side in a fifth."""
    start_hz = 5.5 + 3.5 * d.pace
    end_hz = start_hz * d.between(0.4, 0.65)
    frequency = ((0.0, start_hz), (d.length_s, end_hz))
    first = d.between(0.35, 0.5)
    height = ((0.0, first), (0.7 * d.length_s, 1.0), (d.length_s, 0.9))
    strength = _times(height, d.strength_uv)
    distance_cm, seed = ADULT.distance_cm[index_of(d.focus)], d.seed()
    at_focus = ADULT.field_of((d.focus,), CORE_CM)
    around = SPREAD_SHARE * np.maximum(0, ADULT.field_of((d.focus,), SPREAD_CM) - at_focus) * _uneven(d, 0.2)
    core = d.part("rhythm", 0, d.length_s, frequency, strength, at_focus, unsteady=0.05, edges_s=(1.0, 1.0), seed=seed)
    spread = replace(
        core,
        weights=tuple(around.tolist()),
        arrival_s=tuple((distance_cm / d.march_cm_per_s).tolist()),
        lag_s=tuple((distance_cm / LAG_CM_PER_S).tolist()),
    )
    return (core, spread, *_other_side(d, frequency), *_focal_slowing(d)), _background(d, 0.8, 2.0)


def _other_side(d: Drawing, frequency: Knots) -> list[Part]:
    """The same place over the other hemisphere joins in, with a rhythm of its own."""
    joins, after_s = d.rng.random() < 0.2, d.between(0.3, 0.6) * d.length_s
    share, slower, seed = d.between(0.5, 0.9), d.between(0.85, 1.0), d.seed()
    if not joins or d.focus not in HOMOLOGUES:
        return []
    weights = ADULT.field_of((HOMOLOGUES[d.focus],), CORE_CM)
    left_s = d.length_s - after_s
    own = tuple((at_s - after_s, slower * value) for at_s, value in frequency)
    height = ((0.0, 0.3 * share * d.strength_uv), (0.6 * left_s, share * d.strength_uv))
    return [d.part("rhythm", after_s, left_s, own, height, weights, unsteady=0.05, edges_s=(1.0, 1.0), seed=seed)]


def _focal_slowing(d: Drawing) -> list[Part]:
    comes, lasting_s, ratio, seed = d.rng.random() < 0.7, d.between(8, 25), d.between(1.5, 2.5), d.seed()
    weights = ADULT.field_of((d.focus,), 6.0)
    return [_slowing(d, -1.0, lasting_s, ratio, weights, seed)] if comes else []


def generalised(d: Drawing) -> Drawn:
    """Irregular spike-wave over the whole scalp from its first cycle on, and slowing after half of the seizures."""
    start_hz = 2.1 + 2.7 * d.pace
    frequency = ((0.0, start_hz), (d.length_s, start_hz * d.between(0.85, 1.15)))
    height = _times(((0.0, 0.7), (0.2 * d.length_s, 1.0), (d.length_s, 0.85)), d.strength_uv)
    weights, lag_s = _everywhere(d), _from_the_front(d)
    wave = d.part(
        "spike_wave", 0, d.length_s, frequency, height, weights,
        lag_s=lag_s, unsteady=0.1, spikes=2, edges_s=(0.3, 0.5),
    )  # fmt: skip
    comes, lasting_s, ratio, seed = d.rng.random() < 0.5, d.between(5, 15), d.between(1.2, 2.0), d.seed()
    after = [_slowing(d, -0.5, lasting_s, ratio, weights, seed)] if comes else []
    return (wave, *after), _background(d, 0.5, 0.5)


def absence(d: Drawing) -> Drawn:
    """Regular spike-wave that slows down a little; on and off within 0.2 s, and nothing afterwards."""
    frequency = ((0.0, 3.2 + 0.4 * d.pace), (d.length_s, 2.5 + 0.4 * d.pace))
    height = _times(((0.0, 0.9), (1.0, 1.0), (d.length_s, 0.9)), d.strength_uv)
    wave = d.part(
        "spike_wave", 0, d.length_s, frequency, height, _everywhere(d),
        lag_s=_from_the_front(d), unsteady=0.02, edges_s=(0.15, 0.2),
    )  # fmt: skip
    return (wave,), _background(d, 0.5, 0.2)


def tonic(d: Drawing) -> Drawn:
    """Up to 1.2 s of flat background, then fast waves that slow and grow; muscle all along, slow waves at the end."""
    flat_s = d.between(0.3, 1.2)
    lasting_s = d.length_s - flat_s
    frequency = ((0.0, 17 + 8 * d.pace), (lasting_s, 10 + 4 * d.pace))
    height = _times(((0.0, 0.15), (0.6 * lasting_s, 1.0), (lasting_s, 0.8)), d.strength_uv)
    wave = d.part(
        "fast", flat_s, lasting_s, frequency, height, _everywhere(d),
        lag_s=_from_the_front(d) / 3, unsteady=0.06, edges_s=(0.5, 0.5),
    )  # fmt: skip
    tension = _times(((0.0, 0.2), (0.4 * d.length_s, 1.0), (d.length_s, 0.8)), d.muscle_uv)
    muscle = d.part("muscle", 0, d.length_s, ((0.0, 1.0),), tension, _muscles(d), edges_s=(0.5, 0.8))
    slow = _slowing(d, -0.3, d.between(3, 8), d.between(1.0, 1.8), _everywhere(d), d.seed())
    return (wave, muscle, slow), _background(d, 0.3, 1.0)


def tonic_clonic(d: Drawing) -> Drawn:
    """Recruiting rhythm with rising muscle, then spikes with jerks ever further apart, then flatness and slowing."""
    tonic_s = d.between(0.25, 0.4) * d.length_s
    clonic_s = d.length_s - tonic_s
    weights, lag_s, muscles, rhythm = _everywhere(d), _from_the_front(d), _muscles(d), d.seed()
    recruiting = ((0.0, 9.5 + 1.5 * d.pace), (tonic_s, 7.0 + 1.5 * d.pace))
    jerking = ((0.0, 2.6 + 0.6 * d.pace), (clonic_s, 1.1 + 0.4 * d.pace))
    muscle_uv = d.muscle_uv * d.between(1.2, 2.0)
    parts = (
        d.part(
            "fast", 0, tonic_s + 1, recruiting, _times(((0.0, 0.15), (tonic_s, 1.0)), d.strength_uv), weights,
            lag_s=lag_s / 3, unsteady=0.05, edges_s=(0.8, 1.0),
        ),
        d.part(
            "muscle", 0, tonic_s + 1, ((0.0, 1.0),), _times(((0.0, 0.1), (0.7 * tonic_s, 1.0)), muscle_uv), muscles,
            edges_s=(1.0, 1.0),
        ),
        d.part(
            "spike_wave", tonic_s, clonic_s, jerking, _times(((0.0, 1.0), (clonic_s, 0.8)), d.strength_uv), weights,
            lag_s=lag_s, unsteady=0.07, spikes=4, edges_s=(1.0, 0.1), seed=rhythm,
        ),
        d.part(
            "jerks", tonic_s, clonic_s, jerking, _times(((0.0, 1.0), (clonic_s, 0.7)), muscle_uv), muscles,
            unsteady=0.07, edges_s=(1.0, 0.1), seed=rhythm,
        ),
    )  # fmt: skip
    silent_s, back_s, depth = d.between(8, 20), d.between(15, 30), d.between(0.1, 0.2)
    slow = _slowing(d, silent_s, back_s, d.between(0.8, 1.5), weights, d.seed(), rise_s=5.0)
    gains = ((d.onset_s, 1.0), (d.onset_s + 1, 0.3), (d.end_s, 0.3), (d.end_s + 0.2, depth))
    back = ((d.end_s + silent_s, depth), (d.end_s + silent_s + back_s, 1.0))
    return (*parts, slow), _plain((*gains, *back))


PATTERNS: dict[str, Callable[[Drawing], Drawn]] = {
    "focal": focal,
    "generalised": generalised,
    "absence": absence,
    "tonic": tonic,
    "tonic_clonic": tonic_clonic,
}


def _everywhere(d: Drawing) -> np.ndarray:
    """(19,) all electrodes, the frontal ones most; at most 1."""
    lean = 1 + 0.15 * d.lean * POSITIONS[:, 0]
    field = (0.25 + 0.75 * ADULT.field_of(FRONTAL, 8.0)) * lean * _uneven(d, 0.15)
    return np.asarray(field / field.max())


def _from_the_front(d: Drawing) -> np.ndarray:
    """(19,) seconds by which crests come later: up to 30 ms at the back, and a little by chance."""
    back = ADULT.distance_cm[index_of("Fz")] / ADULT.distance_cm.max()
    return np.asarray(0.025 * back + d.rng.uniform(0, 0.006, len(ELECTRODES)))


def _muscles(d: Drawing) -> np.ndarray:
    return np.array([MUSCLE_WEIGHTS[e] for e in ELECTRODES]) * _uneven(d, 0.25)


def _uneven(d: Drawing, spread: float) -> np.ndarray:
    return np.exp(d.rng.normal(0, spread, len(ELECTRODES)))


def _slowing(
    d: Drawing, after_end_s: float, lasting_s: float, ratio: float, weights: np.ndarray, seed: int, rise_s: float = 1.0
) -> Part:
    """Slow waves after the seizure, `ratio` times the background at first, fading."""
    height = _times(((0.0, 1.0), (0.5 * lasting_s, 0.8), (lasting_s, 0.1)), ratio * d.background_uv)
    edges_s = (rise_s, 0.5 * lasting_s)
    return d.part(
        "slowing", d.length_s + after_end_s, lasting_s, ((0.0, 1.0),), height, weights, edges_s=edges_s, seed=seed
    )


def _background(d: Drawing, gain: float, over_s: float) -> Knots:
    """The background gives way within `over_s`, and comes back as fast after the end."""
    return _plain(((d.onset_s, 1.0), (d.onset_s + over_s, gain), (d.end_s, gain), (d.end_s + over_s, 1.0)))


def _times(knots: Knots, factor: float) -> Knots:
    return tuple((at_s, value * factor) for at_s, value in knots)
