"""The drawings of the page of benchmarks, on no paper of their own, so that they can be shown on dark too."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from validation.drawing import BLUE, COLUMN_IN, GREEN, GREY, INK, ORANGE, QUIET, RED, canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Plot

ROW_IN = 0.28
SIDES = (("ours", BLUE, "Ictal"), ("theirs", ORANGE, "the obvious way"))
COLOUR = {True: GREEN, False: RED, None: QUIET}


@contextmanager
def _bare(height: float) -> "Iterator[tuple[Plot, Any]]":
    with canvas(COLUMN_IN, height) as (figure, axes):
        figure.patch.set_alpha(0)
        axes.set_facecolor("none")
        yield figure, axes


def overview(cases: list[dict[str, Any]]) -> "Plot":
    """Ratios with their spread and targets, one row per case."""
    with _bare(0.9 + ROW_IN * len(cases)) as (figure, axes):
        for row, case in enumerate(cases):
            low, high = case["spread"]
            colour = COLOUR[case["met"]]
            axes.plot([low, high], [row, row], color=colour, lw=4, alpha=0.35, solid_capstyle="butt")
            axes.plot(case["ratio"], row, "o", color=colour, ms=5)
            if aimed := _ratio_target(case):
                axes.plot(aimed, row, "|", color=INK, ms=11, mew=1.6)
        axes.axvline(1, color=GREY, lw=1)
        axes.set(xscale="log", xlabel="times faster", ylim=(len(cases) - 0.4, -0.6))
        axes.set_yticks(range(len(cases)), [case["name"] for case in cases])
        _plain(axes.xaxis)
    return figure


def _plain(axis: Any) -> None:
    """1, 2 and 5 of every power of ten, written out."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=9))
    axis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_minor_formatter(NullFormatter())


def _ratio_target(case: dict[str, Any]) -> float | None:
    target: dict[str, float] = case["target"]
    return target.get("ratio", target.get(f"ratio@{case['at']:g}"))


def chart(case: dict[str, Any]) -> "Plot":
    """Time over size where there are sizes, else two bars."""
    return _curves(case) if case["growth"] else _bars(case)


def _curves(case: dict[str, Any]) -> "Plot":
    clock, grows, sizes = case["growth"]["clock"], case["growth"], [found["size"] for found in case["sizes"]]
    with _bare(3.0) as (figure, axes):
        for who, colour, label in SIDES:
            points = [(found["size"], found[who][clock]) for found in case["sizes"] if found[who]]
            slope = f", n^{grows['exponent']:.2f}" if who == "ours" else ""
            axes.plot(*zip(*points, strict=True), "o-", color=colour, label=label + slope)
        start, first = sizes[-2], case["sizes"][-2]["ours"][clock]
        reference = [first, first * (sizes[-1] / start) ** grows["n_log_n"]]
        axes.plot([start, sizes[-1]], reference, "--", color=GREY, lw=1, label="n·log n")
        axes.set(xscale="log", yscale="log", xlabel=case["unit"], ylabel="seconds")
        axes.set_xticks(sizes, [f"{size:,g}" for size in sizes])
        axes.xaxis.minorticks_off()
        _plain(axes.yaxis)
        axes.legend()
    return figure


def _bars(case: dict[str, Any]) -> "Plot":
    found, clock = case["sizes"][-1], case["clock"]
    sides = [(label, found[who][clock], colour) for who, colour, label in SIDES if found[who]]
    with _bare(1.3) as (figure, axes):
        names, seconds, colours = zip(*sides, strict=True)
        _named_bars(axes, names, seconds, list(colours))
        axes.set_xlabel(f"seconds at {found['size']:,g} {case['unit']}")
    return figure


def steps_chart(case: dict[str, Any]) -> "Plot":
    """Seconds of each step of the demo; those that train or serve are grey."""
    from tests.benchmarks.demo import APART

    steps = case["steps"]
    with _bare(0.8 + ROW_IN * len(steps)) as (figure, axes):
        _named_bars(axes, tuple(steps), tuple(steps.values()), [GREY if step in APART else BLUE for step in steps])
        axes.set_xlabel("seconds")
    return figure


def _named_bars(axes: Any, names: tuple[str, ...], seconds: tuple[float, ...], colours: list[str]) -> None:
    drawn = axes.barh(range(len(names)), seconds, color=colours, height=0.62)
    axes.set_yticks(range(len(names)), names)
    axes.bar_label(drawn, [f"{value:.3g}" for value in seconds], padding=3)
    axes.set_xlim(0, max(seconds) * 1.15)
    axes.invert_yaxis()
    axes.grid(False, axis="y")
