"""The second process says bit by bit what would be said in place; where it is not there, or falls, nobody notices."""

import asyncio
import json
import logging
import os
import signal
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import psutil
import pytest

from data.montage import ELECTRODES
from data.outcomes import Refusal
from models.together import judge_together
from serving import second_core
from serving.auth import issue_key, open_keys
from serving.desk import Desk
from serving.limits import Limits
from serving.loader import Loaded, Loader
from serving.second_core import SecondCore
from serving.service import create_app
from tests.served import NOW, RATE_HZ, people_and_keys, put_in_force
from tests.services import TestClient, served_home
from tests.test_windows_route import ask
from tests.test_windows_route import described as as_headers

Made = TypeVar("Made")
UNTIL_S = 180.0
"""So long is waited for what takes seconds on a machine that has nothing else to do."""
RNG = np.random.default_rng(4)
STRETCHES = [RNG.normal(0, size, (19, 512)).astype(np.float32) for size in (5, 10, 40, 0)]
"""The last one is flat: it is refused."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return served_home(tmp_path_factory.mktemp("second"))


@pytest.fixture
def core(home: Path) -> SecondCore:
    loader = Loader(home, allow_demo=True)
    loader.for_site("demo-north", NOW)
    return SecondCore(home, lambda: loader.loaded, cores=2)


def loaded_in(core: SecondCore) -> Loaded:
    found = core._in_force()
    assert found is not None
    return found


async def judged(core: SecondCore, stretches: Sequence[np.ndarray] = STRETCHES) -> list[Any]:
    return described(await core.judge(loaded_in(core).detection, stretches, ELECTRODES, RATE_HZ))


def described(found: Sequence[Any]) -> list[Any]:
    return [
        (one.code, one.reason) if isinstance(one, Refusal) else (one.onset_s.tolist(), one.probability.tobytes())
        for one in found
    ]


def in_place(core: SecondCore, stretches: Sequence[np.ndarray] = STRETCHES) -> list[Any]:
    return described(judge_together(loaded_in(core).detection, stretches, ELECTRODES, RATE_HZ))


async def until_it_takes_part(core: SecondCore) -> int:
    """Its process id; asks until what is judged is judged there."""
    within = time.monotonic() + UNTIL_S
    while time.monotonic() < within:
        await judged(core)
        core.keep_up()
        second = core._second
        if second and second.is_ready_for(loaded_in(core).detection):
            return int(second.process.pid)
        await asyncio.sleep(0.1)
    raise AssertionError("the second process never took part")


def count_in_place(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    counted: list[int] = []

    def counting(*question: Any) -> Any:
        counted.append(len(question[1]))
        return judge_together(*question)

    monkeypatch.setattr(second_core, "judge_together", counting)
    return counted


def run(core: SecondCore, act: Callable[[], Coroutine[Any, Any, Made]]) -> Made:
    """As the service does it: the process is ended while the event loop still runs."""

    async def bounded() -> Made:
        try:
            return await asyncio.wait_for(act(), 3 * UNTIL_S)
        finally:
            await asyncio.to_thread(core.close)

    return asyncio.run(bounded())


def test_it_says_bit_by_bit_what_is_said_in_place(core: SecondCore, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = count_in_place(monkeypatch)
    parts = [STRETCHES[:2], STRETCHES[1:], STRETCHES[::-1], [2 * one for one in STRETCHES]]

    async def act() -> list[Any]:
        await until_it_takes_part(core)
        counted.clear()
        return list(await asyncio.gather(*(judged(core, part) for part in parts)))

    assert run(core, act) == [in_place(core, part) for part in parts] and not counted
    assert in_place(core)[3][0] == "flat"


def test_nothing_is_started_for_who_asks_alone_or_has_one_core(home: Path, core: SecondCore) -> None:
    single = SecondCore(home, lambda: loaded_in(core), cores=1)

    async def act() -> list[Any]:
        alone = await judged(core, STRETCHES[:1])
        core.keep_up()
        together = await judged(single)
        single.keep_up()
        return [alone, together]

    assert run(core, act) == [in_place(core, STRETCHES[:1]), in_place(core)]
    assert core._second is None and single._second is None


def test_another_model_is_looked_at_in_place_until_it_is_the_one_in_force(
    core: SecondCore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people_and_keys(tmp_path)
    put_in_force(tmp_path, 0.6)
    other = Loader(tmp_path, allow_demo=True).for_site("demo-north", NOW)
    counted = count_in_place(monkeypatch)

    async def act() -> None:
        first = await until_it_takes_part(core)
        counted.clear()
        await core.judge(other.detection, STRETCHES, ELECTRODES, RATE_HZ)
        core.keep_up()
        assert counted == [4] and core._second and core._second.process.pid == first
        core._home, core._in_force = tmp_path, lambda: other
        assert await until_it_takes_part(core) != first
        assert not psutil.pid_exists(first)

    run(core, act)


def test_fault_a_process_that_is_killed_or_stuck_costs_no_answer(
    core: SecondCore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(second_core, "PATIENCE_S", UNTIL_S)  # slow is not stuck
    monkeypatch.setattr(second_core, "REST_S", 0.0)
    monkeypatch.setattr(logging.getLogger("ictal.serving"), "propagate", True)
    caplog.set_level(logging.INFO, "ictal.serving")

    async def act() -> list[Any]:
        said = []
        for ending in (signal.SIGKILL, signal.SIGSTOP):
            os.kill(await until_it_takes_part(core), ending)
            with monkeypatch.context() as patch:
                patch.setattr(second_core, "PATIENCE_S", 0.5)
                said += await asyncio.gather(*(judged(core) for _ in range(3)))
        await until_it_takes_part(core)
        return [*said, await judged(core)]

    assert run(core, act) == [in_place(core)] * 7
    failures = [json.loads(record.message) for record in caplog.records]
    assert {line["event"] for line in failures} == {"failure"} and len(failures) >= 2


def test_fault_where_it_cannot_be_started_nothing_else_ends_and_it_is_not_tried_each_second(
    home: Path, core: SecondCore, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def gone(home: Path, tag: str) -> Path:
        tried.append(tag)
        raise OSError("the store cannot be read now")

    monkeypatch.setattr(second_core, "stored_bundle", gone)
    desk = Desk(home, True, Limits(), None, lambda: NOW)
    desk.second_core = core
    assert run(core, lambda: judged(core)) == in_place(core)
    for _ in range(3):
        desk._keep_second_core()
    assert len(tried) == 1 and core._second is None
    desk.keys.dispose()
    desk.journal.ledger.engine.dispose()


def test_fault_what_fails_there_fails_here_as_it_would_have(core: SecondCore) -> None:
    async def act() -> None:
        pid = await until_it_takes_part(core)
        with pytest.raises(ValueError, match="shape"):
            await judged(core, [STRETCHES[0], STRETCHES[1][:, :100]])
        assert await judged(core) == in_place(core)
        assert core._second and core._second.process.pid == pid

    run(core, act)


def test_fault_a_copy_that_is_not_the_model_in_force_says_nothing(home: Path, core: SecondCore) -> None:
    copy = second_core.stored_bundle(home, loaded_in(core).terms.pointer.tag)
    second = second_core._Second(copy, "0" * 64)
    second.process.join(UNTIL_S)
    assert not second.is_ready_for(loaded_in(core).detection) and second.is_lost
    second.end()


def test_a_service_starts_it_for_those_who_ask_together_and_ends_it_when_it_ends(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = open_keys(home)
    site = as_headers(issue_key(keys, "demo-north", ("detect",), NOW, 30))
    keys.dispose()
    made: list[int] = []

    class Noted(second_core._Second):
        def __init__(self, folder: Path, bundle: str):
            super().__init__(folder, bundle)
            made.append(int(self.process.pid))

    monkeypatch.setattr(second_core, "_Second", Noted)
    with TestClient(create_app(home, allow_demo=True, clock=lambda: NOW)) as client, ThreadPoolExecutor(8) as pool:

        def probabilities() -> set[str]:
            return {json.dumps(r.json()["probability"]) for r in pool.map(lambda _: ask((client, site)), range(32))}

        until_s, said = time.monotonic() + UNTIL_S, set[str]()
        while not made and time.monotonic() < until_s:
            said |= probabilities()
        (pid,) = made
        while psutil.Process(pid).cpu_times().user == 0 and time.monotonic() < until_s:
            time.sleep(0.1)
        said |= probabilities()
        assert psutil.Process(pid).is_running() and len(said) == 1
    assert not psutil.pid_exists(pid)
