"""Draws docs/house.svg from the code: the steps of `ictal demo` with the packages that each uses, and who imports whom.

python docs/house.py
"""

import ast
import sys
from functools import cache
from html import escape
from pathlib import Path
from textwrap import wrap

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "house.svg"

QUESTIONS = {
    "lineage": "who vouches for it?",
    "data": "what was recorded?",
    "validation": "may we believe it?",
    "models": "how is a seizure recognised?",
    "serving": "who asked, what did we answer?",
    "monitoring": "is it still true?",
    "console": "what do people look at?",
    "flows": "in which order, on whose authority?",
}
STEPS = {
    "ingest": ("ingest", "EEG, poses and films under DVC"),
    "check": ("check", "checked; broken ones put aside by name"),
    "train": ("train", "patients apart, leaky control beside"),
    "evaluate": ("evaluate", "the honest number, with its interval"),
    "promote": ("approve", "gates, then two people sign"),
    "serve": ("deploy", "answers with receipts"),
    "watch": ("watch", "drift, site by site"),
    "audit": ("audit", "an answer back to raw bytes"),
}
"""Step of the demo → the module of `flows` that does it, and what comes of it."""
COLOURS = ("#5b6770", "#2f6db5", "#b8632c", "#2e8555", "#7a4ea3", "#a3872b", "#b03a5b", "#123a5f")
COLOUR_OF = dict(zip(QUESTIONS, COLOURS, strict=True))

WIDTH, MARGIN, STEP_Y, STEP_H = 1080, 20, 48, 122
ROOMS_Y, ROOM_H, FLOOR_H, GAP = 250, 58, 84, 28
HEIGHT = ROOMS_Y + 6 * FLOOR_H
SHARED = {"numpy", "pandas", "scipy", "yaml", "pydantic", "rich"}
"""Libraries that every package may use."""


def picture() -> str:
    """The whole drawing as SVG."""
    parts = [*_steps(), *_rooms()]
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    face = 'font-family="system-ui, Helvetica, Arial, sans-serif"'
    told = "The steps of the demo with the packages that each uses, and which package imports which"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {face} role="img" aria-label="{told}">\n'
        '<defs><marker id="to" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="#8a949c"/></marker></defs>\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


@cache
def packages_of(path: Path, among: str = "") -> frozenset[str]:
    """The packages that a module imports; through modules of the package `among`, also what those import."""
    found: set[str] = set()
    for module in _imported(path):
        package = module.split(".")[0]
        if package in QUESTIONS:
            found.add(package)
        inner = ROOT / (module.replace(".", "/") + ".py")
        if among and package == among and inner.exists() and inner != path and ".stages." in module:
            found |= packages_of(inner)
    return frozenset(found)


@cache
def _imported(path: Path) -> tuple[str, ...]:
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(names)


def used_by(step: str) -> frozenset[str]:
    """The packages behind a step: those of its module in `flows`, and of the stages that bear its name."""
    module, _ = STEPS[step]
    files = [ROOT / "flows" / f"{module}.py", *(ROOT / "flows" / "stages").glob(f"{module}*.py")]
    return frozenset[str]().union(*(packages_of(file, "flows") for file in files)) - {"flows"}


def imports() -> dict[str, frozenset[str]]:
    """Of every package those that any of its modules imports."""
    return {
        package: frozenset[str]().union(*(packages_of(p) for p in (ROOT / package).rglob("*.py"))) - {package}
        for package in QUESTIONS
    }


def drawn(graph: dict[str, frozenset[str]]) -> list[tuple[str, str]]:
    """Who imports whom, without what follows from others."""
    return [
        (package, wanted)
        for package, all_of in graph.items()
        for wanted in sorted(all_of)
        if not any(wanted in graph[other] for other in all_of)
    ]


def floors(graph: dict[str, frozenset[str]]) -> dict[str, int]:
    """How many imports lie below each package."""
    height: dict[str, int] = {}
    while len(height) < len(graph):
        for package, wanted in graph.items():
            if package not in height and wanted <= height.keys():
                height[package] = 1 + max((height[w] for w in wanted), default=-1)
    return height


def tools() -> dict[str, list[str]]:
    """The libraries that one package alone imports: it is their home."""
    users: dict[str, set[str]] = {}
    for package in QUESTIONS:
        for path in (ROOT / package).rglob("*.py"):
            for module in _imported(path):
                users.setdefault(module.split(".")[0], set()).add(package)
    known = {*sys.stdlib_module_names, *QUESTIONS, *SHARED}
    return {
        package: sorted((name for name, own in users.items() if own == {package} and name not in known), key=str.lower)
        for package in QUESTIONS
    }


