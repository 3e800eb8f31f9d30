"""Seizures of the newborn: a rhythm with harmonics that rises from a focus, drifts in frequency, and ends.

| what | value | source |
|---|---|---|
| fundamental | LogNormal(−0.17, 0.55) + 0.425 Hz, kept within 0.5–5 Hz | Al-Sa'd & Boashash 2019, their MSEEG code |
| evolution | three linear pieces, slope 0.15·Beta(69.1, 69.8) − 0.075 Hz/s, kept ≥ 0.4 Hz | same |
| harmonics | 1, .2+Beta(1.7,3.2), .2+.8·Beta(1.5,4.1), .2+.4·Beta(1.9,3.6), .2+.2·Beta(1.4,1.2), random phases | same |
| modulation | spline of 1–8 turning points at .67 + Beta(3.9, 8.0), within .67–1.67 | same |
| power | 2.4–17 times the baby's own background | same; log-uniform between them is assumed |
| rise and fall | 3–10 s and 1–3 s, never over a third of the seizure | assumed: slow build-up, quicker end |
| durations, gaps | LogNormal(3.96, 1.12) within 10–180 s; LogNormal(4.36, 1.52), ≥ 2 s | Helsinki, majority of three (Stevenson 2019) |
| focus | share of each electrode; 11 % bilateral; kept by the next seizure in half the cases | Helsinki, per-channel labels (Tapani 2019) |
| width of the field | Gaussian, LogNormal(ln 2.3, 0.33) cm | fitted to the number of derivations in the same labels |

The longest seizure is half of the recording, so that every recording also shows its background. Left out: the slow
march over the scalp (.5–18 cm/s), spike trains, and delta brushes.
"""

from dataclasses import dataclass

import numpy as np

from data.montage import ELECTRODES, NEONATAL_18
from data.simulator.scalp import BIPOLAR, HOMOLOGUES, NEWBORN

SHORTEST_S, LONGEST_S = 10.0, 180.0
STEP_S = 0.01

FOCUS_WEIGHTS = {
    "Fp1": 1.2, "Fp2": 3.6, "F7": 4.5, "F3": 3.3, "Fz": 0.9, "F4": 4.6, "F8": 5.0, "T3": 4.0, "C3": 8.4, "Cz": 13.8,
    "C4": 7.8, "T4": 5.6, "T5": 1.5, "P3": 12.5, "Pz": 2.3, "P4": 6.4, "T6": 5.3, "O1": 5.3, "O2": 4.0,
}  # fmt: skip
"""Per cent of seizures, every baby counted once, in which most ictal derivations meet at this electrode."""
BILATERAL_SHARE = 0.11
FOCUS_KEPT = 0.5


@dataclass(frozen=True)
class Seizure:
    """`rms_uv`: in its strongest derivation before modulation. `channels`: derivations in which its power is at least
    the background's. `frequency_hz`: at onset, the two joints and the end of its three linear pieces. `power_ratio`:
    its power over the background's. `harmonics`: weights, the fundamental's first; `phases` in radians."""

    onset_s: float
    duration_s: float
    foci: tuple[str, ...]
    width_cm: float
    power_ratio: float
    rms_uv: float
    channels: tuple[str, ...]
    frequency_hz: tuple[float, float, float, float]
    harmonics: tuple[float, ...]
    phases: tuple[float, ...]
    modulation: tuple[float, ...]
    rise_s: float
    fall_s: float


def draw_seizures(rng: np.random.Generator, background_uv: float, duration_s: float) -> tuple[Seizure, ...]:
    """At least one seizure, in time order, none touching the next; every one lies inside the recording."""
    foci = _draw_foci(rng)
    seizures = []
    for onset_s, length_s in _draw_times(rng, duration_s):
        seizures.append(_draw_seizure(rng, onset_s, length_s, foci, background_uv))
        foci = foci if rng.random() < FOCUS_KEPT else _draw_foci(rng)
    return tuple(seizures)


def render_seizure(seizure: Seizure, rate_hz: float) -> np.ndarray:
    """(19, samples) µV from the seizure's onset to its end."""
    wave = _waveform(seizure, rate_hz) * _rise_and_fall(seizure, rate_hz)
    return seizure.rms_uv * _unit_field(seizure.foci, seizure.width_cm)[:, None] * wave


def _draw_times(rng: np.random.Generator, duration_s: float) -> list[tuple[float, float]]:
    """(onset, duration) of seizures; the recording starts somewhere in a gap and may end within a seizure."""
    longest_s = min(LONGEST_S, duration_s / 2)
    now_s = rng.random() * min(_draw_gap(rng), duration_s - SHORTEST_S)
    times = []
    while now_s <= duration_s - SHORTEST_S:
        length_s = float(np.clip(rng.lognormal(3.96, 1.12), SHORTEST_S, longest_s))
        length_s = min(length_s, duration_s - now_s)
        times.append((_on_grid(now_s), _on_grid(length_s)))
        now_s += length_s + _draw_gap(rng)
    return times


