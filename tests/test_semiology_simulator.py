"""Filmed seizures: focal and bilateral ones begin alike, become bilateral when the truth says, and share events with the EEG."""

import hashlib
import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from data.cohorts.bids import Cohort, read_cohort
from data.cohorts.synthetic_semiology import simulate_semiology
from data.readers.edf import read_edf
from data.readers.video import read_film, read_frames
from data.simulator.motion.seizures import KINDS, draw_seizure, draw_semiology
from data.simulator.scene import film, frame_times, scaled_to
from data.simulator.semiology import BILATERAL, Filmed, SemiologySettings, annotations_of, plan_semiology, scene_of

SMALL = SemiologySettings(patients_per_site=1, phone_patients=1, actors=1, seconds=(12.0, 13.0), broken=2)


@cache
def seizures() -> tuple[Filmed, ...]:
    films = plan_semiology(SemiologySettings(patients_per_site=40, eeg=False))
    return tuple(f for f in films if f.seizure and not f.breakage)


def digest_of_folder(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def motion_of(params: Filmed) -> np.ndarray:
    """Mean absolute change of the pixels from frame to frame."""
    camera = scaled_to(params.cameras[0], 32)
    frames = film(scene_of(params), camera, frame_times(camera, params.duration_s)).astype(np.float32)
    return np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2))


def auc(negative: list[float], positive: list[float]) -> float:
    """The probability that one of `positive` is larger than one of `negative`."""
    low, high = np.array(negative)[:, None], np.array(positive)[None]
    return float(((high > low) + 0.5 * (high == low)).mean())


def test_a_bilateral_seizure_begins_as_a_focal_one_would() -> None:
    """Drawn from the same stream, the two types have the same focal kind, side, rates and poses."""
    for seed in range(20):
        semiology = draw_semiology(np.random.default_rng(seed))
        focal = draw_seizure(np.random.default_rng(seed), semiology, 1.0, 18.0, 20.0, False)
        both = draw_seizure(np.random.default_rng(seed), semiology, 1.0, 18.0, 20.0, True)
        assert focal.kind == both.kind and focal.bilateral_s is None and both.bilateral_s is not None
        for one, other in zip(focal.parts, both.parts, strict=False):
            assert (one.wave, one.onset_s, one.moves, one.rate_hz) == (
                other.wave,
                other.onset_s,
                other.moves,
                other.rate_hz,
            )


def test_seizures_become_bilateral_after_56_per_cent_of_their_films() -> None:
    share = np.array([f.seizure.bilateral_s / f.duration_s for f in seizures() if f.seizure.bilateral_s])
    assert share.mean() == pytest.approx(0.56, abs=0.06)
    assert 0.10 < share.std() < 0.20
    assert all((f.seizure.bilateral_s is None) == (f.type == "FOS") for f in seizures())


def test_before_it_becomes_bilateral_no_part_is_tonic_clonic() -> None:
    for f in (f for f in seizures() if f.seizure.bilateral_s):
        late = [p for p in f.seizure.parts if p.onset_s >= f.seizure.bilateral_s - 1e-6]
        jerks = [p for p in late if p.wave == "jerks"]
        assert jerks and all(3 <= p.rate_hz <= 5 and 0.7 <= p.end_hz <= 1.5 for p in jerks)
        assert max(p.onset_s + p.duration_s for p in f.seizure.parts) <= f.duration_s


def test_half_of_the_patients_have_one_type_only() -> None:
    types: dict[str, set[str]] = {}
    for f in seizures():
        types.setdefault(f.name, set()).add(f.type)
    assert np.mean([len(t) == 1 for t in types.values()]) == pytest.approx(0.5, abs=0.06)


def test_who_is_filmed_is_drawn_without_a_look_at_the_types(monkeypatch: pytest.MonkeyPatch) -> None:
    dealt = plan_semiology(SMALL)
    monkeypatch.setattr("data.simulator.semiology.DEALT", (("FBTCS", "FBTCS"),))
    redealt = plan_semiology(SMALL)
    for one, other in zip(dealt, redealt, strict=True):
        assert one.person == other.person and one.room == other.room and one.cameras == other.cameras
        assert one.duration_s == other.duration_s and one.visits == other.visits
        if one.seizure and other.seizure:
            assert one.seizure.kind == other.seizure.kind and one.seizure.onset_s == other.seizure.onset_s


def test_how_much_moves_does_not_tell_the_type() -> None:
    films = seizures()[:80]
    means = {t: [float(motion_of(f).mean()) for f in films if f.type == t] for t in ("FOS", "FBTCS")}
    assert 0.3 < auc(means["FOS"], means["FBTCS"]) < 0.8


