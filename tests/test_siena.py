"""Siena's typed lists: read as typed, believed where they can be true, refused by name where they cannot."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from data.cohorts.clock import after_s, clock_s
from data.cohorts.corrections import Corrections, read_corrections
from data.cohorts.published import FetchRefused
from data.cohorts.siena import convert, stem_of
from data.cohorts.siena_lists import Begun, Listed, read_list, span_of
from data.outcomes import Refusal
from tests import SHARED, needs_shared
from tests.published import edf

PUBLISHED = SHARED / "siena"
LISTED = Listed(1, "PN00-1.edf", "19.39.33", "20.22.58", "19.58.36", "19.59.46")
BEGUN = Begun(19 * 3600 + 39 * 60 + 33, 2605.0)


def refusal_of(listed: Listed, begun: Begun = BEGUN) -> str:
    with pytest.raises(Refusal) as caught:
        span_of(listed, begun)
    assert caught.value.code == "corrupt"
    return caught.value.reason


def stated_begin(listed: Listed) -> Begun:
    """Begin and length of the recording by the text alone, without the EDF."""
    start_s, end_s = clock_s(listed.registration), clock_s(listed.registration_end)
    assert start_s is not None and end_s is not None
    return Begun(start_s, after_s(start_s, end_s))


def started(clock: str) -> datetime:
    hours, minutes, seconds = (int(part) for part in clock.split("."))
    return datetime(2016, 1, 1, hours, minutes, seconds)


def pn00(folder: Path, *numbers: int) -> Path:
    """PN00 as published, the EEG made up in its true lengths (20 s longer than the list says, as most are)."""
    (folder / "PN00").mkdir(parents=True)
    text = (PUBLISHED / "Seizures-list-PN00.txt").read_bytes()
    (folder / "PN00" / "Seizures-list-PN00.txt").write_bytes(text)
    (folder / "subject_info.csv").write_bytes((PUBLISHED / "subject_info.csv").read_bytes())
    for listed in read_list(text.decode()):
        begin = stated_begin(listed)
        if listed.number in (numbers or (1, 2, 3, 4, 5)):
            edf(folder / "PN00" / listed.file, int(begin.duration_s) + 20, started(listed.registration))
    return folder


@needs_shared
def test_the_published_times_are_those_that_others_computed():
    """siena_timestamps_misahub.csv: 1143–1213, 1220–1274, (the third is not in it), 1006–1080, 904–971 s."""
    texts = [(PUBLISHED / f"Seizures-list-PN{n}.txt").read_text() for n in ("00", "16")]
    spans = {}
    for listed in (one for text in texts for one in read_list(text) if one.file != "PN00-3.edf"):
        begin = stated_begin(listed)
        onset_s, duration_s = span_of(listed, begin)
        spans[listed.file] = (onset_s, onset_s + duration_s)
    assert spans == {
        "PN00-1.edf": (1143, 1213), "PN00-2.edf": (1220, 1274), "PN00-4.edf": (1006, 1080), "PN00-5.edf": (904, 971),
        "PN16-1.edf": (7184, 7307), "PN16-2.edf": (8574, 8681),
    }  # fmt: skip


@needs_shared
def test_pn00_seizure_3_is_refused_not_believed_and_the_others_are_kept(tmp_path):
    conversion = convert(pn00(tmp_path), Corrections())
    assert [r.file.name for r in conversion.recordings] == [f"PN00-{n}.edf" for n in (1, 2, 4, 5)]
    (said,) = conversion.refused
    assert said.startswith("PN00-3.edf, seizure 3") and "18.28.29 to 19.29.29" in said and "3660 s" in said
    assert [(e.onset_s, e.duration_s, e.type) for r in conversion.recordings for e in r.marks.events] == [
        (1143, 70, "sz_foc_ia"), (1220, 54, "sz_foc_ia"), (1006, 74, "sz_foc_ia"), (904, 67, "sz_foc_ia"),
    ]  # fmt: skip
    assert [(p.label, p.age_years, p.sex) for p in conversion.patients] == [("PN00", 55.0, "m")]


@needs_shared
def test_a_user_may_say_what_was_meant_with_a_reason(tmp_path):
    mine = tmp_path / "mine.tsv"
    mine.write_text("recording\tseizure\tfield\tvalue\treason\nPN00-3.edf\t3\tend\t18.29.29\tan hour typed wrongly\n")
    corrections = read_corrections(mine)
    conversion = convert(pn00(tmp_path / "siena", 3), corrections)
    corrections.refuse_unused()
    assert conversion.refused == ()
    assert [(e.onset_s, e.duration_s) for e in conversion.recordings[0].marks.events] == [(765, 60)]


def test_a_correction_that_corrects_nothing_is_refused():
    unused = Corrections({("PN00-9.edf", 1, "end"): "18.29.29"})
    with pytest.raises(FetchRefused, match=r"PN00-9\.edf, seizure 1, end"):
        unused.refuse_unused()


@pytest.mark.parametrize(
    "text",
    [
        "", "recording\tseizure\tend\n",
        "recording\tseizure\tfield\tvalue\treason\nPN00-3.edf\t3\tend\t18.29.29\t\n",
        "recording\tseizure\tfield\tvalue\treason\nPN00-3.edf\tthird\tend\t18.29.29\twhy\n",
        "recording\tseizure\tfield\tvalue\treason\nPN00-3.edf\t3\tduration\t60\twhy\n",
        "recording\tseizure\tfield\tvalue\treason\nPN00-3.edf\t²\tend\t18.29.29\twhy\n",
        "recording\tseizure\tfield\tvalue\treason\nPN00-3.edf\t3\tend\t18.29.29\twhy\nPN00-3.edf\t3\tend\t18.29.30\tno\n",
    ],
    ids=["empty", "columns", "no reason", "no number", "no such field", "no plain number", "twice"],
)  # fmt: skip
def test_corrections_need_every_column_and_a_reason(tmp_path, text):
    (tmp_path / "mine.tsv").write_text(text)
    with pytest.raises(FetchRefused, match="corrections file"):
        read_corrections(tmp_path / "mine.tsv")


@pytest.mark.parametrize("typed", ["19.58.36", " 19:58:36 ", "19:58.36", "19.58.36 (CLINICAL ONSET)"])
def test_dots_colons_and_a_remark_are_the_same_time(typed):
    assert span_of(replace(LISTED, start=typed), BEGUN) == (1143, 70)


@pytest.mark.parametrize(
    "typed",
    ["", "1 9.58.36", "19.58", "19.58.61", "24.00.00", "19.58.36 opure 19.58.16",
     "19.58.36 (CLINICAL ONSET); 19.58.42 (ELECTRIC ONSET)"],
)  # fmt: skip
def test_a_field_that_is_not_one_time_is_refused_and_shown(typed):
    assert typed[:20] in refusal_of(replace(LISTED, start=typed))


def test_a_registration_across_midnight_is_counted_through():
    listed = Listed(1, "PN06-2.edf", "23.50.00", "02.00.00", "00.10.00", "00.11.00")
    begin = stated_begin(listed)
    assert begin == Begun(23 * 3600 + 50 * 60, 7800.0)
    assert span_of(listed, begin) == (1200, 60)


def test_an_end_after_the_recording_before_the_start_or_an_hour_late_is_refused():
    assert "1143 to 1213 s of a recording of 1200 s" in refusal_of(LISTED, replace(BEGUN, duration_s=1200.0))
    assert "86330 s" in refusal_of(replace(LISTED, start="19.59.46", end="19.58.36"))
    assert "3670 s" in refusal_of(replace(LISTED, end="20.59.46"), replace(BEGUN, duration_s=9000.0))


def test_a_seizure_of_a_second_that_begins_where_the_recording_ends_is_refused():
    """Its end may pass the recording's by a second, since clocks are written in whole seconds; its begin may not."""
    last = replace(LISTED, end="19.58.37")
    assert span_of(last, replace(BEGUN, duration_s=1143.5)) == (1143, 0.5)
    for ends_s in (1143.0, 1142.5):
        assert "1143 to 1144 s" in refusal_of(last, replace(BEGUN, duration_s=ends_s))


