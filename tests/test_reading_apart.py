"""A file that makes a decoder hang, blow up or crash takes nothing with it; every other is read as if in place."""

import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.film import View
from data.montage import ELECTRODES
from data.outcomes import Refusal
from data.pose import PoseTrack
from data.readers.apart import NotRead, ReadLimits, _arrived, reading_apart
from data.readers.edf import read_edf
from data.readers.handover import unpacked
from data.readers.pose import read_pose
from data.readers.video import frame_times, read_film, read_frames
from data.recording import Recording
from serving import answering
from serving.journal import Journal
from serving.limits import Limits
from serving.loader import Loader
from tests.bad_readers import MARK, chatter, crash, hoard, lost, pid, sleep, spin, stumble, trap
from tests.edf_bytes import File, eeg, notes
from tests.faults import film, pose, sound
from tests.served import NOW
from tests.services import Served, problem, said, served_home, serving

SHORT = ReadLimits(cpu_s=1.0, wall_s=20.0, memory_bytes=256 << 20)


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def gapped() -> bytes:
    """Two stretches of 35 s with 10 s between them."""
    signals = [eeg(name, 70, seed=i) for i, name in enumerate(ELECTRODES)]
    return File([*signals, notes([f"+{n if n < 35 else n + 10}" for n in range(70)])], reserved="EDF+D").to_bytes()


def alike(one: Any, other: Any) -> bool:
    """Equal to the last bit."""
    if isinstance(one, np.ndarray):
        return (one.dtype, one.shape) == (other.dtype, other.shape) and one.tobytes() == other.tobytes()
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, Recording):
        parts = [(r.channels, r.rate_hz, r.digest, r.age_days, r.annotations, r.duration_s) for r in (one, other)]
        signals = [tuple(s.signal for s in r.segments) for r in (one, other)]
        return parts[0] == parts[1] and alike(*signals) and one.gaps == other.gaps
    if isinstance(one, PoseTrack):
        return alike((one.time_s, one.xy, one.confidence), (other.time_s, other.xy, other.confidence))
    return bool(one == other)


def test_what_is_read_apart_is_what_is_read_in_place(tmp_path: Path) -> None:
    edf, track, shown = (written(tmp_path / n, c) for n, c in {"e": sound(), "p": pose(), "f.mp4": film()}.items())
    cut = written(tmp_path / "g", gapped())
    view = read_film([shown]).views[0]
    acts: list[Callable[[], Any]] = [
        partial(read_edf, edf, age_days=3.0), partial(read_edf, cut), partial(read_pose, track),
        partial(read_film, [shown]), partial(frame_times, view),
        partial(read_frames, view, np.arange(0, 5, 0.5), 32, False),
    ]  # fmt: skip
    for act in acts:
        with reading_apart():
            apart = act()
        assert alike(act(), apart), act
    assert len(apart) == 10 and apart.flags.writeable


def test_a_refusal_is_the_same_from_there(tmp_path: Path) -> None:
    path = written(tmp_path / "a.edf", sound()[:-1000])
    with pytest.raises(Refusal) as here:
        read_edf(path)
    with reading_apart(), pytest.raises(Refusal) as there:
        read_edf(path)
    assert (here.value.code, here.value.reason) == (there.value.code, there.value.reason)


@pytest.mark.parametrize(
    ("act", "code", "reason"),
    [(crash, "corrupt", "fell over"), (spin, "corrupt", "more than 1 s"), (hoard, "unsupported_format", "256 MiB")],
)
def test_a_reader_that_crashes_or_takes_too_much_is_refused_by_name(
    tmp_path: Path, act: Callable[[Path], None], code: str, reason: str
) -> None:
    with reading_apart(SHORT), pytest.raises(Refusal, match=reason) as caught:
        act(tmp_path / "a.edf")
    assert caught.value.code == code


def test_a_reader_that_waits_for_ever_is_ended_and_may_be_asked_again(tmp_path: Path) -> None:
    with reading_apart(ReadLimits(wall_s=0.3)), pytest.raises(NotRead, match=r"within 0\.3 s"):
        sleep(tmp_path)


