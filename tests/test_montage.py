"""Channel names as laboratories write them, and the derivations that follow from them."""

import numpy as np
import pytest

from data.montage import (
    ELECTRODES,
    NEONATAL_18,
    TCP_20,
    derivation,
    derive,
    electrode,
    is_eeg,
    measured_between,
    missing_derivations,
)
from data.outcomes import Refusal
from data.readers.edf_header import read_header
from tests import SHARED, needs_shared

POTENTIALS = dict(zip(ELECTRODES, np.random.default_rng(0).normal(0, 30, (19, 50)), strict=True))
TRUTH = np.array([POTENTIALS[p.split("-")[0]] - POTENTIALS[p.split("-")[1]] for p in NEONATAL_18])


def derived(channels: dict[str, np.ndarray]) -> np.ndarray:
    return derive(tuple(channels))(np.array(list(channels.values())))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Fp1", "Fp1"), ("FP1", "Fp1"), ("fp1", "Fp1"), ("EEG Fp1", "Fp1"), ("EEG FP1-REF", "Fp1"), ("EEG T7-Ref", "T3"),
        ("T8", "T4"), ("P7", "T5"), ("P8-LE", "T6"), ("POL O1", "O1"), ("EEG_C3-A2", "C3"), ("Cz-AV", "Cz"),
        (" Pz ", "Pz"), ("Fp1-A1-A2", "Fp1"), ("F3:M2", "F3"),
        ("Fp1-F7", None), ("Fpz", None), ("A1", None), ("EKG", None), ("EEG Effort-Ref", None), ("", None), ("-", None),
        ("AF3", None), ("C3-Smith", None), ("T7-P7", None),
    ],
)  # fmt: skip
def test_electrodes_are_known_by_every_name_they_go_by(name: str, meant: str | None) -> None:
    assert electrode(name) == meant


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("FP1-F7", "Fp1-F7"), ("T8-P8", "T4-T6"), ("T8-P8-0", "T4-T6"), ("T8-P8-1", "T4-T6"), ("EEG F7-T3", "F7-T3"),
        ("Fz_Cz", "Fz-Cz"), ("Cz-A1", None), ("Fp1", None), ("FT9-FT10", None), ("T7-FT9", None), ("Fp1-F7-Ref", None),
    ],
)  # fmt: skip
def test_bipolar_names_are_derivations(name: str, meant: str | None) -> None:
    assert derivation(name) == meant


def test_what_an_electrode_was_measured_against_is_known() -> None:
    names = ("EEG T7-A1", "FP1-F7", "Cz-Ref", "Cz", "Fz-CAR", "ECG")
    expected = [("T3", "A1"), ("Fp1", "F7"), ("Cz", ""), ("Cz", ""), ("Fz", "AVG"), None]
    assert [measured_between(n) for n in names] == expected
    assert [is_eeg(n) for n in names] == [True, True, True, True, True, False]


@pytest.mark.parametrize("written", ["{}", "EEG {}-Ref", "{}-LE", "{}-A1"])
def test_referential_channels_are_subtracted_in_the_montages_order(written: str) -> None:
    common = np.random.default_rng(1).normal(0, 100, 50)
    channels = {written.format(name): POTENTIALS[name] - common for name in reversed(ELECTRODES)}
    np.testing.assert_allclose(derived({"ECG": common} | channels), TRUTH)


def test_newer_names_of_the_temporal_electrodes_mean_the_same() -> None:
    newer = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}
    np.testing.assert_allclose(derived({newer.get(n, n): p for n, p in POTENTIALS.items()}), TRUTH)


def test_bipolar_channels_are_taken_as_they_are_and_reversed_ones_turned_over() -> None:
    straight = dict(zip(NEONATAL_18, TRUTH, strict=True))
    reversed_ = {"-".join(reversed(p.split("-"))): -v for p, v in straight.items()}
    mixed = {p: v for i, (p, v) in enumerate(straight.items()) if i % 2}
    mixed |= {p: v for i, (p, v) in enumerate(reversed_.items()) if not i % 2}
    for channels in (straight, reversed_, mixed):
        np.testing.assert_array_equal(derived(channels), TRUTH)


