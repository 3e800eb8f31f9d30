"""The simulated adults on disk: equal settings give equal bytes, the checks accept them, and the labels are those drawn."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

import data.cohorts.writing as writing
from data.cohorts.bids import Cohort, import_cohort, read_cohort
from data.cohorts.synthetic_adults import AdultSettings, simulate_adults
from data.door import door
from data.readers.edf import read_edf
from data.seizure_types import tuh_type
from data.simulator.adults import PATTERN_OF, annotations_of, params_from, plan_adults, render
from flows.stages.check import check_cohort
from lineage.digest import Manifest
from validation.checks.verdicts import Limits

SMALL = AdultSettings(seed=3, patients_per_site=3, minutes=3.5, seizures_per_patient=(2, 3))
TINY = AdultSettings(seed=4, patients_per_site=1, minutes=2.0, seizures_per_patient=(2, 2))


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return simulate_adults(tmp_path_factory.mktemp("raw") / "adults", SMALL, workers=1)


def drawn(cohort: Cohort):
    draws = json.loads((cohort.root / "sourcedata" / "draws.json").read_text())
    return {p.name: p for p in map(params_from, draws["patients"])}


def test_equal_settings_give_equal_bytes_whatever_the_number_of_workers(tmp_path):
    one, two = (simulate_adults(tmp_path / str(n), TINY, workers=n) for n in (1, 2))
    assert Manifest.of(one.root).files == Manifest.of(two.root).files


def test_another_seed_gives_another_cohort():
    one, other = plan_adults(SMALL), plan_adults(replace(SMALL, seed=4))
    assert all(a.background != b.background and a.person != b.person for a, b in zip(one, other, strict=True))


def test_the_checks_accept_every_recording_and_the_cohort(cohort):
    checked, facts = check_cohort(cohort, Limits(), lambda *_: None)
    assert checked.passed and len(checked.accepted) == len(cohort.entries) == 9
    assert set(facts["n_eeg"]) == {19} and facts["clipped_share"].max() < 0.01


def test_recordings_pass_the_door_of_a_detector_that_reads_tcp_20(cohort):
    for entry in cohort.entries:
        assert door(read_edf(entry.path), montage="tcp_20", min_duration_s=60.0) == ()


def test_the_files_hold_the_rendered_signal_within_quantisation(cohort):
    params = drawn(cohort)
    for entry in cohort.entries[::4]:
        expected, read = render(params[entry.patient]), read_edf(entry.path)
        assert read.channels == expected.channels and read.rate_hz == expected.rate_hz
        wanted, found = expected.segments[0].signal, read.segments[0].signal
        step = 2 * (np.abs(wanted).max(axis=1, keepdims=True) + 2) / 65535
        assert np.all(np.abs(found - wanted) <= 0.51 * step + 1e-4)


def test_the_events_of_every_recording_are_the_drawn_seizures_with_their_types(cohort):
    params = drawn(cohort)
    for entry in cohort.entries:
        assert cohort.annotations(entry) == annotations_of(params[entry.patient])
        said = tuple(tuh_type(e.type) for e in cohort.annotations(entry).events)
        assert said == params[entry.patient].types


def test_every_type_is_there_and_somebody_has_no_seizures(cohort):
    types = Counter(t for p in drawn(cohort).values() for t in set(p.types))
    assert set(types) == set(PATTERN_OF)
    assert cohort.facts().patients_with_seizures == 8


def test_ages_sites_periods_and_mains_are_those_that_were_drawn(cohort):
    for entry in cohort.entries:
        params = drawn(cohort)[entry.patient]
        assert entry.age_days == pytest.approx(params.person.age_days, abs=1e-4)
        assert (entry.site, entry.period, entry.line_hz) == (params.site.name, "development", params.site.line_hz)
        assert (entry.person, entry.sex) == (params.person.key, params.person.sex.lower())


def test_no_header_tells_person_site_or_type(cohort):
    for entry in cohort.entries:
        header = entry.path.read_bytes()[: 256 * 20]
        assert entry.person.encode() not in header and b"demo" not in header
        assert not any(code.encode() in header.upper() for code in PATTERN_OF)


def test_the_cohort_says_that_it_is_simulated_and_what_cannot_be_told_apart(cohort):
    readme = (cohort.root / "README").read_text()
    assert "No person was recorded" in readme and "FNSZ, CPSZ and SPSZ cannot be told apart" in readme
    assert "Simulated" in json.loads((cohort.root / "dataset_description.json").read_text())["Name"]


def test_it_is_imported_and_read_as_any_cohort_is(cohort, tmp_path):
    copied = import_cohort(cohort.root, tmp_path / "copied")
    assert [copied.annotations(e) for e in copied.entries] == [cohort.annotations(e) for e in cohort.entries]
    assert read_cohort(cohort.root) == cohort


def test_progress_counts_every_recording_once_and_nothing_is_written_over(tmp_path):
    seen: list[tuple[int, int]] = []
    cohort = simulate_adults(tmp_path / "tiny", TINY, lambda done, total: seen.append((done, total)), workers=1)
    assert seen == [(1, 3), (2, 3), (3, 3)]
    with pytest.raises(FileExistsError):
        simulate_adults(cohort.root, TINY, workers=1)


def test_an_unfinished_cohort_is_not_left_behind(tmp_path, monkeypatch):
    def fail(*_args):
        raise OSError("disk full")

    monkeypatch.setattr(writing, "write_edf", fail)
    with pytest.raises(OSError, match="disk full"):
        simulate_adults(tmp_path / "adults", TINY, workers=1)
    assert list(tmp_path.iterdir()) == []
