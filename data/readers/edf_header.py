"""What the header of an EDF or BDF file promises about a recording, read strictly and before any signal."""

import os
import re
from dataclasses import dataclass, field
from datetime import date
from math import isfinite, nan
from typing import BinaryIO

from data.outcomes import Refusal
from data.readers.edf_samples import FIXED_BYTES, SignalHeader, for_edfio, signal_headers, text

__all__ = ["FIXED_BYTES", "Header", "read_header"]

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
# Zero dates of software (Delphi, Excel, Mac OS, Unix) and EDF+'s own "not known" (2.1.3.3) are nobody's birthday.
_UNKNOWN_DATES = {date(1899, 12, 30), date(1899, 12, 31), date(1900, 1, 1), date(1904, 1, 1), date(1970, 1, 1),
                  date(1985, 1, 1)}  # fmt: skip
_OLDEST_YEARS = 120


@dataclass(frozen=True)
class Header:
    """The header without what identifies the patient: of the dates only the age in days is kept.

    `records` is the number of data records announced; −1 stands for a recording that was never closed. `columns` are
    the signals' own headers as edfio takes them.
    """

    bytes_per_sample: int
    header_bytes: int
    reserved: str
    records: int
    record_s: float
    signals: tuple[SignalHeader, ...]
    file_bytes: int
    columns: bytes = field(repr=False)
    age_days: float | None = None

    @property
    def is_discontinuous(self) -> bool:
        """Whether the header announces data records that may lie apart in time (EDF+D, BDF+D)."""
        return self.reserved[:5] in ("EDF+D", "BDF+D")

    @property
    def record_bytes(self) -> int:
        """Bytes of one data record, annotation signals included."""
        return self.bytes_per_sample * sum(s.samples for s in self.signals)

    @property
    def duration_s(self) -> float:
        """Seconds of signal in the whole records that the file holds."""
        return self.whole_records() * self.record_s

    def whole_records(self) -> int:
        """Records to read; refuses a file that holds fewer or more than its header says, or none at all."""
        # Less than a whole record at the end is what a recorder leaves that was switched off: nothing can be read there.
        here = (self.file_bytes - self.header_bytes) // self.record_bytes if self.record_bytes else 0
        if self.records == 0 or self.record_bytes == 0 or (self.records < 0 and here == 0):
            raise Refusal("no_signal", "the file announces 0 data records: check that the recording was saved")
        if self.records > here:
            raise Refusal(
                "truncated",
                f"the file holds {here} whole data records, its header announces {self.records}: transfer it again",
            )
        if 0 <= self.records < here:
            raise Refusal(
                "corrupt",
                f"the file holds {here} data records, its header announces only {self.records}: export it again",
            )
        return here


def read_header(file: BinaryIO) -> Header:
    """Read the header from an open file and leave the position at the first data record.

    Refuses what is not EDF or BDF (`unsupported_format`), a header cut short (`truncated`) and fields that hold no
    sensible number (`corrupt`).
    """
    size = os.fstat(file.fileno()).st_size
    fixed = file.read(FIXED_BYTES)
    bytes_per_sample = _bytes_per_sample(fixed)
    _require(len(fixed) == FIXED_BYTES, "truncated", f"{len(fixed)} of {FIXED_BYTES} header bytes are there")
    signals = _whole(fixed[252:256], "number of signals")
    header_bytes = _whole(fixed[184:192], "size of the header")
    records = _whole(fixed[236:244], "number of data records")
    record_s = _number(fixed[244:252])
    _require(signals > 0, "no_signal", f"the header announces {signals} signals")
    _require(records >= -1, "corrupt", f"the header announces {records} data records, expected −1 or more")
    _require(record_s >= 0, "corrupt", "the header gives no duration of a data record in seconds")
    expected = FIXED_BYTES * (signals + 1)
    _require(header_bytes == expected, "corrupt", f"the header gives its size as {header_bytes}, expected {expected}")
    _require(size >= expected, "truncated", f"the file has {size} bytes, its header alone needs {expected}")
    columns = for_edfio(file.read(expected - FIXED_BYTES), signals)
    parsed = signal_headers(columns, bytes_per_sample)
    _require(any(not s.is_annotation for s in parsed), "no_signal", "the file holds annotations and no signal")
    reserved = text(fixed[192:236])
    age_days = _age_days(text(fixed[8:88]), text(fixed[88:168]), text(fixed[168:176]))
    return Header(bytes_per_sample, expected, reserved, records, record_s, parsed, size, columns, age_days)


def _bytes_per_sample(fixed: bytes) -> int:
    """2 for EDF, 3 for BDF."""
    if not fixed:
        raise Refusal("no_signal", "the file is empty (0 bytes): transfer it again")
    if fixed.startswith(b"version https://git-lfs") or b"/annex/objects/" in fixed:
        raise Refusal("unsupported_format", "the file is a pointer of Git LFS or git-annex: fetch its content first")
    if fixed[:8] == b"\xffBIOSEMI":
        return 3
    if fixed[:8].strip(b" \0") == b"0":
        return 2
    raise Refusal("unsupported_format", "the file is neither EDF nor BDF: export the recording as EDF+")


def _whole(field: bytes, meaning: str) -> int:
    if not re.fullmatch(rb"[+-]?\d{1,8}", field.strip(b" \0")):
        raise Refusal("corrupt", f"the header's {meaning} is not a whole number: export the recording again")
    return int(field.strip(b" \0"))


def _number(field: bytes) -> float:
    """A decimal number, with point or comma (seen in European exports); NaN for anything else."""
    stripped = field.strip(b" \0").replace(b",", b".")
    if not re.fullmatch(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", stripped):
        return nan
    return float(stripped) if isfinite(float(stripped)) else nan


def _require(holds: bool, code: str, reason: str) -> None:
    if not holds:
        raise Refusal(code, f"{reason}: transfer or export the recording again")


def _age_days(patient: str, recording: str, start: str) -> float | None:
    """Age from the birth and start dates of EDF+, or None unless both are real dates at most 120 years apart."""
    born = re.match(r"\S+ [MFX] (\d\d-[A-Za-z]{3}-\d{4})\b", patient)
    began = re.match(r"Startdate (\d\d-[A-Za-z]{3}-\d{4})\b", recording)
    birth = _plus_date(born[1]) if born else None
    begin = _plus_date(began[1]) if began else _short_date(start)
    if birth is None or begin is None or {birth, begin} & _UNKNOWN_DATES:
        return None
    age_days = float((begin - birth).days)
    return age_days if 0 <= age_days <= _OLDEST_YEARS * 365.25 else None


def _plus_date(written: str) -> date | None:
    day, month, year = written.upper().split("-")
    return _date(int(year), _MONTHS.index(month) + 1, int(day)) if month in _MONTHS else None


def _short_date(written: str) -> date | None:
    """`dd.mm.yy`, where 85–99 stand for 1985–1999 and the rest for 2000–2084 (EDF+ 2.1.3.2)."""
    match = re.fullmatch(r"(\d\d)\.(\d\d)\.(\d\d)", written)
    if not match:
        return None
    year = int(match[3])
    return _date(1900 + year if year >= 85 else 2000 + year, int(match[2]), int(match[1]))


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
