"""Checks of recordings, annotations and cohorts: each expectation is seen to fail, by name and with its reason."""

import json
import subprocess
import sys
import tarfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

from data.events import Annotations, Event
from data.montage import ELECTRODES
from data.outcomes import CODES, Refusal
from data.quality import channel_facts
from data.recording import Recording, Segment
from lineage.digest import digest_of
from tests import SHARED, needs_shared
from validation.checks.annotations import events_as_written, events_table, lengths_table
from validation.checks.cohort import cohort_tables
from validation.checks.eeg import EegLimits, recordings_table
from validation.checks.page import checks_page
from validation.checks.suites import CheckBroken, Expectation, Suite, _library, run
from validation.checks.verdicts import Limits, check_recordings, inspect, suites, tables

NAMES = [f"sub-{n:03d}_task-eeg_run-01_eeg" for n in range(1, 9)]


@dataclass
class Tables:
    """A cohort in which everything is as it should be; a test spoils one thing."""

    facts: pd.DataFrame
    events: pd.DataFrame
    lengths: pd.DataFrame
    cohort: pd.DataFrame
    folds: dict[str, int]

    def inspect(self):
        return inspect(self.facts, events=self.events, lengths=self.lengths, cohort=self.cohort, folds=self.folds)


@pytest.fixture
def good() -> Tables:
    facts = pd.DataFrame([facts_of(name, channel) for name in NAMES for channel in ELECTRODES])
    marked = {
        name: Annotations((Event(60, 30), Event(200, 45)) if n % 2 else (), 600.0) for n, name in enumerate(NAMES)
    }
    cohort = pd.DataFrame([entry(n, name, len(marked[name].events)) for n, name in enumerate(NAMES)])
    lengths = lengths_table(dict.fromkeys(NAMES, 600.0), dict.fromkeys(NAMES, 600.0))
    return Tables(facts, events_table(marked), lengths, cohort, {name: n % 3 for n, name in enumerate(NAMES)})


def facts_of(name: str, channel: str) -> dict[str, object]:
    return {
        "recording": name, "channel": f"EEG {channel}-Ref", "duration_s": 600.0, "recorded_s": 600.0, "rate_hz": 256.0,
        "n_channels": 19, "n_eeg": 19, "flat_share": 0.0, "clipped_share": 0.0, "rms_uv": 13.0, "p2p_p99_uv": 90.0,
        "mains50_ratio": 2.0, "mains60_ratio": 1.0, "mains_ratio": 2.0, "slope": -2.0, "gaps_n": 0, "gap_s": 0.0,
        "nan_share": 0.0, "missing_derivations": "",
    }  # fmt: skip


def entry(number: int, name: str, seizures: int) -> dict[str, object]:
    return {
        "recording": name, "patient": name[:7], "person": f"person-{number}", "site": "demo-north",
        "age_days": 3.0, "sex": "F", "hours": 1 / 6, "seizures": seizures, "digest": f"{number:064x}",
    }  # fmt: skip


def of(tables: Tables, column: str, value: object, table: str = "facts", rows: int = 1) -> Tables:
    """The tables with `column` set to `value` in the first rows of one table."""
    changed = getattr(tables, table).copy()
    changed[column] = changed[column].astype(object)
    changed.loc[changed.index[:rows], column] = value
    changed[column] = changed[column].infer_objects()
    return replace(tables, **{table: changed})


