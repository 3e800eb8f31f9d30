"""Films before seizures: a sign of a set strength and nothing else tells them; rats and other people to learn from first."""

import hashlib
import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from data.cohorts.bids import Cohort
from data.cohorts.synthetic_forecasting import simulate_forecasting
from data.readers.video import read_film
from data.simulator.forecasting import Caged, ForecastSettings, Watched, plan_forecasting
from data.simulator.motion.body import INDEX
from data.simulator.motion.cues import CUE_S, cue_before
from data.simulator.motion.person import angles_at, draw_person
from data.simulator.rodents import draw_animal, seizure_of
from data.simulator.scene import frame_times, scaled_to

SMALL = ForecastSettings(patients_per_site=1, rats=1, others=1, seconds=(20.0, 21.0))


@cache
def films(cue: float = 1.0) -> tuple[Watched, ...]:
    planned = plan_forecasting(ForecastSettings(patients_per_site=36, rats=0, others=0, broken=0, cue=cue))
    return tuple(f for f in planned if isinstance(f, Watched))


def digest_of_folder(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def auc(negative: list[float], positive: list[float]) -> float:
    """The probability that one of `positive` is larger than one of `negative`."""
    low, high = np.array(negative)[:, None], np.array(positive)[None]
    return float(((high > low) + 0.5 * (high == low)).mean())


def motion_in(params: Watched, end_s: float, lasting_s: float = 4.0) -> float:
    camera = scaled_to(params.camera, 32)
    time_s = frame_times(camera, params.duration_s)
    time_s = time_s[(time_s >= end_s - lasting_s) & (time_s < end_s)]
    return float(np.abs(np.diff(replace(params, camera=camera).frames(time_s).astype(float), axis=0)).mean())


def clips_of(params: Watched) -> tuple[list[float], list[float]]:
    """Ends of 4-s clips far from a seizure, and of the one just before it."""
    if params.seizure is None:
        return list(np.arange(params.duration_s - 0.2, 5.0, -5.0)), []
    return list(np.arange(params.seizure[0] - CUE_S, 5.0, -5.0)), [params.seizure[0] - 0.2]


def motion_auc(cue: float) -> float:
    quiet: list[float] = []
    before: list[float] = []
    for params in films(cue)[:100]:
        interictal, preictal = clips_of(params)
        quiet += [motion_in(params, end_s) for end_s in interictal[:2]]
        before += [motion_in(params, end_s) for end_s in preictal]
    return auc(quiet, before)


def test_without_a_sign_a_film_is_the_same_until_the_onset_whether_or_not_a_seizure_comes() -> None:
    """The null control by construction: frame by frame, not only on average."""
    for params in [f for f in films(0.0) if f.seizure][:4]:
        time_s = frame_times(params.camera, params.duration_s)
        time_s = time_s[time_s < params.seizure[0]][-40:]
        spared = replace(params, parts=tuple(p for p in params.parts if p.onset_s < params.seizure[0]))
        assert (params.frames(time_s) == spared.frames(time_s)).all()


def test_without_a_sign_the_time_before_a_seizure_moves_as_any_other() -> None:
    assert motion_auc(0.0) == pytest.approx(0.5, abs=0.12)


def test_how_much_moves_does_not_tell_that_a_seizure_comes() -> None:
    assert motion_auc(1.0) == pytest.approx(0.5, abs=0.15)


def test_the_strength_of_the_sign_changes_nothing_but_the_sign() -> None:
    for weak, strong in zip(films(0.0), films(1.0), strict=True):
        assert weak == replace(strong, parts=tuple(p for p in strong.parts if not (p.wave == "swing" and p.hush)))


@pytest.mark.parametrize("cue", [0.25, 0.5, 1.0])
def test_fidgeting_turns_the_joints_as_fast_as_what_it_replaces(cue: float) -> None:
    speeds: dict[bool, list[np.ndarray]] = {True: [], False: []}
    for seed in range(40):
        person = replace(draw_person(np.random.default_rng(seed), "adult", (9000, 9001)), drift=())
        time_s = np.arange(32.0, 38.0, 0.02)
        for sign in (True, False):
            parts = cue_before(person, 1.7, 38.5, cue) if sign else ()
            angles = angles_at(person, parts, time_s)[:, [INDEX["left_elbow"], INDEX["right_shoulder"]]]
            speeds[sign].append((np.gradient(angles, 0.02, axis=0) ** 2).mean(axis=0))
    assert np.mean(speeds[True]) == pytest.approx(np.mean(speeds[False]), rel=0.15)


def test_a_stronger_sign_is_more_rhythmic() -> None:
    person = draw_person(np.random.default_rng(1), "adult", (9000, 9001))
    time_s, share = np.arange(30.0, 38.0, 0.05), []
    for cue in (0.0, 0.5, 1.0):
        elbow = np.gradient(angles_at(person, cue_before(person, 1.7, 38.5, cue), time_s)[:, INDEX["left_elbow"]])
        power, rate_hz = np.abs(np.fft.rfft(elbow)) ** 2, np.fft.rfftfreq(len(elbow), 0.05)
        share.append(power[np.abs(rate_hz - 1.7) < 0.3].sum() / power.sum())
    assert share[0] < share[1] < share[2]


def test_who_is_filmed_is_drawn_without_a_look_at_what_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    dealt = plan_forecasting(SMALL)
    monkeypatch.setattr("data.simulator.forecasting.DEALT", ((True, True), (True, True, True)))
    for one, other in zip(dealt, plan_forecasting(SMALL), strict=False):
        if isinstance(one, Watched) and isinstance(other, Watched) and one.stem == other.stem:
            assert (one.person, one.room, one.camera) == (other.person, other.room, other.camera)
            assert one.visits == other.visits


def test_seizures_come_late_and_lie_inside_their_films() -> None:
    ill = [f for f in films() if f.seizure]
    assert 0.45 < len(ill) / len(films()) < 0.65
    for params in ill:
        onset_s, lasting_s = params.seizure
        assert 0.54 < onset_s / params.duration_s < 0.86 and lasting_s > 3.9
        assert params.truth.events[0].onset_s == onset_s


def test_every_patient_is_filmed_with_and_without_a_seizure() -> None:
    kinds: dict[str, set[bool]] = {}
    for params in films():
        kinds.setdefault(params.name, set()).add(params.seizure is not None)
    assert all(kind == {True, False} for kind in kinds.values())


def test_rats_that_seize_are_as_the_others_until_they_do() -> None:
    for seed in range(20):
        calm, ill = (draw_animal(np.random.default_rng(seed), 10.0, seizing) for seizing in (False, True))
        onset_s, end_s = seizure_of(ill)
        assert seizure_of(calm) is None and 0.9 <= onset_s <= 4.1 and end_s == pytest.approx(10.0, abs=0.05)
        before = [s for s in ill.spells if not s.kind.startswith("racine")]
        assert [replace(s, duration_s=0.0) for s in before] == [
            replace(s, duration_s=0.0) for s in calm.spells[: len(before)]
        ]
        assert replace(ill, spells=()) == replace(calm, spells=())
        assert max(s.onset_s + s.duration_s for s in before) <= onset_s + 1e-6
        assert {s.kind for s in ill.spells} & {"racine3"}


def test_a_rat_in_clonus_shakes_3_to_6_times_a_second() -> None:
    for params in plan_forecasting(replace(SMALL, rats=4)):
        if isinstance(params, Caged) and params.task == "rodentseizure":
            assert all(3 <= s.rate_hz <= 6 for s in params.animal.spells if s.kind.startswith("racine"))


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return simulate_forecasting(tmp_path_factory.mktemp("forecasting") / "cohort", SMALL, workers=1)


def test_the_same_seed_gives_the_same_bytes(cohort: Cohort, tmp_path: Path) -> None:
    simulate_forecasting(tmp_path / "again", SMALL, workers=1)
    assert digest_of_folder(tmp_path / "again") == digest_of_folder(cohort.root)


def test_the_cohort_holds_patients_rats_and_others(cohort: Cohort) -> None:
    task = {e.name: e.name.split("_task-")[1].split("_")[0] for e in cohort.entries}
    assert {task[e.name] for e in cohort.entries if e.period == "development"} == {"film"}
    assert {task[e.name] for e in cohort.entries if e.period == "pretraining"} == {
        "rodentseizure", "rodentnormal", "human",
    }  # fmt: skip
    for entry in cohort.entries:
        assert bool(cohort.annotations(entry).events) or task[entry.name] != "rodentseizure"
        assert read_film(entry.views).duration_s == pytest.approx(cohort.annotations(entry).duration_s, abs=0.3)


def test_broken_films_are_named(cohort: Cohort) -> None:
    broken = json.loads((cohort.root / "sourcedata" / "broken.json").read_text())
    assert list(broken.values()) == ["black"] and set(broken) <= {e.name for e in cohort.entries}


def test_settings_out_of_reach_are_refused() -> None:
    for wrong in ({"cue": 1.5}, {"seconds": (10.0, 20.0)}, {"broken": 3}):
        with pytest.raises(ValueError, match="must be"):
            ForecastSettings(**wrong)
