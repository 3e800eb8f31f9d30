"""Windows that somebody else cut: nothing about them is guessed, and what is stated is held to their bytes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.montage import derive
from data.outcomes import Refusal
from data.readers.labelled import KNOWN, NEEDED, read_labelled, read_statement
from tests import SHARED, needs_shared

CHBMIT = SHARED / "chbmit"
CHANNELS = ["Fp1-F3", "F3-C3"]


def statement(**changed: Any) -> dict[str, Any]:
    said = {
        "title": "two of each", "source": "made here", "rate_hz": 128, "unit": "mV", "channels": CHANNELS,
        "age": "3d", "persons": 1, "seizure": ["in"], "other": ["out"], **changed,
    }  # fmt: skip
    return {key: value for key, value in said.items() if value is not None}


def folder(root: Path, said: dict[str, Any] | None = None) -> Path:
    """Two windows of each kind; the value of every sample is the window's number."""
    for number, name in enumerate(("in/a", "in/b", "out/a", "out/b"), 1):
        path = root / f"{name}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.full((2, 256), float(number)))
    (root / "windows.json").write_text(json.dumps(statement() if said is None else said))
    return root


def refusal_of(*places: Path, said: Path | None = None) -> Refusal:
    with pytest.raises(Refusal) as caught:
        read_labelled(places, said)
    return caught.value


def test_windows_are_recordings_in_microvolts_with_the_label_of_their_folder(tmp_path):
    read = read_labelled([folder(tmp_path)])
    assert [(w.name, w.is_seizure) for w in read.windows] == [
        ("in/a.npy", True), ("in/b.npy", True), ("out/a.npy", False), ("out/b.npy", False),
    ]  # fmt: skip
    first = read.windows[0].recording
    assert (first.rate_hz, first.duration_s, first.age_days, first.channels) == (128.0, 2.0, 3.0, tuple(CHANNELS))
    assert [w.recording.segments[0].signal[0, 0] for w in read.windows] == [1000.0, 2000.0, 3000.0, 4000.0]
    assert [w.recording.name for w in read.windows] == [f"window-{n}" for n in (1, 2, 3, 4)]


def test_a_folder_its_classes_and_its_files_name_the_same_set(tmp_path):
    whole = read_labelled([folder(tmp_path)])
    classes = read_labelled([tmp_path / "out", tmp_path / "in"])
    files = read_labelled(sorted(tmp_path.glob("*/*.npy")))
    assert whole.digest == classes.digest == files.digest and len(files.windows) == 4


def test_other_bytes_another_label_and_another_statement_are_another_set(tmp_path):
    digests = {read_labelled([folder(tmp_path)]).digest}
    for changed in ({"unit": "V"}, {"seizure": ["out"], "other": ["in"]}, {"age": "4d"}):
        digests.add(read_labelled([folder(tmp_path, statement(**changed))]).digest)
    np.save(folder(tmp_path) / "in" / "a.npy", np.zeros((2, 256)))
    digests.add(read_labelled([tmp_path]).digest)
    assert len(digests) == 5


@pytest.mark.parametrize("key", NEEDED)
def test_what_is_not_stated_is_refused_by_name(tmp_path, key):
    refusal = refusal_of(folder(tmp_path, statement(**{key: None})))
    assert refusal.code == "unsupported_format" and f"does not state {key}" in refusal.reason
    assert "--labels" in refusal.reason


@pytest.mark.parametrize(
    ("changed", "code", "word"),
    [
        ({"unit": "counts"}, "unit_suspect", "counts"),
        ({"rate_hz": "256"}, "unsupported_format", "rate_hz"),
        ({"rate_hz": 0}, "unsupported_format", "above 0"),
        ({"rate_hz": True}, "unsupported_format", "rate_hz"),
        ({"rate_hz": 10**400}, "unsupported_format", "at most 1e+06, got 100000000000"),
        ({"rate_hz": float("nan")}, "unsupported_format", "got nan"),
        ({"channels": "Fp1-F3"}, "unsupported_format", "channels"),
        ({"channels": [*CHANNELS, "C3-P3"]}, "unsupported_format", "3 channels"),
        ({"age": "eleven"}, "age_unknown", "eleven"),
        ({"seizure": ["elsewhere"]}, "unsupported_format", "neither as seizure nor as other"),
        ({"other": ["in", "out"]}, "unsupported_format", "both as seizure and as other"),
        ({"seizure": ["in", "out"], "other": []}, "unsupported_format", "4 of 4 windows are seizures"),
        ({"sampling": 256}, "unsupported_format", "sampling"),
        ({"files": {"in/a.npy": "ab" * 32}}, "corrupt", "4 of 4 windows are not the files"),
    ],
)
def test_what_is_stated_wrongly_is_refused(tmp_path, changed, code, word):
    refusal = refusal_of(folder(tmp_path, statement(**changed)))
    assert refusal.code == code and word in refusal.reason


