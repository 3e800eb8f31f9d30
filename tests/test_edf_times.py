"""Times within EDF+ recordings: gaps are gaps, seizures lie where they were marked."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.events import Event
from data.readers.edf_header import read_header
from data.readers.edf_times import parse_tals, record_onsets, stretches
from tests import SHARED, needs_shared
from tests.edf_bytes import File, Signal, discontinuous, eeg, read, refused


@needs_shared
def test_the_record_times_of_a_real_discontinuous_file_are_read() -> None:
    """Pulse oximetry in records of 4 s, interrupted twice; its own notes say `APPEND: 5631` and `APPEND: 13656`."""
    path = SHARED / "edf_robustness" / "StagPoint.EuropeanDataFormat.Net" / "Discontinuous2.edf"
    with open(path, "rb") as file:
        header = read_header(file)
        body = np.frombuffer(file.read(), np.uint8).reshape(2748, header.record_bytes)
    blocks = [row[2 * 3 :].tobytes() for row in body]  # three signals of one sample each stand before
    assert header.is_discontinuous
    found = stretches(record_onsets(blocks), header.record_s, 2.0)
    assert [(s.first, s.last, s.onset_s) for s in found] == [(0, 681, 0.0), (681, 2202, 5631.0), (2202, 2748, 13656.0)]
    appended = [t for b in blocks for t in parse_tals(b) if t.texts[0].startswith(b"APPEND")]
    assert [(t.onset_s, t.duration_s) for t in appended] == [(5631.0, 1521 * 4.0), (13656.0, 546 * 4.0)]


def test_a_gap_between_records_is_a_gap_in_the_recording(tmp_path: Path) -> None:
    file = discontinuous(["+0", "+1", "+2", "+10", "+11", "+60.5"])
    recording = read(tmp_path, file)
    assert [(s.onset_s, s.signal.shape[1]) for s in recording.segments] == [(0.0, 768), (10.0, 512), (60.5, 256)]
    assert recording.gaps == ((3.0, 7.0), (12.0, 48.5))
    assert recording.duration_s == 61.5
    assert recording.recorded_s == 6.0
    written = np.concatenate([s.signal for s in recording.segments], axis=1)
    np.testing.assert_allclose(written[0], file.signals[0].digital.ravel() * 0.1, atol=0.051)  # type: ignore[union-attr]


def test_a_gap_counts_even_in_a_file_that_calls_itself_continuous(tmp_path: Path) -> None:
    assert read(tmp_path, discontinuous(["+0", "+1", "+9"], reserved="EDF+C")).gaps == ((2.0, 7.0),)


def test_times_begin_with_the_first_record_even_if_it_starts_within_a_second(tmp_path: Path) -> None:
    recording = read(tmp_path, discontinuous(["+0.25", "+1.25", "+5.25"], {0: b"+5.5\x150.5\x14sz\x14\0"}))
    assert [s.onset_s for s in recording.segments] == [0.0, 5.0]
    assert recording.annotations is not None
    assert recording.annotations.events == (Event(5.25, 0.5),)


def test_less_than_half_a_sample_of_jitter_is_no_gap(tmp_path: Path) -> None:
    assert read(tmp_path, discontinuous(["+0", "+1.0019", "+2.0001"])).gaps == ()
    assert len(read(tmp_path, discontinuous(["+0", "+1.0021", "+2.0021"])).gaps) == 1


def test_a_slow_clock_before_a_gap_never_makes_segments_overlap(tmp_path: Path) -> None:
    onsets = [f"+{i * 0.9985:.4f}" for i in range(20)] + ["+19.9750"]
    recording = read(tmp_path, discontinuous(onsets))
    assert recording.recorded_s == 21.0


@pytest.mark.parametrize("onsets", [["+0", "+0.5", "+2"], ["+5", "+4", "+6"], ["+0", "+1", "+1"]])
@pytest.mark.parametrize("reserved", ["EDF+D", "EDF+C"])
def test_records_that_overlap_or_run_backwards_are_corrupt(tmp_path: Path, onsets: list[str], reserved: str) -> None:
    assert refused(tmp_path, discontinuous(onsets, reserved=reserved)).code == "corrupt"


def test_a_discontinuous_file_without_times_is_corrupt(tmp_path: Path) -> None:
    assert refused(tmp_path, File([eeg("Fp1")], reserved="EDF+D")).code == "corrupt"
    silent = Signal("EDF Annotations", [b"\0" * 20] * 10, b"", ("-1", "1"))
    assert refused(tmp_path, File([eeg("Fp1"), silent], reserved="EDF+D")).code == "corrupt"
    assert read(tmp_path, File([eeg("Fp1"), silent], reserved="EDF+C")).gaps == ()


def test_a_reserved_field_with_a_suffix_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, File([eeg("Fp1")], reserved="EDF+C_Online")).duration_s == 10.0


def test_gaps_of_bdf_plus_d_are_read_too(tmp_path: Path) -> None:
    blocks = [f"+{t}\x14\x14".encode().ljust(60, b"\0") for t in (0, 1, 8)]
    times = Signal("BDF Annotations", blocks, b"", ("-1", "1"), ("-8388608", "8388607"))
    signal = replace(eeg("Fp1", 3), limits=("-8388608", "8388607"), physical=("-262144", "262143"))
    assert read(tmp_path, File([signal, times], reserved="BDF+D", bdf=True)).gaps == ((2.0, 6.0),)


def test_seizures_are_kept_and_every_other_text_is_dropped(tmp_path: Path) -> None:
    extra = {
        1: b"+1.5\x152\x14Seizure\x14\0+2\x14John Smith moves\x14\0",
        4: b"+4\x151.25\x14sz-foc-ia\x14\0+4\x151\x14sz_Smith\x14\0",
    }
    recording = read(tmp_path, discontinuous([f"+{i}" for i in range(10)], extra))
    assert recording.annotations is not None
    assert recording.annotations.events == (Event(1.5, 2.0), Event(4.0, 1.25, "sz_foc_ia"))
    assert "Smith" not in repr(recording)


@pytest.mark.parametrize(
    "unfit", [b"+1\x14sz\x14\0", b"+1\x1560\x14sz\x14\0", b"-1\x151\x14sz\x14\0", b"+1\x150\x14sz\x14\0"]
)
def test_one_seizure_that_cannot_be_placed_leaves_no_annotations(tmp_path: Path, unfit: bytes) -> None:
    times, fit = [f"+{i}" for i in range(10)], b"+2\x151\x14sz\x14\0"
    assert read(tmp_path, discontinuous(times, {2: fit})).annotations is not None
    assert read(tmp_path, discontinuous(times, {2: fit, 3: unfit})).annotations is None


def test_a_recording_without_marked_seizures_is_not_called_seizure_free(tmp_path: Path) -> None:
    assert read(tmp_path, discontinuous(["+0", "+1"], {0: b"+0\x14eyes open\x14\0"})).annotations is None
