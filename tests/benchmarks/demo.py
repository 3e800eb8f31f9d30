"""The whole demo by step: the seconds that `ictal demo` wrote down, and how many of them neither train nor serve.

The sites are compared beside promoting and serving, so that all steps together are more than the demo took.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.measuring import THREADS

NAME = "demo"
ROOT = Path(__file__).resolve().parents[2]
APART = ("train", "serve")
MOST_S = 120.0
"""What all other steps may take together."""

ABOUT: dict[str, Any] = {
    "name": NAME, "claim": "ictal demo, step by step: time outside training and serving", "alternative": "", "unit": "s",
    "ratio": None, "spread": None, "at": None, "clock": "seconds", "threads": None, "target": {"outside_s": MOST_S},
    "agree": None, "rounds": 1, "rates": None, "sizes": [], "growth": None,
}  # fmt: skip


class NoDemo(Exception):
    """There is no finished demo to read, or it broke."""


def run() -> dict[str, Any]:
    """Of a demo that is run for it and thrown away, with the threads that a user's has."""
    with tempfile.TemporaryDirectory(prefix="ictal-benchmarks-demo-") as folder:
        home = Path(folder) / "home"
        environment = {name: value for name, value in os.environ.items() if name not in THREADS}
        command = [sys.executable, "-c", "import sys; from flows.command import main; sys.exit(main())", "demo"]
        done = subprocess.run(
            command, env=environment | {"ICTAL_HOME": str(home)}, cwd=ROOT, capture_output=True, text=True
        )
        if done.returncode:
            raise NoDemo(f"`ictal demo` ended with {done.returncode}: {done.stderr[-2000:]}")
        return read(home)


def read(home: Path) -> dict[str, Any]:
    """Of a finished demo in this workspace."""
    told, marker = home / "reports" / "demo.json", home / "workspace.json"
    if not (told.is_file() and marker.is_file()):
        raise NoDemo(
            f"{home} holds no finished demo (no reports/demo.json): run `ictal demo` there, or give --demo alone"
        )
    facts, made = json.loads(told.read_text()), json.loads(marker.read_text())
    steps = {step: float(seconds) for step, seconds in facts["seconds"].items()}
    outside_s = sum(seconds for step, seconds in steps.items() if step not in APART)
    return ABOUT | {
        "met": outside_s <= MOST_S,
        "reached": {"outside_s": outside_s},
        "steps": steps,
        "outside_s": outside_s,
        "whole_s": facts.get("whole_s"),
        "made": made["made"],
        "commit": made["checkout"]["commit"],
    }
