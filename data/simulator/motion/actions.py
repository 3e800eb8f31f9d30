"""What people do who have no seizure: walking past, waving, patting, turning over (all figures assumed)."""

from collections.abc import Callable

import numpy as np

from data.simulator.motion.parts import Part


def draw_action(rng: np.random.Generator, action: str, duration_s: float) -> tuple[Part, ...]:
    """The parts of one of ACTIONS, which fills a film of this length; KeyError for any other."""
    return ACTIONS[action](rng, duration_s)


def _walk(rng: np.random.Generator, duration_s: float) -> tuple[Part, ...]:
    """Across the picture, with swinging arms and legs."""
    towards, rate_hz = float(rng.choice([-1, 1])), round(float(rng.uniform(0.7, 1.1)), 3)
    away = round(towards * float(rng.uniform(1.0, 1.6)), 3)
    limbs = {"left_hip": 0.3, "right_hip": -0.3, "left_shoulder": -0.35, "right_shoulder": 0.35}
    return (
        Part("pulse", 0.0, 2 * duration_s, (("x", 2 * away, 0.0),), duration_s, duration_s),
        Part("pulse", -1.0, duration_s + 2, (("x", -away, 0.0),), 0.1, 0.1),
        Part("swing", -1.0, duration_s + 2, _varied(rng, limbs), 0.1, 0.1, rate_hz),
        Part("swing", -1.0, duration_s + 2, (("y", 0.04, 0.0),), 0.1, 0.1, 2 * rate_hz),
    )


def _wave(rng: np.random.Generator, duration_s: float) -> tuple[Part, ...]:
    """One arm up, the hand to and fro."""
    side, rate_hz = str(rng.choice(["left", "right"])), round(float(rng.uniform(1.2, 2.5)), 3)
    raised = _varied(rng, {f"{side}_shoulder": 1.8, f"{side}_elbow": 0.6})
    return (
        Part("pulse", -1.0, duration_s + 2, raised, 1.2, 1.2),
        Part("swing", 0.0, duration_s, _varied(rng, {f"{side}_elbow": 0.6}), 0.5, 0.5, rate_hz),
    )


def _pat(rng: np.random.Generator, duration_s: float) -> tuple[Part, ...]:
    """Both hands pat the blanket or the mattress."""
    rate_hz = round(float(rng.uniform(1.5, 3)), 3)
    hands = {"left_elbow": 0.4, "right_elbow": 0.4, "left_shoulder": 0.1, "right_shoulder": 0.1}
    return (Part("jerks", 0.0, duration_s, _varied(rng, hands), 0.4, 0.4, rate_hz),)


def _turn(rng: np.random.Generator, duration_s: float) -> tuple[Part, ...]:
    """Over to a side and back."""
    side = float(rng.choice([-1, 1]))
    over = _varied(rng, {"roll": side * 1.1, "spin": side * 0.2, "x": side * 0.25, "head": side * 0.6})
    legs = _varied(rng, {"left_knee": -0.5, "right_knee": -0.5, "left_hip": 0.3, "right_hip": 0.3})
    third_s = round(duration_s / 3, 3)
    return tuple(Part("pulse", 0.0, duration_s, moves, third_s, third_s, hush=0.3) for moves in (over, legs))


ACTIONS: dict[str, Callable[[np.random.Generator, float], tuple[Part, ...]]] = {
    "walk": _walk,
    "wave": _wave,
    "pat": _pat,
    "turn": _turn,
}


def _varied(rng: np.random.Generator, pose: dict[str, float]) -> tuple[tuple[str, float, float], ...]:
    return tuple((name, round(value * float(rng.lognormal(0, 0.15)), 4), 0.0) for name, value in pose.items())
