"""What must be true of an EEG before it is used: enough signal, at a usable rate, with electrodes that measured something."""

from dataclasses import dataclass

import pandas as pd

from data.quality import AMPLITUDES_UV, CLIPPED_SHARE, FLAT_SHARE, RATES_HZ
from validation.checks.suites import Expectation, Suite


@dataclass(frozen=True)
class EegLimits:
    """Where quarantine and warning begin. Limits that also guard the door are taken from `data.quality`.

    Shares are 0–1. `lost_share`: share of EEG channels that may be flat or clipped before a recording is put aside.
    """

    min_rate_hz: float = RATES_HZ[0]
    max_rate_hz: float = RATES_HZ[1]
    min_recorded_s: float = 60.0
    max_gap_share: float = 0.5
    flat_share: float = FLAT_SHARE
    clipped_share: float = CLIPPED_SHARE
    lost_share: float = 0.5
    amplitude_uv: tuple[float, float] = AMPLITUDES_UV
    warn_flat_share: float = 0.2
    warn_clipped_share: float = 0.01
    warn_mains_ratio: float = 300.0
    warn_slope: tuple[float, float] = (-6.0, 0.0)


def channel_suite(limits: EegLimits) -> Suite:
    """One row per recording and channel: `data.quality.channel_facts` as it is."""
    return Suite("eeg channels", ("recording", "channel"), _critical_of_channels() + _warnings_of_channels(limits))


def recording_suite(limits: EegLimits) -> Suite:
    """One row per recording: `recordings_table`."""
    return Suite("eeg recordings", ("recording",), _time(limits) + _signal(limits))


def recordings_table(facts: pd.DataFrame, limits: EegLimits) -> pd.DataFrame:
    """One row per recording from channel facts: recording, rate_hz, recorded_s, gap_share, missing (derivations, as a
    number), lost_share (channels flat or clipped), and rms_uv (median over the channels that are not flat)."""
    flat = facts["flat_share"] > limits.flat_share
    marked = facts.assign(
        lost=flat | (facts["clipped_share"] > limits.clipped_share),
        living_uv=facts["rms_uv"].mask(flat),
        missing=facts["missing_derivations"].str.split(",").map(lambda names: sum(bool(n.strip()) for n in names)),
        gap_share=facts["gap_s"] / facts["duration_s"].where(facts["duration_s"] > 0),
    )
    grouped = marked.groupby("recording", sort=True)
    first = grouped[["rate_hz", "recorded_s", "gap_share", "missing"]].first()
    return first.assign(lost_share=grouped["lost"].mean(), rms_uv=grouped["living_uv"].median()).reset_index()


def _critical_of_channels() -> tuple[Expectation, ...]:
    return (
        Expectation(
            "channel_once", "DQ-EEG-01", "critical", "unsupported_format",
            "Every channel of a recording has a name of its own.",
            "ExpectCompoundColumnsToBeUnique", {"column_list": ["recording", "channel"]}, "channel", "once",
            "The channel {channel} stands in the file more than once.",
        ),
        Expectation(
            "samples_present", "DQ-EEG-02", "critical", "corrupt",
            "Inside the recorded stretches no sample is missing.",
            "ExpectColumnValuesToBeBetween", {"column": "nan_share", "max_value": 0.0}, "nan_share", "0",
            "Of channel {channel} {percent} of the samples are missing; none may be.",
        ),
    )  # fmt: skip