ALL = 19
MUST_FAIL: dict[str, Callable[[Tables], Tables]] = {
    "channel_once": lambda t: of(t, "channel", "EEG Fp2-Ref"),
    "samples_present": lambda t: of(t, "nan_share", 0.001),
    "channel_measured": lambda t: of(t, "rms_uv", np.nan),
    "channel_alive": lambda t: of(t, "flat_share", 0.21),
    "channel_unclipped": lambda t: of(t, "clipped_share", 0.02),
    "mains_low": lambda t: of(t, "mains_ratio", 301.0),
    "spectrum_of_brain": lambda t: of(t, "slope", 0.1),
    "rate_usable": lambda t: of(t, "rate_hz", 64.0, rows=ALL),
    "long_enough": lambda t: of(t, "recorded_s", 59.0, rows=ALL),
    "gaps_short": lambda t: of(t, "gap_s", 301.0, rows=ALL),
    "montage_complete": lambda t: of(t, "missing_derivations", "Fz-Cz, Cz-Pz", rows=ALL),
    "channels_working": lambda t: of(t, "clipped_share", 0.2, rows=10),
    "amplitude_plausible": lambda t: of(t, "rms_uv", 13000.0, rows=ALL),
    "amplitude_known": lambda t: of(t, "rms_uv", np.nan, rows=ALL),
    "onset_inside": lambda t: of(t, "onset_s", -1.0, "events"),
    "end_inside": lambda t: of(t, "end_s", 601.0, "events"),
    "duration_positive": lambda t: of(t, "duration_s", 0.0, "events"),
    "times_given": lambda t: of(t, "end_s", np.nan, "events"),
    "same_length": lambda t: of(t, "length_differs_s", 3600.0, "lengths"),
    "type_known": lambda t: of(t, "known_type", False, "events"),
    "ordered": lambda t: of(t, "after_previous_s", -5.0, "events", rows=2),
    "duration_plausible": lambda t: of(t, "duration_s", 0.5, "events"),
    "recording_once": lambda t: of(t, "recording", NAMES[1], "cohort"),
    "bytes_once": lambda t: of(t, "digest", f"{1:064x}", "cohort"),
    "person_in_one_fold": lambda t: of(t, "person", "person-1", "cohort"),
    "age_known": lambda t: of(t, "age_days", None, "cohort"),
    "age_possible": lambda t: of(t, "age_days", -2.0, "cohort"),
    "sex_known": lambda t: of(t, "sex", "n/a", "cohort"),
    "site_large_enough": lambda t: of(t, "site", "demo-east", "cohort", rows=2),
    "site_seizing": lambda t: of(t, "site", "demo-east", "cohort"),
    "patients_enough": lambda t: of(t, "person", "person-7", "cohort", rows=4),
    "hours_enough": lambda t: of(t, "hours", 0.01, "cohort", rows=8),
    "prevalence_usable": lambda t: of(t, "seizures", 0, "cohort", rows=8),
}

EVERY: list[Expectation] = [e for suite in suites(Limits()) for e in suite.expectations]
SUITE_OF: dict[str, Suite] = {e.key: suite for suite in suites(Limits()) for e in suite.expectations}


def test_a_sound_cohort_meets_every_expectation(good):
    checked = good.inspect()
    assert {key: n for result in checked.results for key, n in result.counts.items() if n} == {}
    assert checked.accepted == tuple(NAMES) and checked.passed and checked.left_out == ()
    assert all(v.reasons == () for v in checked.verdicts)


@pytest.mark.parametrize("expectation", EVERY, ids=lambda e: e.key)
def test_every_expectation_has_been_seen_to_fail(good, expectation):
    spoiled = MUST_FAIL[expectation.key](good)
    suite = SUITE_OF[expectation.key]
    place = [s.name for s in suites(Limits())].index(suite.name)
    alone = replace(suite, expectations=(expectation,))
    result = run(alone, tables(**vars(spoiled), limits=Limits())[place])
    assert 0 < len(result.failures) == result.counts[expectation.key]
    assert all("{" not in f.sentence and f.sentence.endswith((".", "?")) for f in result.failures)


@pytest.mark.parametrize(
    ("key", "aside", "blocks", "remarked"),
    [
        ("rate_usable", 1, False, 0),
        ("channel_alive", 0, False, 0),
        ("bytes_once", 2, False, 0),
        ("hours_enough", 0, True, 0),
        ("site_large_enough", 0, False, 1),
    ],
)
def test_a_critical_failure_puts_aside_or_blocks_and_a_warning_does_neither(good, key, aside, blocks, remarked):
    checked = MUST_FAIL[key](good).inspect()
    assert (len(checked.quarantined), bool(checked.blocked), len(checked.remarks)) == (aside, blocks, remarked)
    assert checked.passed is not blocks


def test_keys_and_requirements_name_one_expectation_each():
    assert len({e.key for e in EVERY}) == len({e.requirement for e in EVERY}) == len(EVERY)


def test_expectations_about_the_signal_use_the_outcome_codes_of_recordings():
    assert all(e.code in CODES for e in EVERY if e.requirement.startswith("DQ-EEG"))


def test_one_bad_recording_is_put_aside_by_name_and_the_rest_goes_on(good):
    checked = MUST_FAIL["samples_present"](good).inspect()
    assert [v.recording for v in checked.quarantined] == [NAMES[0]]
    reason = checked.quarantined[0].reasons[0]
    assert (reason.code, reason.channel, reason.value) == ("corrupt", "EEG Fp1-Ref", 0.001)
    assert reason.sentence == "Of channel EEG Fp1-Ref 0.1 % of the samples are missing; none may be."
    assert checked.accepted == tuple(NAMES[1:]) and checked.passed


def test_a_recording_that_could_not_be_read_is_put_aside_with_its_code(good):
    verdicts = check_recordings(
        good.facts, refusals={"sub-900": Refusal("truncated", "the file ends after 3 of 600 s")}
    )
    assert verdicts[-1].recording == "sub-900" and verdicts[-1].outcome == "quarantined"
    assert verdicts[-1].reasons[0].code == "truncated"
    assert [v.outcome for v in verdicts[:-1]] == ["accepted"] * len(NAMES)


