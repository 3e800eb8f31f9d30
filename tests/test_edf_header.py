"""What an EDF header may promise, and which broken promises are refused by name."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.montage import ELECTRODES
from data.outcomes import Refusal
from data.readers.edf import read_edf, write_edf
from data.readers.edf_header import read_header
from data.recording import Recording
from tests.edf_bytes import File, eeg, notes, read, refused

NAMES = tuple(f"EEG {name}-Ref" for name in ELECTRODES)


def test_an_unknown_number_of_records_is_counted_from_the_file(tmp_path: Path) -> None:
    whole = File([eeg("Fp1")], announced=-1).to_bytes()
    assert read(tmp_path, whole).duration_s == 10.0
    assert read(tmp_path, whole[:-100]).duration_s == 9.0  # the recorder was switched off within a record
    assert refused(tmp_path, whole[:512]).code == "no_signal"


def test_no_records_are_no_signal_and_surplus_records_are_corrupt(tmp_path: Path) -> None:
    assert refused(tmp_path, File([eeg("Fp1")], announced=0).to_bytes()[:512]).code == "no_signal"
    assert refused(tmp_path, File([eeg("Fp1")], announced=9)).code == "corrupt"
    assert refused(tmp_path, File([eeg("Fp1")], announced=-2)).code == "corrupt"


@pytest.mark.parametrize("tenth", range(10))
def test_a_file_cut_short_at_any_tenth_is_refused_by_name(tmp_path: Path, tenth: int) -> None:
    path = tmp_path / "whole.edf"
    write_edf(path, np.random.default_rng(0).normal(0, 20, (19, 2560)), NAMES, 256.0)
    whole = path.read_bytes()
    assert refused(tmp_path, whole[: len(whole) * tenth // 10]).code == ("no_signal" if tenth == 0 else "truncated")


def test_a_file_cut_within_its_header_is_truncated(tmp_path: Path) -> None:
    whole = File([eeg("Fp1"), eeg("Fp2")]).to_bytes()
    assert {refused(tmp_path, whole[:n]).code for n in (9, 100, 255, 256, 500, 767)} == {"truncated"}


def test_the_announced_size_is_checked_before_anything_is_allocated(tmp_path: Path) -> None:
    refusal = refused(tmp_path, File([eeg("Fp1")], announced=99_999_999))  # 51 GB
    assert refusal.code == "truncated"
    assert "10 whole data records" in refusal.reason
    assert "99999999" in refusal.reason


def test_a_recording_longer_than_the_limit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"unsupported_format.*0\.0 h"):
        read(tmp_path, File([eeg("Fp1")]), max_hours=9 / 3600)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "no_signal"),
        (b"onset\tduration\n0\t1\n" * 40, "unsupported_format"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12345\n", "unsupported_format"),
        (b"../../.git/annex/objects/Xk/4q/MD5E-s896256--aa.edf", "unsupported_format"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 1000, "unsupported_format"),
        (b"0       " + b"\0" * 1000, "corrupt"),
    ],
)
def test_what_is_no_edf_is_refused(tmp_path: Path, content: bytes, code: str) -> None:
    assert refused(tmp_path, content).code == code


def test_a_folder_is_no_recording(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="unsupported_format"):
        read_edf(tmp_path)


def test_an_unreadable_file_is_an_error_that_does_not_name_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        read_edf(tmp_path / "Smith_John.edf")
    assert "Smith" not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("at", "change"),
    [
        (184, b"12345   "), (184, b"abc     "), (236, b"ten     "), (236, b"1e1     "), (244, b"one     "),
        (244, b"-1      "), (244, b"nan     "), (244, b"0       "), (252, b"9999"), (252, b"x   "), (252, b"-1  "),
        (256 + 216, b"1.5     "), (256 + 216, b"-256    "),
    ],
)  # fmt: skip
def test_garbage_in_a_header_is_refused(tmp_path: Path, at: int, change: bytes) -> None:
    assert refused(tmp_path, File([eeg("Fp1")], changes={at: change})).code in ("corrupt", "no_signal")


def test_numbers_of_samples_that_make_no_record_are_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, File([eeg("Fp1")], changes={256 + 216: b"0       "})).code == "no_signal"
    below_zero = File([eeg("Fp1"), eeg("ECG")], announced=-1, changes={256 + 2 * 216 + 8: b"-1      "})
    assert refused(tmp_path, below_zero).code == "corrupt"


def test_a_parsed_header_holds_no_free_text_about_the_patient(tmp_path: Path) -> None:
    file = File([eeg("Fp1")], patient=b"1 F 28-FEB-2020 Smith", recording="Smith", changes={256 + 16: b"Smith's cap"})
    (tmp_path / "a.edf").write_bytes(file.to_bytes())
    with open(tmp_path / "a.edf", "rb") as opened:
        header = read_header(opened)
    assert "Smith" not in repr(vars(header))
    assert header.age_days == 3.0


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.integers(0, 1023), st.binary(min_size=1, max_size=8), min_size=1, max_size=6))
def test_any_damage_to_a_header_ends_typed(tmp_path_factory: pytest.TempPathFactory, changes: dict[int, bytes]) -> None:
    file = File([eeg("Fp1", 2), eeg("Fp2", 2), notes(["+0", "+1"])], reserved="EDF+D", changes=changes)
    path = tmp_path_factory.mktemp("damaged") / "recording.edf"
    path.write_bytes(file.to_bytes())
    try:
        assert isinstance(read_edf(path), Recording)
    except Refusal as refusal:
        assert refusal.reason


@pytest.mark.parametrize(
    ("patient", "recording", "days"),
    [
        ("X F 28-FEB-2020 X", "Startdate 02-MAR-2020 X X X", 3.0),
        ("X F 28-FEB-2020 X", "", 3.0),  # then the short date counts: 02.03.20
        ("X X X X", "Startdate 02-MAR-2020 X X X", None),
        ("X F 01-JAN-0000 X", "Startdate 02-MAR-2020 X X X", None),
        ("X F 30-DEC-1899 X", "Startdate 02-MAR-2020 X X X", None),
        ("X F 01-JAN-1900 X", "Startdate 01-JAN-2000 X X X", None),
        ("X F 31-FEB-2020 X", "Startdate 02-MAR-2020 X X X", None),
        ("X F 03-MAR-2020 X", "Startdate 02-MAR-2020 X X X", None),  # born after the recording
        ("X F 28-FEB-1984 X", "Startdate 01-JAN-1985 X X X", None),  # 1 January 1985 stands for "not known"
        ("free text 28-FEB-2020", "Startdate 02-MAR-2020 X X X", None),
    ],
)
def test_the_age_comes_from_dates_that_are_real(tmp_path: Path, patient: str, recording: str, days: float) -> None:
    file = File([eeg("Fp1")], patient=patient.encode(), recording=recording)
    assert read(tmp_path, file).age_days == days
    assert read(tmp_path, file, age_days=5.0).age_days == 5.0