def test_kinds_of_focal_seizures_occur_as_often_in_both_types() -> None:
    for kind, share in KINDS.items():
        for type in ("FOS", "FBTCS"):
            found = np.mean([f.seizure.kind == kind for f in seizures() if f.type == type])
            assert found == pytest.approx(share, abs=0.2)


def test_a_patient_is_the_same_in_all_films_and_the_views_share_a_clock() -> None:
    first, second = (f for f in seizures() if f.name == "sub-001")
    assert first.person == second.person and first.room == second.room and first.seizure != second.seizure
    assert [c.name for c in first.cameras] == ["large", "small"]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return simulate_semiology(tmp_path_factory.mktemp("semiology") / "cohort", SMALL, workers=1)


def test_the_same_seed_gives_the_same_bytes(cohort: Cohort, tmp_path: Path) -> None:
    simulate_semiology(tmp_path / "again", SMALL, workers=1)
    assert digest_of_folder(tmp_path / "again") == digest_of_folder(cohort.root)


def test_eeg_and_film_share_their_events(cohort: Cohort) -> None:
    films = {e.name: cohort.annotations(e) for e in cohort.entries}
    eeg = read_cohort(cohort.root, "eeg")
    assert len(eeg.entries) == 6
    for entry in eeg.entries:
        assert eeg.annotations(entry) == films[entry.name]
        recording = read_edf(entry.path)
        assert recording.duration_s == films[entry.name].duration_s
        onset_s = films[entry.name].events[0].onset_s
        assert onset_s < recording.duration_s


def test_the_eeg_changes_its_pattern_when_the_film_does() -> None:
    for f in plan_semiology(SMALL):
        if f.eeg and f.seizure:
            assert [s.onset_s for s in f.eeg.seizures] == [
                f.seizure.onset_s, *([f.seizure.bilateral_s] if f.seizure.bilateral_s else []),
            ]  # fmt: skip
            assert [s.pattern for s in f.eeg.seizures] == ["focal", "tonic_clonic"][: len(f.eeg.seizures)]


def test_the_cohort_has_views_phones_and_other_persons(cohort: Cohort) -> None:
    views = {e.name: len(e.views) for e in cohort.entries if e.period == "development"}
    assert set(views.values()) == {2}
    assert {len(e.views) for e in cohort.entries if e.period == "external"} == {1}
    tasks = {e.name.split("_task-")[1].split("_")[0] for e in cohort.entries if e.period == "pretraining"}
    assert tasks == {"walk", "wave", "pat", "turn"}
    assert not any(cohort.annotations(e).events for e in cohort.entries if e.period == "pretraining")


def test_what_was_filmed_is_what_is_read(cohort: Cohort) -> None:
    entry = next(e for e in cohort.entries if e.period == "development" and "run-01" in e.name)
    params = next(f for f in plan_semiology(SMALL) if f.stem == entry.name)
    recording = read_film(entry.views)
    assert recording.duration_s == pytest.approx(params.duration_s, abs=0.3)
    time_s = frame_times(params.cameras[0], params.duration_s)[::20]
    read = read_frames(recording.views[0], time_s + 0.005, 64, True)
    drawn = film(scene_of(params), params.cameras[0], time_s)
    assert np.abs(read.astype(float) - drawn).mean() < 6


def test_broken_films_are_named_and_are_broken(cohort: Cohort) -> None:
    broken = json.loads((cohort.root / "sourcedata" / "broken.json").read_text())
    assert sorted(broken.values()) == ["black", "frozen"]
    for entry in (e for e in cohort.entries if e.name in broken):
        frames = read_frames(read_film(entry.views).views[0], np.arange(0.0, 10.0, 1.0), 64, True)
        assert np.abs(np.diff(frames.astype(int), axis=0)).mean() < 1.5
        assert (frames.mean() < 5) == (broken[entry.name] == "black")


def test_types_are_written_in_words_that_are_read(cohort: Cohort) -> None:
    types = {e.type for entry in cohort.entries for e in cohort.annotations(entry).events}
    assert BILATERAL in types and all(t.startswith("sz_foc") for t in types)
    assert annotations_of(replace(seizures()[0], seizure=None)).events == ()


def test_settings_out_of_reach_are_refused() -> None:
    for wrong in ({"broken": 4}, {"seconds": (5.0, 20.0)}):
        with pytest.raises(ValueError, match="must be"):
            SemiologySettings(**wrong)
