"""In which files a patient is to be seen, and what of them is left for everybody else."""

import io
import json
from dataclasses import replace
from pathlib import PurePosixPath as P

import numpy as np
import pandas as pd
import pytest

from flows.traces import Traces, task_of

THEIRS = Traces("tiny", frozenset({"detection"}), frozenset({"sub-01"}), frozenset({"sub-01_task-eeg"}))


def nothing() -> bytes:
    raise AssertionError("looked into a file that its place speaks for")


def table(recording: str, kind: str) -> bytes:
    file = io.BytesIO()
    if kind == "npz":
        np.savez(file, recording=np.array([recording]), x=np.zeros(2))
    else:
        pd.DataFrame({"recording": [recording], "second": [1]}).to_parquet(file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("path", "goes"),
    [
        ("data/raw/tiny/sub-01/eeg/sub-01_task-eeg_eeg.edf", True),
        ("data/raw/tiny/derivatives/expert-1/sub-01/eeg/sub-01_task-eeg_events.tsv", True),
        ("data/raw/tiny/sub-011/eeg/sub-011_task-eeg_eeg.edf", False),
        ("data/raw/other/sub-01/eeg/sub-01_task-eeg_eeg.edf", False),
        ("data/raw/tiny/participants.tsv", False),
        ("data/interim/fingerprints/sub-01_task-eeg.npz", True),
        ("data/interim/typing/fingerprints/sub-01_task-eeg.npz", False),
    ],
)
def test_a_file_that_is_theirs_is_known_by_its_place(path: str, goes: bool) -> None:
    assert THEIRS.goes(P(path), nothing) is goes


@pytest.mark.parametrize("kind", ["npz", "parquet"])
def test_a_table_goes_if_they_have_rows_in_it(kind: str) -> None:
    path = P(f"store/training/line_length/patient/features.{kind}")
    assert THEIRS.goes(path, lambda: table("sub-01_task-eeg", kind))
    assert not THEIRS.goes(path, lambda: table("sub-02_task-eeg", kind))


@pytest.mark.parametrize("whose", ["sub-01", "p-one", "sub-01_task-eeg"])
def test_a_table_of_patients_goes_if_they_have_a_row_in_it(whose: str) -> None:
    """As monitoring makes them: no recording is named; of what a service answered a patient may be a person or a recording."""
    theirs, path = replace(THEIRS, persons=frozenset({"p-one"})), P("reports/drift/patients.parquet")

    def rows(**columns: str) -> bytes:
        file = io.BytesIO()
        pd.DataFrame({name: [value] for name, value in columns.items()}).to_parquet(file)
        return file.getvalue()

    assert theirs.goes(path, lambda: rows(site="north", patient=whose))
    assert not theirs.goes(path, lambda: rows(site=whose, patient="sub-011"))
    assert not theirs.goes(path, lambda: rows(recording="ses-2_task-eeg", patient=whose)), "another cohort's recording"


@pytest.mark.parametrize("kind", ["npz", "parquet"])
def test_fault_a_table_that_lies_nowhere_stays_and_one_that_cannot_be_read_goes(kind: str) -> None:
    path = P(f"store/training/line_length/patient/features.{kind}")
    assert not THEIRS.goes(path, lambda: b"")
    whole = table("sub-02_task-eeg", kind)
    assert THEIRS.goes(path, lambda: whole[: len(whole) // 2]) and THEIRS.goes(path, lambda: b"PK\x03\x04 no table")


def test_a_page_goes_if_it_names_them_and_not_their_neighbour() -> None:
    path = P("reports/evaluation/da_stnet.html")
    assert THEIRS.goes(path, lambda: b"<td>sub-01+sub-09</td>")
    assert not THEIRS.goes(path, lambda: b"<td>sub-010 xsub-01</td>")


def test_figures_that_models_were_approved_on_stay() -> None:
    path = P("data/interim/evaluation/da_stnet/patient/result.json")
    assert not THEIRS.goes(path, nothing) and THEIRS.without(path, nothing) is None


def test_lists_lose_their_rows_and_keep_all_others() -> None:
    rows = b"participant_id\tage\nsub-01\t1\nsub-011\t2\n"
    assert THEIRS.without(P("data/raw/tiny/participants.tsv"), lambda: rows) == b"participant_id\tage\nsub-011\t2\n"
    listed = [
        {"recording": "sub-01_task-eeg"},
        {"recording": "sub-02_task-eeg", "of": {"sub-01_task-eeg": 1}},
        "sub-01",
    ]
    made = THEIRS.without(P("data/interim/checks/verdicts.json"), lambda: json.dumps(listed).encode())
    assert made is not None and json.loads(made) == [{"recording": "sub-02_task-eeg", "of": {}}]
    assert THEIRS.without(P("data/raw/tiny/participants.tsv"), lambda: b"participant_id\nsub-02\n") is None


def test_a_place_says_of_which_task_it_is() -> None:
    assert (
        task_of(P("data/interim/split.json")) == task_of(P("store/training/da_stnet/patient/log.json")) == "detection"
    )
    assert task_of(P("reports/spasms/checks.html")) == "spasms"
    assert task_of(P("store/pretrained/forecasting/forecaster/log.json")) == "forecasting"
    assert task_of(P("reports/demo.json")) is None