@pytest.mark.parametrize("reference", ["Cz", "Fz", "T4"])
def test_an_electrode_as_common_reference_cancels(reference: str) -> None:
    """Some neonatal systems store every channel against Cz: (X − Cz) − (Y − Cz) = X − Y."""
    channels = {f"{n}-{reference}": p - POTENTIALS[reference] for n, p in POTENTIALS.items() if n != reference}
    np.testing.assert_allclose(derived(channels), TRUTH, atol=1e-12)


def test_the_bipolar_chain_comes_before_a_shared_electrode() -> None:
    """In a double banana Fp1-F7 and Fp1-F3 share Fp1, and F7-T3 stands by itself: nothing is computed twice."""
    weights = derive(NEONATAL_18).weights
    np.testing.assert_array_equal(weights, np.eye(18))


def test_different_references_are_never_subtracted() -> None:
    """C3-A2 minus P3-A1 would hold the potential between the ears."""
    channels = tuple(f"{n}-{'A1' if n == 'P3' else 'A2'}" for n in ELECTRODES)
    assert missing_derivations(channels) == ("C3-P3", "P3-O1")
    with pytest.raises(Refusal, match="montage_missing"):
        derive(channels)
    both = (*channels, "C3-A1", "O1-A1")
    assert missing_derivations(both) == ()
    row = dict(zip(both, derive(both).weights[NEONATAL_18.index("C3-P3")], strict=True))
    assert {n: w for n, w in row.items() if w} == {"C3-A1": 1, "P3-A1": -1}


def test_the_recordings_own_reference_comes_before_an_electrode() -> None:
    against_cz = {f"{n}-Cz": p - POTENTIALS["Cz"] for n, p in POTENTIALS.items() if n != "Cz"}
    channels = (*against_cz, *(f"{n}-Ref" for n in ELECTRODES))
    assert not derive(channels).weights[:, : len(against_cz)].any()


def test_sides_may_have_references_of_their_own() -> None:
    left = ("Fp1", "F7", "F3", "T3", "C3", "T5", "P3", "O1")
    channels = tuple(f"{n}-{'A1' if n in left else 'A2'}" for n in ELECTRODES)
    assert missing_derivations(channels) == ()


def test_the_first_of_duplicate_channels_is_used() -> None:
    channels = POTENTIALS | {f"{n}-Ref": p * 0 for n, p in POTENTIALS.items()}
    np.testing.assert_allclose(derived(channels), TRUTH)


def test_a_missing_electrode_is_refused_with_the_derivations_it_costs() -> None:
    channels = tuple(n for n in ELECTRODES if n != "Cz")
    with pytest.raises(Refusal) as caught:
        derive(channels)
    assert caught.value.code == "montage_missing"
    assert "2 of 18" in caught.value.reason
    assert "Fz-Cz, Cz-Pz" in caught.value.reason
    assert missing_derivations(channels) == ("Fz-Cz", "Cz-Pz")
    assert missing_derivations(("ECG",)) == NEONATAL_18


def test_a_derivation_does_not_touch_its_input() -> None:
    signal = np.array(list(POTENTIALS.values()))
    before = signal.copy()
    derive(ELECTRODES)(signal)
    np.testing.assert_array_equal(signal, before)


@needs_shared
@pytest.mark.parametrize(
    "name", ["neonatal_edf/eeg_burst_eg.edf", "chbmit/header_only_noise_signal/chb05_06.edf",
             "siena/header_only_noise_signal/PN00-3.edf", "edf_robustness/eeg_microstates/test.edf",
             "edf_robustness/mne-python/test.bdf"],
)  # fmt: skip
def test_the_montage_is_found_in_real_recordings(name: str) -> None:
    with open(SHARED / name, "rb") as file:
        labels = tuple(s.label for s in read_header(file).signals)
    assert missing_derivations(labels) == ()


def test_the_tcp_montage_is_the_twenty_derivations_of_the_tuh_corpus() -> None:
    """Asif et al. 2020: four temporal and four parasagittal chains' links on each side, and four across the vertex."""
    assert len(set(TCP_20)) == 20
    across = [p for p in TCP_20 if "Cz" in p or p in ("T3-C3", "C4-T4")]
    assert across == ["T3-C3", "C3-Cz", "Cz-C4", "C4-T4"]
    assert set(TCP_20) - set(NEONATAL_18) == set(across)
    assert derive(ELECTRODES, "tcp_20").channels == TCP_20
