"""Short stretches of several recordings, analysed at one go: of each, bit by bit, what it gives alone.

Half of what a window of two seconds takes is spent between the steps, and that is the same for one window and for ten.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data.door import verdicts
from data.outcomes import Refusal
from models.bundle import Bundle
from models.detector import Examples, WindowDetector
from models.look import HOP_S, WINDOW_S, looks


@dataclass(frozen=True)
class Judged:
    """Onset (s) in a stretch and probability of its whole windows, (windows,) each.

    The probability is NaN where the window looks unlike the training patients.
    """

    onset_s: np.ndarray
    probability: np.ndarray


def judge_together(
    bundle: Bundle, signals: Sequence[np.ndarray], channels: tuple[str, ...], rate_hz: float
) -> list[Judged | Refusal]:
    """What a bundle says of stretches of one length, each (channels, samples) µV, or why it says nothing of one.

    They were let in at the door (`data.door.Door`: rate, electrodes, age); here it is judged what was heard. The filters
    start with the first sample of each, as at the beginning of a recording.
    """
    montage, window_s = bundle.detector.contract.montage, bundle.detector.window_s
    found: list[Judged | Refusal] = []
    said = verdicts(np.stack(signals), channels, rate_hz, montage=montage, min_duration_s=window_s)
    heard = [signal for signal, verdict in zip(signals, said, strict=True) if not isinstance(verdict, Refusal)]
    judged = iter(_judged(bundle, np.stack(heard, axis=1), channels, rate_hz) if heard else ())
    for verdict in said:
        found.append(verdict if isinstance(verdict, Refusal) else next(judged))
    return found


def _judged(bundle: Bundle, signals: np.ndarray, channels: tuple[str, ...], rate_hz: float) -> list[Judged]:
    """(channels, stretches, samples) µV."""
    detector, count = bundle.detector, signals.shape[1]
    assert isinstance(detector, WindowDetector)
    prepared = bundle.front_end.stream(channels, rate_hz)(signals)
    parts = [detector.listen()(prepared[:, one]) for one in range(count)]  # a detector may remember windows before
    onset_s = parts[0].onset_s
    score = detector.score(Examples.join(parts))
    probability = np.asarray(bundle.calibration(score)).reshape(count, -1)
    seen = looks(prepared, bundle.front_end.rate_hz)
    strange = bundle.ood.is_outside(bundle.ood.scores(seen.reshape(-1, seen.shape[2]))).reshape(count, -1)
    looked_s = HOP_S * np.arange(seen.shape[1])
    within = (looked_s >= onset_s[:, None] - 1e-6) & (
        looked_s + WINDOW_S <= onset_s[:, None] + detector.window_s + 1e-6
    )
    outside = (strange[:, None] & within).any(axis=2)
    return [Judged(onset_s, p) for p in np.where(outside, np.nan, probability)]
