"""Published cohorts in our layout: experts apart, the majority as reference, and read back as they were marked."""

import csv
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.cohorts import chbmit, helsinki, seizeit2, siena, tusz
from data.cohorts.bids import import_cohort, read_cohort
from data.cohorts.corrections import Corrections
from data.cohorts.derivatives import expert_folders
from data.cohorts.helsinki import age_bounds_days, read_clinical
from data.cohorts.layout import write_layout
from data.cohorts.published import Conversion, FetchRefused
from data.events import Annotations, Event
from data.outcomes import Refusal
from tests import SHARED, needs_shared
from tests.published import edf
from tests.test_helsinki import LABELS, written

CLINICAL = (
    "ID,EEG file,Gender,BW (g),GA (weeks),EEG to PMA (weeks),Diagnosis\n"
    "1,eeg1,f,less than 2500g,37 to 38,38 to 39,mild/moderate asphyxia\n2,eeg2,m,N/A,N/A,43 to 44,\n"
)
MARKS = np.zeros((3, 100), dtype=np.uint8)
MARKS[0, 10:30], MARKS[1, 20:40], MARKS[2, 25:60] = 1, 1, 1
QUIET = np.zeros((3, 80), dtype=np.uint8)


def nursery(folder: Path, *seconds: int) -> Path:
    """Two newborns as published, of as many seconds as their labels unless others are given."""
    folder.mkdir(parents=True, exist_ok=True)
    written(folder / "annotations_2017.mat", MARKS, QUIET)
    (folder / "clinical_information.csv").write_text(CLINICAL)
    for number, length in enumerate(seconds or (100, 80), 1):
        edf(folder / f"eeg{number}.edf", length)
    return folder


def laid_out(source: Path, root: Path, module=helsinki) -> Conversion:
    conversion = module.convert(source, Corrections())
    write_layout(root, module.PUBLISHED, conversion, {"cohort": module.PUBLISHED.name, "only": [], "files": []})
    return conversion


def spans(annotations: Annotations) -> list[tuple[float, float]]:
    return [(e.onset_s, e.end_s) for e in annotations.events]


@needs_shared
def test_each_helsinki_expert_marked_what_was_published():
    """402, 429 and 548 seizures in 79 newborns; nobody's marks are mixed with another's."""
    newborns = helsinki.read_labels(LABELS)
    counts = {expert: sum(len(n.experts[expert].events) for n in newborns) for expert in helsinki.EXPERTS}
    assert (len(newborns), counts) == (79, {"A": 402, "B": 429, "C": 548})


@needs_shared
def test_the_fetched_labels_are_compared_with_those_counts(tmp_path):
    (tmp_path / "annotations_2017.mat").write_bytes(LABELS.read_bytes())
    assert "A 402, B 429, C 548 in 79 newborns (as published)" in helsinki.convert(tmp_path, Corrections()).notes[0]
    others = helsinki.convert(nursery(tmp_path / "others"), Corrections()).notes[0]
    assert "A 1, B 1, C 1 in 2 newborns (published are 402, 429, 548 in 79)" in others


def test_experts_stay_apart_the_majority_is_the_reference_and_unanimity_is_nobodys_reading(tmp_path):
    laid_out(nursery(tmp_path / "source"), tmp_path / "helsinki")
    cohort = read_cohort(tmp_path / "helsinki")
    assert [e.name for e in cohort.entries] == ["sub-01_task-eeg", "sub-02_task-eeg"]
    first, second = cohort.entries
    assert spans(cohort.annotations(first)) == [(20, 40)] and cohort.annotations(second).events == ()
    experts = cohort.experts(first)
    assert {name: spans(marks) for name, marks in experts.items()} == {
        "A": [(10, 30)],
        "B": [(20, 40)],
        "C": [(25, 60)],
    }
    assert [f.name for f in expert_folders(cohort.root)] == ["A", "B", "C"]
    together = cohort.root / "derivatives" / "unanimous" / "sub-01" / "eeg" / "sub-01_task-eeg_events.tsv"
    assert "\n25.0\t5.0\tsz\t" in together.read_text()
    assert all(set(cohort.experts(e)) == {"A", "B", "C"} for e in cohort.entries), "read, also where nothing was marked"