def test_a_recording_that_nobody_read_or_refused_never_goes_on(good):
    checked = inspect(good.facts, expected=["sub-901"])
    assert [(v.recording, v.reasons[0].code) for v in checked.quarantined] == [("sub-901", "no_signal")]


def test_nothing_read_at_all_is_not_a_pass():
    checked = inspect(pd.DataFrame(), refusals={"sub-900": Refusal("corrupt", "no header")})
    assert not checked.passed and checked.quarantined[0].reasons[0].code == "corrupt"
    assert "eeg channels" in checked.left_out


def test_a_defect_of_the_whole_cohort_blocks_although_every_recording_is_sound(good):
    checked = MUST_FAIL["hours_enough"](good).inspect()
    assert len(checked.accepted) == len(NAMES) and not checked.passed
    assert [r.code for r in checked.blocked] == ["cohort_short"]


def test_the_whole_cohort_is_judged_by_the_recordings_that_were_left(good):
    checked = of(good, "nan_share", 0.5, rows=3 * ALL).inspect()
    assert [v.recording for v in checked.quarantined] == NAMES[:3]
    assert [(r.code, r.value) for r in checked.blocked] == [("cohort_small", len(NAMES) - 3)]


def test_every_patient_of_a_cohort_may_have_seizures(good):
    assert of(good, "seizures", 3, "cohort", rows=len(NAMES)).inspect().passed


def test_without_a_split_nobody_is_said_to_be_apart(good):
    checked = inspect(good.facts, cohort=good.cohort, events=good.events, lengths=good.lengths)
    assert checked.left_out == ("split",)


def test_a_check_that_cannot_be_carried_out_is_broken_and_not_passed(good):
    with pytest.raises(CheckBroken, match="nan_share"):
        inspect(good.facts.drop(columns="nan_share"))
    rule = replace(EVERY[1], parameters={"column": "absent", "max_value": 0})
    with pytest.raises(CheckBroken, match="could not be carried out"):
        run(Suite("broken", ("recording", "channel"), (rule,)), good.facts)


def test_an_empty_table_of_events_meets_every_expectation_about_events():
    result = run(SUITE_OF["ordered"], events_table({"sub-001": Annotations((), 600.0)}))
    assert result.rows == 0 and not result.failures


def test_a_duplicated_row_index_points_at_the_right_recording(good):
    repeated = pd.concat([good.facts.iloc[[n]].set_axis([0]) for n in range(40)])
    spoiled = repeated.reset_index(drop=True)
    spoiled.loc[25, "nan_share"] = 0.5
    result = run(SUITE_OF["samples_present"], spoiled.set_axis([0] * 40))
    assert [f.row["channel"] for f in result.failures] == [spoiled.loc[25, "channel"]]


def test_facts_of_a_real_signal_fit_the_suites():
    rng = np.random.default_rng(0)
    noise = np.cumsum(rng.normal(0, 4, (19, 256 * 90)), axis=1)
    flat = noise.copy()
    flat[:12] = 0.0
    names = tuple(f"EEG {e}-Ref" for e in ELECTRODES)
    recordings = [
        Recording(names, 256.0, (Segment(0.0, signal - signal.mean(axis=1, keepdims=True)),), 90.0, name=name)
        for name, signal in (("sound", noise), ("flat", flat), ("volts", noise * 1e3))
    ]
    checked = inspect(pd.concat([channel_facts(r) for r in recordings]))
    codes = {v.recording: {r.code for r in v.reasons if r.severity == "critical"} for v in checked.verdicts}
    assert codes == {"sound": set(), "flat": {"flat"}, "volts": {"unit_suspect"}}


def test_one_row_per_recording_ignores_flat_channels_when_it_takes_the_amplitude(good):
    half = of(of(good, "flat_share", 1.0, rows=9), "rms_uv", 0.0, rows=9)
    table = recordings_table(half.facts, EegLimits())
    assert table.loc[0, "rms_uv"] == 13.0 and table.loc[0, "lost_share"] == pytest.approx(9 / 19)


def test_the_record_is_json_with_the_raw_results_and_their_digests(good, tmp_path):
    checked = MUST_FAIL["channel_measured"](good).inspect()
    digest = checked.write(tmp_path / "checks" / "record.json")
    record = json.loads((tmp_path / "checks" / "record.json").read_text(), parse_constant=pytest.fail)
    assert digest_of(record) == digest
    assert all(digest_of(s["raw"]) == s["sha256"] for s in record["suites"])
    assert record["suites"][0]["raw"]["meta"]["great_expectations_version"]
    assert record["limits"]["eeg"]["min_recorded_s"] == 60.0


