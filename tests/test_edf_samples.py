"""Samples of EDF and BDF files as microvolts."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.edf_bytes import File, Signal, eeg, notes, read, refused

UNITS = [
    (b"uV", 1.0), (b"UV", 1.0), (b"\xc2\xb5V", 1.0), (b"\xb5V", 1.0), (b"\xce\xbcV", 1.0), (b"\xe6V", 1.0),
    (b"\x83\xcaV", 1.0), (b"\xa6\xccV", 1.0), (b"mV", 1e3), (b"V", 1e6), (b"nV", 1e-3),
]  # fmt: skip


@pytest.mark.parametrize(("dimension", "scale"), UNITS)
def test_every_unit_of_voltage_ends_in_microvolts(tmp_path: Path, dimension: bytes, scale: float) -> None:
    digital = eeg("Fp1").digital
    reach = f"{3276.75 / scale:.8g}"[:8]
    signal = Signal("Fp1", digital, dimension, (f"-{reach}"[:8], reach), ("-32768", "32767"))
    spread_uv = float(read(tmp_path, File([signal])).segments[0].signal.std())
    assert spread_uv == pytest.approx(20.0, rel=0.05)


@pytest.mark.parametrize("dimension", [b"", b"MV", b"%", b"uV2", b"Boolean", b"\xff\xff"])
def test_an_eeg_channel_without_a_known_unit_is_suspect(tmp_path: Path, dimension: bytes) -> None:
    assert refused(tmp_path, File([eeg("Fp1", dimension=dimension)])).code == "unit_suspect"
    assert read(tmp_path, File([eeg("Fp1"), eeg("SaO2", dimension=dimension)])).channels == ("Fp1",)


def test_megavolts_are_not_taken_for_millivolts(tmp_path: Path) -> None:
    as_mv = eeg("Fp1", dimension=b"mV", physical=("-3.2768", "3.2767"))
    assert read(tmp_path, File([as_mv])).channels == ("Fp1",)
    assert refused(tmp_path, File([replace(as_mv, dimension=b"MV")])).code == "unit_suspect"


@pytest.mark.parametrize(("dimension", "value"), [(b"mV", "2e+04"), (b"nV", "0.02"), (b"V", "2e+07")])
def test_an_amplitude_that_no_eeg_has_is_suspect_and_named(tmp_path: Path, dimension: bytes, value: str) -> None:
    refusal = refused(tmp_path, File([eeg("Fp1", dimension=dimension)]))
    assert refusal.code == "unit_suspect"
    assert value in refusal.reason
    assert "0.3–1500 µV" in refusal.reason


def test_an_offset_or_slow_drift_of_the_electrode_is_no_wrong_unit(tmp_path: Path) -> None:
    drifting = eeg("Fp1", 60)
    drift = np.linspace(-30000, 30000, 60 * 256).reshape(60, 256).astype(int)  # 6 mV in a minute
    signal = replace(drifting, digital=np.clip(drifting.digital + drift, -32768, 32767))
    assert read(tmp_path, File([signal])).segments[0].signal.std() > 1500


def test_a_dead_recording_has_no_suspect_unit(tmp_path: Path) -> None:
    assert read(tmp_path, File([Signal("Fp1", np.zeros((10, 256), int))])).duration_s == 10.0


def test_an_inverted_physical_range_turns_the_signal_over(tmp_path: Path) -> None:
    upright, inverted = eeg("Fp1"), replace(eeg("Fp1"), physical=("3276.8", "-3276.7"))
    a, b = (read(tmp_path, File([s])).segments[0].signal for s in (upright, inverted))
    np.testing.assert_allclose(a, -b, atol=0.2)


@pytest.mark.parametrize(
    "fields", [{"physical": ("5", "5")}, {"physical": ("x", "5")}, {"limits": ("7", "7")}, {"limits": ("100", "-100")}]
)
def test_an_empty_range_is_corrupt_in_an_eeg_channel_only(tmp_path: Path, fields: dict[str, tuple[str, str]]) -> None:
    assert refused(tmp_path, File([replace(eeg("Fp1"), **fields)])).code == "corrupt"  # type: ignore[arg-type]
    assert read(tmp_path, File([eeg("Fp1"), replace(eeg("Pulse"), **fields)])).channels == ("Fp1",)  # type: ignore[arg-type]


def test_numbers_with_a_decimal_comma_are_calibrated(tmp_path: Path) -> None:
    with_point, with_comma = eeg("Fp1"), eeg("Fp1", physical=("-3276,8", "3276,7"))
    a, b = (read(tmp_path, File([s], record_s=t)) for s, t in ((with_point, "1.28"), (with_comma, "1,28")))
    assert a.rate_hz == b.rate_hz == 200.0
    np.testing.assert_array_equal(a.segments[0].signal, b.segments[0].signal)


@pytest.mark.parametrize("limits", [("-32768.0", "32767.0"), ("-32_768", "32_767"), ("-32768", "nan")])
def test_limits_that_are_no_whole_numbers_are_refused_and_never_read_uncalibrated(
    tmp_path: Path, limits: tuple[str, str]
) -> None:
    assert refused(tmp_path, File([eeg("Fp1", limits=limits)])).code == "corrupt"


def test_fields_padded_with_nul_are_read(tmp_path: Path) -> None:
    whole = File([eeg("Fp1", 2), notes(["+0", "+5"])], reserved="EDF+D").to_bytes()
    head, body = whole[:768], whole[768:]
    padded = read(tmp_path, head.replace(b"  ", b"\0\0") + body)
    assert (padded.channels, padded.gaps) == (("Fp1",), ((1.0, 4.0),))
    np.testing.assert_array_equal(padded.segments[0].signal, read(tmp_path, whole).segments[0].signal)


def test_a_refusal_repeats_nothing_that_stands_in_the_header(tmp_path: Path) -> None:
    refusal = refused(tmp_path, File([eeg("Fp1")], changes={256 + 216: b"Smith   "}))
    assert "Smith" not in str(refusal)
    assert refusal.__context__ is None or refusal.__suppress_context__


@pytest.mark.parametrize("bdf", [False, True])
def test_a_recording_read_in_many_chunks_is_the_same_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bdf: bool
) -> None:
    times = notes([f"+{t}" for t in (0, 1, 2, 7, 8)], {4: b"+7.5\x151\x14sz\x14\0"})
    file = File([eeg("Fp1", 5), times, eeg("Fp2", 5, seed=1)], reserved="EDF+D", bdf=bdf)
    whole = read(tmp_path, file)
    monkeypatch.setattr("data.readers.edf.CHUNK_BYTES", 3200)  # chunks of 2, 2 and 1 records
    parts = read(tmp_path, file)
    assert (whole.gaps, whole.annotations, whole.digest) == (parts.gaps, parts.annotations, parts.digest)
    assert whole.gaps == ((3.0, 4.0),) and whole.annotations is not None
    for one, other in zip(whole.segments, parts.segments, strict=True):
        np.testing.assert_array_equal(one.signal, other.signal)


def test_24_bit_samples_are_exact(tmp_path: Path) -> None:
    values = np.tile(np.arange(-300, 300, 2), (5, 1))
    values[0, :5] = [-8388608, -1, 0, 1, 8388607]
    signal = Signal("Cz", values, b"uV", ("-8388608", "8388607"), ("-8388608", "8388607"))
    recording = read(tmp_path, File([signal], bdf=True))
    np.testing.assert_array_equal(recording.segments[0].signal[0], values.ravel())
