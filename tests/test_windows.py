"""Windows of a recording: whole, inside one segment, and at exact times."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.frontend import Prepared
from data.recording import Recording, Segment
from data.windows import Cutter, cut, samples


def ramp(onset_s: float, length: int, channels: int = 2) -> Segment:
    """A segment whose samples say their own index, channel by channel."""
    return Segment(onset_s, np.arange(length)[None] + 100_000 * np.arange(channels)[:, None])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 3000), st.integers(1, 20), st.integers(1, 20), st.integers(0, 100))
def test_every_window_holds_exactly_the_samples_of_its_time(length: int, window: int, hop: int, onset_s: int) -> None:
    windows, onsets_s = cut(ramp(onset_s, length), 128.0, window / 2, hop / 2)
    size, step = 64 * window, 64 * hop
    expected = max(0, (length - size) // step + 1) if length >= size else 0
    assert windows.shape == (expected, 2, size)
    for i, (piece, at_s) in enumerate(zip(windows, onsets_s, strict=True)):
        assert piece[0].tolist() == list(range(i * step, i * step + size))
        assert piece[1, 0] == 100_000 + i * step
        assert at_s == onset_s + i * step / 128


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 400), st.integers(1, 8), st.integers(1, 12), st.lists(st.integers(0, 400), max_size=8))
def test_windows_cut_from_chunks_are_those_of_the_whole(length: int, window: int, hop: int, cuts: list[int]) -> None:
    """Also where windows lie apart, and however little arrives at a time."""
    segment = ramp(3.0, length)
    whole, onsets_s = cut(segment, 16.0, window / 2, hop / 2)
    cutter = Cutter(16.0, window / 2, hop / 2, 3.0)
    parts = [cutter(part) for part in np.split(segment.signal, sorted(cuts), axis=1)]
    assert np.concatenate([w for w, _ in parts]).tolist() == whole.tolist()
    assert np.concatenate([o for _, o in parts]).tolist() == onsets_s.tolist()
    assert cutter.next_end_s == 3.0 + len(whole) * hop / 2 + window / 2


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 30)), min_size=1, max_size=5))
def test_a_window_never_crosses_a_gap(stretches: list[tuple[int, int]]) -> None:
    """(length, gap behind it) in seconds; windows of 8 s every second."""
    segments, at_s = [], 0.0
    for length_s, gap_s in stretches:
        segments.append(ramp(at_s, length_s * 16))
        at_s += length_s + gap_s
    recording = Recording(("Fp1", "Fp2"), 16.0, tuple(segments), at_s)
    found = [float(onset) for s in recording.segments for onset in cut(s, 16.0, 8.0, 1.0)[1]]
    assert len(found) == sum(max(0, length_s - 7) for length_s, _ in stretches)
    for onset_s in found:
        assert not any(onset_s < gap + lasts and gap < onset_s + 8 for gap, lasts in recording.gaps)


def test_windows_are_a_view_that_cannot_be_written() -> None:
    segment = ramp(0.0, 1280)
    windows, _ = cut(segment, 128.0, 4.0, 1.0)
    assert np.shares_memory(windows, segment.signal)
    with pytest.raises(ValueError, match="read-only"):
        windows[0, 0, 0] = 1


@pytest.mark.parametrize(("seconds", "rate_hz"), [(0.1, 128.0), (1.0, 173.61), (0.0, 128.0), (-1.0, 128.0)])
def test_a_length_that_is_no_whole_number_of_samples_is_an_error(seconds: float, rate_hz: float) -> None:
    with pytest.raises(ValueError, match="whole number"):
        samples(seconds, rate_hz)


def test_a_length_in_tenths_is_exact_in_spite_of_binary_fractions() -> None:
    assert samples(0.1, 250.0) == 25
    assert samples(0.3, 1000.0) == 300
    assert samples(69.0, 128.0) == 8832


def test_segments_of_a_recording_neither_overlap_nor_change_channels() -> None:
    with pytest.raises(ValueError, match="before the previous one ends"):
        Recording(("Fp1", "Fp2"), 16.0, (ramp(0.0, 160), ramp(9.0, 160)), 20.0)
    with pytest.raises(ValueError, match="does not fit"):
        Recording(("Fp1",), 16.0, (ramp(0.0, 160),), 10.0)


def test_recorded_time_leaves_gaps_out() -> None:
    recording = Recording(("Fp1", "Fp2"), 16.0, (ramp(0.0, 160), ramp(12.0, 32)), 14.0)
    assert recording.recorded_s == 12.0
    assert recording.gaps == ((10.0, 2.0),)


def test_a_part_of_a_prepared_recording_keeps_its_times_and_its_gaps() -> None:
    segments = (Segment(0.0, np.arange(10.0)[None]), Segment(20.0, np.arange(10.0)[None]))
    part = Prepared(("Cz",), 1.0, segments, 30.0, "").between(7.0, 23.0)
    assert [(s.onset_s, s.signal[0].tolist()) for s in part.segments] == [(7.0, [7, 8, 9]), (20.0, [0, 1, 2])]
    assert part.duration_s == 30.0 and part.between(12.0, 18.0).segments == ()
