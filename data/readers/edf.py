"""EEG recordings from EDF, EDF+, BDF and BDF+ files: true times, microvolts, and a typed refusal for all else."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from data.montage import is_eeg, measured_between
from data.outcomes import Refusal
from data.quality import check_amplitude, check_rate
from data.readers.apart import may_run_apart
from data.readers.edf_header import Header, read_header
from data.readers.edf_samples import Signal, bytes_of_records, decoded, unit_uv
from data.readers.edf_times import Stretch, marked_seizures, record_onsets, stretches
from data.readers.edf_writer import write_edf
from data.recording import Recording, Segment

__all__ = ["read_duration_s", "read_edf", "write_edf"]

MAX_HOURS = 48.0
CHUNK_BYTES = 1 << 20
"""Of a file are read at once: what is made of them stays in cache, and takes half as long as of eight times as many."""


@dataclass
class Body:
    """What stands behind the header: annotation bytes record by record, and the digest of the whole file.

    `signal` (channels, samples) is float32 in µV, gaps left out.
    """

    signal: np.ndarray
    first_tals: list[bytes] = field(default_factory=list)
    tals: list[bytes] = field(default_factory=list)
    digest: str = ""


@may_run_apart
def read_edf(
    path: Path | str, *, age_days: float | None = None, name: str = "", max_hours: float = MAX_HOURS
) -> Recording:
    """Read the EEG channels of a recording, float32 in µV, gapless segments at their true times.

    Kept are the channels that name 10-20 electrodes, at the sampling rate that most of them share; the first of
    duplicates counts. The age is the one given, else that of the header's dates where both are real. Seizures marked
    in the file come along as `annotations`; no other text does. `digest` is that of the bytes as they were read.

    Refuses with `corrupt`, `truncated`, `unsupported_format`, `no_signal`, `montage_missing` (no EEG channel),
    `unit_suspect`, `rate_too_low`. An unreadable path raises `OSError` without naming the path.
    """
    with opened(Path(path)) as file:
        header = read_header(file)
        records = header.whole_records()
        picked, rate_hz = eeg_signals(header)
        _check_length(records * header.record_s, max_hours)
        units_uv = [unit_uv(header.signals[i]) for i in picked]
        body = _read_records(file, header, records, picked, units_uv)
    samples = header.signals[picked[0]].samples
    joined = joined_records(header, body.first_tals, records, samples / rate_hz, 0.5 / rate_hz)
    segments = _segments(joined, body.signal, samples)
    duration_s = joined[-1].onset_s + (joined[-1].last - joined[-1].first) * samples / rate_hz
    recording = Recording(
        tuple(header.signals[i].label for i in picked),
        rate_hz,
        segments,
        duration_s,
        body.digest,
        name,
        header.age_days if age_days is None else age_days,
        marked_seizures(body.tals, _first_onset(body.first_tals), duration_s),
    )
    check_amplitude(recording)
    return recording


def read_duration_s(path: Path | str) -> float:
    """Seconds of signal that a file's header announces and the file holds; refuses like `read_edf`."""
    with opened(Path(path)) as file:
        return read_header(file).duration_s


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The file, open for reading; refuses folders and devices, and raises OSError without the path in its text."""
    try:
        if path.exists() and not path.is_file():
            raise Refusal("unsupported_format", "a folder or device is not a recording: give one EDF or BDF file")
        file = open(path, "rb")  # noqa: SIM115 closed below
    except OSError as error:
        raise type(error)(error.errno, "the recording cannot be read") from None
    with file:
        yield file


def eeg_signals(header: Header) -> tuple[list[int], float]:
    """Indices of the EEG signals at the rate that most of them share (the higher one of equals), and that rate in Hz.

    Refuses with `montage_missing` where no signal is of EEG, `corrupt` records of 0 s, and what `check_rate` refuses.
    """
    eeg = [i for i, s in enumerate(header.signals) if is_eeg(s.label) and s.samples]
    if not eeg:
        raise Refusal(
            "montage_missing",
            f"none of {len(header.signals)} signals is named like an electrode of the 10-20 system: rename them",
        )
    if header.record_s <= 0:
        raise Refusal("corrupt", "the header gives data records of signal a duration of 0 s: export it again")
    counts = Counter(header.signals[i].samples for i in eeg)
    samples = max(counts, key=lambda s: (counts[s], s))
    rate_hz = _clock_rate_hz(samples / header.record_s)
    check_rate(rate_hz)
    first: dict[tuple[str, str] | None, int] = {}
    for i in (i for i in eeg if header.signals[i].samples == samples):
        first.setdefault(measured_between(header.signals[i].label), i)
    return list(first.values()), rate_hz


def _clock_rate_hz(computed_hz: float) -> float:
    """The whole rate that 255 samples in `0.996094` s stand for: eight characters cannot write 255/256 s.

    No amplifier's clock is true to 5 parts per million, so that a rate this close to a whole number is that number.
    """
    whole_hz = float(np.round(computed_hz))
    return whole_hz if abs(computed_hz - whole_hz) < 5e-6 * computed_hz else computed_hz


def _check_length(seconds: float, max_hours: float) -> None:
    if seconds > max_hours * 3600:
        raise Refusal(
            "unsupported_format",
            f"the recording lasts {seconds / 3600:.1f} h, at most {max_hours:g} h are read at once: split it",
        )


def _read_records(file: BinaryIO, header: Header, records: int, picked: list[int], units_uv: list[float]) -> Body:
    """One pass over the file, in chunks that stay in cache: samples in µV, annotations and the digest of all."""
    noted = [i for i, s in enumerate(header.signals) if s.is_annotation]
    samples = header.signals[picked[0]].samples
    body = Body(np.empty((len(picked), records * samples), dtype=np.float32))
    file.seek(0)
    seen = hashlib.sha256(file.read(header.header_bytes))
    step = max(1, CHUNK_BYTES // header.record_bytes)
    for at in range(0, records, step):
        count = min(step, records - at)
        raw = file.read(count * header.record_bytes)
        seen.update(raw)
        signals = decoded_records(header, raw, at, count)
        for row, (i, unit) in enumerate(zip(picked, units_uv, strict=True)):
            body.signal[row, at * samples : (at + count) * samples] = signals[i].data * unit
        for order, i in enumerate(noted):
            blocks = bytes_of_records(signals[i], count)
            body.tals += blocks
            body.first_tals += blocks if order == 0 else []
    seen.update(file.read())
    body.digest = seen.hexdigest()
    return body


def decoded_records(header: Header, raw: bytes, at: int, count: int) -> tuple[Signal, ...]:
    """The signals in `count` data records from number `at` on; refuses (`truncated`) fewer bytes than these take."""
    if len(raw) < count * header.record_bytes:
        raise Refusal("truncated", f"the file ended while it was read, in data record {at}: transfer it again")
    return decoded(header.columns, header.bytes_per_sample, raw, count)


def joined_records(
    header: Header, first_tals: list[bytes], records: int, record_s: float, tolerance_s: float
) -> list[Stretch]:
    """Gapless stretches of data records, from the times that they keep; by the standard only EDF+ keeps them.

    One stretch where the header announces no gaps and times are missing. Refuses (`corrupt`) a discontinuous recording
    without times, and what `stretches` refuses.
    """
    onsets_s = record_onsets(first_tals)
    if len(onsets_s) == 0 and header.is_discontinuous:
        raise Refusal("corrupt", "the recording is discontinuous but keeps no times: export it again")
    if not header.is_discontinuous and (len(onsets_s) == 0 or np.isnan(onsets_s).any()):
        return [Stretch(0, records, 0.0)]
    return stretches(onsets_s, record_s, tolerance_s)


def _segments(joined: list[Stretch], signal: np.ndarray, samples: int) -> tuple[Segment, ...]:
    return tuple(Segment(s.onset_s, signal[:, s.first * samples : s.last * samples]) for s in joined)


def _first_onset(first_tals: list[bytes]) -> float:
    onset_s = record_onsets(first_tals[:1])
    return float(onset_s[0]) if len(onset_s) and np.isfinite(onset_s[0]) else 0.0
