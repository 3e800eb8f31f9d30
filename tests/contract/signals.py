"""Small recordings with a known seizure: noise, and a rhythm on two derivations from one second to another."""

import numpy as np

from data.events import Annotations, Event
from data.montage import ELECTRODES
from data.recording import Recording, Segment


def recording(seed: int, duration_s: int = 120, seizure: tuple[float, float] | None = (50.0, 40.0)) -> Recording:
    rng = np.random.default_rng(seed)
    rate = 256
    signal = rng.standard_normal((19, rate * duration_s)).cumsum(axis=1)
    signal -= np.linspace(0, 1, signal.shape[1]) * signal[:, -1:]
    signal = 10 * signal / signal.std(axis=1, keepdims=True) + rng.standard_normal(signal.shape)
    events = ()
    if seizure:
        onset_s, length_s = seizure
        t = np.arange(int(length_s * rate)) / rate
        start = int(onset_s * rate)
        focus = ELECTRODES.index("C3")
        signal[focus, start : start + len(t)] += 60 * np.sign(np.sin(2 * np.pi * 1.5 * t)) * np.minimum(1, t / 2)
        events = (Event(onset_s, length_s),)
    return Recording(
        channels=ELECTRODES,
        rate_hz=float(rate),
        segments=(Segment(0.0, signal.astype(np.float32)),),
        duration_s=float(duration_s),
        digest="0" * 63 + str(seed % 10),
        age_days=3.0,
        annotations=Annotations(events, float(duration_s)),
    )
