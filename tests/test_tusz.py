"""TUSZ: times from the text of terms, types and channels from the text of channels, and no contradiction between them."""

from pathlib import Path

import pytest

from data.cohorts.bids import read_cohort
from data.cohorts.corrections import Corrections
from data.cohorts.layout import write_layout
from data.cohorts.tusz import PUBLISHED, convert, marks_of, read_terms
from data.outcomes import Refusal
from data.seizure_types import TUH_TYPES
from tests.published import edf

HEAD = (
    "# version = csv_v1.0.0\n# bname = aaaaaaac_s001_t000\n# duration = {}.0000 secs\n"
    "# montage_file = $NEDC_NFC/lib/nedc_eas_default_montage.txt\n#\nchannel,start_time,stop_time,label,confidence\n"
)


def text(*rows: str, seconds: int = 301) -> str:
    return HEAD.format(seconds) + "".join(f"{row}\n" for row in rows)


SPANS = text(
    "TERM,0.0000,36.2000,bckg,1.0000", "TERM,36.2000,112.0000,seiz,1.0000", "TERM,112.0000,301.0000,bckg,1.0000"
)
CHANNELS = text(
    "FP1-F7,0.0000,36.8868,bckg,1.0000", "FP1-F7,36.8868,112.0000,cpsz,1.0000", "F7-T3,36.2000,112.0000,cpsz,1.0000",
    "T3-T5,41.5000,60.0000,gnsz,1.0000",
)  # fmt: skip


def refusal_of(spans: str, channels: str | None = None) -> Refusal:
    with pytest.raises(Refusal) as caught:
        marks_of(spans, channels)
    return caught.value


def test_a_seizure_has_the_times_of_the_terms_and_the_type_of_most_channel_seconds():
    (event,) = marks_of(SPANS, CHANNELS).events
    assert (event.onset_s, round(event.end_s, 6), event.type) == (36.2, 112.0, "sz_foc_ia")
    assert event.channels == ("FP1-F7", "F7-T3", "T3-T5") and marks_of(SPANS, CHANNELS).duration_s == 301


@pytest.mark.parametrize(("code", "name"), sorted(TUH_TYPES.items()))
def test_every_code_of_the_corpus_has_its_name(code, name):
    channels = text(f"FP1-F7,36.2,112.0,{code.lower()},1.0")
    assert marks_of(SPANS, channels).events[0].type == name


def test_without_the_channels_a_seizure_has_no_type_and_without_seizures_there_is_none():
    assert marks_of(SPANS, None).events[0].type == "sz"
    assert marks_of(text("TERM,0.0,301.0,bckg,1.0"), text("FP1-F7,0.0,301.0,bckg,1.0")).events == ()


@pytest.mark.parametrize(
    "channels",
    [text("FP1-F7,200.0,210.0,fnsz,1.0", "F7-T3,40.0,50.0,fnsz,1.0"), text("FP1-F7,0.0,301.0,bckg,1.0")],
    ids=["outside", "nowhere"],
)
def test_channels_that_contradict_the_terms_are_refused(channels):
    assert refusal_of(SPANS, channels).code == "corrupt"


@pytest.mark.parametrize(
    "row",
    ["TERM,0.0,0.0,seiz,1.0", "TERM,9.0,5.0,seiz,1.0", "TERM,-1.0,5.0,seiz,1.0", "TERM,300.0,400.0,seiz,1.0",
     "TERM,301.0,301.5,seiz,1.0", "TERM,301.2,301.8,seiz,1.0", "TERM,1.0,5.0,seiz", "TERM,one,5.0,seiz,1.0", "TERM,1.0,5.0,seiz,2.0", "TERM,1.0,nan,seiz,1.0", "TERM,1.0,1_5,seiz,1.0"],
)  # fmt: skip
def test_a_row_that_cannot_be_true_is_refused_by_its_number(row):
    refusal = refusal_of(text("TERM,0.0,1.0,bckg,1.0", row))
    assert refusal.code == "corrupt" and "row 2" in refusal.reason


