import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.refused import Refused
from tests import SHARED, needs_shared
from validation.peers import F1_REASONS, REASONS, TRAINED_ON, read_peers, yardsticks
from validation.scoring.szcore import SzcoreCounts, legacy_patient_mean, patient_mean, per_patient

PEERS = SHARED / "peer_results" / "szcore_results"
GOOD = {"sensitivity": 0.6, "precision": 0.5, "f1": 0.5, "fpRate": 4.0}


def keep(folder: Path, algorithm: str, dataset: str, content: str | dict) -> None:
    path = folder / algorithm / f"{dataset}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def result(**changed: object) -> dict:
    return {"sample_results": GOOD, "event_results": GOOD | changed}


def event_row(folder: Path, algorithm: str = "a", dataset: str = "d") -> dict:
    table = read_peers(folder)
    return (
        table[(table.algorithm == algorithm) & (table.dataset == dataset) & (table.unit == "event")].iloc[0].to_dict()
    )


def test_a_result_is_read_as_it_is_stated(tmp_path):
    keep(tmp_path, "a", "d", result())
    row = event_row(tmp_path)
    assert (row["sensitivity"], row["precision"], row["f1"], row["false_per_24h"]) == (0.6, 0.5, 0.5, 4.0)
    assert row["reason"] is None and row["f1_reason"] is None and row["trained_on_it"] is None


BAD = {
    "unreadable": "not json",
    "other_layout": json.dumps({"event_results": {"sensitivity": 0.5}}),
    "not_a_number": json.dumps(result(sensitivity=float("nan"))),
    "impossible": json.dumps(result(sensitivity=1.2)),
    "silent": json.dumps(result(sensitivity=0.0, precision=float("nan"), f1=float("nan"), fpRate=0.0)),
}


@pytest.mark.parametrize("reason", BAD)
def test_a_file_without_a_usable_result_says_why_and_holds_no_zero(reason, tmp_path):
    keep(tmp_path, "a", "d", BAD[reason])
    row = event_row(tmp_path)
    assert row["reason"] == reason and reason in REASONS
    assert np.isnan([row["sensitivity"], row["precision"], row["f1"], row["false_per_24h"]]).all()


@pytest.mark.parametrize(
    "content", ["[]", "3", '{"event_results": []}', json.dumps(result(fpRate="4")), json.dumps(result(f1=None)),
                json.dumps(result(f1=True))]
)  # fmt: skip
def test_another_layout_is_no_result(content, tmp_path):
    keep(tmp_path, "a", "d", content)
    assert event_row(tmp_path)["reason"] == "other_layout"


def test_a_negative_rate_is_impossible_and_a_rate_of_nan_no_number(tmp_path):
    keep(tmp_path, "a", "d", result(fpRate=-1.0))
    keep(tmp_path, "b", "d", result(fpRate=float("nan")))
    assert event_row(tmp_path)["reason"] == "impossible"
    assert event_row(tmp_path, "b")["reason"] == "not_a_number"


def test_a_detector_that_finds_nothing_but_raises_alarms_is_a_result(tmp_path):
    keep(tmp_path, "a", "d", result(sensitivity=0.0, precision=0.0, f1=0.0, fpRate=1.4))
    row = event_row(tmp_path)
    assert (row["reason"], row["sensitivity"], row["f1"]) == (None, 0.0, 0.0)


def test_two_detectors_cannot_have_the_same_bytes(tmp_path):
    for algorithm in "ab":
        keep(tmp_path, algorithm, "d", result())
    keep(tmp_path, "c", "d", result(f1=0.4))
    assert [event_row(tmp_path, a)["reason"] for a in "abc"] == ["copy", "copy", None]


def test_a_dataset_without_a_file_is_missing_and_not_zero(tmp_path):
    keep(tmp_path, "a", "d", result())
    keep(tmp_path, "b", "other", result(f1=0.4))
    assert event_row(tmp_path, "b", "d")["reason"] == "missing"


