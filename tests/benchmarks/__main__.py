"""Run the benchmarks: `python -m tests.benchmarks [--quick] [--json] [--only NAME] [--demo [FOLDER]] [--out FOLDER]`.

`--page FILE` makes picture and page anew of what was measured before.
"""

import argparse
import importlib
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks import demo
from tests.benchmarks.cases import MODULES
from tests.benchmarks.drawing import draw, table
from tests.benchmarks.machine import described
from tests.benchmarks.measuring import THREADS, Disagreement, measure
from tests.benchmarks.page import SCHEMA, NoResult, bench_page, read_result
from tests.benchmarks.recordings import kept_in
from validation.pages import write_page

ROOT = Path(__file__).resolve().parents[2]
NOT_REACHED, NOT_ASKED = "not reached: the run ended before", "not asked for (--only)"
NO_QUICK_DEMO = "a quick run makes no demo"
NO_DEMO = "not asked for: --demo runs it, --demo FOLDER reads a finished one"
ONE_THREAD = dict.fromkeys(THREADS, "1")


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if every answer agrees and every target is met, 1 otherwise."""
    chosen = _parsed(arguments)
    if chosen.result:
        return _show(chosen.result, chosen.page.parent, chosen.json)
    os.environ.update(ONE_THREAD)  # for the processes that run the cases
    result = {"schema": SCHEMA, **described(), "quick": chosen.quick, "cases": [], "skipped": _left_out(chosen)}
    with tempfile.TemporaryDirectory(prefix="ictal-benchmarks-") as recordings, kept_in(Path(recordings), chosen.quick):
        for module in _modules(chosen.only):
            _say(module.rsplit(".", 1)[1])
            try:
                _keep(measure(module, chosen.quick), result, chosen.out)
            except Disagreement as difference:
                print(f"the answers differ, so times mean nothing: {difference}", file=sys.stderr)
                return 1
    if _wants_demo(chosen):
        _say(demo.NAME)
        try:
            _keep(chosen.finished or demo.run(), result, chosen.out)
        except demo.NoDemo as broken:
            print(broken, file=sys.stderr)
            return 1
    return _show(result, chosen.out, chosen.json)


def _keep(case: dict[str, Any], result: dict[str, Any], out: Path) -> None:
    """Add a case to the result on disk: what was measured outlives a run that is broken off."""
    result["cases"].append(case)
    result["skipped"] = [skipped for skipped in result["skipped"] if skipped["name"] != case["name"]]
    out.mkdir(parents=True, exist_ok=True)
    (out / "benchmarks.json").write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")


def default_out() -> Path:
    """The workspace's reports; a temporary folder where there is no workspace. Never the checkout."""
    from flows.workspace import MARKER, home  # here, so that the processes that run cases do not load it

    return (home() / "reports" if (home() / MARKER).exists() else Path(tempfile.gettempdir())) / "benchmarks"


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Ictal beside the obvious way.")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one round, in this process, no target judged")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this case (may be repeated)")
    parser.add_argument(
        "--demo",
        nargs="?",
        type=Path,
        const=Path(),
        metavar="FOLDER",
        help="also `ictal demo`, or a workspace with one",
    )
    parser.add_argument("--page", type=Path, metavar="FILE", help="measure nothing: picture and page anew of this JSON")
    parser.add_argument("--out", type=Path, default=default_out(), help="folder for JSON, picture and page")
    chosen = parser.parse_args(arguments)
    chosen.out = chosen.out.resolve()
    kept = default_out().parent.resolve()
    if chosen.out.is_relative_to(ROOT) and not (kept.is_relative_to(ROOT) and chosen.out.is_relative_to(kept)):
        parser.error("--out lies inside the checkout, which keeps no results: choose another folder")
    if unknown := set(chosen.only) - set(_names()):
        parser.error(f"no case is named {', '.join(sorted(unknown))}")
    try:
        chosen.result = read_result(chosen.page) if chosen.page else None
        chosen.finished = demo.read(chosen.demo) if chosen.demo not in (None, Path()) else None
    except (demo.NoDemo, NoResult) as refused:
        parser.error(str(refused))
    return chosen


def _names() -> list[str]:
    return [importlib.import_module(module).CASE.name for module in MODULES]


def _modules(only: Sequence[str]) -> list[str]:
    return [m for m in MODULES if not only or importlib.import_module(m).CASE.name in only]


def _left_out(chosen: argparse.Namespace) -> list[dict[str, str]]:
    """Every case with the reason why it is not there, until it is."""
    reasons = {name: NOT_REACHED if not chosen.only or name in chosen.only else NOT_ASKED for name in _names()}
    reasons[demo.NAME] = NOT_REACHED if _wants_demo(chosen) else NO_QUICK_DEMO if chosen.quick else NO_DEMO
    return [{"name": name, "reason": reason} for name, reason in reasons.items()]


def _wants_demo(chosen: argparse.Namespace) -> bool:
    return chosen.demo is not None and not chosen.quick


def _show(result: dict[str, Any], folder: Path, as_json: bool) -> int:
    """Picture and page beside the JSON, and what is in it told; the exit status."""
    draw([case for case in result["cases"] if case["sizes"]], folder / "benchmarks.svg")
    write_page(folder / "benchmarks.html", bench_page(result))
    print(json.dumps(result, indent=1) if as_json else f"{table(result['cases'])}\n\nwritten to {folder}")
    return 1 if any(case["met"] is False for case in result["cases"]) else 0


def _say(name: str) -> None:
    print(f"{name} …", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
