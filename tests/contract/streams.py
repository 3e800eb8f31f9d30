"""Recordings fed to a live analysis in chunks, and what it keeps of them."""

import gc
from collections.abc import Sequence
from dataclasses import replace
from types import FunctionType, ModuleType

import numpy as np

from data.recording import Recording, Segment
from models.bundle import Bundle
from models.findings import Analysis
from models.live import Heard, LiveAnalysis
from tests.contract.signals import recording

GAP_AT_S, GAP_S = 42, 3.25


def with_a_gap(seed: int) -> Recording:
    """A minute with a seizure from 12 s to 37 s, and a gap that is no whole number of seconds."""
    whole = recording(seed, 60, (12.0, 25.0))
    signal, at = whole.segments[0].signal, GAP_AT_S * 256
    parts = (Segment(0.0, signal[:, :at]), Segment(GAP_AT_S + GAP_S, signal[:, at:]))
    return replace(whole, segments=parts, duration_s=60 + GAP_S)


def heard(recording: Recording, bundle: Bundle, cuts: Sequence[int] = ()) -> tuple[list[Heard], LiveAnalysis]:
    """All that a live analysis gave of a recording that is fed in chunks: each segment is cut at these samples."""
    live = LiveAnalysis(bundle, recording.channels, recording.rate_hz, age_days=recording.age_days)
    given, end_s = [], 0.0
    for segment in recording.segments:
        if segment.onset_s > end_s:
            given.append(live.gap(segment.onset_s - end_s))
        given += [live(part) for part in np.split(segment.signal, sorted(cuts), axis=1)]
        end_s = segment.onset_s + segment.signal.shape[1] / recording.rate_hz
    return given, live


def streamed(recording: Recording, bundle: Bundle, cuts: Sequence[int] = ()) -> Analysis:
    return heard(recording, bundle, cuts)[1].finish(recording.duration_s)


def is_the_same(one: Analysis | Heard, two: Analysis | Heard) -> bool:
    """Every field, and arrays bit by bit."""
    return all(_equal(getattr(one, name), getattr(two, name)) for name in one.__dataclass_fields__)


def kept_bytes(live: LiveAnalysis, bundle: Bundle) -> int:
    """Bytes of all arrays that a live analysis holds on to, but for the bundle's."""
    waiting: list[object] = [live]
    seen, total = {id(bundle), *(id(part) for part in vars(bundle).values())}, 0
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, type | ModuleType):
            continue
        seen.add(id(one))
        if isinstance(one, np.ndarray):
            total += one.nbytes if one.base is None else 0
        waiting += [c.cell_contents for c in one.__closure__ or ()] if isinstance(one, FunctionType) else []
        waiting += [] if isinstance(one, FunctionType) else gc.get_referents(one)
        if isinstance(one, np.ndarray) and one.base is not None:
            waiting.append(one.base)  # a view keeps all of what it looks at
    return total


def _equal(one: object, two: object) -> bool:
    if isinstance(one, np.ndarray) and isinstance(two, np.ndarray):
        return one.dtype == two.dtype and one.tobytes() == two.tobytes()
    return one == two