def test_a_fault_of_ours_is_a_failure_whose_text_stays_there(tmp_path: Path) -> None:
    with reading_apart(), pytest.raises(ZeroDivisionError) as caught:
        stumble(tmp_path)
    assert str(caught.value).startswith("bad_readers.py:")
    with reading_apart(), pytest.raises(OSError, match="cannot be read") as missing:
        lost(tmp_path / MARK)
    assert missing.value.errno == 2 and MARK not in str(missing.value)


def test_what_no_reader_makes_is_not_taken_from_one(tmp_path: Path) -> None:
    with reading_apart(), pytest.raises(TypeError):
        trap(tmp_path)


def test_a_decoder_says_nothing_on_our_streams(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with reading_apart():
        assert chatter(tmp_path) == ()
    assert MARK not in "".join(capfd.readouterr())


def test_what_is_handed_over_cannot_name_anything_else() -> None:
    for sent in ({"posix.system": {"command": "true"}}, {"array": [0, "|O", [1]]}, {"array": [0, "<f8", [10**9]]}):
        with pytest.raises((KeyError, ValueError)):
            unpacked(sent, [memoryview(bytes(8))])


@pytest.mark.parametrize("kind", ["exec", "SystemExit", "UnicodeDecodeError", "nothing"])
def test_a_failure_that_a_child_names_is_one_of_ours_or_none(kind: str) -> None:
    with pytest.raises(RuntimeError, match="import os"):
        _arrived("failed", [kind, "import os"], None, 0)  # type: ignore[arg-type]


def test_only_who_asks_for_it_reads_apart(tmp_path: Path) -> None:
    assert pid(tmp_path) == os.getpid()
    with reading_apart():
        other = pid(tmp_path)
    assert other != os.getpid() == pid(tmp_path)
    with pytest.raises(ProcessLookupError):
        os.kill(other, 0)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return served_home(tmp_path_factory.mktemp("apart"))


@pytest.fixture(scope="module")
def served(home: Path) -> Iterator[Served]:
    with serving(home, sound(), limits=Limits(reading=ReadLimits(wall_s=5))) as ready:
        yield ready


@pytest.mark.parametrize("content", [sound(), gapped()], ids=["gapless", "gapped"])
def test_the_answer_to_what_was_read_apart_is_that_to_what_is_read_in_place(served: Served, content: bytes) -> None:
    loader, journal = Loader(served.home, allow_demo=True), Journal(served.home)
    here = answering.answer(content, site="demo-north", age_days=3.0, loader=loader, journal=journal, now=NOW)
    there = said(served.detect(content))
    for name, value in json.loads(here.model_dump_json()).items():
        assert name in ("prediction_id", "receipt") or there[name] == value, name
    journal.ledger.engine.dispose()


def test_a_file_that_crashes_the_decoder_is_an_answer_and_the_service_goes_on(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "read_edf", _reader(crash))
    body = said(served.detect())
    assert (body["outcome"], body["code"], body["receipt"]["entry"]["type"]) == (
        "not_evaluable", "corrupt", "prediction.not_evaluable",
    )  # fmt: skip
    monkeypatch.undo()
    assert said(served.detect())["outcome"] == "completed"


def test_a_file_that_is_never_read_is_a_problem_in_time(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "read_edf", _reader(sleep))
    assert "not read in time" in problem(served.detect(), 504)
    assert list((served.home / "jobs" / "uploads").iterdir()) == []


def _reader(act: Callable[[Path], Any]) -> Callable[..., Any]:
    return lambda path, age_days: act(path)


def test_a_view_is_read_apart_by_its_path(tmp_path: Path) -> None:
    view = View(tmp_path / "none.mp4", "", 8, 8, 25.0, 2, 0.0, 1.0, "h264")
    with reading_apart(), pytest.raises(FileNotFoundError) as caught:
        frame_times(view)
    assert "none.mp4" not in str(caught.value)
