"""What is watched: one row of numbers per recording, from the same prepared signal that the detector reads.

Windows are summarised here and go no further: everything behind this module compares patients.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from data.acquisition import electrodes, mains_hz
from data.events import Annotations
from data.frontend import FrontEnd, Prepared
from data.quality import channel_facts
from data.recording import Recording
from data.windows import cut

if TYPE_CHECKING:
    from collections.abc import Mapping

WINDOW_S = 2.0
BANDS_HZ = {"delta": (0.5, 4.0), "theta": (4.0, 8.0), "alpha": (8.0, 13.0), "beta": (13.0, 30.0)}
SLOPE_HZ = (2.0, 12.0)


@dataclass(frozen=True)
class Feature:
    """A column of `patient_features`: its unit, what it says, and the group that names causes."""

    unit: str
    meaning: str
    group: str


FEATURES: "Mapping[str, Feature]" = {
    "log_rms": Feature("log10 µV", "amplitude of the prepared signal", "amplitude"),
    "log_fast_rms": Feature("log10 µV", "amplitude above 8 Hz", "amplitude"),
    "log_p2p": Feature("log10 µV", "peak to peak within 2 s", "amplitude"),
    "log_line_length": Feature("log10 µV/s", "line length", "amplitude"),
    "slope": Feature("log10 power per log10 Hz", "steepness of the spectrum, 2–12 Hz (−1 is flatter than −3)", "spectrum"),
    "delta": Feature("share", "power at 0.5–4 Hz of all power at 0.5–30 Hz", "spectrum"),
    "theta": Feature("share", "power at 4–8 Hz", "spectrum"),
    "alpha": Feature("share", "power at 8–13 Hz", "spectrum"),
    "beta": Feature("share", "power at 13–30 Hz", "spectrum"),
    "log_mains": Feature("log10 ratio", "mains power over its surroundings, raw signal", "mains"),
    "flat_share": Feature("share", "seconds without signal, mean over channels, raw signal", "contact"),
    "clipped_share": Feature("share", "samples that stay at a channel's end of range, mean over channels, raw signal", "contact"),
    "gap_share": Feature("share", "time that was not recorded", "contact"),
    "correlation": Feature("0–1", "mean absolute correlation between derivations", "electrodes"),
    "mean_probability": Feature("0–1", "mean seizure probability", "answers"),
    "p95_probability": Feature("0–1", "95th percentile of the seizure probability", "answers"),
    "alarms_per_hour": Feature("1/h", "detections per hour that could be assessed", "answers"),
    "coverage": Feature("share", "seconds that could be assessed", "answers"),
}  # fmt: skip
"""The watched columns of EEG in their order. Amplitudes and ratios are logarithms: patients differ by factors."""

FILM_FEATURES: "Mapping[str, Feature]" = {
    "brightness": Feature("0–255", "middle brightness of the pictures", "light"),
    "contrast": Feature("0–255", "middle spread of grey within a picture", "light"),
    "infrared_share": Feature("share", "pictures without colour", "light"),
    "black_share": Feature("share", "pictures that are dark", "light"),
    "blank_share": Feature("share", "pictures that show nothing", "camera"),
    "frozen_share": Feature("share", "time in which the picture stood still for 5 s or more", "camera"),
    "still_share": Feature("share", "time in which nothing moved for 10 s or more", "view"),
    "dropped_share": Feature("share", "frames missing between time stamps", "camera"),
    "lost_share": Feature("share", "frames that cannot be decoded", "camera"),
}  # fmt: skip
"""Of films, means over views."""

POSE_FEATURES: "Mapping[str, Feature]" = {
    "confidence": Feature("0–1", "middle confidence of the joints that were seen", "pose"),
    "unsure_share": Feature("share", "joints that were seen with a confidence below 0.3", "pose"),
    "missing_share": Feature("share", "joints not seen while somebody was there", "pose"),
    "absent_share": Feature("share", "time without a person", "view"),
    "fast_share": Feature("share", "steps of a joint faster than anybody moves", "pose"),
    "swapped_share": Feature("share", "frames in which left and right change places", "pose"),
    "log_torso": Feature("log10 of the picture's units", "length of the trunk: distance and size of the patient", "view"),
}  # fmt: skip

SERVED_FEATURES: "Mapping[str, Feature]" = {
    "log_raw_rms": Feature("log10 µV", "amplitude of the raw signal", "amplitude"),
    "log_mains": FEATURES["log_mains"],
    "flat_share": FEATURES["flat_share"],
    "gap_share": FEATURES["gap_share"],
    "confidence": Feature("0–1", "how sure the model is where it commits itself", "answers"),
    "mean_probability": FEATURES["mean_probability"],
    "p95_probability": FEATURES["p95_probability"],
    "alarms_per_hour": FEATURES["alarms_per_hour"],
    "burden_min_per_h": Feature("min/h", "time in seizures per hour that could be assessed", "answers"),
    "coverage": FEATURES["coverage"],
    "abstained_share": Feature("share", "of what was looked at, in which the model does not commit itself", "answers"),
    "strangeness": Feature("distance", "how far recordings lie from the patients that the model learnt from", "answers"),
    "refused_share": Feature("share", "recordings that were not evaluable", "answers"),
    "rejected_share": Feature("share", "answers that a reader rejected or corrected, of those that were judged", "answers"),
}  # fmt: skip
"""Of what a service answered, whatever was asked: how recordings were made, and what was said of them."""

WATCHED: "Mapping[str, Mapping[str, Feature]]" = {
    "eeg": FEATURES,
    "video": FILM_FEATURES,
    "pose": POSE_FEATURES,
    "answers": SERVED_FEATURES,
}
"""By what is recorded."""

KNOWN: "Mapping[str, Feature]" = {**POSE_FEATURES, **SERVED_FEATURES, **FILM_FEATURES, **FEATURES}
"""Every feature by its name; `confidence` is that of answers unless a table is of poses."""


@dataclass(frozen=True)
class Observed:
    """One recording as a site sent it, and what the detector answered.

    `trend` is one probability per second, (seconds,), NaN where not assessable; `alarms` are the detected events; both
    None if there was no answer. `line_hz` is the site's mains frequency. `facts` are those of
    `data.quality.channel_facts`, measured here unless given.
    """

    recording: Recording
    patient: str
    site: str
    period: str = ""
    trend: np.ndarray | None = None
    alarms: Annotations | None = None
    line_hz: float = 50.0
    facts: pd.DataFrame | None = None


def patient_features(observed: Iterable[Observed], front_end: FrontEnd | None = None) -> pd.DataFrame:
    """One row per recording: recording, patient, site, period; rate_hz, mains_hz (50, 60 or NaN where no mains is
    seen), channels (sorted 10-20 names); and the columns of `FEATURES` (NaN where they cannot be measured).

    Refuses (`montage_missing`) recordings that the front end cannot prepare.
    """
    settings = front_end or FrontEnd()
    rows = [_row(one, settings) for one in observed]
    return pd.DataFrame(
        rows, columns=["recording", "patient", "site", "period", "rate_hz", "mains_hz", "channels", *FEATURES]
    )


def _row(one: Observed, front_end: FrontEnd) -> dict[str, object]:
    facts = one.facts if one.facts is not None else channel_facts(one.recording, one.line_hz, front_end.montage)
    return {
        "recording": one.recording.name,
        "patient": one.patient,
        "site": one.site,
        "period": one.period,
        "rate_hz": one.recording.rate_hz,
        "mains_hz": mains_hz(facts["mains50_ratio"].median(), facts["mains60_ratio"].median()),
        "channels": electrodes(one.recording.channels),
        "log_mains": _log10(facts["mains_ratio"].median()),
        "flat_share": float(facts["flat_share"].mean()),
        "clipped_share": float(facts["clipped_share"].mean()),
        "gap_share": float((facts["gap_s"] / facts["duration_s"]).mean()),
        **signal_features(front_end.prepare(one.recording)),
        **answer_features(one.trend, one.alarms),
    }


def signal_features(prepared: Prepared) -> dict[str, float]:
    """Amplitude, spectrum and correlation: medians over channels of medians over windows of 2 s.

    Medians, so that a few artefacts do not count; windows with missing samples are left out.
    """
    windows = _windows(prepared)
    if len(windows) == 0:
        return dict.fromkeys(_SIGNAL, float("nan"))
    frequencies, power = _spectrum(windows, prepared.rate_hz)
    return {
        "log_rms": _log10(np.median(windows.std(axis=2))),
        "log_fast_rms": _log10(np.sqrt(_band(frequencies, power, (8.0, 30.0)))),
        "log_p2p": _log10(np.median(np.ptp(windows, axis=2))),
        "log_line_length": _log10(np.median(np.abs(np.diff(windows, axis=2)).mean(axis=2)) * prepared.rate_hz),
        "slope": _slope(frequencies, power),
        **_shares(frequencies, power),
        "correlation": _correlation(windows),
    }


def answer_features(trend: np.ndarray | None, alarms: Annotations | None) -> dict[str, float]:
    """What the detector said, by a `trend` of one probability per second, (seconds,), NaN where not assessable: NaN
    where it said nothing at all, alarms per hour of assessable time."""
    known = trend[np.isfinite(trend)] if trend is not None else np.zeros(0)
    hours = len(known) / 3600
    return {
        "mean_probability": float(known.mean()) if len(known) else float("nan"),
        "p95_probability": float(np.percentile(known, 95)) if len(known) else float("nan"),
        "alarms_per_hour": len(alarms.events) / hours if alarms is not None and hours else float("nan"),
        "coverage": len(known) / len(trend) if trend is not None and len(trend) else float("nan"),
    }


_SIGNAL = ("log_rms", "log_fast_rms", "log_p2p", "log_line_length", "slope", *BANDS_HZ, "correlation")


def _windows(prepared: Prepared) -> np.ndarray:
    """(windows, derivations, samples) of 2 s without overlap and without missing samples."""
    parts = [cut(s, prepared.rate_hz, WINDOW_S, WINDOW_S)[0] for s in prepared.segments]
    windows = np.concatenate(parts) if parts else np.zeros((0, len(prepared.channels), 1))
    return windows[np.isfinite(windows).all(axis=(1, 2))]


def _spectrum(windows: np.ndarray, rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies and power density (derivations, bins) in µV²/Hz, the median over windows."""
    from scipy import signal as sps

    frequencies, power = sps.welch(windows, rate_hz, nperseg=windows.shape[2], detrend="constant")
    return frequencies, np.median(power, axis=0)


