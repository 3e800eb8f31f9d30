"""What detectors of infantile spasms have in common: clips of a few seconds on a grid, cut from a prepared pose track."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from data.events import Annotations
from data.frontend import Prepared
from data.kinematics import KINEMATICS, kinematics
from data.outcomes import Refusal
from data.pose import JOINTS
from data.pose_frontend import CHANNELS, PoseFrontEnd
from data.recording import Segment
from data.spasms import clips_of, grid
from data.windows import samples
from models.appearance import of_joints
from models.detector import Examples, InputContract, Stretch, TypingDetector

CLASSES = ("other", "spasm")
"""What a clip is: the first means that no spasm was seen."""

OTHER, SPASM = 0, 1
LEAST_SEEN_S = 1.0
"""Of less than this nothing is said; of a clip with fewer joints than this share (`LEAST_SEEN`) neither."""
LEAST_SEEN = 0.2


class SpasmDetector(TypingDetector):
    """Asked of every clip of a recording: is this a spasm? `x` is (clips, 6, frames, joints), NaN where not seen.

    `examples` puts the segments of what it is given on one line of time; what is shorter than a clip is followed by
    frames in which nothing was seen.
    """

    task, modality, classes = "spasms", "pose", CLASSES
    contract = InputContract(montage="coco_17_neck", age_days=(0, 1096), min_duration_s=5)

    def __init__(self, params: Mapping[str, Any]):
        super().__init__(params)
        self.window_s = self.hop_s = float(params["window_s"])

    @property
    def front_end(self) -> PoseFrontEnd:  # type: ignore[override]
        return PoseFrontEnd(rate_hz=float(self.params["rate_hz"]))

    def stretches(self, truth: Annotations) -> list[Stretch]:
        """Every clip of the grid; see `data.spasms.Clip` for what is a spasm and what is not clear."""
        return [
            Stretch(clip.number, clip.onset_s, clip.end_s, SPASM if clip.spasm else OTHER, clip.clear)
            for clip in clips_of(truth, self.window_s)
        ]

    def asked(self, duration_s: float) -> list[Stretch]:
        """The same clips, of which nobody knows what they hold."""
        return [Stretch(number, *span) for number, span in enumerate(grid(duration_s, self.window_s))]

    @property
    def telling(self) -> tuple[str, ...]:
        return (self.classes[SPASM],)

    def examples(self, prepared: Prepared, recording: str = "", patient: str = "") -> Examples:
        """Motion of the clips in which enough of somebody is seen, float32.

        Refuses where that is none: less than `LEAST_SEEN_S` seen (`no_person`, or `too_short` where there is some
        signal), or everywhere fewer joints than `LEAST_SEEN` (`no_person`).
        """
        onset_s, tracks = self._tracks(prepared)
        x = np.stack([kinematics(xy, prepared.rate_hz) for xy in tracks]).astype(np.float32)
        whose = np.full(len(x), recording), np.full(len(x), patient)
        return Examples(x, onset_s, *whose, self.window_s, seen=of_joints(tracks, prepared.rate_hz))

    def _tracks(self, prepared: Prepared) -> tuple[np.ndarray, np.ndarray]:
        """Onsets (clips,) and coordinates (clips, frames, joints, 2) of the clips in which enough is seen."""
        start_s = prepared.segments[0].onset_s if prepared.segments else 0.0
        xy = _coordinates(prepared.segments, start_s, prepared.rate_hz, samples(self.window_s, prepared.rate_hz))
        seen = np.isfinite(xy[..., 0])
        if seen.any(axis=2).sum() < LEAST_SEEN_S * prepared.rate_hz:
            code = "no_person" if prepared.prepared_s == 0 else "too_short"
            raise Refusal(code, f"somebody is seen for less than {LEAST_SEEN_S:g} s of the clip: look at the camera")
        enough = seen.mean(axis=(1, 2)) >= LEAST_SEEN
        if not enough.any():
            raise Refusal(
                "no_person",
                f"{100 * seen.mean():.0f} % of the joints are seen, needed are {100 * LEAST_SEEN:.0f} %: look at the camera",
            )
        return (start_s + np.arange(len(xy)) * self.window_s)[enough], xy[enough]


def _coordinates(segments: Sequence[Segment], start_s: float, rate_hz: float, frames: int) -> np.ndarray:
    """(clips, frames, joints, 2): the segments on one line, NaN between and after them, in whole clips, at least one."""
    rows = [CHANNELS.index(f"{joint}.{part}") for joint in JOINTS for part in ("x", "y")]
    places = [round((s.onset_s - start_s) * rate_hz) for s in segments]
    length = max([frames, *(at + s.signal.shape[1] for at, s in zip(places, segments, strict=True))])
    line = np.full((length, len(rows)), np.nan)
    for at, segment in zip(places, segments, strict=True):
        line[at : at + segment.signal.shape[1]] = segment.signal[rows].T
    clips = length // frames
    return line[: clips * frames].reshape(clips, frames, len(JOINTS), 2)


FEATURES = len(KINEMATICS)
