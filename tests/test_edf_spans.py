"""A file looked at a stretch at a time shows the samples that a whole reading gives, at their true times."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.outcomes import Refusal
from data.readers.edf import read_edf
from data.readers.edf_spans import EdfSpans, open_spans
from tests import SHARED, needs_shared
from tests.edf_bytes import File, discontinuous, eeg, notes

RATE_HZ = 256


def written(folder: Path, file: File) -> Path:
    path = folder / "a.edf"
    path.write_bytes(file.to_bytes())
    return path


def whole(path: Path) -> np.ndarray:
    """Every sample of `read_edf` where its time puts it, NaN in gaps."""
    recording = read_edf(path)
    grid = np.full((len(recording.channels), round(recording.duration_s * recording.rate_hz)), np.nan, np.float32)
    for segment in recording.segments:
        at = round(segment.onset_s * recording.rate_hz)
        grid[:, at : at + segment.signal.shape[1]] = segment.signal
    return grid


@pytest.fixture(scope="module")
def gapped(tmp_path_factory: pytest.TempPathFactory) -> tuple[EdfSpans, np.ndarray]:
    path = written(
        tmp_path_factory.mktemp("gapped"), discontinuous([f"+{n}" for n in (0, 1, 2, 7, 8, 20, 21, 22, 23, 24)])
    )
    return open_spans(path), whole(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(-RATE_HZ, 26 * RATE_HZ), st.integers(0, 9 * RATE_HZ))
def test_any_stretch_is_what_the_whole_reading_has_there_and_nothing_in_gaps(
    gapped: tuple[EdfSpans, np.ndarray], first: int, length: int
) -> None:
    spans, grid = gapped
    padded = np.pad(grid, ((0, 0), (RATE_HZ, 40 * RATE_HZ)), constant_values=np.nan)
    expected = padded[:, RATE_HZ + first : RATE_HZ + first + length]
    assert np.array_equal(spans.signal(first, first + length), expected, equal_nan=True)


def test_gaps_and_length_are_those_of_the_recording(gapped: tuple[EdfSpans, np.ndarray]) -> None:
    spans, grid = gapped
    assert spans.gaps == ((3.0, 4.0), (9.0, 11.0)) and spans.samples == grid.shape[1] == 25 * RATE_HZ


@needs_shared
@pytest.mark.parametrize(
    "name",
    ["neonatal_edf/eeg_burst_eg.edf", "edf_robustness/mne-python/test.bdf", "edf_robustness/pyedflib/test_utf8.edf"],
)
def test_real_files_are_shown_as_they_are_read(name: str) -> None:
    recording, spans = read_edf(SHARED / name), open_spans(SHARED / name)
    assert (spans.channels, spans.rate_hz, spans.duration_s) == (
        recording.channels,
        recording.rate_hz,
        recording.duration_s,
    )
    assert np.array_equal(spans.signal(0, spans.samples), recording.segments[0].signal)


def test_amplitudes_that_no_detector_is_given_can_be_looked_at(tmp_path: Path) -> None:
    loud = eeg("Fp1", physical=("-2000000", "2000000"))
    path = written(tmp_path, File([loud, notes([f"+{n}" for n in range(10)])]))
    with pytest.raises(Refusal, match="unit_suspect"):
        read_edf(path)
    assert np.nanmax(np.abs(open_spans(path).signal(0, RATE_HZ))) > 1e4


def test_a_file_that_became_shorter_is_refused_when_it_is_looked_at(tmp_path: Path) -> None:
    path = written(tmp_path, File([eeg("Fp1")]))
    spans = open_spans(path)
    path.write_bytes(path.read_bytes()[:-600])
    with pytest.raises(Refusal, match="truncated"):
        spans.signal(9 * RATE_HZ, 10 * RATE_HZ)
