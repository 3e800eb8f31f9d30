"""Labels are read when a cohort is checked: what cannot be used is put aside by name, and what passes can be evaluated."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data.cohorts.bids import Cohort, Entry, read_cohort
from data.events import Annotations, Event
from data.montage import ELECTRODES
from data.readers.bids import COLUMNS, write_events
from data.readers.edf import write_edf
from flows.stages.check import check_cohort, limits_of
from flows.stages.evaluate import Prediction, _seconds
from validation.checks.verdicts import CheckRun
from validation.evaluation import gather
from validation.seconds import table_of

RECORDED_S = 70.0
PATIENTS = tuple(f"sub-{n}" for n in range(1, 7))
ODD = "sub-3"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Six patients of 70 s each, every second one with a seizure from 10 to 30 s."""
    (tmp_path / "dataset_description.json").write_text('{"Name": "ward", "BIDSVersion": "1.10.0"}')
    for number, patient in enumerate(PATIENTS):
        (tmp_path / patient / "eeg").mkdir(parents=True)
        signal = np.random.default_rng(number).normal(0, 20, (19, int(RECORDED_S) * 128))
        write_edf(tmp_path / patient / "eeg" / f"{patient}_task-rest_eeg.edf", signal, ELECTRODES, 128.0)
        events = (Event(10.0, 20.0),) if number % 2 else ()
        write_events(labels_of(tmp_path, patient), Annotations(events, RECORDED_S))
    return tmp_path


def labels_of(root: Path, patient: str = ODD) -> Path:
    return root / patient / "eeg" / f"{patient}_task-rest_events.tsv"


def checked(root: Path) -> CheckRun:
    return check_cohort(read_cohort(root), limits_of("eeg", 60.0), lambda *_: None)[0]


def put_aside(run: CheckRun) -> dict[str, list[str]]:
    critical = {v.recording[:5]: [r.code for r in v.reasons if r.severity == "critical"] for v in run.verdicts}
    return {patient: codes for patient, codes in critical.items() if codes}


def row(path: Path, *cells: object, header: tuple[str, ...] = COLUMNS, encoding: str = "utf-8") -> None:
    path.write_text("\t".join(header) + "\n" + "\t".join(map(str, cells)) + "\n", encoding)


def test_labels_of_another_recording_are_put_aside_once_whether_they_hold_seizures_or_none(root: Path) -> None:
    write_events(labels_of(root, "sub-3"), Annotations((), 36000.0))
    write_events(labels_of(root, "sub-4"), Annotations((Event(10.0, 20.0), Event(40.0, 10.0)), 36000.0))
    mismatch = ["annotation_mismatch"]
    assert put_aside(checked(root)) == {"sub-3": mismatch, "sub-4": mismatch}


UNUSABLE: dict[str, Callable[[Path], object]] = {
    "not_utf_8": lambda p: row(p, 10, 20, "sz", "n/a", "Müller", "", 70, encoding="latin-1"),
    "no_table": lambda p: p.write_text("seizure at ten"),
    "one_endless_cell": lambda p: row(p, 10, 20, "x" * 200_000, "n/a", "n/a", "", 70),
    "confidence_of_7": lambda p: row(p, 10, 20, "sz", 7, "n/a", "", 70),
    "two_lengths": lambda p: p.write_text(p.read_text() + "60\t5\tsz\tn/a\tn/a\tn/a\t70.4\n"),
    "a_seizure_twice": lambda p: p.write_text(p.read_text() + 2 * "60\t5\tsz\tn/a\tn/a\tn/a\t70\n"),
    "no_length": lambda p: row(p, 10, 20, "sz", header=COLUMNS[:3]),
    "no_file": lambda p: p.unlink(),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_labels_that_cannot_be_used_put_their_recording_aside_and_the_rest_goes_on(root: Path, case: str) -> None:
    UNUSABLE[case](labels_of(root))
    run = checked(root)
    assert put_aside(run) == {ODD: ["annotation_unreadable"]} and len(run.accepted) == len(PATIENTS) - 1
    cohort = read_cohort(root)
    assert [cohort.annotations(e).duration_s for e in cohort.entries if e.name in run.accepted] == [RECORDED_S] * 5


def test_what_a_suite_says_of_a_row_is_not_said_again(root: Path) -> None:
    row(labels_of(root), 10, 20, "Miller family", "n/a", "n/a", "", 70)
    run = checked(root)
    assert put_aside(run) == {ODD: ["annotation_unknown_type"]} and "Miller" not in str(run.to_json())


def test_types_stand_in_the_column_of_szcore_or_of_bids(root: Path) -> None:
    row(labels_of(root), 10, 20, "sz", 70, header=("onset", "duration", "trial_type", "recordingDuration"))
    run = checked(root)
    assert put_aside(run) == {} and sum(len(r.failures) for r in run.results if r.suite.name == "annotations") == 0


def test_nobody_needs_to_have_marked_what_is_only_watched(root: Path) -> None:
    (root / "participants.tsv").write_text(f"participant_id\tperiod\n{ODD}\tsurveillance\n")
    labels_of(root).unlink()
    assert put_aside(checked(root)) == {}


@pytest.mark.parametrize("stated_s", [69.0, 69.4, 69.6, 70.0, 70.5, 70.6, 71.0])
def test_whatever_length_the_checks_let_pass_can_be_evaluated(root: Path, stated_s: float) -> None:
    write_events(labels_of(root), Annotations((Event(10.0, 20.0), Event(60.0, 9.0)), stated_s))
    assert put_aside(checked(root)) == {}
    cohort = read_cohort(root)
    entry = next(e for e in cohort.entries if e.patient == ODD)
    (case,) = gather(*evaluated(cohort, entry))
    assert (len(case.labels), case.labels.sum(), case.reference.duration_s) == (70, 29, RECORDED_S)


def evaluated(cohort: Cohort, entry: Entry):
    """Predictions, answers and marks of a recording as it lasted, in which nothing was found."""
    truth, found = cohort.annotations(entry), Annotations((), RECORDED_S)
    made = Prediction(entry.name, np.full(round(RECORDED_S), 0.2), found, 0.5, "completed")
    return table_of([_seconds(made, entry, truth)]), {entry.name: found}, {entry.name: truth}
