"""An EEG file looked at a stretch at a time: what is asked for is read and no more, however long the recording is."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from data.readers.edf import decoded_records, eeg_signals, joined_records, opened
from data.readers.edf_header import Header, read_header
from data.readers.edf_samples import unit_uv
from data.readers.edf_times import Stretch


@dataclass(frozen=True)
class EdfSpans:
    """An EEG file that is looked at a stretch at a time, so that its length does not matter.

    `channels`, `rate_hz` and `duration_s` are those of `read_edf`; sample n was taken n / rate_hz seconds after the
    recording's start, to the nearest sample where a gap ends in between.
    """

    path: Path
    channels: tuple[str, ...]
    rate_hz: float
    duration_s: float
    stretches: tuple[Stretch, ...] = field(repr=False)
    header: Header = field(repr=False)
    picked: tuple[int, ...] = field(repr=False)

    @property
    def samples(self) -> int:
        """Samples from start to end, gaps included."""
        return round(self.duration_s * self.rate_hz)

    @property
    def gaps(self) -> tuple[tuple[float, float], ...]:
        """(onset_s, duration_s) of every gap."""
        record_s = self._record_samples / self.rate_hz
        ends = [s.onset_s + (s.last - s.first) * record_s for s in self.stretches]
        starts = [s.onset_s for s in self.stretches[1:]]
        return tuple((end, start - end) for end, start in zip(ends, starts, strict=False) if start - end > 1e-6)

    def signal(self, first: int, last: int) -> np.ndarray:
        """Samples `first` to `last` (not included): (channels, samples) float32 in µV, NaN where nothing was recorded.

        Law: what lies in a gapless stretch is what `read_edf` gives. Refuses with `truncated` a file that became shorter.
        """
        out = np.full((len(self.picked), max(0, last - first)), np.nan, dtype=np.float32)
        with opened(self.path) as file:
            for stretch in self.stretches:
                begins = round(stretch.onset_s * self.rate_hz)
                ends = begins + (stretch.last - stretch.first) * self._record_samples
                start, stop = max(first, begins), min(last, ends)
                if start < stop:
                    read = self._read(file, stretch.first, start - begins, stop - begins)
                    out[:, start - first : stop - first] = read
        return out

    def _read(self, file: BinaryIO, record: int, start: int, stop: int) -> np.ndarray:
        """Samples counted from the beginning of a data record; whole records are read."""
        size = self._record_samples
        before, count = start // size, -(-stop // size) - start // size
        file.seek(self.header.header_bytes + (record + before) * self.header.record_bytes)
        raw = file.read(count * self.header.record_bytes)
        signals = decoded_records(self.header, raw, record + before, count)
        kept = slice(start - before * size, stop - before * size)
        return np.stack([signals[i].data[kept] * unit_uv(self.header.signals[i]) for i in self.picked])

    @property
    def _record_samples(self) -> int:
        return self.header.signals[self.picked[0]].samples


def open_spans(path: Path | str) -> EdfSpans:
    """Read header and record times only; refuses what `read_edf` refuses, but for amplitudes, which are to be seen."""
    with opened(Path(path)) as file:
        header = read_header(file)
        records = header.whole_records()
        picked, rate_hz = eeg_signals(header)
        for i in picked:
            unit_uv(header.signals[i])
        samples = header.signals[picked[0]].samples
        joined = joined_records(header, _first_tals(file, header, records), records, samples / rate_hz, 0.5 / rate_hz)
    duration_s = joined[-1].onset_s + (joined[-1].last - joined[-1].first) * samples / rate_hz
    channels = tuple(header.signals[i].label for i in picked)
    return EdfSpans(Path(path), channels, rate_hz, duration_s, tuple(joined), header, tuple(picked))


def _first_tals(file: BinaryIO, header: Header, records: int) -> list[bytes]:
    """The bytes of the first annotation signal, record by record; none where there is no such signal."""
    noted = next((i for i, s in enumerate(header.signals) if s.is_annotation), None)
    if noted is None:
        return []
    before = sum(s.samples for s in header.signals[:noted]) * header.bytes_per_sample
    size, found = header.signals[noted].samples * header.bytes_per_sample, []
    for record in range(records):
        file.seek(header.header_bytes + record * header.record_bytes + before)
        found.append(file.read(size))
    return found
