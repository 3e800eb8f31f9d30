"""Checks of films and poses: each expectation is seen to fail; recordings are put aside by name, and the rest goes on."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.cohorts.bids import read_cohort
from data.events import Annotations, Event
from data.outcomes import CODES
from data.readers.bids import write_events
from data.readers.pose import write_parquet
from data.readers.video_writer import write_video
from flows.stages.check import check_cohort, limits_of
from tests.test_film_quality import scene, walking
from validation.checks.annotations import annotation_suite, events_table
from validation.checks.page import checks_page
from validation.checks.suites import run
from validation.checks.verdicts import Limits, inspect, suites, tables

NAMES = tuple(f"sub-{n:02d}_task-ward" for n in range(1, 5))
SIGNAL = {"video": 2, "pose": 1}
"""How many suites are about the signal."""


def films() -> pd.DataFrame:
    """Two views of each recording, as they should be."""
    row = {
        "views": 2, "duration_s": 20.0, "view_s": 20.0, "width": 112, "height": 112, "rate_hz": 25.0, "codec": "h264",
        "rotation_deg": 0, "variable_rate": False, "interlaced": False, "lost_share": 0.0, "after_lost_share": 0.0,
        "dropped_share": 0.0, "black_share": 0.0, "blank_share": 0.0, "frozen_share": 0.0, "still_share": 0.0, "infrared_share": 1.0,
        "brightness": 90.0, "contrast": 30.0,
    }  # fmt: skip
    return pd.DataFrame([{"recording": name, "view": view, **row} for name in NAMES for view in ("left", "right")])


def poses() -> pd.DataFrame:
    row = {
        "duration_s": 60.0, "rate_hz": 25.0, "frames": 1500, "missing_joints": "", "absent_share": 0.0,
        "missing_share": 0.1, "confidence": 0.8, "unsure_share": 0.05, "several_share": 0.0, "most_people": 1.0,
        "torso": 40.0, "fast_share": 0.0, "swapped_share": 0.0,
    }  # fmt: skip
    return pd.DataFrame([{"recording": name, **row} for name in NAMES])


GOOD = {"video": films, "pose": poses}


def of(facts: pd.DataFrame, rows: int = 1, **values: object) -> pd.DataFrame:
    changed = facts.astype(dict.fromkeys(values, object))
    for column, value in values.items():
        changed.loc[changed.index[:rows], column] = value
    return changed.infer_objects()


Spoil = Callable[[pd.DataFrame], pd.DataFrame]
MUST_FAIL: dict[str, tuple[Spoil, int]] = {
    # what spoils the facts, and how many recordings are put aside for it
    "frame_rate_usable": (lambda f: of(f, rate_hz=8.0), 1),
    "width_usable": (lambda f: of(f, width=32), 1),
    "height_usable": (lambda f: of(f, height=32), 1),
    "frames_decoded": (lambda f: of(f, lost_share=0.06), 1),
    "frames_untouched": (lambda f: of(f, after_lost_share=0.03), 0),
    "frames_there": (lambda f: of(f, dropped_share=0.31), 1),
    "frames_regular": (lambda f: of(f, dropped_share=0.03), 0),
    "view_lit": (lambda f: of(f, black_share=0.6), 0),
    "view_uncovered": (lambda f: of(f, blank_share=0.6), 0),
    "view_alive": (lambda f: of(f, frozen_share=0.6), 0),
    "somebody_moves": (lambda f: of(f, still_share=0.6), 0),
    "light_of_one_kind": (lambda f: of(f, infrared_share=0.5), 0),
    "frames_progressive": (lambda f: of(f, interlaced=True), 0),
    "rate_steady": (lambda f: of(f, variable_rate=True), 0),
    "film_long_enough": (lambda f: of(f, 2, duration_s=1.5, view_s=1.5), 1),
    "views_whole": (lambda f: of(f, view_s=17.0), 1),
    "views_working": (lambda f: of(f, 2, black_share=0.6), 1),
    "joints_complete": (lambda f: of(f, missing_joints="neck, nose"), 1),
    "pose_rate_usable": (lambda f: of(f, rate_hz=8.0), 1),
    "pose_rate_known": (lambda f: of(f, rate_hz=np.nan), 1),
    "pose_long_enough": (lambda f: of(f, duration_s=1.5), 1),
    "person_there": (lambda f: of(f, absent_share=0.51), 1),
    "joints_sure": (lambda f: of(f, confidence=0.2), 1),
    "speeds_possible": (lambda f: of(f, fast_share=0.06), 1),
    "sides_kept": (lambda f: of(f, swapped_share=0.21), 1),
    "joints_seen": (lambda f: of(f, missing_share=0.4), 0),
    "few_guesses": (lambda f: of(f, unsure_share=0.4), 0),
    "speeds_plausible": (lambda f: of(f, fast_share=0.01), 0),
    "sides_steady": (lambda f: of(f, swapped_share=0.03), 0),
    "patient_alone": (lambda f: of(f, several_share=0.3), 0),
    "movement_measured": (lambda f: of(f, torso=np.nan, fast_share=np.nan, swapped_share=np.nan), 0),
}

EVERY = [
    (modality, place, rule)
    for modality, signal in SIGNAL.items()
    for place, suite in enumerate(suites(Limits(), modality)[:signal])
    for rule in suite.expectations
]


@pytest.mark.parametrize("modality", SIGNAL)
def test_sound_recordings_meet_every_expectation(modality: str) -> None:
    checked = inspect(GOOD[modality](), modality=modality)
    assert [v.reasons for v in checked.verdicts] == [()] * len(NAMES) and checked.accepted == NAMES


@pytest.mark.parametrize(("modality", "place", "rule"), EVERY, ids=[rule.key for _, _, rule in EVERY])
def test_every_expectation_has_been_seen_to_fail(modality: str, place: int, rule) -> None:
    spoil, aside = MUST_FAIL[rule.key]
    table = tables(spoil(GOOD[modality]()), None, None, None, None, Limits(), modality)[place]
    suite = replace(suites(Limits(), modality)[place], expectations=(rule,))
    result = run(suite, table)
    assert len(result.failures) >= 1 and {f.row["recording"] for f in result.failures} == {NAMES[0]}
    assert all("{" not in f.sentence and f.sentence.endswith((".", "?")) for f in result.failures)
    assert (rule.severity == "critical") == bool(aside)


def test_every_expectation_has_one_key_one_number_and_a_code_of_recordings() -> None:
    rules = [rule for _, _, rule in EVERY]
    assert len({r.key for r in rules}) == len({r.requirement for r in rules}) == len(rules) == len(MUST_FAIL)
    assert {r.code for r in rules} <= set(CODES)


def test_a_recording_with_one_blind_camera_goes_on_with_a_warning() -> None:
    checked = inspect(of(films(), black_share=0.9), modality="video")
    assert checked.accepted == NAMES
    reason = checked.verdicts[0].reasons[0]
    assert (reason.code, reason.channel, reason.severity) == ("view_lost", "left", "warning")
    assert reason.sentence == "View left is black in 90 % of the time (limit ≤ 50 %)."


def test_a_view_of_which_nothing_can_be_decoded_does_not_work() -> None:
    checked = inspect(of(films(), 2, black_share=np.nan, blank_share=np.nan, frozen_share=np.nan), modality="video")
    assert [v.recording for v in checked.quarantined] == [NAMES[0]]


def test_a_pose_whose_movement_cannot_be_measured_does_not_pass_for_one_that_moves_as_people_can() -> None:
    """Every limit of speed and of sides passes over what is not known."""
    checked = inspect(of(poses(), torso=np.nan, fast_share=np.nan, swapped_share=np.nan), modality="pose")
    (reason,) = checked.verdicts[0].reasons
    assert reason.expectation == "movement_measured" and "was not looked at" in reason.sentence


@pytest.mark.parametrize("modality", SIGNAL)
def test_a_recording_that_nobody_read_never_goes_on(modality: str) -> None:
    checked = inspect(GOOD[modality](), expected=["sub-99"], modality=modality)
    assert [v.recording for v in checked.quarantined] == ["sub-99"]
    assert not inspect(pd.DataFrame(), expected=NAMES, modality=modality).passed


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Films of three patients (one of two views, one black, one no film) and poses of two, one of whom is out of view."""
    root = tmp_path_factory.mktemp("cohort")
    (root / "dataset_description.json").write_text('{"Name": "ward", "BIDSVersion": "1.10.0"}')
    for patient in ("sub-01", "sub-02", "sub-03", "sub-04", "sub-05"):
        (root / patient / ("video" if patient < "sub-04" else "pose")).mkdir(parents=True)
    for view in ("left", "right"):
        write_video(root / f"sub-01/video/sub-01_task-ward_view-{view}_video.mp4", scene(6.0), rate_hz=12.5)
    write_video(root / "sub-02/video/sub-02_task-ward_video.mp4", scene(6.0) // 30, rate_hz=12.5)
    (root / "sub-03/video/sub-03_task-ward_video.mp4").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    write_parquet(walking(), root / "sub-04/pose/sub-04_task-ward_pose.parquet")
    absent = walking()
    absent.xy[:150] = np.nan
    write_parquet(absent, root / "sub-05/pose/sub-05_task-ward_pose.parquet")
    for folder in root.glob("sub-*/*"):
        length_s = 6.0 if folder.name == "video" else absent.duration_s
        write_events(folder / f"{folder.parent.name}_task-ward_events.tsv", Annotations((), length_s))
    return root


def codes(checked) -> dict[str, list[str]]:
    return {v.recording[:6]: [r.code for r in v.reasons if r.severity == "critical"] for v in checked.verdicts}


def test_films_on_disk_are_judged_and_put_aside_by_name(cohort: Path) -> None:
    found = read_cohort(cohort, "video")
    checked, facts = check_cohort(found, limits_of("video", 60.0), lambda *_: None, "video")
    assert codes(checked) == {"sub-01": [], "sub-02": ["no_signal"], "sub-03": ["unsupported_format"]}
    assert facts["view"].tolist() == ["left", "right", "1"] and checked.left_out == ("split",)
    html = checks_page(checked, {e.name: e.site for e in found.entries})
    assert "No view shows anything that changes." in html and "DQ-VID-16" in html


@pytest.mark.parametrize(("duration_s", "doubted"), [(0.1, True), (0.73, False), (2.0, False), (2.5, True)])
def test_a_spasm_is_held_to_the_length_of_spasms_and_not_of_seizures(duration_s: float, doubted: bool) -> None:
    suite = annotation_suite(limits_of("pose", 60.0).annotations)
    marked = events_table({"sub-01": Annotations((Event(10.0, duration_s, "sz"),), 60.0)})
    found = [f.sentence for f in run(suite, marked).failures]
    assert found == ([f"Event 1 lasts {duration_s:g} s, expected 0.2 s to 2 s."] if doubted else [])


def test_poses_on_disk_are_judged_and_a_film_without_a_pose_needs_an_estimator(cohort: Path) -> None:
    found = read_cohort(cohort, "pose")
    checked, facts = check_cohort(found, limits_of("pose", 60.0), lambda *_: None, "pose")
    by_name = codes(checked)
    assert by_name["sub-04"] == [] and by_name["sub-05"] == ["no_person"]
    assert by_name["sub-01"] == by_name["sub-02"] == ["no_pose_estimator"]
    assert len(facts) == 2
