"""Recordings from EDF and BDF files, real and made: every one ends in a recording or a typed refusal."""

import hashlib
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from data.outcomes import Refusal
from data.readers.edf import read_duration_s, read_edf
from data.readers.edf_header import read_header
from tests import SHARED, needs_shared
from tests.edf_bytes import File, eeg, notes, read, refused

ROBUST = "edf_robustness"
REAL = {  # file → the refusal's code, or (channels, rate in Hz, duration in s, age in days)
    f"{ROBUST}/StagPoint.EuropeanDataFormat.Net/Discontinuous2.edf": "montage_missing",
    f"{ROBUST}/StagPoint.EuropeanDataFormat.Net/Invalid_DataRecord_Count.edf": "no_signal",
    f"{ROBUST}/StagPoint.EuropeanDataFormat.Net/PulseOximetry1.EDF": "montage_missing",
    f"{ROBUST}/StagPoint.EuropeanDataFormat.Net/annotations.edf": "no_signal",
    f"{ROBUST}/edfio/SC4001EC-Hypnogram.edf": "no_signal",
    f"{ROBUST}/edfio/short_psg.edf": "montage_missing",
    f"{ROBUST}/edfio/short_psg_header_reference.json": "unsupported_format",
    f"{ROBUST}/edfize/simulated-01.edf": "montage_missing",
    f"{ROBUST}/edfize/zero-data-records.edf": "no_signal",
    f"{ROBUST}/eeg_microstates/test.edf": (19, 250.0, 192.0, None),
    f"{ROBUST}/mne-python/duplicate_channel_labels.edf": "montage_missing",
    f"{ROBUST}/mne-python/test.bdf": (19, 2048.0, 1.0, None),
    f"{ROBUST}/mne-python/test.edf": (6, 512.0, 6.0, None),
    f"{ROBUST}/mne-python/test_edf_stim_channel.edf": (19, 128.0, 9.59375, None),
    f"{ROBUST}/mne-python/test_uneven_samp.edf": "montage_missing",
    f"{ROBUST}/pyedflib/test_generator.bdf": "montage_missing",
    f"{ROBUST}/pyedflib/test_utf8.edf": (1, 128.0, 698.0, float((date(2020, 1, 24) - date(1998, 1, 20)).days)),
    "neonatal_edf/eeg_burst_eg.edf": (19, 256.0, 211.0, None),
    "chbmit/header_only_noise_signal/chb01_01_sample.edf": (19, 256.0, 2.0, None),
    "chbmit/header_only_noise_signal/chb05_06.edf": (19, 256.0, 2.0, None),
    "siena/header_only_noise_signal/PN00-3.edf": (19, 512.0, 2.0, None),
}
GOOD = [name for name, expected in REAL.items() if isinstance(expected, tuple)]


@needs_shared
def test_every_real_file_of_the_collection_is_expected_here() -> None:
    found = [p for folder in (ROBUST, "neonatal_edf") for p in (SHARED / folder).rglob("*") if p.is_file()]
    assert {p.relative_to(SHARED).as_posix() for p in found} <= set(REAL)


@needs_shared
@pytest.mark.parametrize("name", REAL)
def test_every_real_file_ends_in_a_recording_or_a_typed_refusal(name: str) -> None:
    expected = REAL[name]
    if isinstance(expected, str):
        with pytest.raises(Refusal) as caught:
            read_edf(SHARED / name)
        assert caught.value.code == expected
    else:
        recording = read_edf(SHARED / name)
        found = (len(recording.channels), recording.rate_hz, recording.duration_s, recording.age_days)
        assert found == expected
        assert recording.segments[0].signal.dtype == np.float32


@needs_shared
@pytest.mark.parametrize("name", GOOD)
def test_samples_equal_those_of_mne_to_within_quantisation(name: str) -> None:
    import mne

    path = SHARED / name
    reader = mne.io.read_raw_bdf if path.suffix == ".bdf" else mne.io.read_raw_edf
    raw = reader(path, preload=True, verbose="ERROR")
    recording = read_edf(path)
    with open(path, "rb") as file:
        labels = [s.label for s in read_header(file).signals if not s.is_annotation]
    theirs = raw.get_data()[[labels.index(c) for c in recording.channels]] * 1e6
    ours = recording.segments[0].signal
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-3)


