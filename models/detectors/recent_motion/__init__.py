"""The floor of forecasting: how much moved in the last seconds. No deep model may be registered that does not beat it."""

import numpy as np

from data.film_frontend import PreparedFilm
from models.appearance import of_pictures
from models.detector import Examples
from models.forecasting import ForecastingDetector, refuse_shorter
from models.logistic import LogisticFloor

FEATURES = ("mean", "spread", "largest", "rise", "area")
FAINT = 1e-4


class RecentMotion(LogisticFloor, ForecastingDetector):
    """Differences between frames of the last seconds of a clip, with a logistic.

    Motion energy is the mean absolute difference of two neighbouring frames (of the range black to white). Features: log
    of its mean, of its standard deviation and of its largest value; log of its mean in the later half against the
    earlier; log of the share of pixels that moved by more than `moved`.
    """

    name = "recent_motion"

    FEATURES = len(FEATURES)

    def examples(self, prepared: PreparedFilm, recording: str = "", patient: str = "") -> Examples:  # type: ignore[override]
        """One clip per view, features (views, 5); refuses a stretch shorter than a clip (`too_short`)."""
        p = self.params
        refuse_shorter(prepared, self.window_s)
        end_s = prepared.end_s
        times_s = end_s - p["recent_s"] + (np.arange(round(p["recent_s"] * p["rate_hz"])) + 0.5) / p["rate_hz"]
        shown = np.stack([prepared.frames(view, times_s) for view in range(prepared.views)])
        x = np.stack([motion(frames, p["moved"]) for frames in shown])
        onset_s = np.full(len(x), end_s - self.window_s)
        whose = np.full(len(x), recording), np.full(len(x), patient)
        return Examples(
            x, onset_s, *whose, self.window_s, seen=np.stack([of_pictures(frames[None]) for frames in shown])
        )


def motion(frames: np.ndarray, moved: float) -> np.ndarray:
    """Frames (times, size, size[, 3]) of 0–255, evenly spaced → the features (5,) float32."""
    shown = frames.astype(np.float32) / 255
    shown = shown.mean(axis=3) if shown.ndim == 4 else shown
    change = np.abs(np.diff(shown, axis=0))
    energy = change.mean(axis=(1, 2))
    half = len(energy) // 2
    early, late = energy[:half].mean(), energy[half:].mean()
    area = (change > moved).mean()
    amounts = np.array([energy.mean(), energy.std(), energy.max(), late, area]) + FAINT
    amounts[3] /= early + FAINT
    return np.log(amounts).astype(np.float32)


DETECTOR = RecentMotion