def _band(frequencies: np.ndarray, power: np.ndarray, band_hz: tuple[float, float]) -> float:
    """Power within `band_hz` in µV², the median over derivations."""
    inside = (frequencies >= band_hz[0]) & (frequencies < band_hz[1])
    return float(np.median(power[:, inside].sum(axis=1)) * (frequencies[1] - frequencies[0]))


def _shares(frequencies: np.ndarray, power: np.ndarray) -> dict[str, float]:
    powers = {name: _band(frequencies, power, band) for name, band in BANDS_HZ.items()}
    total = sum(powers.values())
    return {name: value / total if total > 0 else float("nan") for name, value in powers.items()}


def _slope(frequencies: np.ndarray, power: np.ndarray) -> float:
    inside = (frequencies >= SLOPE_HZ[0]) & (frequencies <= SLOPE_HZ[1])
    middle = np.median(power[:, inside], axis=0)
    if not (middle > 0).all():
        return float("nan")
    return float(np.polyfit(np.log10(frequencies[inside]), np.log10(middle), 1)[0])


def _correlation(windows: np.ndarray) -> float:
    """Mean absolute correlation of all pairs of derivations, the median over windows."""
    centred = windows - windows.mean(axis=2, keepdims=True)
    scale = np.sqrt((centred**2).sum(axis=2))
    living = centred[(scale > 0).all(axis=1)] / scale[(scale > 0).all(axis=1), :, None]
    if len(living) == 0 or living.shape[1] < 2:
        return float("nan")
    pairs = np.triu_indices(living.shape[1], 1)
    matrix = np.abs(living @ living.transpose(0, 2, 1))
    return float(np.median(matrix[:, pairs[0], pairs[1]].mean(axis=1)))


def _log10(value: float) -> float:
    return float(np.log10(value)) if value > 0 else float("nan")
