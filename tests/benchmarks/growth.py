"""How long the steps around training take as a cohort grows: tiny recordings of noise, each step's seconds, as a table.

python -m tests.benchmarks.growth [10 100 1000 10000]

Whether a model can be trained on them is not asked: training grows with hours of EEG, these steps with files.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks.measuring import growth

SIZES = (10, 100, 1000, 10_000)
SECONDS, RATE_HZ = 61, 128.0
LEAST_S = 2000
"""Of all recordings together: the checks want half an hour."""

SITES = ("north", "south", "east")
COHORT = "growing"


def main(sizes: list[int]) -> None:
    print("| recordings | MB | " + " | ".join(STEPS) + " | ledger lines |")
    print("|" + "---|" * (len(STEPS) + 3))
    taken: dict[str, list[tuple[float, float]]] = {step: [] for step in STEPS}
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="ictal-growth-") as folder:
            command = [sys.executable, "-m", __spec__.name, "measure", folder, str(size)]
            done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ))
        if done.returncode:
            raise RuntimeError(done.stderr[-3000:])
        found = json.loads(done.stdout.splitlines()[-1])
        steps = " | ".join(f"{found['cpu_s'][step]:.1f} ({found['wall_s'][step]:.1f})" for step in STEPS)
        for step in STEPS:
            taken[step].append((size, found["cpu_s"][step]))
        print(f"| {size} | {found['mb']:.0f} | {steps} | {found['lines']} |", flush=True)

    print(f"\n{slopes(taken)}")


def table_of_acts(counted: str, sizes: Sequence[int], measure: Callable[[Path, int], dict[str, float]]) -> None:
    """Print the milliseconds of each act by size, as soon as they are measured in a folder of their own, and the slopes."""
    taken: dict[str, list[tuple[float, float]]] = {}
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="ictal-growth-") as folder:
            found = measure(Path(folder), size)
        if not taken:
            print(f"| {counted} | {' | '.join(found)} |\n|{'---|' * (len(found) + 1)}")
        print(f"| {size:,} | {' | '.join(f'{1000 * seconds:,.2f}' for seconds in found.values())} |", flush=True)
        for what, seconds in found.items():
            taken.setdefault(what, []).append((size, seconds))
    print(f"\n{slopes(taken)}")


def slopes(taken: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """A sentence: the exponent with which each step grows between the two largest sizes, and that of n·log n."""
    found = {step: growth(points) for step, points in taken.items()}
    if not all(found.values()):
        return "One size has no slope: give two or more."
    told = ", ".join(f"{step} n^{one['exponent']:.2f}" for step, one in found.items() if one)
    return f"Between the last two sizes: {told}; n·log n would be n^{next(iter(found.values()))['n_log_n']:.2f}."


STEPS = ("dvc add", "ingest", "check", "split", "record", "verify", "drift")
"""As `ictal cohort import`, `check`, `train`, `audit verify` and `drift` take them, without any detector."""


def measure(home: str, size: int) -> dict[str, Any]:
    """CPU and wall seconds of each step, in a process that has done nothing before."""
    from data.processes import begin_alone

    begin_alone()
    from flows import records
    from flows.params import set_params
    from flows.stages import run
    from flows.workspace import dvc, make_workspace

    workspace = make_workspace(Path(home) / "home", "demo")
    set_params(workspace.root / "params.yaml", {"cohort.name": COHORT, "split.folds": 2, "split.leaky_folds": 2})
    _write_cohort(workspace.cohort, size)
    megabytes = sum(f.stat().st_size for f in workspace.cohort.rglob("*.edf")) / 1e6
    cpu_s: dict[str, float] = {}
    wall_s: dict[str, float] = {}

    def step(name: str, act: Callable[[], Any]) -> None:
        cpu, wall = _cpu_s(), time.perf_counter()
        act()
        cpu_s[name], wall_s[name] = _cpu_s() - cpu, time.perf_counter() - wall

    def record() -> None:
        records.record_checks(workspace)
        records.record_split(workspace)

    ledger = records.open_ledger(workspace)
    with _quiet():
        step("dvc add", lambda: dvc(workspace, "add", "-q", f"data/raw/{COHORT}"))
        step("ingest", lambda: records.record_cohort(workspace))
        step("check", lambda: run("check", workspace, "detection"))
        step("split", lambda: run("split", workspace, "detection"))
        step("record", record)
        step("verify", ledger.verify)
        step("drift", lambda: _compare(size))
    return {"mb": megabytes, "cpu_s": cpu_s, "wall_s": wall_s, "lines": len(ledger.entries())}


def _write_cohort(root: Path, size: int) -> None:
    """One recording of each of `size` newborns, as any BIDS cohort lies on disk."""
    import numpy as np

    from data.events import Annotations, Event
    from data.montage import ELECTRODES
    from data.readers.bids import write_events
    from data.readers.edf_writer import write_edf

    seconds = max(SECONDS, LEAST_S // size)
    root.mkdir(parents=True)
    (root / "dataset_description.json").write_text(json.dumps({"Name": COHORT, "BIDSVersion": "1.9.0"}))
    rows = ["participant_id\tage\tsex\tsite\tperson\tperiod"]
    for number in range(size):
        patient = f"sub-{number:05d}"
        rows.append(f"{patient}\t0.01\tF\t{SITES[number % 3]}\tp{number:05d}\tdevelopment")
        folder = root / patient / "eeg"
        folder.mkdir(parents=True)
        rng = np.random.default_rng(number)
        signal = np.cumsum(rng.normal(0, 3, (19, int(seconds * RATE_HZ))), axis=1)
        signal -= signal.mean(axis=1, keepdims=True)
        write_edf(folder / f"{patient}_task-eeg_run-01_eeg.edf", signal.clip(-400, 400), ELECTRODES, RATE_HZ)
        events = Annotations((Event(20.0, 15.0),) if number % 2 else (), float(seconds))
        write_events(folder / f"{patient}_task-eeg_run-01_events.tsv", events)
    (root / "participants.tsv").write_text("\n".join(rows) + "\n")


def _compare(size: int) -> None:
    """As many patients before as there are recordings, and a tenth of them (12 a site, at least) later."""
    import numpy as np
    import pandas as pd

    from flows.watch import SIGNAL
    from monitoring.drift import DriftSettings, compare_sites

    rng = np.random.default_rng(0)

    def table(patients: int) -> pd.DataFrame:
        made = pd.DataFrame(rng.normal(size=(patients, len(SIGNAL))), columns=list(SIGNAL))
        return made.assign(
            patient=[f"p{rng.integers(1 << 60)}" for _ in range(patients)], site=[SITES[i % 3] for i in range(patients)]
        )

    compare_sites(table(max(size, 36)), table(max(size // 10, 36)), DriftSettings(features=SIGNAL), rng, "later")


@contextmanager
def _quiet() -> Iterator[None]:
    from contextlib import redirect_stderr
    from io import StringIO

    with redirect_stderr(StringIO()):
        yield


def _cpu_s() -> float:
    """Of this process and all that it started, those that ended and those that go on."""
    import psutil

    here = psutil.Process()
    return sum(sum(process.cpu_times()[:4]) for process in [here, *here.children(recursive=True)])


if __name__ == "__main__":
    if sys.argv[1:2] == ["measure"]:
        print(json.dumps(measure(sys.argv[2], int(sys.argv[3]))))
    else:
        main([int(size) for size in sys.argv[1:]] or list(SIZES))
