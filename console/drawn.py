"""A view of a recording as one picture without script: traces, who said what, the course of a probability, the time."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from console.pages import render
from console.shelf import Reading, Stretch
from console.spelling import clock

WIDTH, LEFT, RIGHT = 1000.0, 110.0, 10.0
ROW, TOP = 26.0, 18.0
LANE, COURSE = 30.0, 60.0


class Bar(NamedTuple):
    """A stretch as it is drawn in a lane, or behind the traces."""

    x: float
    width: float
    text: str


class Lane(NamedTuple):
    """One source: its name and its bars."""

    y: float
    reading: Reading
    bars: list[Bar]


class HasSpan(Protocol):
    """What is asked of a view here."""

    @property
    def start_s(self) -> float:
        """Left edge, in seconds of the recording."""

    @property
    def end_s(self) -> float:
        """Right edge, in seconds of the recording; after `start_s`."""

    @property
    def gain_uv(self) -> float:
        """µV from one row to the next."""


def draw_view(
    view: HasSpan, rows: Sequence[str], columns: np.ndarray, column_s: float, readings: Sequence[Reading]
) -> str:
    """SVG of `columns` (rows, bins, 2) in µV from the view's start, each `column_s` long, and of every reading below."""
    axis = Axis(view.start_s, view.end_s)
    step = (WIDTH - RIGHT - LEFT) * column_s / (view.end_s - view.start_s)
    traces = [_path(c, step, TOP + ROW * (i + 0.5), ROW / view.gain_uv) for i, c in enumerate(columns)]
    below = TOP + ROW * len(rows)
    lanes = [
        Lane(below + LANE * i, r, [axis.bar(s) for s in (*r.silent, *r.stretches) if axis.meets(s)])
        for i, r in enumerate(readings)
    ]
    courses = [r for r in readings if r.trend]
    top_of_course = below + LANE * len(lanes)
    bottom = top_of_course + COURSE * len(courses)
    return render(
        "view.svg",
        view=view,
        rows=list(zip(rows, traces, strict=True)),
        row=ROW,
        top=TOP,
        lanes=lanes,
        behind=[axis.bar(s) for r in readings if r.kind == "label" for s in r.stretches if axis.meets(s)],
        below=below,
        courses=[
            (r, top_of_course + COURSE * i, axis.course(r, top_of_course + COURSE * i)) for i, r in enumerate(courses)
        ],
        ticks=axis.ticks(),
        left=LEFT,
        right=WIDTH - RIGHT,
        width=WIDTH,
        bottom=bottom,
        height=bottom + 28,
    )


class Axis(NamedTuple):
    """Seconds of the recording across the picture."""

    start_s: float
    end_s: float

    def x(self, time_s: float) -> float:
        """Where a time is drawn, in units of the SVG; what lies outside the view is put at its edge."""
        share = (time_s - self.start_s) / (self.end_s - self.start_s)
        return LEFT + (WIDTH - RIGHT - LEFT) * min(max(share, 0.0), 1.0)

    def meets(self, stretch: Stretch) -> bool:
        """Whether any of a stretch is in view; one that only touches an edge is not."""
        return stretch.onset_s < self.end_s and stretch.end_s > self.start_s

    def bar(self, stretch: Stretch) -> Bar:
        """The part of a stretch in view, at least 1.5 units wide; its text ends in the confidence, if there is one."""
        x = self.x(stretch.onset_s)
        sure = "" if stretch.confidence is None else f" {stretch.confidence:.2f}"
        return Bar(x, max(1.5, self.x(stretch.end_s) - x), stretch.text + sure)

    def course(self, reading: Reading, top: float) -> str:
        """The SVG path of a probability (0–1) for each second of the recording: a step each, broken where nothing was
        said (None), less the delay of its trend. `top` is the upper edge of its place, in units of the SVG."""
        drawn, pen = [], "M"
        for second, value in enumerate(reading.trend or ()):
            at_s = second - reading.trend_delay_s
            if value is None or at_s + 1 <= self.start_s or at_s >= self.end_s:
                pen = "M"
                continue
            y = top + COURSE - 8 - (COURSE - 20) * value
            drawn.append(f"{pen}{self.x(at_s):.1f},{y:.1f}H{self.x(at_s + 1):.1f}")
            pen = "L"
        return "".join(drawn)

    def ticks(self) -> list[tuple[float, str]]:
        """Places and times of labels, at multiples of the finest of `TICKS_S` of which at most ten fit the view."""
        step = next((s for s in TICKS_S if (self.end_s - self.start_s) / s <= 10), TICKS_S[-1])
        first = int(-(-self.start_s // step))
        return [(self.x(n * step), clock(n * step)) for n in range(first, int(self.end_s // step) + 1)]


TICKS_S = (1, 2, 5, 10, 30, 60, 300, 600)


def _path(columns: np.ndarray, step: float, middle: float, scale: float) -> str:
    """One row's lowest and highest values as a line; broken where nothing was recorded. Upwards is negative, as in EEG."""
    drawn, pen = [], "M"
    heights = np.clip(middle + columns * scale, middle - 3 * ROW, middle + 3 * ROW)
    for number, (low, high) in enumerate(heights.tolist()):
        if not np.isfinite(low):
            pen = "M"
            continue
        x = LEFT + (number + 0.5) * step
        drawn.append(f"{pen}{x:.1f},{low:.1f}" + (f"L{x:.1f},{high:.1f}" if high != low else ""))
        pen = "L"
    return "".join(drawn)