def _warnings_of_channels(limits: EegLimits) -> tuple[Expectation, ...]:
    low, high = limits.warn_slope
    return (
        Expectation(
            "channel_measured", "DQ-EEG-03", "warning", "no_signal",
            "Every channel can be measured for at least one second.",
            "ExpectColumnValuesToNotBeNull", {"column": "rms_uv"}, "rms_uv", "measured",
            "Channel {channel} holds no whole second that can be measured.",
        ),
        Expectation(
            "channel_alive", "DQ-EEG-04", "warning", "flat",
            "No channel is flat for long.",
            "ExpectColumnValuesToBeBetween", {"column": "flat_share", "max_value": limits.warn_flat_share},
            "flat_share", f"≤ {100 * limits.warn_flat_share:g} %",
            "Channel {channel} is flat in {percent} of its seconds (limit {limit}).",
        ),
        Expectation(
            "channel_unclipped", "DQ-EEG-05", "warning", "clipped",
            "No channel stays at the end of its range.",
            "ExpectColumnValuesToBeBetween", {"column": "clipped_share", "max_value": limits.warn_clipped_share},
            "clipped_share", f"≤ {100 * limits.warn_clipped_share:g} %",
            "Channel {channel} is clipped in {percent} of its samples (limit {limit}).",
        ),
        Expectation(
            "mains_low", "DQ-EEG-06", "warning", "ood",
            "Mains interference does not dominate its surroundings.",
            "ExpectColumnValuesToBeBetween", {"column": "mains_ratio", "max_value": limits.warn_mains_ratio},
            "mains_ratio", f"≤ {limits.warn_mains_ratio:g} ×",
            "Channel {channel} carries {value} times more power at the mains frequency than beside it (limit {limit}).",
        ),
        Expectation(
            "spectrum_of_brain", "DQ-EEG-07", "warning", "ood",
            "Power falls from 2 to 12 Hz, as it does in newborns; noise or a strong alpha rhythm does not.",
            "ExpectColumnValuesToBeBetween",
            {"column": "slope", "min_value": low, "max_value": high, "strict_max": True},
            "slope", f"{low:g} to {high:g}",
            "The spectrum of channel {channel} has a slope of {value} (expected {limit}): noise, a filter, or a strong alpha rhythm.",
        ),
    )  # fmt: skip


def _time(limits: EegLimits) -> tuple[Expectation, ...]:
    return (
        Expectation(
            "rate_usable", "DQ-EEG-10", "critical", "rate_too_low",
            f"The sampling rate is {limits.min_rate_hz:g} to {limits.max_rate_hz:g} Hz.",
            "ExpectColumnValuesToBeBetween",
            {"column": "rate_hz", "min_value": limits.min_rate_hz, "max_value": limits.max_rate_hz},
            "rate_hz", f"{limits.min_rate_hz:g} to {limits.max_rate_hz:g} Hz",
            "The sampling rate is {value} Hz; usable are {limit}.",
        ),
        Expectation(
            "long_enough", "DQ-EEG-11", "critical", "too_short",
            f"At least {limits.min_recorded_s:g} s were recorded.",
            "ExpectColumnValuesToBeBetween", {"column": "recorded_s", "min_value": limits.min_recorded_s},
            "recorded_s", f"≥ {limits.min_recorded_s:g} s",
            "{value} s were recorded; needed are {limit}.",
        ),
        Expectation(
            "gaps_short", "DQ-EEG-12", "critical", "discontinuous",
            f"Gaps take up no more than {100 * limits.max_gap_share:g} % of the time.",
            "ExpectColumnValuesToBeBetween", {"column": "gap_share", "max_value": limits.max_gap_share},
            "gap_share", f"≤ {100 * limits.max_gap_share:g} %",
            "Gaps take up {percent} of the recording (limit {limit}).",
        ),
    )  # fmt: skip


def _signal(limits: EegLimits) -> tuple[Expectation, ...]:
    low, high = limits.amplitude_uv
    return (
        Expectation(
            "montage_complete", "DQ-EEG-13", "critical", "montage_missing",
            "The channels give every derivation that the detectors read.",
            "ExpectColumnValuesToBeBetween", {"column": "missing", "max_value": 0}, "missing", "0",
            "{value} derivations of the montage cannot be made from these channels.",
        ),
        Expectation(
            "channels_working", "DQ-EEG-14", "critical", "flat",
            f"At least {100 - 100 * limits.lost_share:g} % of the channels are neither flat nor clipped.",
            "ExpectColumnValuesToBeBetween", {"column": "lost_share", "max_value": limits.lost_share},
            "lost_share", f"≤ {100 * limits.lost_share:g} %",
            "{percent} of the channels are flat or clipped (limit {limit}).",
        ),
        Expectation(
            "amplitude_plausible", "DQ-EEG-15", "critical", "unit_suspect",
            f"The amplitude is that of an EEG: {low:g} to {high:g} µV (standard deviation within a second).",
            "ExpectColumnValuesToBeBetween", {"column": "rms_uv", "min_value": low, "max_value": high},
            "rms_uv", f"{low:g} to {high:g} µV",
            "The amplitude is {value} µV, expected {limit}: check unit and gain.",
        ),
        Expectation(
            "amplitude_known", "DQ-EEG-16", "critical", "no_signal",
            "At least one channel can be measured.",
            "ExpectColumnValuesToNotBeNull", {"column": "rms_uv"}, "rms_uv", "measured",
            "No channel holds a signal that can be measured.",
        ),
    )  # fmt: skip
