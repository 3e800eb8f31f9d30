"""CHB-MIT: summary and .seizures say the same or are refused; two cases are one child."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.cohorts.chbmit import agreed, convert, read_people, read_summary, stem_of
from data.cohorts.corrections import Corrections
from data.outcomes import Refusal
from data.readers.wfdb import read_seizures
from tests import SHARED, needs_shared
from tests.published import edf

PUBLISHED = SHARED / "chbmit"
KNOWN = {
    "chb01_03": (2996, 3036), "chb01_04": (1467, 1494), "chb01_15": (1732, 1772), "chb01_16": (1015, 1066),
    "chb01_18": (1720, 1810), "chb01_21": (327, 420), "chb01_26": (1862, 1963),
}  # fmt: skip
"""The seven seizures of chb01, as Shoeb 2009 and everybody since lists them."""


def block(name: str, *spans: tuple[int, int], numbered: bool = False, announced: int | None = None) -> str:
    lines = [f"File Name: {name}", f"Number of Seizures in File: {len(spans) if announced is None else announced}"]
    for n, (start, end) in enumerate(spans, 1):
        which = f"Seizure {n}" if numbered else "Seizure"
        lines += [f"{which} Start Time: {start} seconds", f"{which} End Time:   {end} seconds"]
    return "\n".join(lines) + "\n\n"


def annotated(*edges: tuple[int, int], per_second: bytes = b"256", end: bytes = b"\0\0") -> bytes:
    """A `.seizures` file: (code, ticks) of every annotation, each after a SKIP, as PhysioNet wrote them."""
    note = b"## time resolution: " + per_second
    content = b"\x00\x58" + (63 << 10 | len(note)).to_bytes(2, "little") + note + b"\0" * (len(note) % 2)
    at = 0
    for code, ticks in edges:
        skip = (ticks - at) & 0xFFFFFFFF
        content += b"\x00\xec" + (skip >> 16).to_bytes(2, "little") + (skip & 0xFFFF).to_bytes(2, "little")
        content += (code << 10).to_bytes(2, "little")
        at = ticks
    return content + end


@needs_shared
def test_the_published_seizures_files_and_summary_of_chb01_say_the_same():
    summary = read_summary((PUBLISHED / "chb01-summary.txt").read_text())
    assert {n: s for n, s in summary.items() if s} == {f"{n}.edf": (span,) for n, span in KNOWN.items()}
    assert len(summary) == 42
    for name, span in KNOWN.items():
        assert read_seizures((PUBLISHED / "seizures" / f"{name}.edf.seizures").read_bytes()) == (span,)


@needs_shared
def test_the_summary_of_chb05_has_the_times_that_others_list():
    found = read_summary((PUBLISHED / "chb05-summary.txt").read_text())
    assert {n: s for n, s in found.items() if s} == {
        "chb05_06.edf": ((417, 532),), "chb05_13.edf": ((1086, 1196),), "chb05_16.edf": ((2317, 2413),),
        "chb05_17.edf": ((2451, 2571),), "chb05_22.edf": ((2348, 2465),),
    }  # fmt: skip


def test_summaries_without_clock_times_with_numbers_and_with_channel_changes_are_read():
    text = (
        "Data Sampling Rate: 256 Hz\n\nChannels changed:\nChannel 1: FP1-F7\n\n"
        + block("chb24_01.edf", (480, 505), (2451, 2476))
        + "Channels changed:\n*****\nChannel 1: C3-CS2\n\n"
        + block("chb12_06.edf", (1665, 1726), (3415, 3447), numbered=True)
        + block("chb12_08.edf")
    )
    assert read_summary(text) == {
        "chb24_01.edf": ((480, 505), (2451, 2476)),
        "chb12_06.edf": ((1665, 1726), (3415, 3447)),
        "chb12_08.edf": (),
    }


@pytest.mark.parametrize(
    "text",
    [
        block("a.edf", (1, 2), announced=2), block("a.edf", (5, 5)), block("a.edf", (9, 3)),
        block("a.edf", (1, 2)).replace("2 seconds", "two seconds"), "File Name: a.edf\n\n",
        block("a.edf", (1, 2)).replace("Seizure End Time:   2 seconds\n", ""),
    ],
    ids=["two announced", "no length", "backwards", "words", "no number of seizures", "no end"],
)  # fmt: skip
def test_a_block_that_does_not_add_up_is_refused_alone(text):
    found = read_summary(text + block("b.edf", (3, 4)))
    assert isinstance(found["a.edf"], Refusal) and "a.edf" in found["a.edf"].reason
    assert found["b.edf"] == ((3, 4),)


def test_a_text_that_names_no_file_is_no_summary():
    with pytest.raises(Refusal):
        read_summary("Seizure Start Time: 1 seconds\n")


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, 2**31 - 1), max_size=8, unique=True).filter(lambda t: len(t) % 2 == 0),
    st.sampled_from([b"256", b"1", b"128.5"]),
)
def test_what_is_written_in_wfdb_is_read_back(times, per_second):
    ticks = sorted(times)
    content = annotated(*((32 + n % 2, t) for n, t in enumerate(ticks)), per_second=per_second)
    rate = float(per_second)
    assert read_seizures(content) == tuple((a / rate, b / rate) for a, b in zip(ticks[::2], ticks[1::2], strict=True))


@pytest.mark.parametrize(
    "content",
    [
        b"", annotated((32, 5), (33, 9), end=b""), annotated((32, 5)), annotated((33, 5)), annotated((32, 5), (32, 9)),
        annotated((32, 9), (33, 5)), annotated((32, 5), (33, 9), per_second=b"x"), annotated((32, 5), (33, 9))[:-7],
    ],
    ids=["empty", "no end mark", "no end", "no begin", "begins twice", "backwards", "no resolution", "cut"],
)  # fmt: skip
def test_a_damaged_seizures_file_is_refused(content):
    with pytest.raises(Refusal) as caught:
        read_seizures(content)
    assert caught.value.code == "corrupt"


@settings(max_examples=100)
@given(st.binary(max_size=80))
def test_any_bytes_are_refused_or_read_never_crashed_on(content):
    try:
        assert all(a < b for a, b in read_seizures(content))
    except Refusal as refusal:
        assert refusal.code == "corrupt"


def test_two_sources_that_agree_to_a_second_are_one():
    assert agreed("a.edf", ((10, 20),), ((10.6, 19.5),), True) == ((10, 20),)
    assert agreed("a.edf", None, ((10, 20),), None) == ((10, 20),)
    assert agreed("a.edf", (), None, None) == ()
    assert agreed("chb24_02.edf", None, None, False) == (), "chb24's summary names only what has seizures"


@pytest.mark.parametrize(
    ("told", "binary", "listed"),
    [
        (((10, 20),), ((10, 22),), None), (((10, 20),), (), None), ((), ((10, 20),), None), (((10, 20),), None, False),
        ((), None, True), (None, None, None), (None, None, True),
    ],
)  # fmt: skip
def test_a_contradiction_or_silence_is_refused(told, binary, listed):
    with pytest.raises(Refusal, match=r"a\.edf"):
        agreed("a.edf", told, binary, listed)


def test_two_cases_are_the_same_child():
    people = read_people("Case\tGender\tAge (years)\n\nchb01\tF\t11\nchb06\tF\t 1.5\nchb21\tF\t13\n")
    assert [(p.person, p.age_years, p.sex) for p in people.values()] == [
        ("chb01", 11, "f"), ("chb06", 1.5, "f"), ("chb01", 13, "f"),
    ]  # fmt: skip
    with pytest.raises(Refusal):
        read_people("chb01\tF\televen\n")


def test_names_keep_the_letter_and_the_plus_of_the_published_ones():
    assert stem_of("chb17a_03.edf") == "sub-chb17_task-eeg_acq-a_run-03"
    assert stem_of("chb02_16+.edf") == "sub-chb02_task-eeg_acq-plus_run-16"
    with pytest.raises(Refusal):
        stem_of("chb1_3.edf")


@needs_shared
def test_every_published_recording_gets_a_name_of_its_own():
    names = [line.split("/")[1] for line in (PUBLISHED / "RECORDS").read_text().split()]
    assert len(names) == len({stem_of(n) for n in names}) == 686


def child(folder: Path, *files: str, seconds: int = 120) -> Path:
    for name in files:
        edf(folder / name[:5] / f"{name}.edf", seconds)
    return folder


def test_a_folder_as_published_is_converted_and_what_contradicts_itself_left_out(tmp_path):
    source = child(tmp_path, "chb01_01", "chb01_03", "chb01_04", "chb01_05", "chb21_01", "chb24_02")
    summary = block("chb01_01.edf") + block("chb01_03.edf", (30, 50)) + block("chb01_04.edf", (30, 50))
    (source / "chb01" / "chb01-summary.txt").write_text(summary + block("chb01_05.edf", (30, 500)))
    (source / "chb21" / "chb21-summary.txt").write_text(block("chb21_01.edf", (10, 20)))
    (source / "chb01" / "chb01_03.edf.seizures").write_bytes(annotated((32, 30 * 256), (33, 50 * 256)))
    (source / "chb01" / "chb01_04.edf.seizures").write_bytes(annotated((32, 60 * 256), (33, 80 * 256)))
    (source / "SUBJECT-INFO").write_text("chb01\tF\t11\nchb21\tF\t13\n")
    (source / "RECORDS-WITH-SEIZURES").write_text(
        "chb01/chb01_03.edf\nchb01/chb01_04.edf\nchb01/chb01_05.edf\nchb21/chb21_01.edf\n"
    )
    conversion = convert(source, Corrections())
    marks = {r.file.name: [(e.onset_s, e.end_s, e.type) for e in r.marks.events] for r in conversion.recordings}
    assert marks == {
        "chb01_01.edf": [], "chb01_03.edf": [(30, 50, "sz")], "chb21_01.edf": [(10, 20, "sz")], "chb24_02.edf": [],
    }  # fmt: skip
    assert [said.split(":")[0] for said in conversion.refused] == ["chb01_04.edf", "chb01_05.edf"]
    assert [(p.label, p.person) for p in conversion.patients] == [
        ("chb01", "chb01"),
        ("chb21", "chb01"),
        ("chb24", "chb24"),
    ]
    assert conversion.notes == ("chb24: age and sex are not published",)


def test_a_contradiction_can_be_settled_by_a_correction(tmp_path):
    source = child(tmp_path, "chb01_04")
    (source / "chb01" / "chb01-summary.txt").write_text(block("chb01_04.edf", (30, 50)))
    (source / "chb01" / "chb01_04.edf.seizures").write_bytes(annotated((32, 30 * 256), (33, 80 * 256)))
    corrections = Corrections({("chb01_04.edf", 1, "end"): "80"})
    (recording,) = convert(source, corrections).recordings
    corrections.refuse_unused()
    assert [(e.onset_s, e.end_s) for e in recording.marks.events] == [(30, 80)]
