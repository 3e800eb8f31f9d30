"""What can be seen of a recording's technical quality, channel by channel.

Stretches of one second are the unit: one second without an electrode is already lost to a reader.
"""

from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from data import measures
from data.montage import is_eeg, missing_derivations
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


def check_rate(rate_hz: float) -> None:
    """Refuse (`rate_too_low`, `unsupported_format`) sampling rates outside 100–2048 Hz."""
    if rate_hz < RATES_HZ[0]:
        raise Refusal("rate_too_low", f"sampling rate must be ≥ {RATES_HZ[0]:g} Hz, got {rate_hz:g}: record it faster")
    if rate_hz > RATES_HZ[1]:
        raise Refusal("unsupported_format", f"sampling rate must be ≤ {RATES_HZ[1]:g} Hz, got {rate_hz:g}: resample it")


def check_amplitude(recording: Recording) -> None:
    """Refuse (`unit_suspect`) amplitudes that no EEG has, the mark of a wrong unit or gain
    (median over living channels).

    Measured within seconds, so that an electrode offset or a slow drift does not count.
    """
    channels = range(len(recording.channels))
    facts = (measures.within(measures.pieces(recording, i, 1.0, at_most=SPECTRUM_PIECES)) for i in channels)
    check_spreads([measures.spread(*each) for each in facts])


def check_spreads(spreads: Sequence[float]) -> None:
    """`check_amplitude` of the channels' typical standard deviation within a second, in µV; refuses as it does.

    A channel of 0 µV is flat and does not count; where all are, nothing is refused here.
    """
    low, high = AMPLITUDES_UV
    living = [s for s in spreads if s > 0]
    if living and not low <= (typical := median(living)) <= high:
        raise Refusal(
            "unit_suspect",
            f"the EEG's standard deviation within a second is {typical:.3g} µV, expected {low:g}–{high:g} µV: "
            "check unit, gain and whether the electrodes were connected",
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
        "flat_share": measures.flat_share(measures.within(seconds)[0]),
        "clipped_share": measures.clipped_share(recording, index),
        "rms_uv": float(np.median(seconds.std(axis=1))) if len(seconds) else float("nan"),
        "p2p_p99_uv": float(np.percentile(np.ptp(seconds, axis=1), 99)) if len(seconds) else float("nan"),
        "mains50_ratio": measures.line_ratio(frequencies, power, 50.0),
        "mains60_ratio": measures.line_ratio(frequencies, power, 60.0),
        "mains_ratio": measures.line_ratio(frequencies, power, line_hz),
        "slope": measures.slope(frequencies, power),
        "nan_share": measures.nan_share(recording, index),
    }