def _steps() -> list[str]:
    parts = [_title(30, "What happens", "the steps of `ictal demo`; a square: a package that works there")]
    wide = (WIDTH - 2 * MARGIN - 7 * 14) / len(STEPS)
    for number, (step, (_, told)) in enumerate(STEPS.items()):
        x = MARGIN + number * (wide + 14)
        parts.append(f'<rect x="{x:.1f}" y="{STEP_Y}" width="{wide:.1f}" height="{STEP_H}" rx="6" fill="#f2f5f7"/>')
        parts.append(_text(x + 10, STEP_Y + 24, step, 15, "#16202a", bold=True))
        for line, words in enumerate(wrap(told, 16)):
            parts.append(_text(x + 10, STEP_Y + 44 + 16 * line, words, 12, "#3b4852"))
        for place, package in enumerate(p for p in QUESTIONS if p in used_by(step)):
            parts.append(
                f'<rect x="{x + 10 + 15 * place:.1f}" y="{STEP_Y + STEP_H - 20}" width="11" height="11" rx="2" '
                f'fill="{COLOUR_OF[package]}"><title>{package}</title></rect>'
            )
        if number:
            parts.append(_line(x - 13, STEP_Y + STEP_H / 2, x - 2, STEP_Y + STEP_H / 2))
    return parts


def _rooms() -> list[str]:
    graph, homes = imports(), tools()
    place = _places(floors(graph))
    parts = [
        _title(ROOMS_Y - 30, "Who may lean on whom", "an arrow: imports; what follows from other arrows is left out")
    ]
    for one, other in drawn(graph):
        (x1, y1, wide1), (x2, y2, wide2) = place[one], place[other]
        start, end = _overlap(x1, wide1, x2, wide2)
        is_parted = any(y == y2 - FLOOR_H and wide < WIDTH / 2 for _, y, wide in place.values())
        if y2 - y1 > FLOOR_H and is_parted and wide2 < WIDTH / 2:  # between the rooms of the floor that lies between
            start, end = WIDTH / 2, x2 + wide2 - 20 if x2 == MARGIN else x2 + 20
            parts.append(_stroke(start, y1 + ROOM_H, start, y2 - FLOOR_H + ROOM_H))
            y1 = y2 - FLOOR_H
        parts.append(_line(start, y1 + ROOM_H, end, y2 - 2))
    for package, (x, y, wide) in place.items():
        parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{ROOM_H}" rx="6" fill="{COLOUR_OF[package]}"/>'
        )
        parts.append(_text(x + 14, y + 25, f"{package}/", 16, "#ffffff", bold=True))
        parts.append(_text(x + 14, y + 45, QUESTIONS[package], 12, "#ffffff"))
        for line, words in enumerate(wrap(f"home of {', '.join(homes[package])}", round(wide / 6.6) - 40)):
            parts.append(_text(x + 232, y + 18 + 16 * line, words, 11.5, "#ffffff"))
    return parts


def _leans_to(package: str, place: dict[str, tuple[float, float, float]]) -> float:
    """Left or right: the middle of the rooms below that are reached from here directly."""
    below = [place[other] for one, other in drawn(imports()) if one == package and other in place]
    return sum(x + wide / 2 for x, _, wide in below) / max(1, len(below))


def _places(height: dict[str, int]) -> dict[str, tuple[float, float, float]]:
    """Left edge, top and width of each room: floor above floor, those of one floor side by side."""
    place: dict[str, tuple[float, float, float]] = {}
    for floor in range(max(height.values()) + 1):
        rooms = sorted((p for p in height if height[p] == floor), key=lambda p: _leans_to(p, place))
        wide = (WIDTH - 2 * MARGIN - GAP * (len(rooms) - 1)) / len(rooms)
        y = ROOMS_Y + (max(height.values()) - floor) * FLOOR_H
        for number, package in enumerate(rooms):
            place[package] = (MARGIN + number * (wide + GAP), y, wide)
    return place


def _title(y: float, words: str, more: str) -> str:
    said = f'{escape(words)}<tspan dx="14" font-size="13" font-weight="400" fill="#5b6770">{escape(more)}</tspan>'
    return f'<text x="{MARGIN}" y="{y}" font-size="17" font-weight="600" fill="#16202a">{said}</text>'


def _overlap(x1: float, wide1: float, x2: float, wide2: float) -> tuple[float, float]:
    """Where an arrow leaves the upper room and enters the lower one: straight down if anything of both is above the other."""
    left, right = max(x1, x2), min(x1 + wide1, x2 + wide2)
    return ((left + right) / 2,) * 2 if right > left else (x1 + wide1 / 2, x2 + wide2 / 2)


def _stroke(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#8a949c" stroke-width="1.6"/>'


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return _stroke(x1, y1, x2, y2).replace("/>", ' marker-end="url(#to)"/>')


def _text(x: float, y: float, words: str, size: float, colour: str, bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}"{weight}>{escape(words)}</text>'


if __name__ == "__main__":
    PICTURE.write_text(picture())
