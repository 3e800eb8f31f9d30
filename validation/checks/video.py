"""What must be true of a film before it is used: enough frames, at a usable rate, of a scene that somebody is seen in."""

from dataclasses import dataclass

import pandas as pd

from data.film_door import MAX_LATE_SHARE, MIN_RATE_HZ
from validation.checks.suites import Expectation, Suite, at_least, share_at_most


@dataclass(frozen=True)
class VideoLimits:
    """Where quarantine and warning begin. Limits that also guard the door are taken from `data.film_door`.

    Shares are 0–1. A view works while it is neither black, blank nor frozen for more than its share of the time; a
    recording needs one that works.
    """

    min_rate_hz: float = MIN_RATE_HZ
    min_side_px: int = 48
    min_duration_s: float = 2.0
    max_lost_share: float = 0.05
    max_dropped_share: float = 0.3
    max_missing_share: float = MAX_LATE_SHARE
    black_share: float = 0.5
    blank_share: float = 0.5
    frozen_share: float = 0.5
    warn_after_lost_share: float = 0.02
    warn_dropped_share: float = 0.02
    warn_still_share: float = 0.5
    warn_mixed_share: float = 0.05


def view_suite(limits: VideoLimits) -> Suite:
    """One row per recording and view: `views_table`."""
    expectations = _camera(limits) + _frames(limits) + _scene(limits) + _worth_a_look(limits)
    return Suite("film views", ("recording", "view"), expectations)


def film_suite(limits: VideoLimits) -> Suite:
    """One row per recording: `films_table`."""
    return Suite("films", ("recording",), _whole(limits))


def views_table(facts: pd.DataFrame, limits: VideoLimits) -> pd.DataFrame:
    """`data.film_quality.view_facts` with `light`: colour, infrared, or mixed."""
    low, share = limits.warn_mixed_share, facts["infrared_share"]
    names = pd.Series("mixed", index=facts.index).mask(share <= low, "colour").mask(share >= 1 - low, "infrared")
    return facts.assign(light=names.mask(share.isna(), None)).reset_index(drop=True)


def films_table(facts: pd.DataFrame, limits: VideoLimits) -> pd.DataFrame:
    """One row per recording from facts of views: recording, duration_s, missing_share (of the camera that is missing
    longest), working (number of views that show something; a view that could not be decoded does not)."""
    seen = facts[["black_share", "blank_share", "frozen_share"]].notna().all(axis=1)
    working = (
        seen
        & (facts["black_share"] <= limits.black_share)
        & (facts["blank_share"] <= limits.blank_share)
        & (facts["frozen_share"] <= limits.frozen_share)
    )
    missing = 1 - facts["view_s"] / facts["duration_s"].where(facts["duration_s"] > 0)
    grouped = facts.assign(working=working, missing_share=missing).groupby("recording", sort=True)
    return grouped.agg(
        duration_s=("duration_s", "first"), missing_share=("missing_share", "max"), working=("working", "sum")
    ).reset_index()


def _camera(limits: VideoLimits) -> tuple[Expectation, ...]:
    return (
        at_least(
            "frame_rate_usable", "DQ-VID-01", "rate_too_low",
            f"Every camera gives at least {limits.min_rate_hz:g} frames per second.", "rate_hz", limits.min_rate_hz,
            " Hz", "View {view} has {value} frames per second; usable are {limit}.",
        ),
        at_least(
            "width_usable", "DQ-VID-02", "unsupported_format",
            f"Every picture is at least {limits.min_side_px} points wide.", "width", limits.min_side_px, "",
            "View {view} is {value} points wide; usable are {limit}.",
        ),
        at_least(
            "height_usable", "DQ-VID-03", "unsupported_format",
            f"Every picture is at least {limits.min_side_px} points high.", "height", limits.min_side_px, "",
            "View {view} is {value} points high; usable are {limit}.",
        ),
    )  # fmt: skip


