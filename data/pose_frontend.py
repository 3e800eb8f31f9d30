"""The front end of poses: joints on an even clock, the same for training, serving and drift; what was not seen stays missing."""

from dataclasses import asdict, dataclass

import numpy as np

from data.frontend import Prepared
from data.outcomes import Refusal
from data.pose import COCO, JOINTS, PoseTrack
from data.recording import Segment
from lineage.digest import Digest, digest_of

CHANNELS = tuple(f"{joint}.{part}" for joint in JOINTS for part in ("x", "y", "confidence"))
"""What a prepared track's channels are: across, down (units of the picture) and how surely, joint after joint."""

SLOWEST_HZ = 8.0
"""A spasm rises in 0.2–0.5 s; fewer frames than this would miss it."""


@dataclass(frozen=True)
class PoseFrontEnd:
    """Joints by time, interpolated linearly between two sights at most `longest_gap_s` apart, and never beyond.

    A joint of less than `least_confidence` was not seen. Where nobody is seen for `nobody_s` the recording has a gap.
    Settings change results, so they travel in the bundle and `digest` names them.
    """

    rate_hz: float = 25.0
    longest_gap_s: float = 0.2
    nobody_s: float = 2.0
    least_confidence: float = 0.1
    version: int = 1

    @property
    def channels(self) -> tuple[str, ...]:
        """`CHANNELS`, whatever the settings."""
        return CHANNELS

    @property
    def digest(self) -> Digest:
        """Digest of all settings and of the channels."""
        return digest_of(asdict(self) | {"channels": self.channels})

    def prepare(self, track: PoseTrack) -> Prepared:
        """A whole track: (54, samples) float32 per segment, NaN where a joint was not seen.

        Refuses joints that are not a human's (`montage_missing`) and too few frames per second (`rate_too_low`).
        """
        xyc = human(track)
        if not track.rate_hz >= SLOWEST_HZ:  # NaN where there is a single frame
            raise Refusal(
                "rate_too_low",
                f"the track has {track.rate_hz:.1f} frames per second, needed are {SLOWEST_HZ:g}: a spasm rises in less "
                "than half a second",
            )
        xyc[~(xyc[..., 2] >= self.least_confidence)] = np.nan
        even = self._on_even_clock(track.time_s, xyc)
        signal = even.reshape(len(even), -1).T.astype(np.float32)
        segments = tuple(Segment(a / self.rate_hz, signal[:, a:b].copy()) for a, b in self._runs(even))
        return Prepared(self.channels, self.rate_hz, segments, track.duration_s, track.digest)

    def _on_even_clock(self, time_s: np.ndarray, xyc: np.ndarray) -> np.ndarray:
        """(samples, joint, 3): sample k is at k / rate seconds of the recording."""
        clock = np.arange(int(time_s[-1] * self.rate_hz + 1e-6) + 1 if len(time_s) else 0) / self.rate_hz
        even = np.full((len(clock), *xyc.shape[1:]), np.nan)
        for joint in range(xyc.shape[1]):
            seen = np.isfinite(xyc[:, joint]).all(axis=1)
            between = _between(time_s[seen], clock, self.longest_gap_s)
            for part in range(3 if between.any() else 0):
                even[between, joint, part] = np.interp(clock[between], time_s[seen], xyc[seen, joint, part])
        return even

    def _runs(self, even: np.ndarray) -> list[tuple[int, int]]:
        """Where somebody is seen, first and one past the last sample; pauses shorter than `nobody_s` do not part."""
        at = np.flatnonzero(np.isfinite(even[..., 0]).any(axis=1))
        if not len(at):
            return []
        parts = np.split(at, np.flatnonzero(np.diff(at) > self.nobody_s * self.rate_hz) + 1)
        return [(int(part[0]), int(part[-1]) + 1) for part in parts]


def human(track: PoseTrack) -> np.ndarray:
    """(time, joint, 3) of `JOINTS`: across, down, confidence. The neck is between the shoulders where nobody gave it.

    Refuses a track that does not name the seventeen joints of COCO.
    """
    missing = [joint for joint in COCO if joint not in track.joints]
    if missing:
        raise Refusal(
            "montage_missing",
            f"{len(missing)} of the {len(COCO)} joints of a person are not in the track, among them {missing[0]}: "
            "give COCO-17 by its names",
        )
    given = np.concatenate([track.xy, track.confidence[..., None]], axis=2).astype(float)
    given[~track.seen] = np.nan
    xyc = np.full((len(given), len(JOINTS), 3), np.nan)
    for number, joint in enumerate(JOINTS):
        if joint in track.joints:
            xyc[:, number] = given[:, track.joints.index(joint)]
    neck, left, right = (JOINTS.index(name) for name in ("neck", "left_shoulder", "right_shoulder"))
    absent = np.isnan(xyc[:, neck, 0])
    xyc[absent, neck] = _halfway(xyc[absent, left], xyc[absent, right])
    return xyc


def _halfway(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(time, 3): the middle of two joints, no surer than the less sure of them; NaN where one is missing."""
    return np.concatenate([(left[:, :2] + right[:, :2]) / 2, np.minimum(left[:, 2:], right[:, 2:])], axis=1)


def _between(seen_s: np.ndarray, clock: np.ndarray, longest_gap_s: float) -> np.ndarray:
    """Which times of the clock lie on a sight or between two that are close enough."""
    if not len(seen_s):
        return np.zeros(len(clock), dtype=bool)
    after = np.searchsorted(seen_s, clock - 1e-9)
    before = np.searchsorted(seen_s, clock + 1e-9, side="right") - 1
    inside = (after < len(seen_s)) & (before >= 0)
    gap_s = seen_s[np.minimum(after, len(seen_s) - 1)] - seen_s[np.maximum(before, 0)]
    return np.asarray(inside & (gap_s <= longest_gap_s + 1e-9))
