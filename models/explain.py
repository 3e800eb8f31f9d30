"""What drove an event, or the name of a stretch: which derivations, joints or cameras, and at which moments. It explains what
the network did, not the patient."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from data.events import Annotations, Event

METHOD = "integrated_gradients"
STEPS = 8
"""Points between nothing and a window at which gradients are taken; with 64 no share of an event was seen to change by 0.02."""
PEAKS = 2
"""Windows of an event that are explained: those with the highest probability."""
MOST_EVENTS = 20
KEPT = 1000
"""Windows that are kept to be explained; a recording that rises above the threshold more often is explained in part."""


@dataclass(frozen=True)
class Drivers:
    """What drove one event, or the name of one stretch: `channels` holds the share of each derivation (joint, camera), all
    together 1, the largest first; so do `bands` of frequency where there are any. `moments` (onset_s, duration_s) are the
    windows that were asked, of a stretch the parts of them that counted most.
    """

    method: str
    channels: tuple[tuple[str, float], ...]
    moments: tuple[tuple[float, float], ...]
    bands: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Attribution:
    """What spoke for a name in one clip, none of it below 0: of each channel and band, and along the clip, which `profile`
    (parts,) cuts into equal ones. Of what a detector cannot tell apart there is nothing. The numbers have no unit: only
    shares of the whole are shown."""

    profile: np.ndarray
    channels: Mapping[str, float] = field(default_factory=dict)
    bands: Mapping[str, float] = field(default_factory=dict)


class Explaining(Protocol):
    """A detector that tells the share of each derivation in what it says of a window of spectra or signal."""

    window_s: float

    def shares(self, x: np.ndarray) -> np.ndarray:
        """x (windows, derivations, …) → (windows, derivations), rows of sum 1, or 0 where nothing spoke for it."""


def integrated_gradients(network: Any, x: np.ndarray, nothing: np.ndarray) -> np.ndarray:
    """How much each derivation raised the logit above that of `nothing`: x (windows, derivations, …) → (windows,
    derivations), rows of sum 1, or 0 where none did (Sundararajan et al. 2017).

    What speaks against a seizure counts as 0. Windows are taken one by one, so that no company changes a share.
    """
    network.eval()
    found = np.zeros(x.shape[:2])
    for at, window in enumerate(x):
        (part,) = attributions(network, window[None], nothing)
        found[at] = np.maximum(part.reshape(len(part), -1).sum(axis=1), 0)
    total = found.sum(axis=1, keepdims=True)
    return np.asarray(found / np.where(total > 0, total, 1))


def attributions(said: Callable[[Any], Any], x: np.ndarray, nothing: np.ndarray) -> np.ndarray:
    """How much each number of x (n, …) raised what is `said` of it (n,) above what is said of `nothing` (…)."""
    import torch
    from captum.attr import IntegratedGradients

    given, baseline = (torch.tensor(part, dtype=torch.float32) for part in (x, nothing[None]))
    found = IntegratedGradients(said).attribute(given, baseline.expand_as(given), n_steps=STEPS)
    return np.asarray(found.detach().numpy().astype(float))


def log_odds(logits: Any, name: int) -> Any:
    """Of one class against all others together: (n, classes) → (n,)."""
    import torch

    others = [at for at in range(logits.shape[1]) if at != name]
    return logits[:, name] - torch.logsumexp(logits[:, others], dim=1)


def in_parts(profile: np.ndarray, parts: int) -> np.ndarray:
    """What spoke for a name along a clip (steps,), summed over parts of equal length (but for one step): (parts,)."""
    return np.array([piece.sum() for piece in np.array_split(profile, parts)])


def drivers_of_clips(clips: Sequence[tuple[float, float, Attribution]]) -> Drivers | None:
    """What drove the name of a stretch, from its clips (onset_s, duration_s, attribution); None where nothing spoke for it.

    Moments are the parts of the clips that counted most; those that touch are one.
    """
    parts = [
        (-value, onset_s + place * lasts_s / len(found.profile), lasts_s / len(found.profile))
        for onset_s, lasts_s, found in clips
        for place, value in enumerate(found.profile)
        if value > 0
    ]
    if not parts:
        return None
    moments: list[tuple[float, float]] = []
    for _, onset_s, lasts_s in sorted(sorted(parts)[:PEAKS], key=lambda part: part[1]):
        if moments and onset_s <= sum(moments[-1]) + 1e-9:
            moments[-1] = moments[-1][0], max(sum(moments[-1]), onset_s + lasts_s) - moments[-1][0]
        else:
            moments.append((onset_s, lasts_s))
    channels, bands = (_together([getattr(found, part) for *_, found in clips]) for part in ("channels", "bands"))
    return Drivers(METHOD, channels, tuple(moments), bands)


def _together(parts: Sequence[Mapping[str, float]]) -> tuple[tuple[str, float], ...]:
    """Shares over several clips, the largest first."""
    names = dict.fromkeys(name for part in parts for name in part)
    found = {name: sum(part.get(name, 0.0) for part in parts) for name in names}
    total = sum(found.values())
    return (
        tuple(sorted(((name, value / total) for name, value in found.items()), key=lambda one: -one[1]))
        if total
        else ()
    )


@dataclass(frozen=True)
class Peak:
    """A window above the threshold, `onset_s` into the recording; `x` is the detector's example, of any shape."""

    probability: float
    onset_s: float
    x: np.ndarray = field(compare=False)


