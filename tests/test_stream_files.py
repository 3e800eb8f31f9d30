"""A service that is killed over a stream loses nothing of it that it has acknowledged."""

import asyncio
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.readers.edf import read_edf
from serving import stream_desk
from serving.journal import Journal
from serving.loader import Loader
from serving.orders import Orders
from serving.past import Past
from serving.problems import ProblemError
from serving.stream import End, Gap, Hello, Part, Resume, StreamLimits
from serving.stream_desk import Held, StreamDesk
from serving.stream_files import StreamFiles
from tests.served import NOW, write_recording
from tests.services import HELLO, served_home
from tests.test_stream_desk import SITE, until, written

NAME = "ab" * 32


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return served_home(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def signal(home: Path) -> np.ndarray:
    [segment] = read_edf(write_recording(home / "a.edf", 30, (10, 25)), age_days=3.0).segments
    return segment.signal


@pytest.fixture
def journal(home: Path) -> Iterator[Journal]:
    journal = Journal(home)
    yield journal
    journal.ledger.engine.dispose()


Started = Callable[..., StreamDesk]


@pytest.fixture
def started(home: Path, journal: Journal, tmp_path: Path) -> Started:
    """The streams of a service that is started (again)."""

    def start(**limits: Any) -> StreamDesk:
        loader, orders = Loader(home, allow_demo=True), Orders(journal.ledger)
        given = loader, journal, StreamLimits(**limits), lambda: NOW, lambda answer: None, orders
        return StreamDesk(*given, Past(journal), tmp_path / "streams")

    return start


async def begun(desk: StreamDesk, parts: list[Part]) -> Held:
    held = await desk.begin(Hello.model_validate(HELLO), SITE, "k")
    desk.attach(held, held, lambda: None)
    for seq, part in enumerate(parts):
        await desk.take(held, seq, part)
    return held


def killed(desk: StreamDesk) -> None:
    """As far as others see: its locks are gone, and nothing was ended in order."""
    desk._pool.shutdown()
    for held in desk._held.values():
        held.file.close()
        if held.expiry:
            held.expiry.cancel()


def resume(held: Held) -> Resume:
    return Resume(type="resume", token=held.token)


def thirds(signal: np.ndarray) -> list[Part]:
    first, second, third = np.split(signal, 3, axis=1)
    return [first, Gap(type="gap", seq=1, seconds=2.5), second, third]


def test_a_stream_that_two_services_heard_ends_as_if_one_had(started: Started, signal: np.ndarray, home: Path) -> None:
    async def run() -> None:
        parts = thirds(signal)
        end = End(type="end", seq=len(parts))
        alone = started()
        whole = await begun(alone, [*parts, end])
        given = await alone.so_far(whole, 0, 0)
        first = started()
        held = await begun(first, parts[:3])
        so_far = await first.so_far(held, 0, 0)
        killed(first)
        second = started()
        again = await second.find(resume(held), SITE)
        assert again.stream.next_seq == 3 and again.stream.prediction_id == held.stream.prediction_id
        assert await second.so_far(again, 0, 0) == so_far and so_far["trend_1hz"]
        await second.take(again, 3, parts[3])
        await second.take(again, 4, end)
        assert await second.so_far(again, 0, 0) == given
        one, other = whole.stream.answer, again.stream.answer
        assert one is not None and other is not None
        assert one.recording_digest == other.recording_digest
        assert (one.trend_1hz, one.events, one.coverage) == (other.trend_1hz, other.events, other.coverage)
        assert written(home).count(other.prediction_id) == 1
        alone.close()
        second.close()
        assert not any(second.files.folder.iterdir()), "nothing of the patient is left"

    asyncio.run(run())


def test_what_nobody_comes_back_for_is_ended_by_the_service_that_comes_after(
    started: Started, signal: np.ndarray, home: Path
) -> None:
    async def run() -> None:
        first = started()
        held = await begun(first, thirds(signal)[:1])
        killed(first)
        second = started(resume_s=0.05)
        second.open()
        await until(lambda: held.stream.prediction_id in written(home) and not second.files.names())
        second.close()

    asyncio.run(run())


def test_an_answer_that_was_written_down_before_the_end_came_is_given_and_not_written_twice(
    started: Started, signal: np.ndarray, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        first, parts = started(), thirds(signal)
        held = await begun(first, parts)
        with monkeypatch.context() as cut:  # killed between the ledger's commit and all that follows
            cut.setattr(type(held.file), "let_go_of_samples", lambda self: None)
            await first.take(held, 4, End(type="end", seq=4))
        killed(first)
        second = started()
        again = await second.find(resume(held), SITE)
        answer = await second.settle(again)
        assert answer is not None and answer.trend_1hz == held.stream.answer.trend_1hz  # type: ignore[union-attr]
        assert written(home).count(answer.prediction_id) == 1
        second.close()

    asyncio.run(run())


def test_another_model_or_code_does_not_go_on_with_what_it_did_not_begin(
    started: Started, signal: np.ndarray, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        first = started()
        held = await begun(first, thirds(signal)[:3])
        heard_s = held.stream.now_s
        killed(first)
        monkeypatch.setattr(stream_desk, "answering_code", lambda: "0" * 64)
        second = started()
        answer = await second.settle(await second.find(resume(held), SITE))
        assert answer is not None and (answer.outcome, answer.code) == ("not_evaluable", "no_approved_model")
        assert "send the recording from its first sample" in str(answer.reason)
        assert answer.duration_s == heard_s > 20 and answer.prediction_id == held.stream.prediction_id
        second.close()

    asyncio.run(run())


def test_a_part_that_cannot_be_kept_is_not_heard_and_comes_again(
    started: Started, signal: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full in the middle of a part: what is kept after it has to be found again."""

    async def run() -> None:
        desk, (first, gap, second, third) = started(), thirds(signal)
        held = await begun(desk, [first])
        with monkeypatch.context() as full:
            full.setattr(os, "fdatasync", _no_room)
            with pytest.raises(ProblemError, match="part 1 cannot be kept now") as refused:
                await desk.take(held, 1, gap)
        assert refused.value.status == 503 and held.stream.next_seq == 1
        for seq, part in ((1, gap), (2, second)):
            await desk.take(held, seq, part)
        killed(desk)
        again = await (other := started()).find(resume(held), SITE)
        assert again.stream.next_seq == 3 and again.stream.now_s == held.stream.now_s
        await other.take(again, 3, third)
        other.close()

    asyncio.run(run())


def _no_room(handle: int) -> None:
    raise OSError(errno.ENOSPC, "no room")


def test_a_stream_is_bounded_by_what_is_kept(started: Started, signal: np.ndarray) -> None:
    async def run() -> None:
        desk = started(kept_bytes=signal.nbytes // 2)
        held = await begun(desk, thirds(signal)[:2])
        with pytest.raises(ProblemError, match="a stream holds at most"):
            await desk.take(held, 2, thirds(signal)[2])
        assert held.stream.next_seq == 2
        desk.close()

    asyncio.run(run())


def kept(folder: Path, parts: list[Part]) -> Path:
    file = StreamFiles(folder).begin(NAME, {})
    for seq, part in enumerate(parts):
        file.keep(seq, part)
    file.close()
    return folder / NAME / "parts"


def found(folder: Path, rows: int) -> list[tuple[int, Part]]:
    file = StreamFiles(folder).take_up(NAME)
    assert file is not None
    parts = list(file.parts(rows))
    file.close()
    return parts


def test_a_record_that_was_cut_off_anywhere_is_left_out_and_those_before_are_whole(tmp_path: Path) -> None:
    samples = np.arange(12, dtype=np.float32).reshape(3, 4)
    parts: list[Part] = [samples, Gap(type="gap", seq=1, seconds=0.1), -samples]
    path = kept(tmp_path / "whole", parts)
    whole = path.read_bytes()
    last = len(whole) - samples.nbytes - 21  # its head is 21 bytes
    for size in range(last, len(whole)):
        path.write_bytes(whole[:size])
        assert [seq for seq, _ in found(tmp_path / "whole", 3)] == [0, 1], size
        assert path.stat().st_size == last
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))  # its room was there before its bytes were
    assert len(found(tmp_path / "whole", 3)) == 2
    path.write_bytes(whole)
    (_, first), (_, gap), (_, third) = found(tmp_path / "whole", 3)
    assert np.array_equal(first, samples) and gap == parts[1] and np.array_equal(third, -samples)  # type: ignore[arg-type]


def test_a_stream_that_a_living_process_has_is_taken_up_by_no_other(tmp_path: Path) -> None:
    file = StreamFiles(tmp_path).begin(NAME, {})

    def other() -> bool:
        """Whether another process gets it."""
        if not (child := os.fork()):
            os._exit(StreamFiles(tmp_path).take_up(NAME) is not None)
        return bool(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    assert not other()
    file.close()
    assert other()
    file.remove()
    assert not other()
