"""Run the benchmarks: `python -m tests.benchmarks [--quick] [--json] [--only NAME] [--out FOLDER]`."""

import argparse
import importlib
import json
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.benchmarks.cases import MODULES
from tests.benchmarks.drawing import draw, table
from tests.benchmarks.measuring import THREADS, Disagreement, measure
from tests.benchmarks.recordings import kept_in

ROOT = Path(__file__).resolve().parents[2]
ONE_THREAD = dict.fromkeys(THREADS, "1")


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if every answer agrees and every target is met, 1 otherwise."""
    chosen = _parsed(arguments)
    os.environ.update(ONE_THREAD)  # for the processes that run the cases
    cases = []
    with tempfile.TemporaryDirectory(prefix="ictal-benchmarks-") as recordings, kept_in(Path(recordings), chosen.quick):
        for module in _modules(chosen.only):
            print(f"{module.rsplit('.', 1)[1]} …", file=sys.stderr, flush=True)
            try:
                cases.append(measure(module, chosen.quick))
            except Disagreement as difference:
                print(f"the answers differ, so times mean nothing: {difference}", file=sys.stderr)
                return 1
    result = {"schema": "ictal.benchmarks/1", "quick": chosen.quick, "machine": _machine(), "cases": cases}
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "benchmarks.json").write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")
    draw(cases, chosen.out / "benchmarks.svg")
    print(json.dumps(result, indent=1) if chosen.json else f"{table(cases)}\n\nwritten to {chosen.out}")
    return 1 if any(case["met"] is False for case in cases) else 0


def default_out() -> Path:
    """The workspace's reports; a temporary folder where there is no workspace. Never the checkout."""
    from flows.workspace import MARKER, home  # here, so that the processes that run cases do not load it

    return (home() / "reports" if (home() / MARKER).exists() else Path(tempfile.gettempdir())) / "benchmarks"


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Ictal beside the obvious way.")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one round, in this process, no target judged")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this case (may be repeated)")
    parser.add_argument("--out", type=Path, default=default_out(), help="folder for JSON and picture")
    chosen = parser.parse_args(arguments)
    chosen.out = chosen.out.resolve()
    kept = default_out().parent.resolve()
    if chosen.out.is_relative_to(ROOT) and not (kept.is_relative_to(ROOT) and chosen.out.is_relative_to(kept)):
        parser.error("--out lies inside the checkout, which keeps no results: choose another folder")
    if unknown := set(chosen.only) - {importlib.import_module(m).CASE.name for m in MODULES}:
        parser.error(f"no case is named {', '.join(sorted(unknown))}")
    return chosen


def _modules(only: Sequence[str]) -> list[str]:
    return [m for m in MODULES if not only or importlib.import_module(m).CASE.name in only]


def _machine() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        **{name: version(name) for name in ("numpy", "scipy", "pandas", "torch", "mne", "timescoring", "scikit-learn")},
    }


if __name__ == "__main__":
    sys.exit(main())
