"""Small infants of our own: a body at rest that breathes and fidgets, and spasms in which arms and hips flex at once."""

import numpy as np

from data.events import Annotations, Event
from data.pose import JOINTS, PoseTrack

REST = np.array([
    (0, -1.45), (-.08, -1.5), (.08, -1.5), (-.17, -1.45), (.17, -1.45), (-.35, -1.0), (.35, -1.0), (-.75, -.75),
    (.75, -.75), (-.8, -.3), (.8, -.3), (-.22, 0), (.22, 0), (-.45, .5), (.45, .5), (-.4, 1.0), (.4, 1.0), (0, -1.05),
])  # fmt: skip
"""Trunk lengths, the hips' middle at 0."""
ARMS, LEGS = [7, 8, 9, 10], [13, 14, 15, 16]


def infant(
    seed: int, duration_s: float = 120.0, spasms: int = 6, rate_hz: float = 25.0
) -> tuple[PoseTrack, Annotations]:
    """A track with that many spasms, each in a clip of 5 s of its own, and as many clips of rhythmic waving."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(0, duration_s, 1 / rate_hz)
    reach = np.zeros(len(time_s))
    clips = rng.permutation(int(duration_s // 5))[: 2 * spasms]
    events = []
    for number, clip in enumerate(clips):
        if number < spasms:
            onset_s, duration = 5 * clip + rng.uniform(0.3, 3.0), rng.uniform(0.8, 1.6)
            events.append(Event(float(onset_s), float(duration), "sz_gen_m_spasms"))
            t = (time_s - onset_s) / duration
            reach += np.where((t >= 0) & (t < 1), np.minimum(t / 0.25, (1 - t) / 0.75), 0)
        else:
            inside, hz = (time_s >= 5 * clip) & (time_s < 5 * clip + 5), rng.uniform(0.5, 1.5)
            reach += 0.4 * inside * np.sin(np.pi * hz * (time_s - 5 * clip)) ** 2
    body = np.repeat(REST[None], len(time_s), axis=0) + 0.01 * rng.standard_normal((len(time_s), len(JOINTS), 2))
    body += 0.05 * np.sin(2 * np.pi * (0.3 * time_s[:, None, None] + rng.random((1, len(JOINTS), 2))))
    body[:, ARMS] += reach[:, None, None] * (np.array([0.0, -0.9]) - REST[ARMS]) * 0.8
    body[:, LEGS] += reach[:, None, None] * (np.array([0.0, -0.1]) - REST[LEGS]) * 0.5
    turn, size = rng.uniform(0, 2 * np.pi), rng.uniform(60, 140)
    camera = size * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    xy = body @ camera.T + rng.uniform(200, 400, 2)
    xy[rng.random(xy.shape[:2]) < 0.02] = np.nan
    confidence = np.where(np.isfinite(xy[..., 0]), 0.9, np.nan)
    track = PoseTrack(time_s, xy, confidence, duration_s, digest=f"{seed:064d}", age_days=200.0)
    return track, Annotations(tuple(events), duration_s)
