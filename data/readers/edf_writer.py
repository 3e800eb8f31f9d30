"""Plain EDF files for the simulator, and remarks in EDF+ alone: equal input gives equal bytes, no header names anybody."""

import io
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np


def write_edf(
    path: Path,
    recording_signal: np.ndarray,
    channels: Sequence[str],
    rate_hz: float,
    *,
    start: datetime = datetime(2000, 1, 1),
) -> None:
    """Write (channels, samples) µV as plain EDF, 16 bits over each channel's own range; equal input, equal bytes.

    No patient and no place stands in the header. The samples must fill whole data records: of 1 s, or of another
    length that EDF can write (ValueError where there is none). The error is at most half a step of range / 65535.
    """
    import edfio

    if not np.isfinite(recording_signal).all():
        raise ValueError("EDF cannot hold samples that are not finite")
    signals = [
        edfio.EdfSignal(row.astype(float), rate_hz, label=label, physical_dimension="uV", physical_range=_range(row))
        for row, label in zip(recording_signal, channels, strict=True)
    ]
    edf = edfio.Edf(
        signals,
        patient=edfio.Patient(),
        recording=edfio.Recording(startdate=start.date()),
        starttime=start.time(),
        data_record_duration=_record_duration_s(recording_signal.shape[1], rate_hz),
    )
    edf.write(path)


def annotations_edf(remarks: Sequence[tuple[float, float | None, str]]) -> bytes:
    """An EDF+ file of remarks (onset_s, duration_s or None, text) without any signal (EDF+ 2.2.1), to lay beside a recording.

    It has no date: onsets count from the recording's start. Empty texts and onsets below 0 are a ValueError.
    """
    import edfio

    for onset_s, duration_s, text in remarks:
        if not (text and np.isfinite(onset_s) and onset_s >= 0 and (duration_s is None or duration_s >= 0)):
            raise ValueError("a remark has a text, an onset of 0 s or later, and a duration of 0 s or longer, or none")
    edf = edfio.Edf([], annotations=[edfio.EdfAnnotation(*remark) for remark in remarks])
    file = io.BytesIO()
    edf.write(file)
    return file.getvalue()


def _range(row: np.ndarray) -> tuple[float, float]:
    """Symmetric whole microvolts that hold the row: short to write, exact to read."""
    reach = float(np.ceil(np.abs(row).max(initial=0.0))) + 1.0
    return -reach, reach


def _record_duration_s(samples: int, rate_hz: float) -> float:
    """1 s where that fills whole records, else the longest record up to 10 s that EDF's eight characters can hold."""
    lengths = [round(rate_hz), *range(int(10 * rate_hz), 0, -1)]
    for length in lengths:
        seconds = length / rate_hz
        if samples % length == 0 and len(f"{seconds:.8g}") <= 8 and float(f"{seconds:.8g}") == seconds:
            return seconds
    raise ValueError(f"{samples} samples at {rate_hz:g} Hz fill no whole EDF records: write whole seconds")
