"""How something was recorded, in a handful of facts: cheap enough to be noted of every recording that is answered."""

import numpy as np

from data import measures
from data.film import Film
from data.montage import derivation, electrode, is_eeg
from data.pose import PoseTrack
from data.recording import Recording

Fact = float | str
"""A number (NaN where it cannot be measured), or words."""

PIECES = 60
"""Pieces of two seconds, evenly spaced, that an EEG channel is looked at in."""

MAINS_VISIBLE = 3.0
"""Mains power over its surroundings from which its frequency is taken as seen."""


def acquisition(recorded: Recording | Film | PoseTrack) -> dict[str, Fact]:
    """Facts of a recording.

    EEG: `rate_hz`, `channels` (sorted 10-20 names), `mains_hz` (50, 60 or NaN where no mains is seen), and over channels
    the middle `log_raw_rms` (log10 µV), `log_mains` (log10 of mains power over its surroundings) and mean `flat_share`;
    `gap_share`. Film: `frames_hz` (whole), `resolution`, `views`. Poses: `frames_hz`, `joints`, `confidence`.
    """
    if isinstance(recorded, Film):
        return film_facts([(v.width, v.height, v.rate_hz) for v in recorded.views])
    return _of_pose(recorded) if isinstance(recorded, PoseTrack) else _of_eeg(recorded)


def film_facts(views: list[tuple[int, int, float]]) -> dict[str, Fact]:
    """Of the width, height and frame rate of each view; mean rates of time stamps differ in the third digit."""
    sizes = sorted({f"{width} x {height}" for width, height, _ in views})
    return {"frames_hz": float(round(views[0][2])), "resolution": ", ".join(sizes), "views": float(len(views))}


def electrodes(channels: tuple[str, ...]) -> str:
    """The 10-20 electrodes (or derivations) among channels, sorted, blanks between, whatever they are called."""
    names = {electrode(c) or derivation(c) for c in channels} - {None}
    return " ".join(sorted(str(n) for n in names))


def mains_hz(ratio_50: float, ratio_60: float) -> float:
    """Which mains is seen, 50 or 60 Hz, by its power over its surroundings; NaN below `MAINS_VISIBLE`."""
    seen = {50.0: ratio_50, 60.0: ratio_60}
    best = max(seen, key=lambda hz: seen[hz] if np.isfinite(seen[hz]) else 0.0)
    return best if seen[best] >= MAINS_VISIBLE else float("nan")


def _of_eeg(recording: Recording) -> dict[str, Fact]:
    rows = [_of_channel(recording, i) for i, name in enumerate(recording.channels) if is_eeg(name)]
    height, rms, ratio_50, ratio_60 = (_middle([row[n] for row in rows]) for n in range(4))
    gap_s = sum(length for _, length in recording.gaps)
    return {
        "rate_hz": recording.rate_hz,
        "channels": electrodes(recording.channels),
        "mains_hz": mains_hz(ratio_50, ratio_60),
        "log_raw_rms": float(np.log10(rms)) if rms > 0 else float("nan"),
        "log_mains": float(np.log10(max(ratio_50, ratio_60))) if max(ratio_50, ratio_60) > 0 else float("nan"),
        "flat_share": float(np.nanmean([row[0] for row in rows])) if np.isfinite(height) else float("nan"),
        "gap_share": gap_s / recording.duration_s if recording.duration_s else 0.0,
    }


def _of_channel(recording: Recording, index: int) -> tuple[float, float, float, float]:
    """Share of flat pieces, middle RMS in µV, and mains at 50 and 60 Hz."""
    pieces = measures.pieces(recording, index, 2.0, at_most=PIECES)
    height, deviation = measures.within(pieces)
    frequencies, power = measures.spectrum(pieces, recording.rate_hz)
    ratios = [measures.line_ratio(frequencies, power, hz) for hz in (50.0, 60.0)]
    return measures.flat_share(height), measures.spread(height, deviation), ratios[0], ratios[1]


def _of_pose(track: PoseTrack) -> dict[str, Fact]:
    sure = track.confidence[track.seen & np.isfinite(track.confidence)]
    rate_hz = track.rate_hz
    return {
        "frames_hz": float(round(rate_hz)) if np.isfinite(rate_hz) else float("nan"),
        "joints": f"{len(track.joints)} joints",
        "confidence": float(np.median(sure)) if len(sure) else float("nan"),
    }


def _middle(values: list[float]) -> float:
    known = [v for v in values if np.isfinite(v)]
    return float(np.median(known)) if known else float("nan")