def test_an_f1_that_undetected_patients_as_0_do_not_allow_is_not_compared(tmp_path):
    # Sensitivity 0.014 allows an F1 of at most 2 · 0.014 / 1.014 = 0.028, even if every detection were right.
    keep(tmp_path, "a", "d", result(sensitivity=0.014, precision=1.0, f1=0.333))
    keep(tmp_path, "b", "d", result(sensitivity=0.014, precision=1.0, f1=0.027))
    dropped, kept = event_row(tmp_path), event_row(tmp_path, "b")
    assert dropped["f1_reason"] == "undetected_dropped" and np.isnan(dropped["f1"]) and dropped["sensitivity"] == 0.014
    assert kept["f1_reason"] is None and kept["f1"] == 0.027
    assert "undetected_dropped" in F1_REASONS


patients = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=6)


@settings(max_examples=100)
@given(patients)
def test_the_mean_over_all_patients_never_exceeds_what_sensitivity_and_precision_allow(rows):
    counts = {f"p{i}": SzcoreCounts(t, f, t + m, 0, 0, 0, 1.0) for i, (t, f, m) in enumerate(rows)}
    made = patient_mean(per_patient(counts, {n: n for n in counts})).scores
    for share in (made["sensitivity"], made["precision"]):
        if not np.isnan([share, made["f1"]]).any():
            assert made["f1"] <= 2 * share / (1 + share) + 1e-9


def test_the_old_policy_exceeds_it():
    counts = {"found": SzcoreCounts(1, 0, 1, 0, 0, 0, 1.0), "missed": SzcoreCounts(0, 0, 1, 0, 0, 0, 1.0)}
    made = legacy_patient_mean(per_patient(counts, {n: n for n in counts})).scores
    assert made["f1"] == 1 > 2 * made["sensitivity"] / (1 + made["sensitivity"])


def test_yardsticks_are_the_best_by_f1_and_the_median_of_each_measure(tmp_path):
    for algorithm, found, false, f1 in (("a", 0.6, 4.0, 0.5), ("b", 0.2, 1.0, 0.3), ("c", 0.9, 200.0, 0.1)):
        keep(tmp_path, algorithm, "d", result(sensitivity=found, fpRate=false, f1=f1))
    made = yardsticks(read_peers(tmp_path), "d")
    assert made.best is not None and made.median is not None
    assert (made.best.name, made.best.sensitivity, made.best.false_per_24h, made.best.detectors) == ("a", 0.6, 4.0, 3)
    assert (made.median.sensitivity, made.median.false_per_24h, made.median.f1) == (0.6, 4.0, 0.3)
    assert made.best.drawn == ("a", (4.0, 4.0), (0.6, 0.6))
    assert made.left_out == {}


def test_a_detector_trained_on_a_dataset_is_no_yardstick_for_it(tmp_path):
    keep(tmp_path, "a", "d", result(f1=0.6))
    keep(tmp_path, "b", "d", result(f1=0.3))
    made = yardsticks(read_peers(tmp_path, trained_on={"a": {"d"}, "b": set()}), "d")
    assert made.best is not None and made.best.name == "b"
    assert made.left_out == {"trained_on_it": 1}


def test_an_f1_of_the_old_policy_wins_nothing_and_its_weak_sensitivity_stays_in_the_median(tmp_path):
    keep(tmp_path, "a", "d", result(sensitivity=0.014, precision=1.0, f1=0.333))
    keep(tmp_path, "b", "d", result(f1=0.3))
    made = yardsticks(read_peers(tmp_path), "d")
    assert made.best is not None and made.best.name == "b" and made.best.detectors == 1
    assert made.median is not None and made.median.sensitivity == pytest.approx((0.014 + 0.6) / 2)
    assert made.left_out == {"f1:undetected_dropped": 1}


