"""When each stretch of an EDF+ recording was really taken, and which seizures its annotations mark.

General readers take a discontinuous recording (EDF+D) for a gapless one, so that everything after its first gap
lands at wrong times. The onset of every data record stands in the recording itself, as a time-stamped annotation
list (TAL, EDF+ section 2.2.4).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from data.events import Annotations, Event
from data.outcomes import Refusal
from data.seizure_types import seizure_type

_TAL = re.compile(rb"([+-]\d+(?:\.\d*)?)(?:\x15(\d+(?:\.\d*)?))?\x14(.*)", re.DOTALL)


@dataclass(frozen=True)
class Tal:
    """One time-stamped annotation list; `texts[0]` is empty where it keeps the time of its data record."""

    onset_s: float
    duration_s: float | None
    texts: tuple[bytes, ...]


@dataclass(frozen=True)
class Stretch:
    """Data records `first` to `last` (not included) follow each other without a gap from `onset_s` on."""

    first: int
    last: int
    onset_s: float


def parse_tals(block: bytes) -> list[Tal]:
    """The annotation lists in one data record's annotation bytes; unreadable ones are left out."""
    found = (_TAL.fullmatch(piece) for piece in block.split(b"\0") if piece)
    return [
        Tal(float(m[1]), float(m[2]) if m[2] else None, tuple(m[3].removesuffix(b"\x14").split(b"\x14")))
        for m in found
        if m
    ]


def record_onsets(blocks: Iterable[bytes]) -> np.ndarray:
    """Seconds from the start date and time to each data record, (records,), NaN where one does not keep its time.

    `blocks` are the bytes of the *first* annotation signal, one block per data record.
    """
    return np.array([_kept_time(block) for block in blocks], dtype=float)


def stretches(onsets_s: np.ndarray, record_s: float, tolerance_s: float) -> list[Stretch]:
    """Join data records of `record_s` with these onsets (records,) into gapless stretches; the first starts at 0 s.

    A gap begins where a record starts more than `tolerance_s` after the previous one ended. Records that start
    before that are refused as `corrupt`: no order of the samples would be true. So are onsets that are NaN.
    """
    lag_s = np.diff(onsets_s) - record_s
    if np.isnan(onsets_s).any():
        raise Refusal("corrupt", f"{int(np.isnan(onsets_s).sum())} data records do not keep their time: export again")
    if (lag_s < -tolerance_s).any():
        raise Refusal(
            "corrupt",
            f"{int((lag_s < -tolerance_s).sum())} data records start before the previous one ended, by up to "
            f"{-lag_s.min():.3f} s (limit {tolerance_s:.4f} s): export the recording again",
        )
    starts = [0, *(np.flatnonzero(lag_s > tolerance_s) + 1)]
    joined: list[Stretch] = []
    for first, last in zip(starts, [*starts[1:], len(onsets_s)], strict=True):
        # A clock that runs a little slow may reach back into the joined records before a gap: never overlap.
        earliest_s = joined[-1].onset_s + (joined[-1].last - joined[-1].first) * record_s if joined else 0.0
        joined.append(Stretch(int(first), int(last), max(float(onsets_s[first] - onsets_s[0]), earliest_s)))
    return joined


def marked_seizures(blocks: Sequence[bytes], start_s: float, duration_s: float) -> Annotations | None:
    """The seizures that annotations mark, or None where there is none or one of them cannot be placed.

    Only onset, duration and a known seizure type are kept; every other text may name a person and is dropped. A
    seizure without a duration, or outside the recording, makes the marks unfit as truth, so that none is kept.
    """
    marks = [
        (tal.onset_s - start_s, tal.duration_s, kind)
        for block in blocks
        for tal in parse_tals(block)
        for kind in (seizure_type(text.decode("utf-8", "replace")) for text in tal.texts)
        if kind
    ]
    if not marks:
        return None
    try:
        return Annotations(tuple(Event(onset, length or 0.0, kind) for onset, length, kind in marks), duration_s)
    except ValueError:
        return None


def without_texts(block: bytes) -> bytes:
    """The same annotation bytes with every text blanked that names no seizure type; times and length stay."""
    return b"\0".join(_without_text(piece).ljust(len(piece), b"\0") for piece in block.split(b"\0"))


def _without_text(piece: bytes) -> bytes:
    match = _TAL.fullmatch(piece)
    if not match:
        return b""
    texts = match[3].removesuffix(b"\x14").split(b"\x14")
    kept = [(seizure_type(text.decode("utf-8", "replace")) or "").encode() for text in texts]
    if texts[0] and not any(kept):
        return b""
    return piece[: match.start(3)] + b"\x14".join([k for k, t in zip(kept, texts, strict=True) if k or not t]) + b"\x14"


def _kept_time(block: bytes) -> float:
    return next((tal.onset_s for tal in parse_tals(block)[:1] if tal.texts[0] == b""), float("nan"))
