"""EDF files written for the simulator."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.montage import ELECTRODES
from data.readers.edf import read_edf, write_edf

NAMES = tuple(f"EEG {name}-Ref" for name in ELECTRODES)


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 2**31),
    st.sampled_from([(128.0, 256), (200.0, 600), (256.0, 2560), (256.0, 384), (512.0, 1024), (250.0, 375)]),
    st.floats(1.0, 1000.0),
)
def test_what_is_written_is_read_back_to_within_half_a_step(
    tmp_path_factory: pytest.TempPathFactory, seed: int, size: tuple[float, int], scale_uv: float
) -> None:
    rate_hz, samples = size
    signal = np.random.default_rng(seed).normal(0, scale_uv, (3, samples)).astype(np.float32)
    path = tmp_path_factory.mktemp("written") / "a.edf"
    write_edf(path, signal, NAMES[:3], rate_hz)
    back = read_edf(path, name="a")
    assert (back.channels, back.rate_hz, back.duration_s) == (NAMES[:3], rate_hz, samples / rate_hz)
    step_uv = 2 * (np.abs(signal).max(axis=1, keepdims=True) + 2) / 65535
    assert (np.abs(back.segments[0].signal - signal) <= 0.51 * step_uv).all()


def test_equal_signals_give_equal_bytes_that_name_nobody(tmp_path: Path) -> None:
    signal = np.random.default_rng(1).normal(0, 20, (2, 512))
    for name in ("a", "b"):
        write_edf(tmp_path / name, signal, ("Fp1", "Fp2"), 256.0)
    content = (tmp_path / "a").read_bytes()
    assert content == (tmp_path / "b").read_bytes()
    assert content[8:88].strip() == b"X X X X"
    assert content[88:168].strip() == b"Startdate 01-JAN-2000 X X X"
    assert content[236:252] == b"2       1       "  # two records of one second


def test_what_edf_cannot_hold_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="finite"):
        write_edf(tmp_path / "a", np.full((1, 256), np.nan), ("Fp1",), 256.0)
    with pytest.raises(ValueError, match="whole seconds"):
        write_edf(tmp_path / "a", np.zeros((1, 257)), ("Fp1",), 256.0)
