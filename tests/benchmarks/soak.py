"""The service under load for a long time: `python -m tests.benchmarks.soak [--minutes 30]`. Memory stays, nothing fails.

Four clients send windows without a pause and one sends a recording every two seconds. Memory is what is resident of the
service and of the processes that it starts, read every second; it is flat where its mean over the last fifth lies within
5 % of that over the fifth behind the first, in which the service still fills its caches.
"""

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import httpx
import numpy as np
import psutil

from tests.benchmarks import sites
from tests.benchmarks.load import closed_loop
from tests.benchmarks.measuring import THREADS
from tests.benchmarks.recordings import edf_of, kept_in

FLAT = 0.05
CLIENTS, AT_ONCE = 4, 200
RECORDING_MIN, EVERY_S = 2, 2.0


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where memory was flat and every request was answered."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.soak", description="Memory and errors over time.")
    parser.add_argument("--minutes", type=float, default=30.0)
    minutes = parser.parse_args(arguments).minutes
    os.environ.update(dict.fromkeys(THREADS, "1"))
    with tempfile.TemporaryDirectory(prefix="ictal-benchmarks-") as folder, kept_in(Path(folder)):
        found = soaked(minutes)
    print(json.dumps(found, indent=1))
    return 0 if found["flat"] and not found["errors"] else 1


def soaked(minutes: float) -> dict[str, object]:
    service = sites.ours("demo")
    until, errors, windows = time.monotonic() + 60 * minutes, list[str](), list[int]()
    recordings = list[float]()
    key = (sites.home_of("demo") / "key.txt").read_text()
    senders = [
        threading.Thread(target=_send_windows, args=(service, until, windows, errors)),
        threading.Thread(target=_send_recordings, args=(service, key, until, recordings, errors)),
    ]
    for sender in senders:
        sender.start()
    memory = []
    while time.monotonic() < until:
        memory.append(resident_mib(service.process.pid))
        time.sleep(min(1.0, 0.2 * minutes))
    for sender in senders:
        sender.join()
    sites.stop(service.process)
    growth = growth_of(memory)
    return {
        "minutes": minutes,
        "windows": sum(windows),
        "recordings": len(recordings),
        "seconds_per_recording": round(float(np.median(recordings)), 3),
        "memory_mib": [round(min(memory), 1), round(max(memory), 1)],
        "growth": round(growth, 4),
        "flat": abs(growth) <= FLAT,
        "errors": errors[:5],
    }


def growth_of(memory: Sequence[float]) -> float:
    """By which share the mean over the last fifth lies above that over the second."""
    second, last = np.array_split(np.asarray(memory), 5)[1::3]
    return float(last.mean() / second.mean() - 1)


def resident_mib(pid: int) -> float:
    """Of a process and those it has started; what they share counts for each."""
    service, found = psutil.Process(pid), 0
    for one in (service, *service.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):  # readers of recordings come and go
            found += one.memory_info().rss
    return found / 2**20


def _send_windows(service: sites.Server, until: float, windows: list[int], errors: list[str]) -> None:
    while time.monotonic() < until and not errors:
        try:
            windows.append(len(closed_loop(service.port, service.request, CLIENTS, AT_ONCE).latencies_s))
        except Exception as error:
            errors.append(f"windows: {error!r}")


def _send_recordings(service: sites.Server, key: str, until: float, recordings: list[float], errors: list[str]) -> None:
    content = edf_of(RECORDING_MIN).read_bytes()
    with httpx.Client(base_url=f"http://127.0.0.1:{service.port}", timeout=120) as client:
        while time.monotonic() < until and not errors:
            started = time.monotonic()
            try:
                said = client.post(
                    "/v1/detect",
                    headers={"Authorization": f"Bearer {key}"},
                    files={"recording": ("recording.edf", content)},
                    data={"age": "3d"},
                )
            except httpx.HTTPError as error:
                errors.append(f"recording: {error!r}")
                return
            recordings.append(time.monotonic() - started)
            if said.status_code != 200 or not said.json()["outcome"].startswith("completed"):
                errors.append(f"recording: {said.status_code} {said.text[:200]}")
            time.sleep(max(0.0, min(EVERY_S, until - time.monotonic()) - (time.monotonic() - started)))


if __name__ == "__main__":
    sys.exit(main())
