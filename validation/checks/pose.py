"""What must be true of a pose track before it is used: the patient is there, as one person, and moves as people can."""

from dataclasses import dataclass

import pandas as pd

from data.film_door import MAX_ABSENT_SHARE, MIN_RATE_HZ
from validation.checks.suites import Expectation, Suite, at_least, share_at_most


@dataclass(frozen=True)
class PoseLimits:
    """Where quarantine and warning begin. Limits that also guard the door are taken from `data.film_door`.

    Shares are 0–1; `min_confidence` is the median over the joints that were seen.
    """

    min_rate_hz: float = MIN_RATE_HZ
    min_duration_s: float = 2.0
    max_absent_share: float = MAX_ABSENT_SHARE
    min_confidence: float = 0.3
    max_fast_share: float = 0.05
    max_swapped_share: float = 0.2
    warn_missing_share: float = 0.3
    warn_unsure_share: float = 0.3
    warn_fast_share: float = 0.005
    warn_swapped_share: float = 0.02
    warn_several_share: float = 0.2


def pose_suite(limits: PoseLimits) -> Suite:
    """One row per recording: `poses_table`."""
    return Suite("poses", ("recording",), _track(limits) + _person(limits) + _motion(limits) + _worth_a_look(limits))


def poses_table(facts: pd.DataFrame) -> pd.DataFrame:
    """`data.pose_quality.pose_facts` with `joints_missing` as a number."""
    counted = facts["missing_joints"].str.split(",").map(lambda names: sum(bool(name.strip()) for name in names))
    return facts.assign(joints_missing=counted).reset_index(drop=True)


def _track(limits: PoseLimits) -> tuple[Expectation, ...]:
    return (
        share_at_most(
            "joints_complete", "DQ-POS-01", "critical", "montage_missing", "The track has every joint of the skeleton.",
            "joints_missing", 0, "{value} joints of the skeleton are not in the file: {missing_joints}.",
        ),
        at_least(
            "pose_rate_usable", "DQ-POS-02", "rate_too_low",
            f"Poses come at least {limits.min_rate_hz:g} times per second.", "rate_hz", limits.min_rate_hz, " Hz",
            "There are {value} poses per second; usable are {limit}.",
        ),
        Expectation(
            "pose_rate_known", "DQ-POS-03", "critical", "too_short", "A track has more than one pose.",
            "ExpectColumnValuesToNotBeNull", {"column": "rate_hz"}, "rate_hz", "known",
            "The track holds a single pose.",
        ),
        at_least(
            "pose_long_enough", "DQ-POS-04", "too_short", f"At least {limits.min_duration_s:g} s were recorded.",
            "duration_s", limits.min_duration_s, " s", "{value} s were recorded; needed are {limit}.",
        ),
    )  # fmt: skip


def _person(limits: PoseLimits) -> tuple[Expectation, ...]:
    return (
        share_at_most(
            "person_there", "DQ-POS-05", "critical", "no_person", "A person is seen most of the time.",
            "absent_share", limits.max_absent_share, "No person is seen in {percent} of the time (limit {limit}).",
        ),
        at_least(
            "joints_sure", "DQ-POS-06", "no_person", "Joints are found with confidence.", "confidence",
            limits.min_confidence, "", "The median confidence of the joints is {value}; needed is {limit}.",
        ),
    )  # fmt: skip


def _motion(limits: PoseLimits) -> tuple[Expectation, ...]:
    return (
        share_at_most(
            "speeds_possible", "DQ-POS-07", "critical", "ood", "Joints move as fast as people can.",
            "fast_share", limits.max_fast_share,
            "{percent} of the steps are faster than anybody moves (limit {limit}): the track jumps between persons.",
        ),
        share_at_most(
            "sides_kept", "DQ-POS-08", "critical", "ood", "Left stays left.",
            "swapped_share", limits.max_swapped_share, "Left and right change places in {percent} of the frames (limit {limit}).",
        ),
    )  # fmt: skip


def _worth_a_look(limits: PoseLimits) -> tuple[Expectation, ...]:
    return (
        share_at_most(
            "joints_seen", "DQ-POS-09", "warning", "no_person", "Most joints are seen in frames with a person.",
            "missing_share", limits.warn_missing_share, "{percent} of the joints are not seen (expected {limit}): blankets?",
        ),
        share_at_most(
            "few_guesses", "DQ-POS-10", "warning", "ood", "Few joints are guesses.",
            "unsure_share", limits.warn_unsure_share, "{percent} of the joints are guesses (expected {limit}).",
        ),
        share_at_most(
            "speeds_plausible", "DQ-POS-11", "warning", "ood", "Hardly a joint jumps.",
            "fast_share", limits.warn_fast_share, "{percent} of the steps are faster than anybody moves (expected {limit}).",
        ),
        share_at_most(
            "sides_steady", "DQ-POS-12", "warning", "ood", "Left and right are hardly ever mistaken.",
            "swapped_share", limits.warn_swapped_share, "Left and right change places in {percent} of the frames (expected {limit}).",
        ),
        share_at_most(
            "patient_alone", "DQ-POS-13", "warning", "ood", "The patient is mostly alone in the picture.",
            "several_share", limits.warn_several_share, "More than one person is seen in {percent} of the frames (expected {limit}).",
        ),
        Expectation(
            "movement_measured", "DQ-POS-14", "warning", "no_person", "How fast joints move can be measured.",
            "ExpectColumnValuesToNotBeNull", {"column": "fast_share"}, "fast_share", "measured",
            "Shoulders and hips are never seen together: whether joints move as people can was not looked at.",
        ),
    )  # fmt: skip
