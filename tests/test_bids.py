"""Cohorts as BIDS folders and experts' annotations in events.tsv, real ones and made ones."""

import json
import os
import shutil
import tarfile
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.cohorts import bids, sidecars
from data.cohorts.bids import PERIODS, Cohort, import_cohort, read_cohort
from data.cohorts.derivatives import expert_folders
from data.events import Annotations, Event
from data.outcomes import Refusal
from data.readers.bids import COLUMNS, parse_events, read_event_table, read_events, write_events
from data.readers.edf import write_edf
from data.seizure_types import TUH_TYPES, seizure_type, tuh_type
from tests import SHARED, needs_shared

HEADER = "\t".join(COLUMNS)
EVENTS = st.lists(
    st.builds(
        Event,
        st.floats(0, 3000),
        st.floats(0.01, 500),
        st.sampled_from(["sz", "sz_foc_ia_m_tonic", "sz_gen_m_tonicClonic", "sz_uo"]),
        st.one_of(st.none(), st.floats(0, 1)),
        st.sampled_from([(), ("Fp1",), ("F3", "C3", "P3")]),
    ),
    max_size=5,
    unique_by=lambda event: (event.onset_s, event.duration_s),
)


def table(*rows: str, header: str = HEADER) -> str:
    return "\r\n".join([header, *rows]) + "\r\n"


def row(onset: object = 10, duration: object = 20, kind: str = "sz", tail: str = "n/a\tn/a\tn/a\t100") -> str:
    return f"{onset}\t{duration}\t{kind}\t{tail}"


def refusal_of(text: str, duration_s: float | None = None) -> Refusal:
    with pytest.raises(Refusal) as caught:
        parse_events(text, duration_s)
    return caught.value


@settings(max_examples=40, deadline=None)
@given(EVENTS)
def test_annotations_that_are_written_are_read_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, events: list[Event]
) -> None:
    annotations = Annotations(tuple(events), 3600.25)
    path = tmp_path_factory.mktemp("events") / "a_events.tsv"
    write_events(path, annotations, datetime(2020, 3, 2, 10, 0, 0))
    assert read_events(path) == annotations


def test_no_seizure_is_written_as_one_background_row(tmp_path: Path) -> None:
    write_events(tmp_path / "a.tsv", Annotations((), float(np.float64(60))))
    background = "0.0\t60.0\tbckg\tn/a\tn/a\t2000-01-01 00:00:00\t60.0"
    assert (tmp_path / "a.tsv").read_text() == f"{HEADER}\n{background}\n"


def test_an_event_that_is_no_seizure_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 events"):
        write_events(tmp_path / "a.tsv", Annotations((Event(1, 1, "blink"),), 60.0))


@needs_shared
def test_all_2850_events_files_of_seizeit2_are_read_and_their_faults_named() -> None:
    """Counts are those of the files' own rows; ten impedance checks there have a negative duration."""
    seizures, impedance, defects, hours, files = 0, 0, 0, 0.0, 0
    with tarfile.open(SHARED / "seizeit2" / "ds005873_events_and_eeg_json.tar.gz") as archive:
        for member in archive:
            if member.name.endswith("_events.tsv"):
                content = archive.extractfile(member)
                assert content is not None
                found = parse_events(content.read().decode())
                files += 1
                seizures += len(found.annotations.events)
                impedance += len(found.impedance)
                defects += len(found.defects)
                hours += found.annotations.duration_s / 3600
    assert (files, seizures, impedance, defects) == (2850, 883, 464 - 10, 10)
    assert 11_000 < hours < 12_000  # the data set's README: "around 11 640 hours"


