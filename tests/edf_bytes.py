"""EDF and BDF files byte by byte, for tests of what no well-behaved writer would write."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from data.outcomes import Refusal
from data.readers.edf import read_edf
from data.recording import Recording


@dataclass(frozen=True)
class Signal:
    """One signal: `digital` integers of shape (records, samples per record), or the raw bytes of each record."""

    label: str
    digital: np.ndarray | Sequence[bytes]
    dimension: bytes = b"uV"
    physical: tuple[str, str] = ("-3276.8", "3276.7")
    limits: tuple[str, str] = ("-32768", "32767")

    def width(self, sample_bytes: int) -> int:
        return len(self.digital[0]) // (sample_bytes if isinstance(self.digital[0], bytes) else 1)


@dataclass(frozen=True)
class File:
    """A whole file; `announced` is the number of records in its header (the true one unless told)."""

    signals: Sequence[Signal]
    record_s: str = "1"
    reserved: str = ""
    patient: bytes = b"X X X X"
    recording: str = "Startdate 02-MAR-2020 X X X"
    start: str = "02.03.20"
    announced: int | None = None
    bdf: bool = False
    changes: dict[int, bytes] = field(default_factory=dict)  # offset → bytes to write over the finished file

    def to_bytes(self) -> bytes:
        sample_bytes = 3 if self.bdf else 2
        records = len(self.signals[0].digital)
        count = len(self.signals)
        head = (b"\xffBIOSEMI" if self.bdf else b"0".ljust(8)) + self.patient.ljust(80)
        head += _text(self.recording, 80) + _text(self.start, 8) + b"10.00.00" + _text(256 * (count + 1), 8)
        head += _text(self.reserved, 44) + _text(records if self.announced is None else self.announced, 8)
        head += _text(self.record_s, 8) + _text(count, 4)
        for texts, width in (
            ([s.label for s in self.signals], 16), ([""] * count, 80), ([s.dimension for s in self.signals], 8),
            ([s.physical[0] for s in self.signals], 8), ([s.physical[1] for s in self.signals], 8),
            ([s.limits[0] for s in self.signals], 8), ([s.limits[1] for s in self.signals], 8),
            ([""] * count, 80), ([s.width(sample_bytes) for s in self.signals], 8), ([""] * count, 32),
        ):  # fmt: skip
            head += b"".join(_text(t, width) for t in texts)
        body = [_samples(s.digital[r], sample_bytes) for r in range(records) for s in self.signals]
        content = bytearray(head + b"".join(body))
        for at, change in self.changes.items():
            content[at : at + len(change)] = change
        return bytes(content)


def eeg(label: str, records: int = 10, samples: int = 256, seed: int = 0, **fields: object) -> Signal:
    """A signal of white noise, sd 20 µV at the default range (0.1 µV a step)."""
    digital = np.random.default_rng(seed).normal(0, 200, (records, samples)).round().astype(int)
    return Signal(label, digital, **fields)  # type: ignore[arg-type]


def notes(onsets_s: Sequence[str], extra: dict[int, bytes] | None = None, size: int = 60) -> Signal:
    """The annotation signal of EDF+: one record's time as written in `onsets_s`, then `extra[record]`."""
    blocks = [f"{onset}\x14\x14\0".encode() + (extra or {}).get(i, b"") for i, onset in enumerate(onsets_s)]
    return Signal("EDF Annotations", [b.ljust(size, b"\0") for b in blocks], b"", ("-1", "1"))


def read(tmp_path: Path, file: File | bytes, **settings: float) -> Recording:
    path = tmp_path / "recording.edf"
    path.write_bytes(file if isinstance(file, bytes) else file.to_bytes())
    return read_edf(path, **settings)  # type: ignore[arg-type]


def refused(tmp_path: Path, file: File | bytes) -> Refusal:
    with pytest.raises(Refusal) as caught:
        read(tmp_path, file)
    return caught.value


def discontinuous(onsets: list[str], extra: dict[int, bytes] | None = None, reserved: str = "EDF+D") -> File:
    return File([eeg("Fp1", len(onsets)), notes(onsets, extra)], reserved=reserved)


def _text(value: object, width: int) -> bytes:
    written = value if isinstance(value, bytes) else str(value).encode("latin-1")
    assert len(written) <= width, f"{written!r} is longer than {width}"
    return written.ljust(width)


def _samples(record: np.ndarray | bytes, sample_bytes: int) -> bytes:
    if isinstance(record, bytes):
        return record
    wide = np.asarray(record, "<i4").reshape(-1, 1).view(np.uint8)
    return wide[:, :sample_bytes].tobytes()
