"""How Ictal draws: one quiet style for all charts, colours that colour-blind readers can tell apart, same bytes always."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from markupsafe import escape

from lineage.digest import sha256_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, QUIET, GRID = "#1d2733", "#5a6673", "#d9dee4"
BLUE, ORANGE, GREEN, RED, PURPLE, SKY, BROWN, GREY = (
    "#0b5c9e", "#c05a00", "#00775a", "#b3261e", "#7b4397", "#2f8fc4", "#7a5230", "#6b7683",
)  # fmt: skip
SERIES = (BLUE, ORANGE, GREEN, PURPLE, BROWN, SKY, RED, GREY)
"""Line and site colours, in order of use (after Okabe & Ito, darkened to a contrast of 3:1 or more on white)."""

_STYLE: Any = {
    "font.family": ["DejaVu Sans"], "font.size": 9, "axes.titlesize": 10, "axes.titleweight": "bold",
    "axes.titlelocation": "left", "axes.edgecolor": QUIET, "axes.labelcolor": INK, "text.color": INK,
    "xtick.color": QUIET, "ytick.color": QUIET, "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "axes.axisbelow": True, "grid.color": GRID, "grid.linewidth": 0.6, "legend.frameon": False,
    "legend.fontsize": 8.5, "svg.fonttype": "none", "svg.hashsalt": "ictal", "lines.linewidth": 1.6,
}  # fmt: skip
COLUMN_IN, COLUMN_STRETCH = 5.4, 1.2
"""Width of a chart, in inches, whose letters can still be read where it fills the screen of a phone; and how much larger
it is shown where there is room."""

WIDE_PX = 520
"""Drawings wider than this by nature keep their letters readable on a phone by being pushed sideways."""

_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


@contextmanager
def canvas(width: float = 8.0, height: float = 3.4, **grid: Any) -> "Iterator[tuple[Figure, Any]]":
    """A figure of `width` × `height` inches and its axes (`grid` as for `Figure.subplots`), in the house style.

    Draw inside the `with`; no global state of Matplotlib outlives it.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, figure.subplots(**grid)


def svg_text(figure: "Figure", alt: str, stretch: float = 1.0) -> str:
    """The figure as an `<svg>` element without prolog, dates or loose ids, described by `alt`.

    It is shown at most `stretch` times its own size.
    """
    import matplotlib as mpl

    buffer = io.StringIO()
    with mpl.rc_context(_STYLE):
        if engine := figure.get_layout_engine():  # saving would draw everything a first time to have it laid out
            engine.execute(figure)
            figure.set_layout_engine("none")
        figure.savefig(buffer, format="svg", metadata=_NO_METADATA)
    return _described(_own_ids(_only_svg(buffer.getvalue())), alt, stretch)


def _only_svg(text: str) -> str:
    body = text[text.index("<svg") :]
    body = re.sub(r"\s*<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    # the house sheet sets these two; a style element inside the page would reach beyond its drawing
    return re.sub(r"\s*<style type=\"text/css\">.*?</style>", "", body, flags=re.DOTALL)


def _own_ids(svg: str) -> str:
    """Keep the ids that the drawing refers to, under a prefix of its own; drop the rest, which collide on a page."""
    prefix = "f" + sha256_bytes(svg.encode())[:8]
    used = set(re.findall(r"(?:url\(#|href=\"#)([^\")]+)", svg))

    def renamed(match: re.Match[str]) -> str:
        return f' id="{prefix}-{match[1]}"' if match[1] in used else ""

    svg = re.sub(r'\sid="([^"]+)"', renamed, svg)
    return re.sub(r'(url\(#|href="#)([^")]+)', rf"\g<1>{prefix}-\g<2>", svg)


def _described(svg: str, alt: str, stretch: float) -> str:
    tag = svg[: svg.index(">")]
    width, height = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', tag).groups()  # type: ignore[union-attr]
    natural_px = float(width) * 4 / 3
    least = ";min-width:34rem" if natural_px > WIDE_PX else ""
    head = (
        f'<svg role="img" aria-label="{escape(alt)}" viewBox="0 0 {width} {height}" '
        f'style="max-width:{natural_px * stretch:.0f}px{least}" '
        'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    )
    return head + svg[svg.index(">") :].strip()