def test_a_seizure_that_stands_there_twice_is_refused_and_not_counted_twice() -> None:
    """As files with a row for each channel have it; at the same onset with another duration it is another mark."""
    left, right = (row(10, 20, tail=f"n/a\t{channel}\tn/a\t100") for channel in ("F3", "F4"))
    with pytest.raises(Refusal, match=r"corrupt: rows 2 and 4 .* 20 s from 10 s"):
        parse_events(table(left, row(50, 20), right))
    assert len(parse_events(table(row(10, 20), row(10, 25), row(30, 20))).annotations.events) == 3
    assert len(parse_events(table(row(10, 5, "impd"), row(10, 5, "impd"), row(10, 5))).annotations.events) == 1


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("sz", "sz"), ("SZ", "sz"), ("seizure", "sz"), ("seiz", "sz"), ("sz-foc", "sz_foc"),
        ("sz_gen_m_tonicclonic", "sz_gen_m_tonicClonic"), ("sz-foc-ia-nm", "sz_foc_ia_nm"), (" sz_uo ", "sz_uo"),
        ("sz_end", None), ("sz_free", None), ("sz_Smith", None), ("sz_foc_Smith", None), ("sz_m", None),
        ("bckg", None), ("", None), ("_sz", None), ("seizures", None), ("no seizure", None),
    ],
)  # fmt: skip
def test_seizure_types_are_a_closed_vocabulary(written: str, meant: str | None) -> None:
    assert seizure_type(written) == meant


def test_seizures_are_kept_with_type_confidence_and_channels() -> None:
    found = parse_events(table(row(10, 20, "sz-foc", "0.5\tF3, C3\t2000-01-01 00:00:00\t100"), row(0, 100, "bckg")))
    assert found.annotations == Annotations((Event(10.0, 20.0, "sz_foc", 0.5, ("F3", "C3")),), 100.0)
    assert found.defects == ()


def test_impedance_checks_are_no_seizures() -> None:
    found = parse_events(table(row(10, 5, "impd")))
    assert (found.annotations.events, found.impedance, found.defects) == ((), ((10.0, 5.0),), ())


def test_a_faulty_impedance_check_is_left_out_and_named() -> None:
    found = parse_events(table(row(50, -40, "impd"), row(10, 20)))
    assert len(found.annotations.events) == 1
    assert found.impedance == ()
    assert found.defects == ("row 2: impedance check at 50 s for -40 s left out",)


def test_a_column_that_is_named_twice_is_refused() -> None:
    """Of two onsets the last would have counted, with every cell behind it."""
    with pytest.raises(Refusal, match="corrupt: the events file names a column twice"):
        parse_events("onset\tonset\tduration\teventType\n1\t2\t3\tsz\n", 100.0)
    assert len(parse_events("onset\tduration\teventType\t\t\n1\t2\tsz\t\t\n", 100.0).annotations.events) == 1


def test_a_seizure_that_rounding_moved_past_the_end_is_cut_and_named() -> None:
    found = parse_events(table(row(90, 10.5)))
    assert found.annotations.events == (Event(90.0, 10.0),)
    assert found.defects == ("row 2: seizure cut by 0.5 s at the recording's end",)


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([row(90, 12)], "corrupt"),
        ([row(-1, 5)], "corrupt"),
        ([row(10, 0)], "corrupt"),
        ([row(10, -5)], "corrupt"),
        ([row(100, 0.5)], "corrupt"),
        ([row("n/a")], "corrupt"),
        ([row("ten")], "corrupt"),
        ([row("1_0")], "corrupt"),
        ([row(duration="inf")], "corrupt"),
        (["10"], "unsupported_format"),
        ([row(), row(tail="n/a\tn/a\tn/a\t200")], "corrupt"),
        ([row(tail="1.5\tn/a\tn/a\t100")], "corrupt"),
        ([row(tail="n/a\tn/a\tn/a\t0")], "corrupt"),
        ([row(kind="blink")], "unsupported_format"),
        ([row(kind="n/a")], "unsupported_format"),
        ([row(tail="n/a\tn/a\tn/a\tn/a")], "unsupported_format"),
        ([], "unsupported_format"),
    ],
)
def test_a_seizure_that_cannot_be_read_refuses_the_file(rows: list[str], code: str) -> None:
    assert refusal_of(table(*rows)).code == code


def test_a_short_row_is_refused() -> None:
    assert refusal_of(table("10"), 100.0).code == "corrupt"
    assert refusal_of(table("10\t\tsz"), 100.0).code == "corrupt"
    assert refusal_of(table("10\t5"), 100.0).code == "unsupported_format"


