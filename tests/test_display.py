"""What is drawn of an EEG is what was recorded: nothing moved in time, no peak lost, whatever piece is asked for."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console import display
from console.display import BINS, Filters, Shown, Tiles, envelope, montage_of, montages_of, refuse_filters
from data.montage import ELECTRODES
from data.outcomes import Refusal
from data.readers.edf import write_edf
from data.readers.edf_spans import EdfSpans, open_spans
from tests.edf_bytes import discontinuous

RATE_HZ, SECONDS = 256, 60


@pytest.fixture(scope="module")
def spans(tmp_path_factory: pytest.TempPathFactory) -> EdfSpans:
    """A minute of noise on an electrode offset of 400 µV."""
    path = tmp_path_factory.mktemp("eeg") / "a.edf"
    noise = np.random.default_rng(0).normal(400, 30, (19, RATE_HZ * SECONDS))
    write_edf(path, noise.astype(np.float32), ELECTRODES, float(RATE_HZ))
    return open_spans(path)


@pytest.fixture(scope="module")
def shown(spans: EdfSpans) -> Shown:
    return Shown(spans, montage_of(spans.channels, "neonatal_18"), Filters(0.5, 35.0, 50.0))


@pytest.fixture(scope="module")
def whole(shown: Shown) -> np.ndarray:
    return shown.signal(0, shown.spans.samples)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, RATE_HZ * SECONDS - 1), st.integers(1, 8 * RATE_HZ))
def test_a_piece_is_what_the_whole_recording_shows_there(
    shown: Shown, whole: np.ndarray, first: int, length: int
) -> None:
    last = min(first + length, shown.spans.samples)
    assert np.abs(shown.signal(first, last) - whole[:, first:last]).max() < 0.01


def test_a_rhythm_is_neither_moved_nor_made_smaller_by_filters_around_it() -> None:
    time_s = np.arange(20 * RATE_HZ) / RATE_HZ
    rhythm = 50 * np.sin(2 * np.pi * 5 * time_s)[None]
    seen = Filters(0.5, 35.0, 50.0)(rhythm + 300, float(RATE_HZ))
    assert np.abs(seen - rhythm)[:, 5 * RATE_HZ : -5 * RATE_HZ].max() < 0.5


def test_mains_are_taken_out_by_the_notch() -> None:
    mains = 50 * np.sin(2 * np.pi * 50 * np.arange(20 * RATE_HZ) / RATE_HZ)[None]
    assert np.abs(Filters(None, None, 50.0)(mains, float(RATE_HZ)))[:, 5 * RATE_HZ : -5 * RATE_HZ].max() < 0.5
    assert np.array_equal(Filters(None, None, None)(mains, float(RATE_HZ)), mains)


def test_filters_say_what_they_are_and_what_the_rate_does_not_hold_is_refused() -> None:
    assert Filters(0.5, 35.0, 50.0).said == "high-pass 0.5 Hz, low-pass 35 Hz, notch 50 Hz"
    assert Filters(None, None).said == "no filter"
    with pytest.raises(ValueError, match="low-pass of 70 Hz needs a sampling rate above 140 Hz; it is 128"):
        refuse_filters(Filters(0.5, 70.0), 128.0)


def test_an_average_montage_does_not_depend_on_the_reference() -> None:
    rng = np.random.default_rng(1)
    signal, reference = rng.normal(size=(19, 100)), rng.normal(size=100)
    montage = montage_of(tuple(f"EEG {e}-Ref" for e in ELECTRODES), "average")
    assert np.allclose(montage.made(signal), montage.made(signal - reference))
    assert np.allclose(montage.made(signal).sum(axis=0), 0) and montage.rows[0] == "Fp1-Avg"


def test_of_bipolar_channels_no_average_is_offered_and_what_can_be_made_is() -> None:
    pairs = ("Fp1-F7", "F7-T3")
    assert list(montages_of(pairs)) == ["recorded"]
    assert next(iter(montages_of(ELECTRODES))) == "neonatal_18"
    with pytest.raises(Refusal, match="average would mean nothing"):
        montage_of(pairs, "average")


def test_an_envelope_holds_the_lowest_and_highest_of_each_column() -> None:
    signal = np.array([[1.0, 5.0, -2.0, 0.0, np.nan, np.nan, 7.0]])
    expected = [[[1, 5], [-2, 0], [np.nan, np.nan], [7, 7]]]
    assert np.array_equal(envelope(signal, 2), np.array(expected, dtype=np.float32), equal_nan=True)


def test_a_tile_of_tiles_is_the_envelope_of_the_signal_itself(
    shown: Shown, whole: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(display, "WHOLE_SAMPLES", 2 * BINS)
    made = Tiles().tile(("a",), shown, 4, 0)
    assert made.shape == (18, -(-shown.spans.samples // 16), 2)
    assert np.abs(made - envelope(whole, 16)).max() < 0.02


def test_tiles_cover_the_recording_once_and_end_with_it(shown: Shown) -> None:
    tiles, columns = Tiles(), []
    for number in range(20):
        columns.append(tiles.tile(("a",), shown, 1, number).shape[1])
    assert sum(columns) == shown.spans.samples // 2 and columns[-1] == 0


def test_no_more_is_kept_than_was_allowed_and_what_is_kept_is_not_made_again(shown: Shown) -> None:
    tiles = Tiles(kept_bytes=400_000)
    first = tiles.tile(("a",), shown, 0, 0)
    assert tiles.tile(("a",), shown, 0, 0) is first
    for number in range(1, 6):
        tiles.tile(("a",), shown, 0, number)
    assert tiles._bytes == sum(kept.nbytes for kept in tiles._kept.values()) <= 400_000
    assert tiles.tile(("a",), shown, 0, 0) is not first


def test_a_gap_is_empty_and_what_lies_beside_it_is_filtered_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "gap.edf"
    path.write_bytes(discontinuous([f"+{n}" for n in (0, 1, 2, 3, 10, 11, 12, 13)]).to_bytes())
    spans = open_spans(path)
    seen = Shown(spans, montage_of(spans.channels, "recorded"), Filters()).signal(0, spans.samples)
    empty = np.isnan(seen[0])
    assert empty[4 * RATE_HZ : 10 * RATE_HZ].all() and not empty[: 4 * RATE_HZ].any()
    assert not empty[10 * RATE_HZ :].any()
