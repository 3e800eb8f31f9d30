"""A recording that a detector is not meant for, looked at nevertheless for research; the service never comes here.

Nothing of a bundle changes: the same front end, network and calibration as everywhere. What the service would have
refused is told beside every probability.
"""

from dataclasses import dataclass

import numpy as np

from data.door import door
from data.outcomes import Refusal
from data.recording import Recording
from models.analysis import analyse, assess
from models.bundle import Bundle
from models.detector import InputContract
from models.look import look
from models.ood import Strangeness

WAIVED = ("too_short", "age_unknown", "age_out_of_scope")
"""Terms of a contract that research may set aside: what a recording is, not whether it is a recording at all."""


@dataclass(frozen=True)
class Beyond:
    """What one bundle says of one recording, whatever it was meant for.

    `probability` (0–1) is the mean over the recording's windows, unsmoothed; `served` is how the service would have
    ended (the code of its refusal, or its outcome); `ood` says how far the recording lies from the training patients.
    """

    probability: float
    served: str
    ood: Strangeness


def broken_terms(recording: Recording, contract: InputContract) -> tuple[Refusal, ...]:
    """The terms of `WAIVED` that a recording breaks, each as the door would say it. Raises every other refusal."""
    min_duration_s, age_days = contract.min_duration_s, contract.age_days
    broken: list[Refusal] = []
    while True:
        try:
            door(
                recording,
                montage=contract.montage,
                min_duration_s=0.0 if any(b.code == "too_short" for b in broken) else min_duration_s,
                age_range_days=None if any(b.code.startswith("age") for b in broken) else age_days,
            )
            return tuple(broken)
        except Refusal as refusal:
            if refusal.code not in WAIVED:
                raise
            broken.append(refusal)


def look_beyond(recording: Recording, bundle: Bundle) -> Beyond:
    """What the bundle says without its door and without its out-of-distribution limit. Refuses (`too_short`) what
    holds no whole window."""
    prepared = bundle.front_end.prepare(recording)
    probability = assess(prepared, bundle)
    seen = look(prepared)
    if np.isnan(probability).all() or not len(seen.x):
        raise Refusal(
            "too_short", f"{recording.recorded_s:.1f} s hold no whole window of {bundle.detector.window_s:g} s"
        )
    served = analyse(recording, bundle, explained=False)
    return Beyond(float(np.nanmean(probability)), served.code or served.outcome, bundle.ood.judge(seen))
