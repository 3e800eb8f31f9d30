"""Copies without names: what a person typed is gone, what was measured stays."""

from pathlib import Path

import numpy as np
import pytest

from data.deidentify import deidentify
from data.outcomes import Refusal
from data.readers.edf import read_edf
from tests.edf_bytes import File, eeg, notes

NAMED = File(
    [
        eeg("EEG Fp1-Ref"),
        eeg("Smith ECG"),
        eeg("ECG"),
        notes(
            ["+0", "+1", "+7", "+8", "+9", "+10", "+11", "+12", "+13", "+14"],
            {1: b"+1.5\x152\x14sz_foc\x14\0+1.7\x14Smith coughs\x14\0", 3: b"+8\x151\x14Smith\x14seizure\x14\0"},
        ),
    ],
    patient=b"123 F 28-FEB-2020 Smith_Joan",
    recording="Startdate 02-MAR-2020 S1 Smith S2",
    reserved="EDF+D by Smith",
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "named.edf").write_bytes(NAMED.to_bytes())
    return tmp_path / "named.edf"


def test_no_name_and_no_date_is_left(source: Path) -> None:
    target = source.with_name("nameless.edf")
    assert b"Smith" in source.read_bytes()
    deidentify(source, target)
    content = target.read_bytes()
    for typed in (b"Smith", b"Joan", b"123", b"2020", b"02.03.20", b"10.00.00", b"coughs"):
        assert typed not in content, typed


def test_signals_times_and_seizures_stay_as_they_were(source: Path) -> None:
    target = source.with_name("nameless.edf")
    deidentify(source, target)
    before, after = read_edf(source), read_edf(target)
    assert after.gaps == before.gaps == ((2.0, 5.0),)
    assert after.annotations == before.annotations
    assert before.annotations is not None
    assert len(before.annotations.events) == 2
    for one, other in zip(before.segments, after.segments, strict=True):
        np.testing.assert_array_equal(one.signal, other.signal)
    assert (before.age_days, after.age_days) == (3.0, None)
    assert target.stat().st_size == source.stat().st_size


def test_a_copy_of_a_copy_changes_nothing_more(source: Path) -> None:
    once, twice = source.with_name("1.edf"), source.with_name("2.edf")
    deidentify(source, once)
    deidentify(once, twice)
    assert once.read_bytes() == twice.read_bytes()


def test_an_existing_file_is_never_overwritten(source: Path) -> None:
    with pytest.raises(FileExistsError):
        deidentify(source, source)
    assert source.read_bytes() == NAMED.to_bytes()


def test_a_cut_file_is_refused(source: Path) -> None:
    source.write_bytes(NAMED.to_bytes()[:-500])
    with pytest.raises(Refusal, match="truncated"):
        deidentify(source, source.with_name("nameless.edf"))
    assert not source.with_name("nameless.edf").exists()