def test_a_refusal_does_not_repeat_what_was_typed() -> None:
    assert "Smith" not in str(refusal_of(table(row(kind="Smith"))))


def test_the_recording_length_may_come_from_elsewhere() -> None:
    assert parse_events("onset\tduration\teventType\n", 60.0).annotations == Annotations((), 60.0)
    assert parse_events("onset\tduration\ttrial_type\n5\t5\tsz\n", 60.0).annotations.total_s() == 5.0


def test_a_table_without_the_columns_is_refused() -> None:
    assert refusal_of("").code == "unsupported_format"
    assert refusal_of("onset,duration,eventType\n1,2,sz\n").code == "unsupported_format"
    assert refusal_of("onset\tduration\tvalue\n1\t2\tsz\n").code == "unsupported_format"


def test_a_byte_order_mark_is_read_and_other_encodings_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_bytes(b"\xef\xbb\xbf" + table(row()).encode())
    assert read_event_table(tmp_path / "a.tsv").annotations.total_s() == 20.0
    (tmp_path / "b.tsv").write_bytes(table(row()).encode("utf-16"))
    with pytest.raises(Refusal, match="corrupt"):
        read_events(tmp_path / "b.tsv")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two patients, one with a session folder; 10 s of noise each, one seizure of 3 s."""
    root = tmp_path / "clinic"
    root.mkdir()
    (root / "dataset_description.json").write_text('{"Name": "Noise", "BIDSVersion": "1.8.0"}')
    (root / "participants.tsv").write_text(
        "participant_id\tage\tsex\tsite\tperson\tperiod\nsub-001\t0.008\tF\tnorth\tp7\tsurveillance\nsub-002\tn/a\tn/a\tn/a\tn/a\tn/a\n"
    )
    (root / "task-eeg_eeg.json").write_text('{"PowerLineFrequency": 50, "RecordingDuration": 10.0}')
    signal = np.random.default_rng(0).normal(0, 20, (2, 2560))
    for place, seizures in (("sub-001/eeg/sub-001", (Event(2, 3),)), ("sub-002/ses-01/eeg/sub-002_ses-01", ())):
        stem = root / f"{place}_task-eeg_run-01"
        stem.parent.mkdir(parents=True)
        write_edf(Path(f"{stem}_eeg.edf"), signal, ("Fp1", "Fp2"), 256.0)
        write_events(Path(f"{stem}_events.tsv"), Annotations(seizures, 10.0))
    Path(f"{root}/sub-002/ses-01/eeg/sub-002_ses-01_task-eeg_run-01_eeg.json").write_text('{"PowerLineFrequency": 60}')
    (root / "sub-001" / "sub-001_scans.tsv").write_text("filename\tacq_time\n")
    return root


def entries(cohort: Cohort) -> dict[str, tuple[object, ...]]:
    return {e.name: (e.patient, e.person, e.site, e.age_days, e.sex, e.period, e.line_hz) for e in cohort.entries}


def test_a_cohort_names_who_was_recorded_where(folder: Path) -> None:
    assert entries(read_cohort(folder)) == {
        "sub-001_task-eeg_run-01": ("sub-001", "p7", "north", pytest.approx(2.922), "f", "surveillance", 50.0),
        "sub-002_ses-01_task-eeg_run-01": ("sub-002", "clinic:sub-002", "clinic", None, "n/a", "", 60.0),
    }


def test_a_cohort_gives_each_recordings_seizures(folder: Path) -> None:
    cohort = read_cohort(folder)
    assert [cohort.annotations(e).total_s() for e in cohort.entries] == [3.0, 0.0]
    facts = cohort.facts()
    assert (facts.patients, facts.persons, facts.recordings, facts.labelled, facts.seizures) == (2, 2, 2, 2, 1)
    assert facts.patients_with_seizures == 1
    assert facts.hours == pytest.approx(20 / 3600)
    assert facts.prevalence == pytest.approx(3 / 20)


def test_what_nobody_annotated_has_hours_but_no_seizure_count(folder: Path) -> None:
    for path in folder.rglob("*_events.tsv"):
        path.unlink()
    cohort = read_cohort(folder)
    facts = cohort.facts()
    assert (facts.labelled, facts.hours) == (0, pytest.approx(20 / 3600))
    assert np.isnan(facts.prevalence)
    with pytest.raises(Refusal, match="no events file"):
        cohort.annotations(cohort.entries[0])


def add_expert(root: Path, name: str, made_by: object = ({"Name": "Manual"},), **marks: tuple[Event, ...]) -> Path:
    """A derivative dataset with what one expert marked in `p001` and `p002`."""
    folder = root / "derivatives" / name
    folder.mkdir(parents=True)
    description = {"Name": "Marks", "BIDSVersion": "1.8.0", "DatasetType": "derivative", "GeneratedBy": made_by}
    (folder / "dataset_description.json").write_text(json.dumps(description))
    places = {"p001": "sub-001/eeg/sub-001", "p002": "sub-002/ses-01/eeg/sub-002_ses-01"}
    for patient, events in marks.items():
        path = folder / f"{places[patient]}_task-eeg_run-01_events.tsv"
        path.parent.mkdir(parents=True)
        write_events(path, Annotations(events, 10.0))
    return folder


def marked_events(folder: Path) -> Path:
    return next(folder.rglob("*_events.tsv"))


def test_several_experts_are_read_beside_the_reference(folder: Path) -> None:
    add_expert(folder, "anna", p001=(Event(1, 4),), p002=())
    add_expert(folder, "ben", p001=())
    cohort = read_cohort(folder)
    first, second = ({n: a.total_s() for n, a in cohort.experts(e).items()} for e in cohort.entries)
    assert (first, second) == ({"anna": 4.0, "ben": 0.0}, {"anna": 0.0})
    assert [cohort.annotations(e).total_s() for e in cohort.entries] == [3.0, 0.0]


def test_without_derivatives_there_are_no_experts(folder: Path) -> None:
    cohort = read_cohort(folder)
    assert [cohort.experts(e) for e in cohort.entries] == [{}, {}]


def test_what_a_pipeline_made_is_no_experts_reading(folder: Path, tmp_path: Path) -> None:
    cleaned = add_expert(folder, "cleaned", [{"Name": "some-pipeline", "Version": "1"}], p001=(Event(2, 3),))
    shutil.copyfile(
        next(folder.glob("sub-001/eeg/*.edf")), cleaned / "sub-001" / "eeg" / "sub-001_task-eeg_run-01_eeg.edf"
    )
    (folder / "derivatives" / "figures").mkdir()
    cohort = import_cohort(folder, tmp_path / "raw" / "clinic")
    assert len(cohort.entries) == 2
    assert cohort.experts(cohort.entries[0]) == {}
    assert not (cohort.root / "derivatives").exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [("DatasetType", "raw"), ("DatasetType", None), ("GeneratedBy", None), ("GeneratedBy", []),
     ("GeneratedBy", "Manual"), ("GeneratedBy", [{"Version": "1"}])],
)  # fmt: skip
def test_marks_that_do_not_say_who_made_them_are_refused(folder: Path, key: str, value: object) -> None:
    path = add_expert(folder, "anna", p001=()) / "dataset_description.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    cohort = read_cohort(folder)
    with pytest.raises(Refusal, match=r"unsupported_format.*Manual"):
        cohort.experts(cohort.entries[0])
    path.unlink()
    with pytest.raises(Refusal, match=r"unsupported_format.*Manual"):
        cohort.experts(cohort.entries[0])


def test_experts_are_imported_whole_and_nothing_else_of_theirs(folder: Path, tmp_path: Path) -> None:
    anna = add_expert(folder, "anna", p001=(Event(1, 4),), p002=())
    (anna / "letter.txt").write_text("Dear colleague")
    copied = import_cohort(folder, tmp_path / "raw" / "clinic")
    inside = {p.relative_to(copied.root).as_posix(): p.read_bytes() for p in copied.root.rglob("*") if p.is_file()}
    theirs = {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in anna.rglob("*") if p.suffix != ".txt" and p.is_file()
    }
    assert len(theirs) == 3
    assert {name: content for name, content in inside.items() if name.startswith("derivatives")} == theirs
    assert [copied.experts(e)["anna"].total_s() for e in copied.entries] == [4.0, 0.0]


def broken_table(path: Path) -> None:
    path.write_text(path.read_text().replace("10.0", "ten"))


def broken_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("../absent")


def other_length(path: Path) -> None:
    write_events(path, Annotations((), 20.0))


def other_name(path: Path) -> None:
    path.rename(path.with_name("sub-001_task-rest_events.tsv"))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (broken_table, r"corrupt.*no number"),
        (broken_link, r"unsupported_format.*link to nothing"),
        (other_length, r"corrupt.*20 s.*10 s"),
        (other_name, r"corrupt.*1 of 1 events files"),
    ],
)
def test_an_import_that_would_lose_an_experts_marks_is_refused(folder: Path, tmp_path: Path, spoil, message) -> None:
    spoil(marked_events(add_expert(folder, "anna", p001=(Event(1, 4),))))
    with pytest.raises(Refusal, match=message):
        import_cohort(folder, tmp_path / "raw" / "clinic")
    assert not (tmp_path / "raw" / "clinic").exists()


def test_an_expert_whose_folder_was_not_fetched_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "derivatives").mkdir()
    (folder / "derivatives" / "anna").symlink_to("../absent")
    with pytest.raises(Refusal, match=r"unsupported_format.*link to nothing"):
        import_cohort(folder, tmp_path / "raw" / "clinic")


def test_a_cohort_is_copied_whole_and_its_source_left_alone(folder: Path, tmp_path: Path) -> None:
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    copied = import_cohort(folder, tmp_path / "raw" / "clinic")
    assert entries(copied) == entries(read_cohort(folder))
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before
    taken = {p.relative_to(copied.root): p.read_bytes() for p in copied.root.rglob("*") if p.is_file()}
    assert taken == {p.relative_to(folder): c for p, c in before.items() if p.name != "sub-001_scans.tsv"}


def test_what_a_file_system_writes_beside_recordings_is_neither_read_nor_taken(folder: Path, tmp_path: Path) -> None:
    """On disks without its own file system a Mac puts `._NAME` beside NAME: where it came from, who remarked what."""
    marked = marked_events(add_expert(folder, "anna", p001=(Event(1, 4),)))
    expected = read_cohort(folder)
    for path in [*(entry.path for entry in expected.entries), folder / "task-sleep_eeg.json", marked]:
        path.with_name(f"._{path.name}").write_bytes(b"\x00\x05\x16\x07 a remark")
    assert read_cohort(folder) == expected
    import_cohort(folder, tmp_path / "raw")
    assert not [path for path in (tmp_path / "raw").rglob("*") if path.name.startswith(".")]


def test_a_broken_import_leaves_nothing_behind(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[object] = []

    def full(source: Path, target: Path) -> None:
        copied.append(target)
        if len(copied) == 3:
            raise OSError(28, "No space left on device")
        Path(target).write_bytes(b"")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space"):
        import_cohort(folder, tmp_path / "raw" / "clinic")
    assert len(copied) == 3
    assert list((tmp_path / "raw").iterdir()) == []


def test_an_import_neither_overwrites_nor_nests(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(FileExistsError):
        import_cohort(folder, tmp_path / "there")
    with pytest.raises(ValueError, match="inside"):
        import_cohort(folder, folder / "copy")


def test_what_is_no_bids_folder_is_refused(folder: Path) -> None:
    (folder / "dataset_description.json").write_text('{"Name": "Noise"}')
    with pytest.raises(Refusal, match=r"unsupported_format.*BIDSVersion"):
        read_cohort(folder)
    (folder / "dataset_description.json").write_text("[1")
    with pytest.raises(Refusal, match="corrupt"):
        read_cohort(folder)
    (folder / "dataset_description.json").unlink()
    with pytest.raises(Refusal, match="unsupported_format"):
        read_cohort(folder)


def test_recordings_in_other_formats_are_counted_in_the_refusal(folder: Path, tmp_path: Path) -> None:
    for path in folder.rglob("*.edf"):
        path.rename(path.with_suffix(".vhdr"))
    with pytest.raises(Refusal, match=r"unsupported_format.* 2 EEG files in other formats"):
        import_cohort(folder, tmp_path / "raw" / "clinic")
    assert not (tmp_path / "raw").exists()


@pytest.mark.parametrize("second", [".bdf", ".EDF"])
def test_a_recording_in_two_formats_is_refused_as_nobody_knows_which_is_meant(folder: Path, second: str) -> None:
    path = next(folder.rglob("*.edf"))
    shutil.copyfile(path, path.with_suffix(second))
    with pytest.raises(Refusal, match=r"corrupt.* 1 recordings lie there in two formats"):
        read_cohort(folder)


def test_links_to_content_that_was_not_fetched_are_refused(folder: Path) -> None:
    path = next(folder.rglob("*.edf"))
    path.unlink()
    path.symlink_to("../.git/annex/objects/absent")
    with pytest.raises(Refusal, match=r"unsupported_format.*1 of 2"):
        read_cohort(folder)


@pytest.mark.parametrize(
    "participants", ["age\n1\n", "participant_id\nsub-001\nsub-001\n", "participant_id\tage\nsub-001\told\n",
                     "participant_id\tage\nsub-001\t-1\n", "participant_id\tage\nsub-001\t3650\n"],
)  # fmt: skip
def test_participants_that_contradict_themselves_are_refused(folder: Path, participants: str) -> None:
    (folder / "participants.tsv").write_text(participants)
    with pytest.raises(Refusal, match="corrupt"):
        read_cohort(folder)


@pytest.mark.parametrize("period", ["Development", "2025-Q1", "survey"])
def test_a_period_that_nothing_would_ever_look_at_is_refused(folder: Path, period: str) -> None:
    (folder / "participants.tsv").write_text(f"participant_id\tperiod\nsub-002\tn/a\n\nsub-001\t{period}\n")
    known = "development, surveillance, external, pretraining"
    with pytest.raises(Refusal, match=rf"corrupt.* 1 of 2 patients .*\(line 4\): a period is {known}") as told:
        read_cohort(folder)
    assert period not in str(told.value)


def test_every_known_period_is_read_and_none_is_development(folder: Path) -> None:
    for period in PERIODS:
        (folder / "participants.tsv").write_text(f"participant_id\tperiod\nsub-001\t{period}\nsub-002\tn/a\n")
        assert [e.period for e in read_cohort(folder).entries] == [period, ""]


def test_a_cohort_may_do_without_participants(folder: Path) -> None:
    (folder / "participants.tsv").unlink()
    assert {e.person for e in read_cohort(folder).entries} == {"clinic:sub-001", "clinic:sub-002"}


def test_the_oldest_are_as_old_as_bids_says(folder: Path) -> None:
    (folder / "participants.tsv").write_text("participant_id\tage\nsub-001\t89+\n")
    assert read_cohort(folder).entries[0].age_days == 89 * 365.25


@needs_shared
def test_the_sidecars_of_seizeit2_are_read_as_a_cohort(tmp_path: Path) -> None:
    """The recordings themselves are not here: noise stands in for one patient's first two."""
    with tarfile.open(SHARED / "seizeit2" / "ds005873_events_and_eeg_json.tar.gz") as archive:
        wanted = [m for m in archive if "/sub-115/" in m.name or (m.name.count("/") == 1 and m.isfile())]
        archive.extractall(tmp_path, wanted, filter="data")
    root = tmp_path / "ds005873"
    for path in sorted(root.rglob("*_events.tsv"))[:2]:
        edf = path.with_name(path.name.replace("_events.tsv", "_eeg.edf"))
        write_edf(edf, np.random.default_rng(0).normal(0, 20, (2, 2560)), ("Fp1", "Fp2"), 256.0)
        assert json.loads(edf.with_suffix(".json").read_text())["PowerLineFrequency"] == "n/a"
    cohort = read_cohort(root)
    assert [(e.patient, e.sex, e.line_hz) for e in cohort.entries] == [("sub-115", cohort.entries[0].sex, None)] * 2
    assert cohort.facts().hours > 1