def test_what_was_laid_out_can_be_imported_like_any_cohort(tmp_path):
    laid_out(nursery(tmp_path / "source"), tmp_path / "helsinki")
    copied = import_cohort(tmp_path / "helsinki", tmp_path / "copy")
    assert set(copied.experts(copied.entries[0])) == {"A", "B", "C"}


def test_the_recordings_are_the_published_bytes_and_the_source_is_untouched(tmp_path):
    source = nursery(tmp_path / "source")
    before = {p: p.read_bytes() for p in source.iterdir()}
    laid_out(source, tmp_path / "helsinki")
    cohort = read_cohort(tmp_path / "helsinki")
    assert cohort.entries[0].path.read_bytes() == before[source / "eeg1.edf"]
    assert {p: p.read_bytes() for p in source.iterdir()} == before
    kept = sorted(p.name for p in (tmp_path / "helsinki" / "sourcedata").iterdir())
    assert kept == ["annotations_2017.mat", "clinical_information.csv", "fetched.json", "names.tsv"]


def test_persons_sites_sex_and_ages_are_those_that_were_stated(tmp_path):
    laid_out(nursery(tmp_path / "source"), tmp_path / "cohort")
    entries = read_cohort(tmp_path / "cohort").entries
    assert [(e.person, e.site, e.sex, e.line_hz) for e in entries] == [
        ("helsinki:01", "helsinki", "f", 50.0), ("helsinki:02", "helsinki", "m", 50.0),
    ]  # fmt: skip
    assert entries[0].age_days == pytest.approx(7.0, abs=1e-4) and entries[1].age_days is None


@pytest.mark.parametrize(
    ("gestation", "postmenstrual", "days"),
    [("38 to 39", "38 to 39", (0, 7)), ("38 to 39", "39 to 40", (0, 14)), ("40 to 41", "43 to 44", (14, 28)),
     ("N/A", "43 to 44", None), ("", "", None), ("41 to 42", "39 to 40", None)],
)  # fmt: skip
def test_an_age_lies_between_what_two_brackets_of_weeks_allow(gestation, postmenstrual, days):
    assert age_bounds_days(gestation, postmenstrual) == days


@needs_shared
def test_the_published_clinical_table_gives_an_age_to_all_but_one_newborn():
    people = read_clinical((SHARED / "helsinki" / "clinical_information.csv").read_text("utf-8-sig"))
    assert len(people) == 79 and [r for r, p in people.items() if p.age_years is None] == ["eeg18"]
    ages = sorted(365.25 * p.age_years for p in people.values() if p.age_years is not None)
    assert ages[0] == pytest.approx(3.5) and ages[-1] == pytest.approx(56)


def test_labels_of_another_length_than_the_recording_are_refused_by_name(tmp_path):
    conversion = helsinki.convert(nursery(tmp_path, 100, 200), Corrections())
    assert [r.file.name for r in conversion.recordings] == ["eeg1.edf"]
    assert conversion.refused == ("eeg2.edf: its labels are of 80 s, the recording has 200 s",)


def test_labels_that_pass_the_end_by_part_of_a_second_are_cut_there(tmp_path):
    marks = np.ones((3, 100), dtype=np.uint8)
    written(tmp_path / "annotations_2017.mat", marks)
    edf(tmp_path / "eeg1.edf", 99)
    (recording,) = helsinki.convert(tmp_path, Corrections()).recordings
    assert spans(recording.marks) == [(0, 99)] and recording.marks.duration_s == 99


@pytest.fixture(scope="module")
def wearables(tmp_path_factory) -> Path:
    """SeizeIT2 as published, its EEG empty files: nothing here reads it."""
    folder = tmp_path_factory.mktemp("seizeit2")
    with tarfile.open(SHARED / "seizeit2" / "ds005873_events_and_eeg_json.tar.gz") as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is None or (member.name.endswith("_eeg.json") and "/sub-115/" not in member.name):
                continue  # half of the files: the events state the recording's length as well
            path = folder / member.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.read())
            if path.name.endswith("_events.tsv"):
                path.with_name(path.name.replace("_events.tsv", "_eeg.edf")).touch()
    return folder / "ds005873"


