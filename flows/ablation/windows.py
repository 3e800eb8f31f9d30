"""The windows of a run and what a fitted detector says of them: shared by training and probes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.events import Annotations
from flows.ablation.runs import Run
from flows.stages.train import read_examples
from models.detector import Examples
from models.fitting import Fitted


@dataclass(frozen=True)
class Job:
    """One run, where the windows lie, and which probes look into this variant."""

    run: Run
    detector: str
    truth: dict[str, Annotations]
    examples: Path
    checkpoint: Path
    features: bool
    attention: bool


def read(job: Job, recording: str) -> Examples:
    """The labelled windows of one recording."""
    return read_examples(job.examples, recording, job.run.variant.params["window_s"], job.truth[recording])


def probability(fitted: Fitted, examples: Examples) -> np.ndarray:
    """(windows,) Calibrated probability of a seizure (0–1) in each of `examples`."""
    return fitted.calibration(fitted.detector.score(examples))