def test_an_unknown_label_or_another_format_is_refused():
    assert refusal_of(text("TERM,1.0,5.0,xxsz,1.0")).code == "unsupported_format"
    for broken in (
        "",
        SPANS.replace("csv_v1.0.0", "tse_v1.0.0"),
        SPANS.replace("duration", "length"),
        SPANS.replace("301.0000 secs", "3.0.1 secs"),
        "TERM,1,2,seiz,1\n",
    ):
        assert refusal_of(broken).code == "unsupported_format"
    assert read_terms(SPANS)[1] == 301.0


def recording(folder: Path, name: str, *texts: tuple[str, str], seconds: int = 301, age: str = "80") -> None:
    file = edf(folder / f"{name}.edf", seconds)
    content = bytearray(file.read_bytes())
    content[8:88] = f"aaaaaaac F X aaaaaaac Age:{age}".encode().ljust(80)
    file.write_bytes(content)
    for suffix, said in texts:
        file.with_suffix(suffix).write_text(said)


def test_a_folder_as_published_is_converted(tmp_path):
    session = tmp_path / "edf" / "dev" / "aaaaaaac" / "s001_2002" / "02_tcp_le"
    recording(session, "aaaaaaac_s001_t000", (".csv_bi", SPANS), (".csv", CHANNELS))
    recording(session, "aaaaaaac_s001_t001", (".csv_bi", SPANS), (".csv", CHANNELS), seconds=200)
    recording(session, "aaaaaaac_s001_t002")
    conversion = convert(tmp_path, Corrections())
    (taken,) = conversion.recordings
    assert taken.stem == "sub-aaaaaaac_ses-s001_task-eeg_run-000" and taken.sidecar["EEGReference"] == "linked ears"
    assert [(p.label, p.age_years, p.sex, p.more) for p in conversion.patients] == [
        ("aaaaaaac", 80, "f", {"division": "dev"})
    ]
    assert [said.split(":")[0] for said in conversion.refused] == ["aaaaaaac_s001_t001.edf", "aaaaaaac_s001_t002.edf"]
    names = [p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.*") if p.is_file()]
    assert {PUBLISHED.patient_of(n) for n in names} == {"aaaaaaac"}


def test_a_seizure_after_the_end_of_the_edf_leaves_its_recording_out(tmp_path):
    """The text may be up to a second longer than the EDF: 300.4 s lies in the one, and not in the other."""
    session = tmp_path / "edf" / "dev" / "aaaaaaac" / "s001_2002" / "02_tcp_le"
    late = text("TERM,300.4,301.0,seiz,1.0")
    recording(session, "aaaaaaac_s001_t000", (".csv_bi", late), seconds=300)
    recording(session, "aaaaaaac_s001_t001", (".csv_bi", late), seconds=301)
    conversion = convert(tmp_path, Corrections())
    assert [r.stem[-3:] for r in conversion.recordings] == ["001"]
    assert conversion.refused == ("aaaaaaac_s001_t000.edf: 1 of its seizures begin after the 300 s that the EDF has",)


def test_an_age_that_nobody_reaches_is_not_known(tmp_path):
    session = tmp_path / "edf" / "dev" / "aaaaaaac" / "s001_2002" / "02_tcp_le"
    recording(session, "aaaaaaac_s001_t000", (".csv_bi", SPANS), age="999")
    conversion = convert(tmp_path, Corrections())
    assert [p.age_years for p in conversion.patients] == [None]
    write_layout(tmp_path / "made", PUBLISHED, conversion, {})
    assert [e.age_days for e in read_cohort(tmp_path / "made").entries] == [None]


def test_a_patient_in_two_divisions_is_refused(tmp_path):
    for division in ("dev", "eval"):
        session = tmp_path / "edf" / division / "aaaaaaac" / "s001_2002" / "01_tcp_ar"
        recording(session, f"aaaaaaac_s00{len(division)}_t000", (".csv_bi", SPANS))
    with pytest.raises(Refusal, match="train, dev, eval"):
        convert(tmp_path, Corrections())