@needs_shared
def test_seizeit2_has_883_seizures_in_125_patients(wearables):
    conversion = seizeit2.convert(wearables, Corrections())
    assert sum(len(r.marks.events) for r in conversion.recordings) == 883
    assert (len(conversion.patients), len(conversion.recordings), conversion.refused) == (125, 2850, ())
    kinds = {e.type for r in conversion.recordings for e in r.marks.events}
    assert len(kinds) == 25 and {"sz_foc_ia_m_automatisms", "sz_foc_f2b"} <= kinds
    assert len(conversion.notes) == 10 and all("impedance check" in note for note in conversion.notes)
    files = [p.relative_to(wearables).as_posix() for p in wearables.rglob("*") if p.is_file()]
    assert {seizeit2.PUBLISHED.patient_of(f) for f in files} == {"", *(f"sub-{p.label}" for p in conversion.patients)}


@needs_shared
def test_seizeit2_keeps_its_names_events_and_impedance_checks_byte_for_byte(wearables, tmp_path):
    session = Path("sub-115", "ses-01", "eeg")
    source = tmp_path / "source"
    (source / session).mkdir(parents=True)
    stem = "sub-115_ses-01_task-szMonitoring_run-09"
    for suffix in ("_events.tsv", "_eeg.json"):
        (source / session / f"{stem}{suffix}").write_bytes((wearables / session / f"{stem}{suffix}").read_bytes())
    (source / "participants.tsv").write_bytes((wearables / "participants.tsv").read_bytes())
    edf(source / session / f"{stem}_eeg.edf", 20967, rate_hz=1)
    laid_out(source, tmp_path / "seizeit2", seizeit2)
    cohort = read_cohort(tmp_path / "seizeit2")
    (entry,) = cohort.entries
    assert (entry.name, entry.person, entry.sex, entry.age_days) == (stem, "seizeit2:115", "m", None)
    assert [(e.onset_s, e.duration_s, e.type) for e in cohort.annotations(entry).events] == [(18746, 167, "sz_foc_f2b")]
    kept = cohort.root / session / f"{stem}_events.tsv"
    assert kept.read_bytes() == (wearables / session / f"{stem}_events.tsv").read_bytes()


def test_seizeit2_without_an_events_file_is_left_out(tmp_path):
    session = tmp_path / "sub-001" / "ses-01" / "eeg"
    edf(session / "sub-001_ses-01_task-szMonitoring_run-01_eeg.edf", 60)
    conversion = seizeit2.convert(tmp_path, Corrections())
    assert conversion.recordings == () and "no events file" in conversion.refused[0]


def test_types_channels_and_refusals_survive_the_layout(tmp_path):
    file = edf(tmp_path / "PN00-1.edf", 100)
    conversion = helsinki.convert(nursery(tmp_path / "source"), Corrections())
    marks = Annotations((Event(10, 20, "sz_foc_ia", 0.5, ("FP1-F7", "F7-T3")),), 100.0)
    one = replace(conversion.recordings[0], file=file, marks=marks, stem="sub-PN00_ses-s001_task-eeg_run-01")
    made = replace(conversion, recordings=(one,), refused=("PN00-3.edf, seizure 3: an hour too long",))
    write_layout(tmp_path / "made", siena.PUBLISHED, made, {"cohort": "siena"})
    cohort = read_cohort(tmp_path / "made")
    assert cohort.annotations(cohort.entries[0]).events == marks.events
    assert cohort.entries[0].path.parent.parent.name == "ses-s001"
    assert "Left out: PN00-3.edf, seizure 3: an hour too long" in (tmp_path / "made" / "README").read_text()
    assert (
        json.loads((tmp_path / "made" / "dataset_description.json").read_text())["License"] == siena.PUBLISHED.licence
    )
    with (tmp_path / "made" / "sourcedata" / "names.tsv").open() as file_of_names:
        assert list(csv.DictReader(file_of_names, delimiter="\t")) == [
            {"recording": one.stem, "published": "PN00-1.edf"}
        ]  # fmt: skip


def test_a_layout_that_breaks_off_leaves_nothing_that_looks_like_a_cohort(tmp_path):
    conversion = helsinki.convert(nursery(tmp_path / "source"), Corrections())
    (tmp_path / "source" / "eeg2.edf").unlink()
    with pytest.raises(FileNotFoundError):
        write_layout(tmp_path / "made", helsinki.PUBLISHED, conversion, {})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["source"]
    with pytest.raises(Refusal):
        read_cohort(tmp_path / "made")


