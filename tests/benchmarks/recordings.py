"""EDF files of any number of hours and a detector for them, made once, in a process of their own.

Noise of an EEG's spectrum on 19 electrodes, and every ten minutes a minute of rhythm on some; they say nothing about
any detector. An hour is repeated, because what is timed does not depend on what is in it.
"""

import multiprocessing
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np

RATE_HZ = 256
RHYTHM_EVERY_S, RHYTHM_S = 600, 60
LEARNING = {"epochs": 2, "windows_per_epoch": 640}
FOLDER, MADE_HERE = "ICTAL_BENCHMARK_RECORDINGS", "ICTAL_BENCHMARK_MADE_HERE"


@contextmanager
def kept_in(folder: Path, made_here: bool = False) -> Iterator[None]:
    """The processes of a benchmark share the recordings in this folder; `made_here` where memory is not judged."""
    os.environ |= {FOLDER: str(folder)} | ({MADE_HERE: "1"} if made_here else {})
    try:
        yield
    finally:
        del os.environ[FOLDER]
        os.environ.pop(MADE_HERE, None)


def is_made_here() -> bool:
    """Whether this is a run in which neither time nor memory is judged."""
    return MADE_HERE in os.environ


def folder() -> Path:
    return Path(os.environ.get(FOLDER) or tempfile.mkdtemp(prefix="ictal-benchmarks-"))


def edf_of(minutes: int) -> Path:
    """An EDF file this long; made elsewhere, so that making it is not in this process's peak memory."""
    path = folder() / f"{minutes}.edf"
    if not path.exists():
        elsewhere(_make_edf, path, minutes)
    return path


def bundle_of(preset: str) -> Path:
    """DA-STNet that has learnt for a moment what the rhythm is; it refuses nothing."""
    where = folder() / preset
    if not where.exists():
        elsewhere(_make_bundle, where, preset)
    return where


def elsewhere(work, *arguments) -> None:
    """Do it in a process of its own, unless memory is not judged."""
    if is_made_here():
        return work(*arguments)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def _make_edf(path: Path, minutes: int) -> None:
    from data.montage import ELECTRODES
    from data.readers.edf_writer import write_edf

    repeats = max(1, minutes // 60)
    write_edf(path, _signal(minutes * 60 // repeats), ELECTRODES, float(RATE_HZ))
    repeat(path, repeats)


def repeat(path: Path, times: int) -> None:
    """Make the data records of an EDF file follow each other this many times, without holding them all."""
    made = path.read_bytes()
    size, records = int(made[184:192]), int(made[236:244])  # of the header, and behind it
    with path.open("wb") as file:
        file.write(made[:236] + f"{records * times:<8}".encode() + made[244:size])
        for _ in range(times):
            file.write(made[size:])


def _signal(seconds: int) -> np.ndarray:
    from scipy.signal import lfilter

    rng, time_s = np.random.default_rng(0), np.arange(seconds * RATE_HZ) / RATE_HZ
    signal = np.stack([lfilter([4.0], [1, -0.98], rng.standard_normal(len(time_s))) for _ in range(19)])
    rhythm = 60 * np.sign(np.sin(2 * np.pi * 2.5 * time_s)) * ((time_s % RHYTHM_EVERY_S) >= RHYTHM_EVERY_S - RHYTHM_S)
    signal[[2, 3, 8, 13]] += rhythm
    return signal.astype(np.float32)


def _make_bundle(where: Path, preset: str) -> None:
    from data.events import Annotations, Event
    from data.montage import ELECTRODES
    from data.recording import Recording, Segment
    from models import detectors
    from models.bundle import Bundle, save_bundle
    from models.calibration import Calibration
    from models.conformal import Conformal
    from models.decisions import Decision
    from models.fitting import label
    from models.look import FEATURES
    from models.ood import CEILING, Ood

    detector = detectors.build("da_stnet", {**detectors.params_of("da_stnet", preset), **LEARNING})
    signal, lasts_s = _signal(RHYTHM_EVERY_S), float(RHYTHM_EVERY_S)
    truth = Annotations((Event(lasts_s - RHYTHM_S, RHYTHM_S),), lasts_s)
    made = Recording(ELECTRODES, float(RATE_HZ), (Segment(0.0, signal),), lasts_s)
    examples = label(detector.examples(detector.front_end.prepare(made), "rec", "sub"), truth)
    detector.fit(examples, examples, seed=0)
    assert examples.label is not None
    score = detector.score(examples)
    calibration = Calibration.fit(score, examples.label)
    between = float(np.mean([calibration(score[examples.label == c]).mean() for c in (0, 1)]))
    ood = Ood((0.0,) * len(FEATURES), tuple(map(tuple, np.eye(len(FEATURES)).tolist())), CEILING, CEILING, 2)
    save_bundle(Bundle(detector, calibration, Decision(between), Conformal(0.9, 1.0, 0.0, 0, 0), ood), where)