def test_a_text_that_contradicts_the_recorders_clock_is_refused():
    """PN14's third: the text says 16.17.45, the recorder 19.17.45; three hours decide where the seizure lies."""
    assert "10800 s away" in refusal_of(replace(LISTED, registration="16.39.33"))
    assert "10 s away" in refusal_of(replace(LISTED, registration="19.39.43"))
    assert span_of(replace(LISTED, registration="19.39.34"), BEGUN) == (1143, 70)


def test_file_and_registration_hold_for_the_seizures_that_follow_until_another_file_is_named():
    text = (
        "File name: PN01.edf\nRegistration start time: 19.00.44\nRegistration end time:  08.29.41\n"
        "Seizure n 1\nSeizure start time: 21:51:02\nSeizure end time: 21.51.56\n\nSeizure n 2\nStart time:07.53.17\n"
        "End time: 07.54.31\nSeizure n 3\nFile name: PN01-2.edf\nSeizure start time: 01.00.00\nSeizure end time: 01.01.00\n"
    )
    assert [(s.number, s.file, s.registration, s.start, s.end) for s in read_list(text)] == [
        (1, "PN01.edf", "19.00.44", "21:51:02", "21.51.56"),
        (2, "PN01.edf", "19.00.44", "07.53.17", "07.54.31"),
        (3, "PN01-2.edf", "", "01.00.00", "01.01.00"),
    ]