def test_types_of_annotations_are_judged_but_never_stored(tmp_path):
    path = tmp_path / "events.tsv"
    header = "onset\tduration\teventType\tconfidence\tchannels\tdateTime\trecordingDuration\n"
    rows = "10\t20\tsz_foc_ia\tn/a\tn/a\tn/a\t600\n5\t3\tMiller family\tn/a\tn/a\tn/a\t600\n0\t600\tbckg\tn/a\tn/a\tn/a\t600\n"
    path.write_text(header + rows)
    table = events_as_written({"sub-001": path}, {"sub-001": 600.0})
    assert table["known_type"].tolist() == [True, False] and table["after_previous_s"].tolist()[1] == 5 - 30
    result = run(SUITE_OF["type_known"], table)
    assert "Miller" not in table.to_json() + json.dumps(result.raw) + " ".join(f.sentence for f in result.failures)
    assert {f.expectation.key for f in result.failures} == {"type_known", "ordered"}


def test_unreadable_times_in_an_annotation_file_are_found(tmp_path):
    path = tmp_path / "events.tsv"
    path.write_text("onset\tduration\teventType\trecordingDuration\nn/a\t20\tsz\t600\n590\t30\tsz\t600\n")
    failures = run(SUITE_OF["type_known"], events_as_written({"a": path}, {"a": 600.0})).failures
    assert {(f.expectation.key, f.row["event"]) for f in failures} == {("times_given", 1), ("end_inside", 2)}


def test_the_length_that_labels_state_is_judged_once_per_recording_with_seizures_or_without():
    table = lengths_table({"a": 36000.0, "b": 601.0, "c": 601.01, "unread": 1.0}, dict.fromkeys("abc", 600.0))
    result = run(SUITE_OF["same_length"], table)
    assert result.rows == 3 and [f.row["recording"] for f in result.failures] == ["a", "c"]


def test_persons_are_counted_once_although_they_have_two_patient_ids(good):
    doubled = of(good, "person", "person-1", "cohort").cohort
    assert cohort_tables(doubled).whole.loc[0, "patients"] == len(NAMES) - 1


@needs_shared
def test_real_annotations_of_seizeit2_meet_the_expectations(tmp_path):
    with tarfile.open(SHARED / "seizeit2" / "ds005873_events_and_eeg_json.tar.gz") as archive:
        chosen = [m for m in archive.getmembers() if m.name.endswith("_events.tsv")][::25]
        archive.extractall(tmp_path, chosen, filter="data")
    files = {m.name: tmp_path / m.name for m in chosen}
    lengths = {n: float(pd.read_csv(p, sep="\t")["recordingDuration"].iloc[0]) for n, p in files.items()}
    result = run(SUITE_OF["type_known"], events_as_written(files, lengths))
    assert result.rows > 10 and not [f.sentence for f in result.failures if f.expectation.severity == "critical"]


def test_the_page_names_those_put_aside_first_and_says_why(good):
    checked = inspect(
        MUST_FAIL["samples_present"](good).facts,
        cohort=good.cohort,
        refusals={"sub-900": Refusal("truncated", "the file ends <early>")},
    )
    html = checks_page(checked, dict.fromkeys(NAMES, "demo-north"), simulated=True)
    assert html.index(NAMES[0]) < html.index("What was checked") and "The file ends &lt;early&gt;" in html
    assert "7 recordings may be used; 2 were put aside." in html
    assert "Not checked, for want of a table: annotations, lengths of annotations, split." in html
    assert all(r.digest in html for r in checked.results) and "demo-north" in html


def test_great_expectations_is_imported_only_when_a_suite_runs():
    code = "import sys, validation.checks.page; assert 'great_expectations' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_importing_the_library_leaves_the_warnings_of_the_process_as_they_were(tmp_path, monkeypatch):
    """A stand-in that does what Great Expectations 1.24 does while it is imported."""
    (tmp_path / "great_expectations").mkdir()
    spoiling = "import logging, warnings\nlogging.captureWarnings(True)\nwarnings.simplefilter('ignore')\n"
    (tmp_path / "great_expectations" / "__init__.py").write_text(spoiling)
    (tmp_path / "great_expectations" / "expectations.py").write_text("")
    for name in [n for n in sys.modules if n.split(".")[0] == "great_expectations"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    before = (warnings.showwarning, list(warnings.filters))
    try:
        library = _library.__wrapped__()
    finally:
        stand_in = [sys.modules.pop(n, None) for n in ("great_expectations", "great_expectations.expectations")]
    assert stand_in[0] is library and library.__file__.startswith(str(tmp_path))
    assert (warnings.showwarning, list(warnings.filters)) == before