def test_two_files_of_one_name_are_refused_and_neither_takes_the_place_of_the_other(tmp_path):
    conversion = helsinki.convert(nursery(tmp_path / "source"), Corrections())
    first, second = conversion.recordings
    twice = replace(conversion, recordings=(first, replace(second, stem=first.stem)))
    with pytest.raises(FetchRefused, match=f"the first is {first.stem}"):
        write_layout(tmp_path / "made", helsinki.PUBLISHED, twice, {})
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("cohort", "recording", "table"),
    [
        (chbmit, "chb01/chb01_01.edf", "SUBJECT-INFO"),
        (chbmit, "chb01/chb01_01.edf", "RECORDS-WITH-SEIZURES"),
        (siena, "PN01/PN01-1.edf", "subject_info.csv"),
        (seizeit2, "sub-001/ses-01/eeg/sub-001_ses-01_task-szMonitoring_run-01_eeg.edf", "participants.tsv"),
        (tusz, "edf/dev/aaaaaaac/s001_2002/01_tcp_ar/aaaaaaac_s001_t000.edf",
         "edf/dev/aaaaaaac/s001_2002/01_tcp_ar/aaaaaaac_s001_t000.csv_bi"),
    ],
)  # fmt: skip
def test_a_published_table_that_is_not_utf_8_is_refused_by_its_name(tmp_path, cohort, recording, table):
    """Of TUSZ one recording's text is refused, and with it that recording alone."""
    (tmp_path / recording).parent.mkdir(parents=True)
    edf(tmp_path / recording, 60)
    (tmp_path / table).write_bytes("M\u00e4rz".encode("latin-1"))
    try:
        said = " ".join(cohort.convert(tmp_path, Corrections()).refused)
    except Refusal as refusal:
        said = str(refusal)
    assert f"{Path(table).name} is not UTF-8 text" in said


@pytest.mark.parametrize(("typed", "years"), [("55", 55.0), ("", None), ("7.5", 7.5)])
def test_an_age_of_siena_is_a_number_of_years_or_nothing(tmp_path, typed, years):
    table = tmp_path / "subject_info.csv"
    table.write_text(f"patient_id, age_years, gender, seizure\nPN01, {typed}, Male, IAS\n")
    (tmp_path / "PN01").mkdir()
    edf(tmp_path / "PN01" / "PN01-1.edf", 60)
    assert [p.age_years for p in siena.convert(tmp_path, Corrections()).patients] == [years]
    for wrong in ("?", "fifty", "nan", "-3"):
        table.write_text(f"patient_id, age_years, gender, seizure\nPN01, {wrong}, Male, IAS\n")
        with pytest.raises(Refusal, match="is not a number of years"):
            siena.convert(tmp_path, Corrections())


def test_a_newborn_of_whom_the_clinical_table_says_nothing_has_neither_age_nor_sex():
    (patient,) = read_clinical("EEG file,Gender,GA (weeks),EEG to PMA (weeks)\neeg1\n").values()
    assert (patient.label, patient.age_years, patient.sex) == ("01", None, "n/a")


@pytest.mark.parametrize("stated", ['"n/a"', "NaN", "Infinity", "-5", "0", "[60]", "true"])
def test_a_sidecar_that_states_no_length_leaves_that_to_the_events_file(tmp_path, stated):
    folder = tmp_path / "sub-001" / "ses-01" / "eeg"
    folder.mkdir(parents=True)
    stem = "sub-001_ses-01_task-szMonitoring_run-01"
    edf(folder / f"{stem}_eeg.edf", 60)
    (folder / f"{stem}_eeg.json").write_text(f'{{"RecordingDuration": {stated}}}')
    events = folder / f"{stem}_events.tsv"
    events.write_text("onset\tduration\teventType\n1\t2\tsz\n")
    assert "states no recordingDuration" in seizeit2.convert(tmp_path, Corrections()).refused[0]
    events.write_text("onset\tduration\teventType\trecordingDuration\n1\t2\tsz\t60\n")
    assert seizeit2.convert(tmp_path, Corrections()).recordings[0].marks.duration_s == 60
    (tmp_path / "dataset_description.json").write_text('{"BIDSVersion": "1.9.0"}')
    events.write_text("onset\tduration\teventType\n1\t2\tsz\n")
    cohort = read_cohort(tmp_path)
    with pytest.raises(Refusal, match="states no recordingDuration"):
        cohort.annotations(cohort.entries[0])
