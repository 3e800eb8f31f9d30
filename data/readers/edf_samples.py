"""The signals of EDF and BDF files as edfio decodes them, and what has to be set right before it decodes them truly."""

from dataclasses import dataclass
from math import nan

import edfio
import numpy as np

from data.outcomes import Refusal

FIXED_BYTES = 256
MOST_UV = 1e12
"""A million volts: beyond any meaning, and still far from what 32-bit numbers hold."""
_MICROVOLTS = {"uv": 1.0, "mv": 1e3, "v": 1e6, "nv": 1e-3}
_MICRO = (b"\xc2\xb5", b"\xce\xbc", b"\x83\xca", b"\xa6\xcc", b"\xb5", b"\xe6")
"""The sign µ as recorders write it: in UTF-8 (micro sign, Greek letter), Shift-JIS, GBK, Latin-1 and DOS."""

Signal = edfio.EdfSignal | edfio.BdfSignal


@dataclass(frozen=True)
class SignalHeader:
    """One signal as announced. Ranges may be NaN here: they are judged only for signals that are used."""

    label: str
    dimension: bytes
    physical: tuple[float, float]
    digital: tuple[float, float]
    samples: int

    @property
    def is_annotation(self) -> bool:
        """Whether it holds the annotations of EDF+ or BDF+ and no signal."""
        return self.label in ("EDF annotations", "BDF annotations")  # as `for_edfio` writes it


def for_edfio(columns: bytes, count: int) -> bytes:
    """The headers of `count` signals with what edfio cannot take written as it can.

    edfio keeps annotation signals to itself, fails on NUL, passes over `_` in numbers, and leaves a signal
    uncalibrated, without a word, whose range has a decimal comma (seen in European exports). Transducers may name
    people and are blanked.
    """
    labels, dimensions, ranges, rest = (count * width for width in (16, 96, 104, 136))
    named = columns[:labels].replace(b"DF Annotations", b"DF annotations") + b" " * (dimensions - labels)
    numbers = columns[ranges:rest].translate(bytes.maketrans(b",_", b".?"))
    return (named + columns[dimensions:ranges] + numbers + columns[rest:]).replace(b"\0", b" ")


def decoded(columns: bytes, bytes_per_sample: int, body: bytes = b"", records: int = 0) -> tuple[Signal, ...]:
    """The signals in these data records, annotations among them, in the file's order.

    The fixed header is ours, of records of 1 s: that of the file is checked before, and edfio fails on records of 0 s.
    """
    start = f"{'':184}{FIXED_BYTES + len(columns):<8}{'':44}{records:<8}{1:<8}{len(columns) // 256:<4}".encode()
    read = edfio.read_bdf if bytes_per_sample == 3 else edfio.read_edf
    return read(start + columns + body, header_encoding="latin-1").signals


def signal_headers(columns: bytes, bytes_per_sample: int) -> tuple[SignalHeader, ...]:
    """What the signals announce; refuses numbers of samples that are none (`corrupt`) or all 0 (`no_signal`)."""
    try:
        parsed = tuple(_signal_header(signal) for signal in decoded(columns, bytes_per_sample))
    except ZeroDivisionError:
        raise Refusal("no_signal", "the file announces 0 samples: check that the recording was saved") from None
    except ValueError:  # its text may repeat the header
        parsed = ()
    if not parsed or min(s.samples for s in parsed) < 0:
        raise Refusal("corrupt", "a signal's number of samples is no whole number from 0 on: export it again")
    return parsed


def unit_uv(signal: SignalHeader) -> float:
    """µV in one unit of the signal; refuses ranges that edfio would leave uncalibrated, and those of no EEG."""
    (low, high), (least, most) = signal.physical, signal.digital
    if not (low != high and least < most and np.isfinite([low, high, least, most]).all()):
        raise Refusal("corrupt", "an EEG signal announces an empty physical or digital range: export it again")
    scale = _microvolts(signal.dimension)
    if max(abs(low), abs(high)) * scale > MOST_UV:
        raise Refusal("unit_suspect", f"an EEG signal announces values above {MOST_UV:g} µV: check unit and gain")
    return scale


def bytes_of_records(signal: Signal, records: int) -> list[bytes]:
    """The bytes of an annotation signal, record by record, that edfio made integers from."""
    grid = signal.digital.view(np.uint8).reshape(records, -1, signal.digital.itemsize)
    return [record.tobytes() for record in grid[..., : 3 if isinstance(signal, edfio.BdfSignal) else 2]]


def text(field: bytes) -> str:
    """A header field as people typed it: ASCII by the standard, UTF-8 or Latin-1 in real files."""
    try:
        return field.decode("utf-8").strip(" \0")
    except UnicodeDecodeError:
        return field.decode("latin-1").strip(" \0")


def _signal_header(signal: Signal) -> SignalHeader:
    label, dimension = (t.encode("latin-1") for t in (signal.label, signal.physical_dimension))
    try:
        low, high, least, most = map(float, (*signal.physical_range, *signal.digital_range))
    except ValueError:
        low = high = least = most = nan
    return SignalHeader(text(label), dimension.strip(), (low, high), (least, most), signal.samples_per_data_record)


def _microvolts(dimension: bytes) -> float:
    """µV in one unit of a physical dimension, in the encodings that recorders write `µ` in."""
    for written in _MICRO:
        dimension = dimension.replace(written, b"u")
    unit = text(dimension)
    if unit.startswith("M") or unit.casefold() not in _MICROVOLTS:  # MV would be megavolts
        raise Refusal("unit_suspect", "an EEG signal has no unit of voltage (nV, uV, mV, V): export it with one")
    return _MICROVOLTS[unit.casefold()]
