"""The simulated cohort on disk: equal settings give equal bytes, and it reads like any other cohort."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import data.cohorts.writing as writing
import data.simulator.cohort as planning
from data.cohorts.bids import Cohort, import_cohort, read_cohort
from data.cohorts.synthetic import SimulationSettings, simulate_cohort
from data.door import door
from data.outcomes import Refusal
from data.readers.edf import read_edf
from data.simulator import annotations_of, params_from, render
from data.simulator.cohort import plan_cohort
from data.simulator.experts import READERS, marks_of
from lineage.digest import Manifest
from tests.test_experts import readings_from

SMALL = SimulationSettings(
    seed=3, patients_per_site=1, minutes=1.0, surveillance_per_site=1, surveillance_minutes=0.5, broken=3
)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return simulate_cohort(tmp_path_factory.mktemp("raw") / "simulated", SMALL, workers=1)


def sound(cohort: Cohort):
    broken = json.loads((cohort.root / "sourcedata" / "broken.json").read_text())
    return [e for e in cohort.entries if e.name not in broken]


def drawn(cohort: Cohort):
    draws = json.loads((cohort.root / "sourcedata" / "draws.json").read_text())
    return {p.name: p for p in map(params_from, draws["patients"])}


def test_equal_settings_give_equal_bytes_whatever_the_number_of_workers(cohort, tmp_path):
    again = simulate_cohort(tmp_path / "again", SMALL, workers=2)
    assert Manifest.of(again.root).files == Manifest.of(cohort.root).files


def test_another_seed_gives_another_cohort():
    one, other = plan_cohort(SMALL), plan_cohort(replace(SMALL, seed=4))
    assert all(a.params.background != b.params.background for a, b in zip(one, other, strict=True))


def test_a_larger_cohort_begins_like_a_smaller_one_at_every_site():
    def at_site(plans, site):
        return [replace(p.params, name="") for p in plans if p.params.site.name == site and not p.breakage]

    small = plan_cohort(replace(SMALL, patients_per_site=3, surveillance_per_site=0))
    large = plan_cohort(replace(SMALL, patients_per_site=5, surveillance_per_site=0))
    for site in ("demo-north", "demo-south", "demo-east"):
        assert at_site(large, site)[:3] == at_site(small, site)


def test_the_files_hold_the_rendered_signal_within_quantisation(cohort):
    params = drawn(cohort)
    for entry in sound(cohort):
        expected = render(params[entry.patient])
        read = read_edf(entry.path)
        assert read.channels == expected.channels and read.rate_hz == expected.rate_hz
        wanted, found = expected.segments[0].signal, read.segments[0].signal
        step = 2 * (np.abs(wanted).max(axis=1, keepdims=True) + 2) / 65535
        assert np.all(np.abs(found - wanted) <= 0.51 * step + 1e-4)


def test_the_events_of_every_recording_are_the_drawn_seizures(cohort):
    params = drawn(cohort)
    assert any(cohort.annotations(e).events for e in cohort.entries)
    for entry in cohort.entries:
        assert cohort.annotations(entry) == annotations_of(params[entry.patient])


def test_three_simulated_readers_marked_every_development_recording_as_drawn(cohort):
    draws = json.loads((cohort.root / "sourcedata" / "draws.json").read_text())
    params, names = drawn(cohort), [habits.reader for habits in READERS]
    assert names == ["expert-1", "expert-2", "expert-3"]
    for entry in sound(cohort):
        expected = {}
        if entry.period == "development":
            readings, truth = readings_from(draws["readings"][entry.name]), annotations_of(params[entry.patient])
            expected = {r.reader: marks_of(r, truth) for r in readings}
            assert list(expected) == names
        assert cohort.experts(entry) == expected
    assert len(draws["readings"]) == 3 * SMALL.patients_per_site


def test_the_readers_say_that_they_are_no_people(cohort):
    for reader in ("expert-1", "expert-2", "expert-3"):
        about = json.loads((cohort.root / "derivatives" / reader / "dataset_description.json").read_text())
        assert about["DatasetType"] == "derivative"
        assert about["GeneratedBy"][0]["Name"] == "Simulated reader"
        assert "no person" in about["Name"]


def test_the_readers_are_imported_with_the_cohort(cohort, tmp_path):
    copied = import_cohort(cohort.root, tmp_path / "copied")
    assert [copied.experts(e) for e in copied.entries] == [cohort.experts(e) for e in cohort.entries]
    assert any(copied.experts(e) for e in copied.entries)


def test_no_byte_of_a_recording_depends_on_its_readers(monkeypatch):
    with_readers = plan_cohort(SMALL)
    monkeypatch.setattr(planning, "draw_readings", lambda rng, truth: ())
    without = plan_cohort(SMALL)
    assert any(p.readings for p in with_readers) and not any(p.readings for p in without)
    assert [p.params for p in with_readers] == [p.params for p in without]


def test_readers_draw_from_randomness_that_nothing_else_draws_from(monkeypatch):
    used: dict[str, list[tuple[int, ...]]] = {"draw_patient": [], "draw_person": [], "draw_readings": []}
    for name, seeds in used.items():
        original = getattr(planning, name)

        def watched(rng, *rest, original=original, seeds=seeds):
            seeds.append(tuple(rng.bit_generator.seed_seq.entropy))
            return original(rng, *rest)

        monkeypatch.setattr(planning, name, watched)
    plan_cohort(replace(SMALL, patients_per_site=2))
    assert len(set(used["draw_readings"])) == 6
    assert not set(used["draw_readings"]) & {*used["draw_patient"], *used["draw_person"]}


def test_ages_sites_periods_and_mains_are_those_that_were_drawn(cohort):
    for entry in cohort.entries:
        params = drawn(cohort)[entry.patient]
        assert entry.age_days == pytest.approx(params.person.age_days, abs=1e-4)
        assert (entry.site, entry.period, entry.line_hz) == (params.site.name, params.period, params.site.line_hz)
        assert (entry.person, entry.sex) == (params.person.key, params.person.sex.lower())


def test_a_transferred_baby_keeps_its_person_key_at_the_second_site(cohort):
    seen = [(e.person, e.site) for e in sound(cohort) if e.period == "development"]
    first, second = (person for person, site in seen if site in ("demo-north", "demo-south"))
    assert first == second
    assert len({e.person for e in cohort.entries}) == len(cohort.entries) - 1


def test_the_amplifier_is_changed_at_the_named_site_in_the_later_period_only(cohort):
    gains = {(p.site.name, p.period): p.site.amplifier.gain for p in drawn(cohort).values()}
    changed = {site for site, period in gains if gains[site, "surveillance"] != gains[site, "development"]}
    assert changed == {"demo-east"}
    assert gains["demo-east", "surveillance"] == pytest.approx(1.8 * gains["demo-east", "development"])


def test_each_broken_recording_is_refused_for_its_own_reason(cohort):
    broken = json.loads((cohort.root / "sourcedata" / "broken.json").read_text())
    expected = {"truncated": "truncated", "gain_1000": "unit_suspect", "flat": "flat"}
    entries = {e.name: e for e in cohort.entries}
    assert sorted(broken.values()) == sorted(expected)
    for name, breakage in broken.items():
        with pytest.raises(Refusal) as refusal:
            door(read_edf(entries[name].path))
        assert refusal.value.code == expected[breakage]


def test_sound_recordings_pass_the_door(cohort):
    for entry in sound(cohort):
        assert door(read_edf(entry.path), min_duration_s=30.0) == ()


def test_no_header_tells_person_site_or_gain(cohort):
    for entry in cohort.entries:
        header = entry.path.read_bytes()[: 256 * 20]
        assert entry.person.encode() not in header and b"demo" not in header
        assert b"gain" not in header.lower()


def test_the_cohort_says_that_it_is_simulated(cohort):
    assert "No person was recorded" in (cohort.root / "README").read_text()
    assert "Simulated" in json.loads((cohort.root / "dataset_description.json").read_text())["Name"]


def test_progress_counts_every_recording_once(tmp_path):
    seen: list[tuple[int, int]] = []
    tiny = SimulationSettings(patients_per_site=0, minutes=0.5, surveillance_per_site=0, broken=2, transferred=0)
    cohort = simulate_cohort(tmp_path / "tiny", tiny, lambda done, total: seen.append((done, total)), workers=1)
    assert seen == [(1, 2), (2, 2)] and len(cohort.entries) == 2


def test_an_unfinished_cohort_is_not_left_behind(tmp_path, monkeypatch):
    def fail(*_args):
        raise OSError("disk full")

    monkeypatch.setattr(writing, "write_edf", fail)
    with pytest.raises(OSError, match="disk full"):
        simulate_cohort(tmp_path / "simulated", SMALL, workers=1)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_never_written_over(tmp_path: Path):
    with pytest.raises(FileExistsError):
        simulate_cohort(tmp_path, SMALL, workers=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", [{"changed_site": "demo-west"}, {"broken": 4}, {"transferred": 2}])
def test_settings_that_name_nothing_are_refused(wrong):
    with pytest.raises(ValueError):
        replace(SMALL, **wrong)


def test_a_cohort_is_read_again_as_it_was_made(cohort):
    assert read_cohort(cohort.root) == cohort