@pytest.mark.parametrize("code", TUH_TYPES)
def test_every_tuh_code_is_a_type_of_hed_score_and_back(code: str) -> None:
    assert seizure_type(TUH_TYPES[code]) == TUH_TYPES[code]
    assert tuh_type(TUH_TYPES[code]) == code
    assert tuh_type("sz_foc_ia_m") is None


def test_a_sidecar_nested_beyond_reading_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dataset_description.json").write_text("[" * 100_000)
    with pytest.raises(Refusal, match="corrupt: a JSON sidecar"):
        read_cohort(tmp_path)


def test_a_cohort_s_root_is_listed_once_for_all_its_recordings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of every patient lies in it: 10,000 recordings that each look through 10,000 names take a minute."""
    listed: list[Path] = []

    def note(place: Path) -> list[str]:
        listed.append(Path(place))
        return os.listdir(place)

    monkeypatch.setattr("data.cohorts.sidecars.os", type("Noted", (), {"listdir": staticmethod(note)}))
    cohort = read_cohort(folder)
    assert len(cohort.entries) == 2 and listed.count(folder) == 1
    listed.clear()
    assert all(cohort.annotations(entry).duration_s == 10.0 for entry in cohort.entries) and listed.count(folder) == 1


def test_a_recording_among_many_in_its_folder_is_held_against_few_of_their_sidecars(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hours of a long stay lie side by side: 2,000 that are each held against the sidecars of all take seconds, 10,000 minutes."""
    inside = tmp_path / "sub-1" / "eeg"
    inside.mkdir(parents=True)
    for name in ("sub-1_eeg", "eeg", "task-rest_eeg", *(f"sub-1_task-rest_run-{n}_eeg" for n in range(100))):
        (inside / f"{name}.json").write_text("{}")
    held: list[int] = []
    whole = sidecars._nearest_last
    monkeypatch.setattr(sidecars, "_nearest_last", lambda files, *more: held.append(len(files)) or whole(files, *more))
    found = sidecars.Sidecars(tmp_path)
    with pytest.raises(Refusal, match="name equally much"):  # `sub-1` and `task-rest`
        found.of(inside / "sub-1_task-rest_run-7_eeg.edf")
    (inside / "task-rest_eeg.json").unlink()
    found = sidecars.Sidecars(tmp_path)
    for n in range(100):
        nearest = [file.name for file in found.of(inside / f"sub-1_task-rest_run-{n}_eeg.edf")]
        assert nearest == ["eeg.json", "sub-1_eeg.json", f"sub-1_task-rest_run-{n}_eeg.json"]
    assert [file.name for file in found.of(inside / "sub-1_run-7_eeg.edf")] == ["eeg.json", "sub-1_eeg.json"]
    assert sum(held) < 10 * 100


PARTS = st.lists(st.sampled_from(["sub-1", "task-a", "run-1", "run-2", "acq-x"]), unique=True, max_size=4)


@given(names=st.lists(PARTS, unique_by=frozenset, max_size=8), asked=PARTS)
def test_the_sidecars_that_hold_are_all_those_that_name_nothing_else(names: list[list[str]], asked: list[str]) -> None:
    files = [Path("_".join([*parts, "eeg.json"])) for parts in names]
    kept = sidecars._by_rarest(files)
    looked = [file for part in {*asked, sidecars.NOTHING} for file in kept.get(part, ())]
    assert sorted(file for listed in kept.values() for file in listed) == sorted(files)
    assert {file for file, parts in zip(files, names, strict=True) if set(parts) <= set(asked)} <= set(looked)


def test_the_experts_folders_are_looked_for_once_for_all_recordings(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipeline's folder beside them is gone through to its last file: for each of 1,000 recordings that took half a minute."""
    add_expert(folder, "anna", p001=(Event(1, 4),), p002=())
    looked: list[Path] = []
    monkeypatch.setattr(bids, "expert_folders", lambda root: looked.append(root) or expert_folders(root))
    cohort = read_cohort(folder)
    assert [list(cohort.experts(entry)) for entry in cohort.entries] == [["anna"], ["anna"]] and len(looked) == 1
