"""The samples of an EDF or BDF file as microvolts, read in one pass that also takes the digest of every byte."""

import hashlib
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np

from data.outcomes import Refusal
from data.readers.edf_header import Header, SignalHeader, text

CHUNK_BYTES = 8 << 20
MOST_UV = 1e12
"""A million volts: beyond any meaning, and still far from what 32-bit numbers hold."""
_MICROVOLTS = {"uv": 1.0, "mv": 1e3, "v": 1e6, "nv": 1e-3}
_MICRO = (b"\xc2\xb5", b"\xce\xbc", b"\x83\xca", b"\xa6\xcc", b"\xb5", b"\xe6")
"""The sign µ as recorders write it: in UTF-8 (micro sign, Greek letter), Shift-JIS, GBK, Latin-1 and DOS."""


@dataclass
class Body:
    """What stands behind the header: signal in µV, annotation bytes record by record, digest of the whole file."""

    signal: np.ndarray
    first_tals: list[bytes] = field(default_factory=list)
    tals: list[bytes] = field(default_factory=list)
    digest: str = ""


def calibration(signal: SignalHeader) -> tuple[float, float]:
    """(gain, offset) so that µV = digital · gain + offset."""
    (low, high), (least, most) = signal.physical, signal.digital
    if not (low != high and least < most and np.isfinite([low, high, least, most]).all()):
        raise Refusal("corrupt", "an EEG signal announces an empty physical or digital range: export it again")
    gain = (high - low) / (most - least)
    scale = _microvolts(signal.dimension)
    if max(abs(low), abs(high)) * scale > MOST_UV:
        raise Refusal("unit_suspect", f"an EEG signal announces values above {MOST_UV:g} µV: check unit and gain")
    return gain * scale, (low - least * gain) * scale


def _microvolts(dimension: bytes) -> float:
    """µV in one unit of a physical dimension, in the encodings that recorders write `µ` in."""
    for written in _MICRO:
        dimension = dimension.replace(written, b"u")
    unit = text(dimension)
    if unit.startswith("M") or unit.casefold() not in _MICROVOLTS:  # MV would be megavolts
        raise Refusal("unit_suspect", "an EEG signal has no unit of voltage (nV, uV, mV, V): export it with one")
    return _MICROVOLTS[unit.casefold()]


def read_records(
    file: BinaryIO, header: Header, records: int, picked: list[int], factors: list[tuple[float, float]]
) -> Body:
    """One pass over the file, in chunks that stay in cache: decode the picked signals, keep annotations, digest."""
    ends = np.cumsum([s.samples for s in header.signals])
    spans = [(int(end) - s.samples, int(end)) for s, end in zip(header.signals, ends, strict=True)]
    noted = [spans[i] for i, s in enumerate(header.signals) if s.is_annotation]
    samples = header.signals[picked[0]].samples
    body = Body(np.empty((len(picked), records * samples), dtype=np.float32))
    seen = _digest_of_header(file, header)
    step = max(1, CHUNK_BYTES // header.record_bytes)
    for at in range(0, records, step):
        count = min(step, records - at)
        raw = file.read(count * header.record_bytes)
        seen.update(raw)
        if len(raw) < count * header.record_bytes:
            raise Refusal("truncated", f"the file ended while it was read, in data record {at}: transfer it again")
        grid = np.frombuffer(raw, np.uint8).reshape(count, -1, header.bytes_per_sample)
        for row, (i, (gain, offset)) in enumerate(zip(picked, factors, strict=True)):
            values = _integers(grid[:, slice(*spans[i])]) * gain + offset
            body.signal[row, at * samples : (at + count) * samples] = values
        for order, span in enumerate(noted):
            blocks = [record.tobytes() for record in grid[:, slice(*span)]]
            body.tals += blocks
            body.first_tals += blocks if order == 0 else []
    seen.update(file.read())
    body.digest = seen.hexdigest()
    return body


def _digest_of_header(file: BinaryIO, header: Header) -> Any:
    file.seek(0)
    return hashlib.sha256(file.read(header.header_bytes))


def _integers(samples: np.ndarray) -> np.ndarray:
    """(records, samples, 2 or 3 bytes) little-endian two's complement → flat integers."""
    if samples.shape[-1] == 2:
        return np.ascontiguousarray(samples).view("<i2").ravel()
    wide = np.zeros((*samples.shape[:2], 4), np.uint8)
    wide[..., 1:] = samples
    return wide.view("<i4").ravel() >> 8
