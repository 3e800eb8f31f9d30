"""The page of the documentation about benchmarks, from a run that was made: `python -m tests.benchmarks.kept FILE`.

FILE is the `benchmarks.json` of a full run. The result is kept in docs/benchmarks/run.json, the page and its pictures are made
of it; without FILE they are made anew of what is kept.
"""

import argparse
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.page import (
    NoResult,
    commit,
    counted,
    judged,
    left_out,
    measured,
    ratio_of,
    read_result,
    target_of,
    versions,
    when,
)  # fmt: skip
from tests.benchmarks.plots import chart, overview, steps_chart

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Plot

DOCS = Path(__file__).resolve().parents[2] / "docs"
QUIET_LOAD = 0.5
"""Load at the start up to which a run is called quiet."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.kept", description="The documentation's page of benchmarks."
    )
    parser.add_argument(
        "file", nargs="?", type=Path, help="benchmarks.json of a full run; left out, what is kept already"
    )
    given = parser.parse_args(arguments).file
    try:
        result = read_result(given or run_of(DOCS))
    except NoResult as refused:
        parser.error(str(refused))
    if result["quick"]:
        parser.error(f"{given} is of a quick run, in which nothing is judged: give that of `make bench`")
    run_of(DOCS).parent.mkdir(exist_ok=True)
    if given:
        shutil.copyfile(given, run_of(DOCS))
    for old in run_of(DOCS).parent.glob("*.svg"):
        old.unlink()
    for name, (plot, alt) in pictures(result).items():
        _save(plot, alt, DOCS / name)
    (DOCS / "benchmarks.md").write_text(page(result))
    return 0


def run_of(docs: Path) -> Path:
    return docs / "benchmarks" / "run.json"


def page(result: dict[str, Any]) -> str:
    """Markdown of the page."""
    return "\n\n".join(_parts(result)) + "\n"


def _parts(result: dict[str, Any]) -> Iterator[str]:
    found = counted(result)
    yield "# Speed and scale"
    yield (
        "`make bench` does the same work with Ictal and in the obvious way, in turn on the same data; both must give the same "
        "answer before a time is stated. It writes a page with every figure (`benchmarks.html`) beside its JSON. "
        f"What follows was measured on {when(result)}: **{found[True]} of {found[True] + found[False]} cases met their targets.**"
    )
    yield _table(("", ""), _machine(result).items())
    yield f"{_shown(result, 'overview')}\n\n*Times faster; 1 is as fast. Bars: spread over rounds. Ticks: targets.*"
    rows = [(f"`{case['name']}`", *_told(case), target_of(case) or "none", judged(case)) for case in result["cases"]]
    yield _table(("case", "Ictal's work", "beside", "times faster (spread)", "target", ""), rows)
    yield from _growing(result)
    yield from _demo(result)
    yield from _not_measured(result)
    yield (
        "How steps around training and the ledger grow with files and lines: [when to grow](growth.md). The page is made by "
        "`python -m tests.benchmarks.kept FILE` of a full run's `benchmarks.json`, which is kept beside it."
    )


def _machine(result: dict[str, Any]) -> dict[str, str]:
    machine, load = result["machine"], result["machine"]["load"]
    busy = (
        "" if load <= QUIET_LOAD else ": **other work ran beside it, so wall times are too long and ratios less sure**"
    )
    libraries = ", ".join(f"{name} {version}" for name, version in versions(result).items())
    return {
        "commit": f"`{commit(result)}`",
        "machine": f"{machine['processor']}, {machine['cores']} cores, {machine['memory_mib'] / 1024:.1f} GiB, {machine['system']}",
        "load at the start": f"{load:.1f}, niceness {machine['niceness']}{busy}",
        "versions": libraries,
    }


def _told(case: dict[str, Any]) -> tuple[str, str, str]:
    if not case["sizes"]:
        return case["claim"], "", measured(case)
    return f"{case['claim']}; {case['at']:,g} {case['unit']}", case["alternative"], ratio_of(case)


def _growing(result: dict[str, Any]) -> Iterator[str]:
    growing = _grown(result)
    if growing:
        yield "## How it grows"
        rows = [
            (f"`{c['name']}`", _sizes(c), f"n^{c['growth']['exponent']:.2f}", f"n^{c['growth']['n_log_n']:.2f}")
            for c in growing
        ]
        yield _table(("case", "sizes", "grows as, between the last two", "n·log n would be"), rows)
        yield "\n\n".join(f"`{case['name']}`, seconds:\n\n{_shown(result, case['name'])}" for case in growing)


def _grown(result: dict[str, Any]) -> list[dict[str, Any]]:
    return [case for case in result["cases"] if case["growth"]]


def _sizes(case: dict[str, Any]) -> str:
    sizes = ", ".join(f"{found['size']:,g}" for found in case["sizes"])
    return f"{sizes} {case['unit']}"


def _demo(result: dict[str, Any]) -> Iterator[str]:
    for case in (case for case in result["cases"] if not case["sizes"]):
        yield "## The demo by step"
        yield (
            f"{case['outside_s']:.0f} s outside training and serving, target {target_of(case)}: {judged(case)}. From a demo made on "
            f"{case['made'][:10]} at commit `{case['commit'][:12]}`; sites are compared beside promoting and serving."
        )
        yield _shown(result, case["name"])


def _not_measured(result: dict[str, Any]) -> Iterator[str]:
    for reason, names in left_out(result).items():
        yield f"Left out of this run, {reason}: {', '.join(f'`{name}`' for name in names)}."


def pictures(result: dict[str, Any]) -> "dict[str, tuple[Plot, str]]":
    """Every drawing of the page by its place below docs/, with what is said to those who do not see it."""
    return {_place(name): drawn for name, drawn in _pictures(result).items()}


def _pictures(result: dict[str, Any]) -> "dict[str, tuple[Plot, str]]":
    compared = [case for case in result["cases"] if case["sizes"]]
    made = {"overview": (overview(compared), ALT["overview"])} if compared else {}
    made |= {case["name"]: (chart(case), _alt(case)) for case in _grown(result)}
    return made | {c["name"]: (steps_chart(c), _alt(c)) for c in result["cases"] if not c["sizes"]}


ALT: Mapping[str, str] = {"overview": "How many times faster Ictal is than the obvious way, case by case"}


def _alt(case: dict[str, Any]) -> str:
    return f"{case['name']}: seconds by {case['unit']}" if case["sizes"] else "Seconds of each step of the demo"


def _place(name: str) -> str:
    return f"benchmarks/{name}.svg"


def _shown(result: dict[str, Any], name: str) -> str:
    case = next((case for case in result["cases"] if case["name"] == name), None)
    return f"![{_alt(case) if case else ALT[name]}]({_place(name)})"


def _save(plot: "Plot", alt: str, path: Path) -> None:
    """On white paper, because a page shows it as it is."""
    from validation.drawing import svg_text

    plot.patch.set_alpha(1)
    path.write_text(svg_text(plot, alt) + "\n")


def _table(head: tuple[str, ...], rows: Any) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(
        "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in line) + " |" for line in lines
    )


if __name__ == "__main__":
    raise SystemExit(main())