def test_without_usable_results_there_is_no_yardstick(tmp_path):
    keep(tmp_path, "a", "d", BAD["silent"])
    made = yardsticks(read_peers(tmp_path), "d")
    assert (made.best, made.median, made.left_out) == (None, None, {"silent": 1})


def test_an_empty_folder_and_an_unknown_dataset_are_refused(tmp_path):
    with pytest.raises(Refused, match="holds no results"):
        read_peers(tmp_path)
    keep(tmp_path, "a", "d", result())
    with pytest.raises(Refused, match="no results on e: there are d"):
        yardsticks(read_peers(tmp_path), "e")


@needs_shared
def test_the_published_table_holds_84_results_of_which_10_are_silence():
    """Counted by hand: 17 detectors on 5 datasets, one file missing; 9 silences on CHB-MIT and one on SeizeIT."""
    events = read_peers(PEERS).query("unit == 'event'")
    assert len(events) == 17 * 5
    assert events["reason"].value_counts().to_dict() == {"silent": 10, "missing": 1}
    missing = events[events["reason"] == "missing"].iloc[0]
    assert (missing["algorithm"], missing["dataset"]) == (
        "ghcr-io-clarity-digital-twin-brain-go-brr-szcore-v4-4-0",
        "tuh",
    )
    assert events[events["reason"] == "silent"]["dataset"].value_counts().to_dict() == {"chbmit": 9, "seizeit": 1}


@needs_shared
def test_four_published_f1_can_only_come_from_the_old_policy():
    events = read_peers(PEERS).query("unit == 'event' and f1_reason.notna()")
    assert set(zip(events["algorithm"], events["dataset"], strict=True)) == {
        ("docker-io-francescocarzaniga-epfl-challenge-ca-eegwavenet-v2", "seizeit"),  # F1 0.020 at sensitivity 0.003
        ("ghcr-io-crchum-epilepsy-group-sz-detect-crchum-new-kid", "siena"),  # 0.333 at 0.014
        ("ghcr-io-crchum-epilepsy-group-sz-detect-crchum-new-kid", "tuh"),  # 0.112 at 0.023
        ("public-ecr-aws-n1i0o6q8-seizures-dcafd6e8b581496d913927ea9c6a85eb", "tuh"),  # 0.285 at precision 0.102
    }
    assert set(events["f1_reason"]) == {"undetected_dropped"}


@needs_shared
def test_every_published_detector_says_what_it_was_trained_on():
    table = read_peers(PEERS)
    assert set(table["algorithm"]) == set(TRAINED_ON)
    trained = table.query("unit == 'event'").groupby("dataset")["trained_on_it"].sum().to_dict()
    assert trained == {"chbmit": 5, "dianalund": 0, "seizeit": 0, "siena": 5, "tuh": 12}


@needs_shared
def test_the_best_open_detector_on_hidden_data_finds_37_percent_at_1_3_false_alarms():
    made = yardsticks(read_peers(PEERS), "dianalund")
    assert made.best is not None and made.best.name == "yujjio-seizure-transformer-latest"
    assert (made.best.sensitivity, made.best.false_per_24h) == pytest.approx((0.369, 1.31), abs=6e-3)
    assert made.best.f1 == pytest.approx(0.323, abs=6e-4)  # 0.428 before the scorer was corrected
    assert made.best.detectors == 17 and made.left_out == {}


@needs_shared
def test_the_leader_on_siena_was_trained_on_it():
    table = read_peers(PEERS)
    siena = table.query("unit == 'event' and dataset == 'siena'").sort_values("f1", ascending=False)
    assert siena.iloc[0]["algorithm"] == "amruth1234-deepsoz-hem-v0-1-3" and siena.iloc[0]["trained_on_it"] is True
    best = yardsticks(table, "siena").best
    assert best is not None and best.name == "ghcr-io-esl-epfl-eventnet-2024-latest"