def test_eeg_channels_at_the_most_common_rate_are_kept(tmp_path: Path) -> None:
    signals = [eeg("Fp1", samples=512), eeg("EEG Fp2-Ref"), eeg("ECG EKG"), eeg("F3"), eeg("SaO2", samples=1)]
    recording = read(tmp_path, File(signals))
    assert recording.channels == ("EEG Fp2-Ref", "F3")
    assert recording.rate_hz == 256.0


def test_of_equally_common_rates_the_higher_is_kept(tmp_path: Path) -> None:
    recording = read(tmp_path, File([eeg("Fp1"), eeg("Fp2", samples=512)]))
    assert (recording.channels, recording.rate_hz) == (("Fp2",), 512.0)


def test_the_first_of_duplicate_channels_counts(tmp_path: Path) -> None:
    file = File([eeg("T8-P8", seed=1), eeg("T8-P8", seed=2), eeg("T4-T6", seed=3), eeg("Cz-A1"), eeg("Cz-A2")])
    recording = read(tmp_path, file)
    assert recording.channels == ("T8-P8", "Cz-A1", "Cz-A2")
    np.testing.assert_allclose(recording.segments[0].signal[0], file.signals[0].digital.ravel() * 0.1, atol=0.051)  # type: ignore[union-attr]


@pytest.mark.parametrize(("samples", "code"), [(99, "rate_too_low"), (2049, "unsupported_format")])
def test_rates_outside_100_to_2048_hz_are_refused(tmp_path: Path, samples: int, code: str) -> None:
    refusal = refused(tmp_path, File([eeg("Fp1", samples=samples)]))
    assert refusal.code == code
    assert str(samples) in refusal.reason


@pytest.mark.parametrize("samples", [100, 2048])
def test_the_rates_at_the_limits_are_read(tmp_path: Path, samples: int) -> None:
    assert read(tmp_path, File([eeg("Fp1", samples=samples)])).rate_hz == samples


def test_a_record_duration_that_eight_characters_cut_off_still_gives_the_amplifiers_rate(tmp_path: Path) -> None:
    recording = read(tmp_path, File([eeg("Fp1", samples=255)], record_s="0.996094"))  # 255 / 256 s = 0.99609375 s
    assert recording.rate_hz == 256.0
    assert recording.duration_s == pytest.approx(recording.recorded_s) == 10 * 255 / 256


def test_without_an_eeg_channel_the_reason_counts_signals_but_repeats_no_label(tmp_path: Path) -> None:
    refusal = refused(tmp_path, File([eeg("John Smith"), eeg("ECG")]))
    assert refusal.code == "montage_missing"
    assert "2 signals" in refusal.reason
    assert "Smith" not in str(refusal)


def test_only_annotations_are_no_signal(tmp_path: Path) -> None:
    assert refused(tmp_path, File([notes(["+0"])], record_s="0", reserved="EDF+C")).code == "no_signal"


def test_headers_in_utf8_and_latin1_are_read(tmp_path: Path) -> None:
    for patient in ("X X X Jürgen".encode(), "X X X Jürgen".encode("latin-1"), b"\xff\xfe\xfd"):
        assert read(tmp_path, File([eeg("Fp1", dimension="µV".encode())], patient=patient)).channels == ("Fp1",)


def test_the_digest_is_that_of_the_whole_file(tmp_path: Path) -> None:
    content = File([eeg("Fp1")]).to_bytes() + b"tail"
    assert read(tmp_path, content).digest == hashlib.sha256(content).hexdigest()


def test_the_duration_is_known_without_reading_the_signal(tmp_path: Path) -> None:
    path = tmp_path / "a.edf"
    path.write_bytes(File([eeg("Fp1"), eeg("ECG")]).to_bytes())
    assert read_duration_s(path) == 10.0
