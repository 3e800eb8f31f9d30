"""What can be seen of a recording's technical quality, channel by channel, and the cheap refusals at the door.

Stretches of one second are the unit: one second without an electrode is already lost to a reader.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from data import measures
from data.ages import describe_age
from data.montage import derive, is_eeg, missing_derivations
from data.outcomes import Refusal
from data.recording import Recording

if TYPE_CHECKING:
    import pandas as pd

RATES_HZ = (100.0, 2048.0)
AMPLITUDES_UV = (0.3, 1500.0)
"""Standard deviations within a second that EEG, from a suppressed preterm to a large artefact, stays inside."""
FLAT_SHARE = 0.95
CLIPPED_SHARE = 0.1
SPECTRUM_PIECES = 600
"""Two-second pieces, evenly spaced over the recording, that its spectrum is taken from."""


def channel_facts(recording: Recording, line_hz: float = 50.0, montage: str = "neonatal_18") -> "pd.DataFrame":
    """One row per EEG channel. Whole pieces of 1 s are measured, pieces with missing samples are left out.

    recording, channel; duration_s (clock) and recorded_s; rate_hz; n_channels, n_eeg; flat_share (0–1, seconds with
    less than 1 µV peak to peak); clipped_share (0–1, samples that stay at the channel's highest or lowest value);
    rms_uv (median over seconds of the standard deviation); p2p_p99_uv (99th percentile over seconds of peak to peak);
    mains50_ratio, mains60_ratio and mains_ratio at `line_hz` (power within 1 Hz over power 2–5 Hz away, NaN where the
    sampling rate is too low); slope (of log power over log frequency, 2–12 Hz); gaps_n, gap_s; nan_share (0–1);
    missing_derivations (those of `montage` that the channels do not give, comma-separated, empty if none).
    """
    import pandas as pd

    named = [(i, c) for i, c in enumerate(recording.channels) if is_eeg(c)]
    shared = _recording_facts(recording, len(named), montage)
    rows = [
        {"recording": recording.name, "channel": channel} | shared | _signal_facts(recording, index, line_hz)
        for index, channel in named
    ]
    return pd.DataFrame(rows)


def door(
    recording: Recording,
    *,
    montage: str = "neonatal_18",
    min_duration_s: float = 30.0,
    age_range_days: tuple[float, float] | None = None,
) -> tuple[str, ...]:
    """Refuse a recording that a detector cannot judge; else give the derivations that are flat or clipped.

    `min_duration_s` is the longest gapless stretch that is needed. Refuses with `no_signal`, `rate_too_low`,
    `montage_missing`, `too_short`, `discontinuous`, `age_unknown`, `age_out_of_scope`, `unit_suspect`, `flat`,
    `clipped`; the last two where more than half of the needed channels are. An unknown age is refused, unless no
    range is asked for.
    """
    check_rate(recording.rate_hz)
    derivation = derive(recording.channels, montage)
    _check_duration(recording, min_duration_s)
    _check_age(recording.age_days, age_range_days)
    check_amplitude(recording)
    needed = [int(i) for i in np.flatnonzero(np.any(derivation.weights != 0, axis=0))]
    flat = {i for i in needed if not measures.flat_share(measures.pieces(recording, i, 1.0)) <= FLAT_SHARE}
    clipped = {i for i in needed if measures.clipped_share(recording, i) > CLIPPED_SHARE}
    _check_half("flat", flat, len(needed), f"less than {measures.FLAT_UV:g} µV for over {FLAT_SHARE:.0%} of the time")
    _check_half("clipped", clipped, len(needed), f"over {CLIPPED_SHARE:.0%} of samples at the end of the range")
    lost = list(flat | clipped)
    used = zip(derivation.channels, derivation.weights, strict=True)
    return tuple(name for name, weights in used if np.any(weights[lost] != 0))


def check_rate(rate_hz: float) -> None:
    """Refuse sampling rates outside 100–2048 Hz."""
    if rate_hz < RATES_HZ[0]:
        raise Refusal("rate_too_low", f"sampling rate must be ≥ {RATES_HZ[0]:g} Hz, got {rate_hz:g}: record it faster")
    if rate_hz > RATES_HZ[1]:
        raise Refusal("unsupported_format", f"sampling rate must be ≤ {RATES_HZ[1]:g} Hz, got {rate_hz:g}: resample it")


def check_amplitude(recording: Recording) -> None:
    """Refuse amplitudes that no EEG has, the mark of a wrong unit or gain (median over channels that are not flat).

    Measured within seconds, so that an electrode offset or a slow drift does not count.
    """
    low, high = AMPLITUDES_UV
    spreads = [
        measures.spread(measures.pieces(recording, i, 1.0, at_most=SPECTRUM_PIECES))
        for i in range(len(recording.channels))
    ]
    living = [s for s in spreads if s > 0]
    if living and not low <= float(np.median(living)) <= high:
        raise Refusal(
            "unit_suspect",
            f"the EEG's standard deviation within a second is {np.median(living):.3g} µV, expected {low:g}–{high:g} µV: "
            "check unit, gain and whether the electrodes were connected",
        )


def _check_duration(recording: Recording, min_duration_s: float) -> None:
    longest_s = max((s.signal.shape[1] for s in recording.segments), default=0) / recording.rate_hz
    if longest_s == 0:
        raise Refusal("no_signal", "the recording holds 0 s of signal: check that it was saved")
    if recording.recorded_s < min_duration_s:
        raise Refusal("too_short", f"{recording.recorded_s:.1f} s were recorded, needed are {min_duration_s:g} s")
    if longest_s < min_duration_s:
        raise Refusal(
            "discontinuous",
            f"the longest stretch without a gap lasts {longest_s:.1f} s of {recording.recorded_s:.1f} s recorded, "
            f"needed are {min_duration_s:g} s: send the recording without interruptions",
        )


def _check_age(age_days: float | None, age_range_days: tuple[float, float] | None) -> None:
    if age_range_days is None:
        return
    low, high = age_range_days
    scope = f"{describe_age(low)} to {describe_age(high)}"
    if age_days is None:
        raise Refusal("age_unknown", f"the detector is made for {scope}: state the age at recording, as in 3d or 34y")
    if not low <= age_days <= high:
        raise Refusal(
            "age_out_of_scope",
            f"the detector is made for {scope}, the patient's age is {describe_age(age_days)}: use one for that age",
        )


def _check_half(code: str, found: set[int], needed: int, what: str) -> None:
    if len(found) > needed / 2:
        raise Refusal(
            code, f"{len(found)} of {needed} channels have {what} (limit: half of them): check the electrodes"
        )


def _recording_facts(recording: Recording, n_eeg: int, montage: str) -> dict[str, Any]:
    gaps = recording.gaps
    return {
        "duration_s": recording.duration_s,
        "recorded_s": recording.recorded_s,
        "rate_hz": recording.rate_hz,
        "n_channels": len(recording.channels),
        "n_eeg": n_eeg,
        "gaps_n": len(gaps),
        "gap_s": sum(length for _, length in gaps),
        "missing_derivations": ", ".join(missing_derivations(recording.channels, montage)),
    }


def _signal_facts(recording: Recording, index: int, line_hz: float) -> dict[str, float]:
    seconds = measures.pieces(recording, index, 1.0)
    frequencies, power = measures.spectrum(
        measures.pieces(recording, index, 2.0, at_most=SPECTRUM_PIECES), recording.rate_hz
    )
    return {
        "flat_share": measures.flat_share(seconds),
        "clipped_share": measures.clipped_share(recording, index),
        "rms_uv": float(np.median(seconds.std(axis=1))) if len(seconds) else float("nan"),
        "p2p_p99_uv": float(np.percentile(np.ptp(seconds, axis=1), 99)) if len(seconds) else float("nan"),
        "mains50_ratio": measures.line_ratio(frequencies, power, 50.0),
        "mains60_ratio": measures.line_ratio(frequencies, power, 60.0),
        "mains_ratio": measures.line_ratio(frequencies, power, line_hz),
        "slope": measures.slope(frequencies, power),
        "nan_share": measures.nan_share(recording, index),
    }