def _on_grid(time_s: float) -> float:
    """Times to 10 ms, downwards, so that the events file can say them exactly."""
    return int(time_s / STEP_S + 1e-6) * 10 / 1000


def _draw_gap(rng: np.random.Generator) -> float:
    return max(2.0, float(rng.lognormal(4.36, 1.52)))


def _draw_foci(rng: np.random.Generator) -> tuple[str, ...]:
    weights = np.array([FOCUS_WEIGHTS[e] for e in ELECTRODES])
    focus = ELECTRODES[rng.choice(len(ELECTRODES), p=weights / weights.sum())]
    if rng.random() < BILATERAL_SHARE and focus in HOMOLOGUES:
        return focus, HOMOLOGUES[focus]
    return (focus,)


def _draw_seizure(
    rng: np.random.Generator, onset_s: float, length_s: float, foci: tuple[str, ...], background_uv: float
) -> Seizure:
    width_cm = float(rng.lognormal(np.log(2.3), 0.33))
    ratio = float(np.exp(rng.uniform(np.log(2.4), np.log(17))))
    start_hz = float(np.clip(rng.lognormal(-0.17, 0.55) + 0.425, 0.5, 5.0))
    slopes = 0.15 * rng.beta(69.1, 69.8, 3) - 0.075
    frequency = np.maximum(0.4, start_hz + np.concatenate([[0.0], np.cumsum(slopes * length_s / 3)]))
    beta = rng.beta([1.7, 1.5, 1.9, 1.4], [3.2, 4.1, 3.6, 1.2])
    harmonics = np.concatenate([[1.0], 0.2 + np.array([1.0, 0.8, 0.4, 0.2]) * beta])
    knots = np.clip(0.67 + rng.beta(3.9, 8.0, rng.integers(1, 9) + 2), 0.67, 1.67)
    a, b, c, d = frequency.tolist()
    return Seizure(
        onset_s,
        length_s,
        foci,
        width_cm,
        ratio,
        float(np.sqrt(ratio) * background_uv),
        _ictal_channels(foci, width_cm, ratio),
        (a, b, c, d),
        tuple(harmonics.tolist()),
        tuple(rng.uniform(0, 2 * np.pi, 5).tolist()),
        tuple(knots.tolist()),
        min(float(rng.uniform(3, 10)), length_s / 3),
        min(float(rng.uniform(1, 3)), length_s / 3),
    )


def _unit_field(foci: tuple[str, ...], width_cm: float) -> np.ndarray:
    """(19,) field that is 1 in the strongest derivation."""
    field = NEWBORN.field_of(foci, width_cm)
    return field / np.abs((BIPOLAR * field).sum(axis=1)).max()


def _ictal_channels(foci: tuple[str, ...], width_cm: float, power_ratio: float) -> tuple[str, ...]:
    share = (BIPOLAR * _unit_field(foci, width_cm)).sum(axis=1) ** 2
    return tuple(name for name, part in zip(NEONATAL_18, share, strict=True) if part * power_ratio >= 1)


def _waveform(seizure: Seizure, rate_hz: float) -> np.ndarray:
    """Harmonics of unit RMS over the drifting fundamental, times the modulation."""
    from scipy.interpolate import PchipInterpolator

    time_s = np.arange(round(seizure.duration_s * rate_hz)) / rate_hz
    joints_s = np.linspace(0, seizure.duration_s, 4)
    phase = 2 * np.pi * np.cumsum(np.interp(time_s, joints_s, seizure.frequency_hz)) / rate_hz
    weights = np.array(seizure.harmonics)
    parts = zip(weights / np.sqrt((weights**2).sum() / 2), seizure.phases, strict=True)
    wave = sum(weight * np.sin(order * phase + shift) for order, (weight, shift) in enumerate(parts, 1))
    turning_s = np.linspace(0, seizure.duration_s, len(seizure.modulation))
    return np.asarray(wave * PchipInterpolator(turning_s, seizure.modulation)(time_s))


def _rise_and_fall(seizure: Seizure, rate_hz: float) -> np.ndarray:
    time_s = np.arange(round(seizure.duration_s * rate_hz)) / rate_hz
    rise = np.clip(time_s / seizure.rise_s, 0, 1)
    fall = np.clip((seizure.duration_s - time_s) / seizure.fall_s, 0, 1)
    return np.sin(np.pi / 2 * rise) ** 2 * np.sin(np.pi / 2 * fall) ** 2