class Peaks:
    """The highest windows of each run above the threshold, kept while a recording goes on."""

    def __init__(self, threshold: float):
        self._threshold = threshold
        self._past: list[Peak] = []
        self._run: list[Peak] = []

    def __call__(self, onset_s: np.ndarray, probability: np.ndarray, x: np.ndarray) -> None:
        """The next windows: onsets (s) and probabilities (windows,), and `x` (windows, …) as the detector reads it."""
        for at in range(len(onset_s)):
            if probability[at] < self._threshold:
                if self._run:
                    self._past, self._run = (self._past + self._run)[:KEPT], []
            elif len(self._run) < PEAKS or probability[at] > self._run[-1].probability:
                self._run = _highest([*self._run, Peak(float(probability[at]), float(onset_s[at]), x[at].copy())])

    def within(self, event: Event, window_s: float) -> list[Peak]:
        """The highest of those that overlap an event, in the order of time."""
        found = [
            p for p in (*self._past, *self._run) if p.onset_s < event.end_s and p.onset_s + window_s > event.onset_s
        ]
        return sorted(_highest(found), key=lambda peak: peak.onset_s)


def _highest(found: Sequence[Peak]) -> list[Peak]:
    """Of equal ones the earlier."""
    return sorted(found, key=lambda peak: (-peak.probability, peak.onset_s))[:PEAKS]


def drivers_of(
    events: Annotations, peaks: Peaks, detector: Explaining, names: Sequence[str]
) -> tuple[Drivers | None, ...]:
    """What drove each event; None where no window is known that did, and behind the first `MOST_EVENTS`."""
    first = [_drivers(peaks.within(event, detector.window_s), detector, names) for event in events.events[:MOST_EVENTS]]
    return (*first, *(None for _ in events.events[MOST_EVENTS:]))


def _drivers(peaks: Sequence[Peak], detector: Explaining, names: Sequence[str]) -> Drivers | None:
    shares = detector.shares(np.stack([peak.x for peak in peaks])) if peaks else np.zeros((1, len(names)))
    mean = shares.mean(axis=0)
    if not mean.sum() > 0:
        return None
    mean = mean / mean.sum()
    channels = tuple((names[k], float(mean[k])) for k in np.argsort(-mean, kind="stable"))
    return Drivers(METHOD, channels, tuple((peak.onset_s, detector.window_s) for peak in peaks))
