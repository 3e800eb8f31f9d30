"""What a pose estimator makes of joints that it sees in a picture: close, but not right.

| what | value | source |
|---|---|---|
| jitter | 1–3 % of a torso, each recording its own | assumed |
| a side taken for the other | legs or arms, 2 a minute, for 0.1–0.6 s | assumed; both occur in published tracks |
| under a blanket | 85 % of joints not seen, the others doubtful | assumed |
| not seen for no reason | 1 % of joints, hands and feet three times as often | assumed |
"""

from dataclasses import dataclass

import numpy as np

from data.pose import JOINTS

_LEGS = tuple((JOINTS.index(f"left_{j}"), JOINTS.index(f"right_{j}")) for j in ("hip", "knee", "ankle"))
_ARMS = tuple((JOINTS.index(f"left_{j}"), JOINTS.index(f"right_{j}")) for j in ("shoulder", "elbow", "wrist"))
_FAR = np.array([3.0 if name.endswith(("wrist", "ankle")) else 1.0 for name in JOINTS])


@dataclass(frozen=True)
class Estimator:
    """`jitter`: standard deviation, as a share of a torso. `swaps`: (onset_s, duration_s, arms and not legs). `absent`:
    (onset_s, duration_s) during which nobody is in the picture."""

    jitter: float
    swaps: tuple[tuple[float, float, bool], ...]
    absent: tuple[tuple[float, float], ...]
    seed: int


def draw_estimator(rng: np.random.Generator, duration_s: float, absent_share: float = 0.3) -> Estimator:
    """An estimator for one recording; a share (0–1) of recordings begin before the patient is laid into the bed."""
    count = int(rng.poisson(2 * duration_s / 60))
    swaps = sorted(
        (round(float(rng.uniform(0, duration_s)), 2), round(float(rng.uniform(0.1, 0.6)), 2), bool(rng.random() < 0.5))
        for _ in range(count)
    )
    comes, lasting_s = rng.random() < absent_share, round(float(rng.uniform(2, 8)), 1)
    jitter, seed = round(float(rng.uniform(0.01, 0.03)), 4), int(rng.integers(2**31))
    return Estimator(jitter, tuple(swaps), ((0.0, lasting_s),) if comes else (), seed)


def estimated(
    estimator: Estimator, time_s: np.ndarray, pixels: np.ndarray, scale: float, covered: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(time, joint, 2) and confidence (time, joint), NaN where a joint is not seen.

    `pixels` (time, joint, 2): where the joints are; `scale`: pixels per torso; `covered` (time, joint): under a blanket.
    """
    rng = np.random.default_rng(estimator.seed)
    shape = covered.shape
    confidence = np.clip(rng.normal(0.88, 0.06, shape), 0.3, 0.99) - covered * rng.uniform(0.3, 0.5, shape)
    unsure = 1 + 2 * (confidence < 0.6)
    xy = pixels + scale * estimator.jitter * unsure[..., None] * rng.standard_normal((*shape, 2))
    missing = rng.random(shape) < np.where(covered, 0.85, 0.01 * _FAR)
    for onset_s, lasting_s, arms in estimator.swaps:
        first, last = np.searchsorted(time_s, (onset_s, onset_s + lasting_s))
        for left, right in _ARMS if arms else _LEGS:
            xy[first:last, [left, right]] = xy[first:last, [right, left]]
    for onset_s, lasting_s in estimator.absent:
        missing[slice(*np.searchsorted(time_s, (onset_s, onset_s + lasting_s)))] = True
    xy[missing], confidence[missing] = np.nan, np.nan
    return xy, confidence
