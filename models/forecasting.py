"""Will a seizure begin within seconds? What detectors that warn ahead of seizures are asked, and about which clips."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from data.events import Annotations
from data.film_frontend import FilmFrontEnd, PreparedFilm
from data.outcomes import Refusal
from models.detector import InputContract, Stretch, TypingDetector

CLASSES = ("interictal", "preictal")
SLACK_S = 1e-6
"""Times that differ by less are the same."""


class ForecastingDetector(TypingDetector):
    """A detector that looks at a clip of a film and says whether a seizure will begin within `horizon_s` of its end.

    Clips of `clip_s` end every `hop_s` along a film, the first as soon as one is full. One is `preictal` where a seizure
    begins after its end and within the horizon; `interictal` where the next seizure is more than `apart_s` away. Not
    asked about: clips that touch a seizure, that begin within `after_s` of one's end, and those between horizon and
    `apart_s`, of which nobody can say what they should be called. A clip's number is its place on the grid, so
    that clips asked about blindly bear the numbers of those evaluated.
    """

    task, modality = "forecasting", "video"
    classes = CLASSES
    contract = InputContract(montage="film", age_days=(365, 43830), min_duration_s=5)

    def __init__(self, params: Mapping[str, Any]):
        super().__init__(params)
        self.window_s, self.hop_s = float(params["clip_s"]), float(params["hop_s"])

    @property
    def front_end(self) -> FilmFrontEnd:  # type: ignore[override]
        return FilmFrontEnd(self.params["size_px"], self.params["grey"])

    @property
    def rate_hz(self) -> float:
        """Frames per second that it reads."""
        p = self.params
        return round(p["rate_hz"] if "rate_hz" in p else 1 / p["step_s"], 3)

    def stretches(self, truth: Annotations) -> list[Stretch]:
        """The clips of the grid that can be called interictal (0) or preictal (1), by number; no others."""
        labelled = [
            (number, end_s, self._label(end_s, truth)) for number, end_s in enumerate(self._ends(truth.duration_s))
        ]
        return [
            Stretch(number, end_s - self.window_s, end_s, label)
            for number, end_s, label in labelled
            if label is not None
        ]

    def asked(self, duration_s: float) -> list[Stretch]:
        """All clips of the grid, and the last of the film, whose answer is about what comes after it."""
        ends = self._ends(duration_s)
        if len(ends) and duration_s - ends[-1] > SLACK_S:
            ends = np.append(ends, duration_s)
        return [Stretch(number, float(end_s) - self.window_s, float(end_s)) for number, end_s in enumerate(ends)]

    @property
    def telling(self) -> tuple[str, ...]:
        return CLASSES[1:]

    def _ends(self, duration_s: float) -> np.ndarray:
        count = int(np.floor((duration_s - self.window_s) / self.hop_s + SLACK_S)) + 1
        return self.window_s + self.hop_s * np.arange(max(count, 0))

    def _label(self, end_s: float, truth: Annotations) -> int | None:
        """0 or 1, or None for a clip that is not asked about."""
        p, onset_s = self.params, end_s - self.window_s
        if any(e.onset_s < end_s + SLACK_S and onset_s < e.end_s + p["after_s"] for e in truth.events):
            return None
        ahead_s = min((e.onset_s - end_s for e in truth.events if e.onset_s > end_s), default=np.inf)
        if ahead_s <= p["horizon_s"]:
            return 1
        return 0 if ahead_s > p["apart_s"] else None


def refuse_shorter(prepared: PreparedFilm, needed_s: float) -> None:
    """Refuse (`too_short`) a stretch that does not hold a clip."""
    if prepared.duration_s < needed_s - 1e-3:
        raise Refusal("too_short", f"the clip has {prepared.duration_s:.1f} s, needed are {needed_s:g} s")