def _frames(limits: VideoLimits) -> tuple[Expectation, ...]:
    return (
        share_at_most(
            "frames_decoded", "DQ-VID-04", "critical", "corrupt", "Nearly all frames can be decoded.",
            "lost_share", limits.max_lost_share, "Of view {view} {percent} of the frames cannot be decoded (limit {limit}).",
        ),
        share_at_most(
            "frames_untouched", "DQ-VID-17", "warning", "corrupt", "Hardly a frame is built on one that cannot be decoded.",
            "after_lost_share", limits.warn_after_lost_share,
            "Of view {view} {percent} of the frames come after one that cannot be decoded and may show traces of it (expected "
            "{limit}).",
        ),
        share_at_most(
            "frames_there", "DQ-VID-05", "critical", "discontinuous", "Few frames are missing between the others.",
            "dropped_share", limits.max_dropped_share, "Of view {view} {percent} of the frames are missing (limit {limit}).",
        ),
        share_at_most(
            "frames_regular", "DQ-VID-06", "warning", "discontinuous", "Hardly a frame is missing between the others.",
            "dropped_share", limits.warn_dropped_share, "Of view {view} {percent} of the frames are missing (expected {limit}).",
        ),
    )  # fmt: skip


def _scene(limits: VideoLimits) -> tuple[Expectation, ...]:
    return (
        share_at_most(
            "view_lit", "DQ-VID-07", "warning", "view_lost", "No view is black for long.",
            "black_share", limits.black_share, "View {view} is black in {percent} of the time (limit {limit}).",
        ),
        share_at_most(
            "view_uncovered", "DQ-VID-08", "warning", "view_lost", "No view shows an empty picture for long.",
            "blank_share", limits.blank_share, "View {view} shows nothing in {percent} of the time (limit {limit}).",
        ),
        share_at_most(
            "view_alive", "DQ-VID-09", "warning", "flat", "No view stands still, picture for picture, for long.",
            "frozen_share", limits.frozen_share, "View {view} is frozen in {percent} of the time (limit {limit}).",
        ),
        share_at_most(
            "somebody_moves", "DQ-VID-10", "warning", "no_person", "Somebody moves in the picture.",
            "still_share", limits.warn_still_share,
            "In view {view} nothing moves in {percent} of the time (limit {limit}): is the patient in the picture?",
        ),
    )  # fmt: skip


def _worth_a_look(limits: VideoLimits) -> tuple[Expectation, ...]:
    mixed = limits.warn_mixed_share
    return (
        Expectation(
            "light_of_one_kind", "DQ-VID-11", "warning", "ood",
            "A view is in colour or in infrared throughout.",
            "ExpectColumnValuesToBeInSet", {"column": "light", "value_set": ["colour", "infrared"]},
            "infrared_share", f"below {100 * mixed:g} % or above {100 - 100 * mixed:g} %",
            "View {view} is without colour in {percent} of the time: lamps went on or off, or the camera changed.",
        ),
        Expectation(
            "frames_progressive", "DQ-VID-12", "warning", "ood", "Pictures are not interlaced.",
            "ExpectColumnValuesToBeInSet", {"column": "interlaced", "value_set": [False]}, "interlaced", "no",
            "View {view} is interlaced: fast movement is combed.",
        ),
        Expectation(
            "rate_steady", "DQ-VID-13", "warning", "ood", "Frames come at a steady rate.",
            "ExpectColumnValuesToBeInSet", {"column": "variable_rate", "value_set": [False]}, "variable_rate", "no",
            "View {view} has a variable frame rate.",
        ),
    )  # fmt: skip


def _whole(limits: VideoLimits) -> tuple[Expectation, ...]:
    return (
        at_least(
            "film_long_enough", "DQ-VID-14", "too_short", f"At least {limits.min_duration_s:g} s were filmed.",
            "duration_s", limits.min_duration_s, " s", "{value} s were filmed; needed are {limit}.",
        ),
        share_at_most(
            "views_whole", "DQ-VID-15", "critical", "view_lost", "Every camera covers the whole film.",
            "missing_share", limits.max_missing_share, "A camera is missing in {percent} of the film (limit {limit}).",
        ),
        at_least(
            "views_working", "DQ-VID-16", "no_signal",
            "At least one view shows something: not black, not empty, not frozen.", "working", 1, "",
            "No view shows anything that changes.",
        ),
    )  # fmt: skip