def test_windows_that_nothing_speaks_for_are_refused_with_the_next_step(tmp_path):
    (folder(tmp_path) / "windows.json").unlink()
    assert "nothing states rate, unit and channels" in refusal_of(tmp_path).reason
    assert "no such statement" in refusal_of(tmp_path, said=tmp_path / "absent.json").reason
    (tmp_path / "list.json").write_text("[]")
    assert "no JSON object" in refusal_of(tmp_path, said=tmp_path / "list.json").reason
    (tmp_path / "text.json").write_text("rate: 256")
    assert "not JSON" in refusal_of(tmp_path, said=tmp_path / "text.json").reason
    (tmp_path / "deep.json").write_text("[" * 100_000)
    assert "not JSON" in refusal_of(tmp_path, said=tmp_path / "deep.json").reason


def announcing(shape: str) -> bytes:
    """A NumPy file of one number that says it had this shape."""
    head = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head.encode() + bytes(8)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"\x93NUMPY\x01\x00", "corrupt"),
        (b"no array", "corrupt"),
        (np.zeros(256), "unsupported_format"),
        (np.zeros((2, 0)), "unsupported_format"),
        (np.array([["a"] * 4] * 2), "unsupported_format"),
        (np.full((2, 256), np.nan), "corrupt"),
        (np.full((2, 256), 2.0), "corrupt"),
        (np.array([{"a": 1}] * 2, dtype=object), "corrupt"),
        (announcing(f"(2, {10**17})"), "corrupt"),
        (announcing(f"(2, {10**25})"), "corrupt"),
        (announcing("(True, 1)"), "corrupt"),
    ],
    ids=["cut off", "text", "one row", "empty", "letters", "missing samples", "twice the same", "pickled objects",
         "more than memory", "more than numbers", "no number"],
)  # fmt: skip
def test_a_window_that_is_no_array_of_samples_is_refused_and_not_named(tmp_path, content, code):
    path = folder(tmp_path) / "in" / "a.npy"
    path.write_bytes(content) if isinstance(content, bytes) else np.save(path, content, allow_pickle=True)
    refusal = refusal_of(tmp_path)
    assert refusal.code == code and "a.npy" not in refusal.reason


def test_where_there_is_no_window_that_is_said(tmp_path):
    assert refusal_of(tmp_path).code == "no_signal"
    assert "place 2 is neither" in refusal_of(folder(tmp_path), tmp_path / "absent").reason


@pytest.mark.parametrize("path", sorted(KNOWN.glob("*.json")), ids=lambda p: p.stem)
def test_what_ictal_states_of_public_files_is_bound_to_their_bytes_and_gives_the_montage(path):
    known = read_statement(path)
    assert known.files and all(len(digest) == 64 for digest in known.files.values())
    assert known.age_days is not None and known.persons and known.limits
    assert len(derive(known.channels).channels) == 18


@needs_shared
def test_the_windows_of_chb01_are_what_their_summary_and_their_own_rows_say():
    """Rows 14 and 22 are one channel recorded twice, and both ways from Fp1 to O1 add up to the same."""
    read = read_labelled([CHBMIT])
    summary = (CHBMIT / "chb01-summary.txt").read_text().splitlines()
    named = [line.split(": ")[1].strip() for line in summary if line.startswith("Channel ")][:23]
    assert list(read.stated.channels) == named and "Data Sampling Rate: 256 Hz" in summary[0]
    assert (len(read.windows), int(read.labels.sum()), round(read.stated.age_days / 365.25)) == (14, 7, 11)
    for window in read.windows:
        signal = dict(zip(named[:18], window.recording.segments[0].signal, strict=False))
        np.testing.assert_array_equal(signal["T8-P8"], window.recording.segments[0].signal[22])
        ways = [sum(signal[c] for c in chain) for chain in (OUTER, INNER)]
        assert np.abs(ways[0] - ways[1]).max() < 0.02 * np.abs(ways[0]).max()


OUTER = ("FP1-F7", "F7-T7", "T7-P7", "P7-O1")
INNER = ("FP1-F3", "F3-C3", "C3-P3", "P3-O1")


@needs_shared
def test_both_class_folders_given_alone_are_known_as_well():
    assert read_labelled([CHBMIT / "ictal", CHBMIT / "preictal_10s"]).digest == read_labelled([CHBMIT]).digest
