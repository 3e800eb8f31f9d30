"""How long an hour of EEG takes to stand in a browser, and to move there: `python -m tests.benchmarks.opening`.

A console with one recording of 19 channels at 256 Hz, Debian's chromium without a window. Told are wall seconds from the
request for the page to the first traces drawn, the processor time of the console in between, and how long a step of the
view takes until it is drawn, at views of 20 s and of 10 minutes. It judges nothing.
"""

import os
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from console.app import create_app, warm
from console.shelf import Recorded, Shelf, Shelved
from lineage.digest import sha256_file
from tests.benchmarks.recordings import edf_of, kept_in
from tests.browsers import CHROMIUM, answering
from tests.consoles import open_desk
from tests.office import open_office

STEPS = 20
STEP = """async (key) => {
  const viewer = document.getElementById("viewer"), before = viewer.dataset.painted, began = performance.now();
  viewer.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  while (viewer.dataset.painted === before) await new Promise(requestAnimationFrame);
  return performance.now() - began;
}"""


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="ictal-opening-") as folder, kept_in(Path(folder)):
        shelved = Shelved("hour", "sub-1_task-eeg", "sub-1", "site", "development", None, ("eeg",), "accepted")
        desk = open_desk(Path(folder), open_office(Path(folder)))
        path = edf_of(60)
        desk.shelves = [Shelf("hour", "detection", (shelved,))]
        desk.recordings = {("hour", shelved.name): Recorded(shelved, path, digests={"eeg": sha256_file(path)})}
        warm()
        with answering(create_app(desk.room(Path(folder)))) as url:
            _tell(f"{url}{shelved.address}")
    return 0


def _tell(address: str) -> None:
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        browser.new_page().goto("about:blank")
        for round_ in range(3):
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            used, began = _cpu_s(), time.perf_counter()
            page.goto(f"{address}?start={600 * round_}")
            page.locator("#viewer[data-painted]").wait_for()
            wall = time.perf_counter() - began
            drawn = page.evaluate("performance.getEntriesByName('ictal-traces')[0].startTime") / 1000
            print(
                f"opened: first traces after {drawn:.2f} s ({wall:.2f} s seen from outside), console {_cpu_s() - used:.2f} s of processor time"
            )
        for seconds in (20, 600):
            page.goto(f"{address}?start=0&seconds={seconds}")
            page.locator("#viewer[data-painted][data-readings]").wait_for()
            _tell_steps(page, seconds)
        browser.close()


def _tell_steps(page: Page, seconds: int) -> None:
    used = _cpu_s()
    steps = [page.evaluate(STEP, "ArrowRight") for _ in range(STEPS)]
    print(
        f"a step of a view of {seconds} s: median {statistics.median(steps):.0f} ms, longest {max(steps):.0f} ms, "
        f"console {1000 * (_cpu_s() - used) / STEPS:.0f} ms of processor time each"
    )


def _cpu_s() -> float:
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime


if __name__ == "__main__":
    sys.exit(main())