def test_a_text_without_seizures_is_no_list():
    with pytest.raises(Refusal):
        read_list("PN00\nChannel 1: Fp1\n")


def written(folder: Path, text: str, **files: tuple[str, int]) -> Path:
    (folder / "PN01").mkdir(parents=True)
    (folder / "PN01" / "Seizures-list-PN01.txt").write_text(text)
    for name, (clock, seconds) in files.items():
        edf(folder / "PN01" / f"PN01-{name[1:]}.edf", seconds, started(clock))
    return folder


ONE = "Seizure n 1\nFile name: {}\nRegistration start time: 10.00.00\nSeizure start time: 10.01.00\nSeizure end time: 10.01.30\n"


def test_a_misspelt_file_is_the_one_that_begins_when_the_text_says_and_that_is_noted(tmp_path):
    conversion = convert(written(tmp_path, ONE.format("PNO1.edf"), n1=("10.00.00", 120)), Corrections())
    assert conversion.refused == () and "PNO1.edf; read as PN01-1.edf" in conversion.notes[0]
    assert [(e.onset_s, e.duration_s, e.type) for e in conversion.recordings[0].marks.events] == [(60, 30, "sz")]


def test_a_file_that_could_be_two_or_none_is_refused_and_nothing_of_the_patient_is_taken(tmp_path):
    text = ONE.format("PN01.edf")
    two = convert(written(tmp_path / "two", text, n1=("10.00.00", 120), n2=("10.00.01", 120)), Corrections())
    none = convert(written(tmp_path / "none", text, n1=("12.00.00", 120)), Corrections())
    assert two.recordings == () and "2 begin when the text says" in two.refused[0]
    assert none.recordings == () and "0 begin when the text says" in none.refused[0]


def test_a_recording_that_the_list_does_not_name_does_not_pass_for_one_without_seizures(tmp_path):
    files = {"n1": ("10.00.00", 120), "n2": ("14.00.00", 120)}
    conversion = convert(written(tmp_path, ONE.format("PN01-1.edf"), **files), Corrections())
    assert [r.file.name for r in conversion.recordings] == ["PN01-1.edf"]
    assert "PN01-2.edf: the list has no seizure in it" in conversion.refused[0]


def test_what_was_not_fetched_puts_no_other_recording_in_doubt_but_is_named(tmp_path):
    other = (
        ONE.format("PN01-2.edf")
        .replace("n 1", "n 2")
        .replace("Registration start time: 10", "Registration start time: 12")
    )
    conversion = convert(written(tmp_path, ONE.format("PN01-1.edf") + other, n1=("10.00.00", 120)), Corrections())
    assert len(conversion.recordings) == 1 and conversion.refused == ()
    assert conversion.notes == ("PN01, seizure 2: PN01-2.edf is not here or could not be read",)


def test_a_wrong_number_in_a_name_is_not_a_recording_that_was_not_fetched(tmp_path):
    """The second seizure names a recording that is not here, and the one that is here begins when it says."""
    text = ONE.format("PN01-1.edf") + ONE.format("PN01-7.edf").replace("n 1", "n 2")
    conversion = convert(written(tmp_path, text, n1=("10.00.00", 120)), Corrections())
    assert conversion.recordings == () and "PN01-7.edf is not here, and PN01-1.edf begins" in conversion.refused[0]


def test_a_patient_without_a_list_is_left_out(tmp_path):
    edf(tmp_path / "PN01" / "PN01-1.edf", 60)
    conversion = convert(tmp_path, Corrections())
    assert conversion.recordings == () and "no list of seizures" in conversion.refused[0]


def test_a_recording_that_cannot_be_read_is_left_out_by_name(tmp_path):
    folder = written(tmp_path, ONE.format("PN01-1.edf"), n1=("10.00.00", 120))
    (folder / "PN01" / "PN01-1.edf").write_bytes(b"0       ")
    conversion = convert(folder, Corrections())
    assert conversion.recordings == () and conversion.refused[0].startswith("PN01-1.edf")


def test_a_recording_of_several_seizures_is_named_by_the_first():
    assert (
        stem_of("PN10-4.5.6.edf") == "sub-PN10_task-eeg_run-04" and stem_of("PN00-1.edf") == "sub-PN00_task-eeg_run-01"
    )
    with pytest.raises(Refusal):
        stem_of("PN07 crisi 1.edf")
