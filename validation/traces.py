"""A stretch of EEG as a reader knows it: channels one below the other, what experts marked, what the detector said."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from validation.drawing import BLUE, INK, ORANGE, QUIET, canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Spans = Sequence[tuple[float, float]]
"""(start, end) in seconds from the recording's start."""

POINTS_PER_TRACE = 1600

WIDTH_IN = 6.4
STRETCH = 1.5
"""Drawn narrow enough for the letters to be read on a phone, and shown larger where there is room."""


@dataclass(frozen=True)
class Excerpt:
    """Some seconds of one recording to be shown.

    `signal` (channels, samples) in µV at `rate_hz`, beginning `onset_s` after the recording's start; `trend` one
    probability per second over the same stretch (NaN where not assessable); `reference` and `hypothesis` are the
    spans marked and detected, in seconds of the recording. `kind` and `title` say why it is shown.
    """

    title: str
    channels: tuple[str, ...]
    signal: np.ndarray
    rate_hz: float
    onset_s: float
    trend: np.ndarray
    reference: Spans
    hypothesis: Spans
    threshold: float | None = None
    kind: str = ""

    @property
    def end_s(self) -> float:
        """Seconds of the recording at which the signal ends."""
        return self.onset_s + self.signal.shape[1] / self.rate_hz


def draw_excerpt(excerpt: Excerpt) -> "Figure":
    """Stacked traces with marked and detected spans, and the probability below on the same time axis."""
    height = 1.8 + 0.19 * len(excerpt.channels)
    with canvas(WIDTH_IN, height, nrows=2, sharex=True, height_ratios=[0.22 * len(excerpt.channels) + 0.4, 1]) as drawn:
        figure, (traces, trend) = drawn
        _traces(traces, excerpt)
        _trend(trend, excerpt)
        trend.set_xlim(excerpt.onset_s, excerpt.end_s)
        trend.set_xlabel("seconds from the start of the recording")
        figure.legend(*traces.get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return figure


def scale_uv(signal: np.ndarray) -> float:
    """Distance between traces: a round number of µV, 20 to 5000, that most of (channels, samples) stays inside."""
    known = signal[np.isfinite(signal)]
    spread = 2.5 * float(np.percentile(np.abs(known), 95)) if len(known) else 0.0
    steps = np.array([20, 50, 100, 200, 500, 1000, 2000, 5000])
    return float(steps[np.searchsorted(steps, spread).clip(0, len(steps) - 1)])


def thinned(signal: np.ndarray, points: int = POINTS_PER_TRACE) -> tuple[np.ndarray, np.ndarray]:
    """Sample positions and values that look like `signal` (samples,) drawn whole: lowest and highest of each piece.

    Thinning by leaving samples out would hide spikes.
    """
    size = max(1, -(-2 * len(signal) // points))
    if size <= 2:
        return np.arange(len(signal)), signal
    pieces = signal[: len(signal) // size * size].reshape(-1, size)
    filled = np.where(np.isfinite(pieces), pieces, 0.0)
    at = np.sort(np.stack([filled.argmin(axis=1), filled.argmax(axis=1)], axis=1), axis=1)
    positions = (np.arange(len(pieces))[:, None] * size + at).ravel()
    return positions, signal[positions]


def _traces(axes: "Axes", excerpt: Excerpt) -> None:
    step = scale_uv(excerpt.signal)
    places = -step * np.arange(len(excerpt.channels))
    for place, row in zip(places, excerpt.signal, strict=True):
        at, values = thinned(row)
        # drawn as an image inside the SVG: a thousand points per channel would make a page of megabytes
        axes.plot(
            excerpt.onset_s + at / excerpt.rate_hz,
            place + np.clip(values, -1.5 * step, 1.5 * step),
            color=INK,
            lw=0.5,
            rasterized=True,
        )
    _shade(axes, excerpt.reference, excerpt, ORANGE, "marked by experts", 0.0, 1.0)
    _shade(axes, excerpt.hypothesis, excerpt, BLUE, "detected", 0.985, 1.0)
    axes.set_yticks(places, excerpt.channels, fontsize=8)
    axes.set_ylim(places[-1] - step, step)
    axes.grid(axis="y", visible=False)
    axes.text(
        1.005,
        0.5,
        f"{step:g} µV between traces",
        transform=axes.transAxes,
        rotation=90,
        va="center",
        color=QUIET,
        fontsize=8,
    )


def _trend(axes: "Axes", excerpt: Excerpt) -> None:
    seconds = excerpt.onset_s + np.arange(len(excerpt.trend)) + 0.5
    axes.plot(seconds, excerpt.trend, color=BLUE, lw=1.2)
    _shade(axes, excerpt.reference, excerpt, ORANGE, "", 0.0, 1.0)
    if excerpt.threshold is not None:
        axes.axhline(excerpt.threshold, color=QUIET, lw=0.8, ls="--")
    axes.set_ylim(-0.02, 1.02)
    axes.set_yticks([0, 0.5, 1])
    axes.set_ylabel("probability")


def _shade(axes: "Axes", spans: Spans, excerpt: Excerpt, color: str, label: str, low: float, high: float) -> None:
    inside = [(max(a, excerpt.onset_s), min(b, excerpt.end_s)) for a, b in spans]
    strong = low > 0
    for n, (start, end) in enumerate((a, b) for a, b in inside if b > a):
        axes.axvspan(
            start, end, low, high, color=color, alpha=1.0 if strong else 0.18, lw=0, label=label if n == 0 else ""
        )
