"""What the header of a published EDF says about its recording, for converting it; the signal is not read."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from data.ages import OLDEST_YEARS
from data.cohorts.clock import clock_s
from data.outcomes import Refusal
from data.readers.edf_header import read_header

_AGE = re.compile(r"\bAge:(\d{1,3})\b")
_SEX = re.compile(r"\S+ ([MF])\b")


@dataclass(frozen=True)
class EdfFacts:
    """Length, sampling rate of most signals, time of day at the first sample, and age and sex where they stand there.

    An age that nobody reaches, such as 999, says that it is not known.
    """

    duration_s: float
    rate_hz: float
    channels: int
    starts_s: float | None = None
    age_years: float | None = None
    sex: str = "n/a"

    def sidecar(self, line_hz: float, reference: str) -> dict[str, object]:
        """The eeg.json of the recording."""
        return {
            "TaskName": "eeg",
            "SamplingFrequency": self.rate_hz,
            "PowerLineFrequency": line_hz,
            "EEGReference": reference,
            "EEGChannelCount": self.channels,
            "RecordingDuration": self.duration_s,
            "RecordingType": "continuous",
            "SoftwareFilters": "n/a",
        }


def edf_facts(path: Path) -> EdfFacts:
    """Read the header; refuses what `read_header` refuses and a file that does not hold what it announces."""
    with path.open("rb") as file:
        header = read_header(file)
        file.seek(8)
        fixed = file.read(176)
    patient, began = fixed[:80].decode("latin-1"), fixed[168:176].decode("latin-1")
    if not header.record_s > 0:
        raise Refusal("no_signal", "the data records last 0 s: check that the recording was saved")
    samples = Counter(s.samples for s in header.signals if not s.is_annotation).most_common(1)[0]
    stated = _AGE.search(patient)
    years = float(stated[1]) if stated and float(stated[1]) <= OLDEST_YEARS else None
    days = header.age_days
    return EdfFacts(
        duration_s=header.duration_s,
        rate_hz=samples[0] / header.record_s,
        channels=sum(not s.is_annotation for s in header.signals),
        starts_s=clock_s(began),
        age_years=years if years is not None else None if days is None else days / 365.25,
        sex=sex[1].lower() if (sex := _SEX.match(patient)) else "n/a",
    )
