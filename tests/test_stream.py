"""A recording that is answered while it is made: whatever way it is sent, the answer is that of the file."""

import json
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.websockets import WebSocketDisconnect

from data.readers.edf import read_edf
from lineage.approvals import revoke
from lineage.keys import platform_public_path
from lineage.ledger import Actor, Draft, Edge, Ledger, Subject
from serving.auth import key_id, open_keys, revoke_key
from serving.journal import Journal, verify_answer
from serving.limits import Limits
from serving.loader import Loader, revocations_folder
from serving.problems import ProblemError
from serving.stream import End, Gap, Hello, LiveStream, Part, StreamLimits, chunk_of
from tests.authenticator import code
from tests.contract.streams import kept_bytes
from tests.served import NOW, PASSPHRASE, REVIEWER, put_in_force, write, write_recording
from tests.services import HELLO, Served, key_of, said, served_home, serving

ISSUED_ANEW = ("prediction_id", "receipt", "asked", "recording_digest")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = served_home(tmp_path_factory.mktemp("served"))
    recording = write_recording(home / "recording.edf").read_bytes()
    with serving(home, recording, limits=LIMITS) as ready:
        yield ready


LIMITS = Limits(streams=StreamLimits(idle_s=2.0, resume_s=2.0, at_once=200, at_once_per_site=8))


@pytest.fixture(scope="module")
def signal(served: Served) -> np.ndarray:
    """The samples (channels, samples) of the recording, as its reader gives them."""
    [segment] = read_edf(served.home / "recording.edf", age_days=3.0).segments
    return segment.signal


@pytest.fixture(scope="module")
def batch(served: Served) -> dict[str, Any]:
    """The answer to the same samples as a file."""
    return of_file(said(served.detect()))


def of_file(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name not in ISSUED_ANEW}


@pytest.fixture(scope="module")
def loader(served: Served) -> Loader:
    return Loader(served.home, allow_demo=True)


@pytest.fixture(scope="module")
def journal(served: Served) -> Journal:
    return Journal(served.home)


def stream(
    loader: Loader, limits: StreamLimits | None = None, age_days: float | None = 3.0, **hello: Any
) -> LiveStream:
    begun = Hello.model_validate({**HELLO, **hello})
    return LiveStream(begun, age_days, loader, limits or StreamLimits(), NOW, site="demo-north", key_id="k")


def pieces(signal: np.ndarray, cuts: Sequence[int]) -> list[np.ndarray]:
    return np.split(signal, sorted(cuts), axis=1)


def fed(live: LiveStream, journal: Journal, parts: Sequence[tuple[int, Part]]) -> list[dict[str, Any]]:
    return [heard for seq, part in parts for heard in live.take(seq, part, journal, NOW)]


def answer_of(live: LiveStream) -> dict[str, Any]:
    assert live.answer is not None
    return of_file(json.loads(live.answer.model_dump_json()))


def seconds(heard: Sequence[dict[str, Any]]) -> list[float | None]:
    """The trend as it came; each second once, in order."""
    trend: list[float | None] = []
    for one in heard:
        assert one["first_s"] == len(trend)
        trend += one["trend_1hz"]
    return trend


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_chunks_in_any_order_within_bounds_give_the_answer_of_the_file(
    loader: Loader, journal: Journal, signal: np.ndarray, batch: dict[str, Any], data: st.DataObject
) -> None:
    cuts = data.draw(st.lists(st.integers(0, signal.shape[1]), max_size=12), label="cuts")
    parts: list[tuple[int, Part]] = list(enumerate(pieces(signal, cuts)))
    order = data.draw(st.permutations(parts), label="order")
    again = data.draw(st.lists(st.sampled_from(parts), max_size=3), label="sent twice")
    live = stream(loader, StreamLimits(ahead_bytes=64 * 2**20))
    heard = fed(live, journal, [*order, *again, (len(parts), End(type="end", seq=len(parts)))])
    assert answer_of(live) == batch
    trend = seconds(heard)
    assert trend == batch["trend_1hz"][: len(trend)] and len(trend) >= len(batch["trend_1hz"]) - 2
    assert [e for one in heard for e in one["events"]] == batch["events"]


def test_a_gap_is_that_of_a_file_with_a_gap(loader: Loader, journal: Journal, signal: np.ndarray) -> None:
    from models.analysis import analyse
    from serving.answering import in_words

    at = 61 * 256
    recording = read_edf(next(iter([loader.home / "recording.edf"])), age_days=3.0)
    [whole] = recording.segments
    parts = (replace(whole, signal=signal[:, :at]), replace(whole, onset_s=61 + 3.25, signal=signal[:, at:]))
    gapped = replace(recording, segments=parts, duration_s=123.25)
    loaded = loader.for_site("demo-north", NOW)
    wanted = of_file(json.loads(in_words(analyse(gapped, loaded.detection), loaded, "0" * 64, NOW).model_dump_json()))
    live = stream(loader)
    sent: list[tuple[int, Part]] = [
        (0, parts[0].signal),
        (1, Gap(type="gap", seq=1, seconds=3.25)),
        (2, parts[1].signal),
    ]
    fed(live, journal, [sent[2], sent[1], sent[0], (3, End(type="end", seq=3))])
    assert answer_of(live) == wanted and wanted["outcome"] == "completed_with_abstentions"


def test_a_recording_that_is_not_meant_for_the_model_is_refused_before_its_first_sample(
    loader: Loader, journal: Journal
) -> None:
    cases = {
        "age_out_of_scope": stream(loader, age_days=12_000.0),
        "age_unknown": stream(loader, age_days=None),
        "montage_missing": stream(loader, channels=["A", "B"]),
        "rate_too_low": stream(loader, rate_hz=20.0),
    }
    for code_, live in cases.items():
        assert live.is_over, code_
        live.finish(journal, NOW)
        assert answer_of(live)["code"] == code_ and answer_of(live)["events"] is None


def test_a_stream_is_refused_as_a_whole_for_what_a_file_is_refused_for(loader: Loader, journal: Journal) -> None:
    live = stream(loader)
    heard = fed(live, journal, [(0, np.zeros((19, 60 * 256), np.float32)), (1, End(type="end", seq=1))])
    assert answer_of(live)["code"] == "flat"
    assert heard[-1]["refusal"]["code"] == "flat"  # said while it went on


def test_units_are_turned_into_microvolts(loader: Loader, signal: np.ndarray) -> None:
    live = stream(loader, unit="mV")
    seq, read = live.samples(chunk_of(7, signal[:, :300] / 1000))
    assert seq == 7 and np.allclose(read, signal[:, :300], rtol=1e-6)
    exact = stream(loader).samples(chunk_of(7, signal[:, :300]))[1]
    assert exact.dtype == signal.dtype and exact.tobytes() == signal[:, :300].tobytes()


def test_the_recording_has_one_digest_however_it_was_cut(loader: Loader, journal: Journal, signal: np.ndarray) -> None:
    digests = []
    for cuts in ([], [100, 5000], [5000]):
        live, parts = stream(loader), pieces(signal, cuts)
        fed(live, journal, [*enumerate(parts), (len(parts), End(type="end", seq=len(parts)))])
        assert live.answer is not None
        digests.append(live.answer.recording_digest)
    other = stream(loader)
    fed(other, journal, [(0, signal[:, :-1]), (1, End(type="end", seq=1))])
    assert other.answer is not None and len(set(digests)) == 1 and other.answer.recording_digest not in digests


WRONG = {
    "no header": (b"\0" * 7, "8 bytes of number"),
    "half a sample": (b"\0" * (8 + 4 * 18), "whole samples of 19 channels"),
    "too large": (b"\0" * (8 + 4 * 19 * 60_000), "at most 4194304 bytes"),
    "not a number": ((0).to_bytes(8, "little") + np.full((1, 19), np.nan, "<f4").tobytes(), "no number up to 1e"),
    "an infinite number": ((0).to_bytes(8, "little") + np.full((1, 19), np.inf, "<f4").tobytes(), "no number up to 1e"),
    "a number beyond sense": ((0).to_bytes(8, "little") + np.full((1, 19), 3e38, "<f4").tobytes(), "check the unit"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_chunk_that_is_none_is_refused(loader: Loader, case: str) -> None:
    chunk, words = WRONG[case]
    with pytest.raises(ProblemError, match=words):
        stream(loader).samples(chunk)


def test_what_may_wait_is_bounded_in_number_and_bytes(loader: Loader, journal: Journal, signal: np.ndarray) -> None:
    one = signal[:, :256]
    live = stream(loader, StreamLimits(ahead=3, ahead_bytes=2 * one.nbytes))
    fed(live, journal, [(2, one), (3, one)])
    with pytest.raises(ProblemError, match="part 1 is too far ahead of part 0"):
        live.take(1, one, journal, NOW)  # more bytes than may wait
    with pytest.raises(ProblemError, match="part 4 is too far ahead of part 0"):
        live.take(4, one[:, :0], journal, NOW)
    assert live.next_seq == 0
    fed(live, journal, [(0, one), (1, one)])
    assert live.next_seq == 4


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([(0, Gap(type="gap", seq=0, seconds=1e9))], "at most 1 h"),
        ([(0, Gap(type="gap", seq=0, seconds=1)), (1, Gap(type="gap", seq=1, seconds=1))], "at most 1 gaps"),
        ([(0, np.ones((19, 2560), np.float32)), (1, End(type="end", seq=1, duration_s=5))], "10.000 s were heard"),
        ([(0, np.ones((19, 2560), np.float32)), (1, End(type="end", seq=1, duration_s=0))], "10.000 s were heard"),
    ],
)
def test_a_stream_has_an_end(loader: Loader, journal: Journal, parts: list[tuple[int, Part]], words: str) -> None:
    live = stream(loader, StreamLimits(hours=1, gaps=1))
    with pytest.raises(ProblemError, match=words):
        fed(live, journal, parts)


def test_a_stream_keeps_no_signal(loader: Loader, journal: Journal, signal: np.ndarray) -> None:
    live, kept = stream(loader), list[int]()
    assert live._loaded is not None
    for seq, part in enumerate(pieces(signal, range(2560, signal.shape[1], 2560))):
        live.take(seq, part, journal, NOW)
        kept.append(kept_bytes(live, live._loaded.detection))  # type: ignore[arg-type]
    assert max(kept) - kept[1] < 100_000 < signal.nbytes / 20


@pytest.fixture
def own_home(served: Served, tmp_path: Path) -> Path:
    """A copy of the workspace, in which models may be put in force and taken back."""
    return Path(shutil.copytree(served.home, tmp_path / "home", ignore=shutil.ignore_patterns("jobs")))


def revoked(home: Path, digest: str) -> None:
    keys = home / "keys"
    who = REVIEWER, PASSPHRASE, code(keys, REVIEWER, NOW)
    revoke(revocations_folder(home), keys, *who, digest=digest, reason="x", now=NOW)


def impatient(home: Path) -> Loader:
    """Looks at its files whenever it is asked."""
    seconds_on = iter(range(100))
    return Loader(home, allow_demo=True, clock=lambda: 10.0 * next(seconds_on))


def test_a_model_that_is_revoked_meanwhile_answers_no_more(own_home: Path, journal: Journal) -> None:
    own = impatient(own_home)
    live = stream(own)
    live.check_terms(NOW)
    assert not live.is_over
    revoked(own_home, own.for_site("demo-north", NOW).bundle.digest)
    live.check_terms(NOW)
    assert live.is_over
    live.finish(journal, NOW)
    assert answer_of(live)["code"] == "no_approved_model"


@pytest.mark.parametrize("by", ["a file", "the ledger alone"])
def test_a_model_that_was_replaced_answers_its_stream_until_its_own_approval_ends(own_home: Path, by: str) -> None:
    live = stream(impatient(own_home))
    assert live.model is not None
    old = live.model.digest
    assert put_in_force(own_home, 0.6).digest != old
    live.check_terms(NOW)
    assert not live.is_over
    if by == "a file":
        revoked(own_home, old)
    else:
        taken_back = Subject("revocation", "line_length", "e" * 64)
        edges = (Edge(taken_back.digest, "revokes", old),)
        write(own_home, [Draft("approval.revoked", Actor(REVIEWER), (taken_back,), "x", edges=edges)])
    live.check_terms(NOW)
    assert live.is_over and live._refusal is not None and live._refusal.code == "no_approved_model"


# Over the network


class Site:
    """A site's side of a connection."""

    def __init__(self, socket: Any):
        self.socket, self.heard = socket, list[dict[str, Any]]()

    def hello(self, **changed: Any) -> dict[str, Any]:
        self.socket.send_text(json.dumps({**HELLO, **changed}))
        return self.next()

    def resume(self, token: str, **have: int) -> dict[str, Any]:
        self.socket.send_text(json.dumps({"type": "resume", "token": token, **have}))
        return self.next()

    def next(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self.socket.receive_text())
        return message

    def send(self, seq: int, part: Any) -> None:
        """Send a part and read what is said of it, up to its acknowledgement."""
        if isinstance(part, np.ndarray):
            self.socket.send_bytes(chunk_of(seq, part))
        else:
            self.socket.send_text(json.dumps(part))

    def until(self, kind: str) -> dict[str, Any]:
        while (message := self.next())["type"] != kind:
            self.heard.append(message)
            assert message["type"] in ("ack", "heard"), message
        return message

    @property
    def trend(self) -> list[float | None]:
        return seconds([message for message in self.heard if message["type"] == "heard"])


def connected(served: Served, headers: dict[str, str] | None = None) -> Any:
    return served.client.websocket_connect("/v1/stream", headers=headers or served.headers)


def counts(served: Served) -> float:
    """Recordings that were answered `completed`, as the service counts them."""
    lines = served.client.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if 'ictal_answers_total{code="",outcome="completed"}' in line)


def closed(site: Site) -> tuple[int, str]:
    """The status of the problem that is said, and the code of the closing."""
    problem = site.until("problem")["problem"]
    with pytest.raises(WebSocketDisconnect) as caught:
        site.next()
    return problem["status"], caught.value.code


def test_a_stream_over_the_network_ends_in_the_answer_of_the_file_with_a_receipt(
    served: Served, signal: np.ndarray, batch: dict[str, Any]
) -> None:
    counted = counts(served)
    with connected(served) as socket:
        site = Site(socket)
        welcome = site.hello()
        assert (welcome["type"], welcome["next_seq"], welcome["model"]["name"]) == ("welcome", 0, "line_length")
        assert welcome["banner"].startswith("review required")
        for seq, part in enumerate(pieces(signal, (100, 9_000, 20_000))):
            site.send(seq, part)
        site.send(4, {"type": "end", "seq": 4})
        answer = site.until("answer")["answer"]
        with pytest.raises(WebSocketDisconnect) as caught:
            site.next()
    assert caught.value.code == 1000
    assert of_file(answer) == batch and answer["prediction_id"] == welcome["prediction_id"]
    assert site.trend == batch["trend_1hz"][: len(site.trend)]
    assert [m["next_seq"] for m in site.heard if m["type"] == "ack"] == [1, 2, 3, 4, 5]
    assert verify_answer(answer, platform_public_path(served.home / "keys").read_bytes()).ok
    again = said(served.client.get(f"/v1/predictions/{answer['prediction_id']}", headers=served.headers))
    assert of_file(again) == batch
    assert counts(served) == counted + 1


def test_a_lost_connection_goes_on_where_it_was_and_no_second_is_lost(
    served: Served, signal: np.ndarray, batch: dict[str, Any]
) -> None:
    parts = pieces(signal, (9_000, 20_000))
    with connected(served) as socket:
        first = Site(socket)
        token = first.hello()["token"]
        first.send(0, parts[0])
        first.until("ack")
        socket.send_bytes(chunk_of(1, parts[1]))  # heard, but what is said of it is not waited for
    with connected(served) as socket:
        second = Site(socket)
        welcome = second.resume(token, have_s=10)
        so_far = second.next()
        assert so_far["first_s"] == 10
        assert so_far["trend_1hz"] == batch["trend_1hz"][10 : 10 + len(so_far["trend_1hz"])]
        for seq in range(welcome["next_seq"], 3):
            second.send(seq, parts[seq])
        second.send(0, parts[0])  # once more, and left out
        second.send(3, {"type": "end", "seq": 3})
        assert of_file(second.until("answer")["answer"]) == batch


def test_an_answer_that_was_lost_with_the_connection_is_given_again(served: Served, signal: np.ndarray) -> None:
    with connected(served) as socket:
        site = Site(socket)
        token = site.hello()["token"]
        site.send(0, signal)
        site.send(1, {"type": "end", "seq": 1})
        answer = site.until("answer")
    with connected(served) as socket:
        site = Site(socket)
        site.resume(token)
        assert site.until("answer") == answer


def test_a_connection_that_goes_on_takes_over_from_one_that_hangs(served: Served, signal: np.ndarray) -> None:
    with connected(served) as hanging:
        token = Site(hanging).hello()["token"]
        with connected(served) as socket:
            assert Site(socket).resume(token)["type"] == "welcome"
            with pytest.raises(WebSocketDisconnect) as caught:
                hanging.receive_text()
            assert caught.value.code == 4409


def test_a_token_is_good_for_its_own_site_alone(served: Served) -> None:
    with connected(served) as socket:
        token = Site(socket).hello()["token"]
        said_of: list[Any] = []
        for asked in (token, "x"):
            with connected(served, key_of(served.home, "demo-south")) as other:
                site = Site(other)
                other.send_text(json.dumps({"type": "resume", "token": asked}))
                said_of.append(site.next()["problem"])
        [theirs, nobodys] = [{k: v for k, v in problem.items() if k != "instance"} for problem in said_of]
        assert theirs == nobodys and theirs["status"] == 404


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ({**HELLO, "rate_hz": 0}, 400),
        ({**HELLO, "unit": "furlong"}, 400),
        ({**HELLO, "age": "three days"}, 400),
        ({**HELLO, "patient": "NAME-OF-NOBODY"}, 400),
        ({"type": "end", "seq": 0}, 400),
        ([], 400),
    ],
)
def test_a_beginning_that_cannot_be_read_is_refused(served: Served, message: Any, status: int) -> None:
    with connected(served) as socket:
        socket.send_text(json.dumps(message))
        site = Site(socket)
        assert closed(site) == (status, 1008)
        assert "NOBODY" not in json.dumps(site.heard)


def test_samples_of_another_unit_are_refused_as_those_of_a_file_are(
    loader: Loader, journal: Journal, signal: np.ndarray
) -> None:
    for factor in (1e6, 1e9):
        live = stream(loader)
        part = live.samples(chunk_of(0, signal[:, :15_360] * np.float32(factor)))[1]
        fed(live, journal, [(0, part), (1, End(type="end", seq=1))])
        assert answer_of(live)["code"] == "unit_suspect"


MESSAGES = st.one_of(
    st.binary(max_size=200),
    st.binary(min_size=76 * 4, max_size=76 * 4).map(lambda content: bytes(8) + content),
    st.text(max_size=40),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["gap", "end", "hello", "resume", "x"])},
        optional={
            "seq": st.integers(-1, 2**70),
            "seconds": st.floats(),
            "duration_s": st.floats(),
            "token": st.text(max_size=5),
        },
    ).map(json.dumps),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(messages=st.lists(MESSAGES, min_size=1, max_size=5))
def test_whatever_is_sent_ends_in_an_answer_or_in_a_problem(served: Served, messages: list[bytes | str]) -> None:
    with ExitStack() as stack:
        site = Site(stack.enter_context(connected(served, key_of(served.home, f"demo-{uuid.uuid4().hex[:8]}"))))
        site.hello()
        for message in messages:
            (site.socket.send_bytes if isinstance(message, bytes) else site.socket.send_text)(message)  # type: ignore[operator]
        site.socket.send_text("over")
        last = site.next()
        while last["type"] in ("ack", "heard"):
            last = site.next()
        assert last["type"] == "answer" or (last["type"] == "problem" and 400 <= last["problem"]["status"] < 500)


def test_what_breaks_the_rules_closes_the_connection_and_the_stream_can_go_on(
    served: Served, signal: np.ndarray
) -> None:
    with connected(served) as socket:
        site = Site(socket)
        token = site.hello()["token"]
        site.send(1_000, signal[:, :256])
        assert closed(site) == (409, 1008)
    with connected(served) as socket:
        site = Site(socket)
        assert site.resume(token)["next_seq"] == 0
        socket.send_bytes(b"\0" * (LIMITS.streams.chunk_bytes + 1))
        site.next()
        assert closed(site) == (413, 1009)


def test_who_says_nothing_is_sent_away_and_the_stream_ends_where_it_is(served: Served, signal: np.ndarray) -> None:
    with connected(served) as socket:
        site = Site(socket)
        id = site.hello()["prediction_id"]
        site.send(0, signal[:, : 60 * 256])
        assert closed(site) == (408, 1001)
    until = time.monotonic() + 10
    while (found := served.client.get(f"/v1/predictions/{id}", headers=served.headers)).status_code == 404:
        assert time.monotonic() < until
        time.sleep(0.1)
    assert (said(found)["duration_s"], said(found)["outcome"]) == (60.0, "completed")


def test_no_stream_without_a_key_that_may_send(served: Served) -> None:
    for headers, status in (({}, 401), (key_of(served.home, "demo-north", "verdict"), 403)):
        with (
            pytest.raises(WebSocketDisconnect) as caught,
            served.client.websocket_connect("/v1/stream", headers=headers),
        ):
            pytest.fail("connected")
        assert caught.value.status_code == status  # type: ignore[attr-defined]
        assert caught.value.json()["status"] == status  # type: ignore[attr-defined]
    with (
        pytest.raises(WebSocketDisconnect) as caught,
        served.client.websocket_connect("/v1/detect", headers=served.headers),
    ):
        pytest.fail("connected")
    assert caught.value.status_code == 404  # type: ignore[attr-defined]
    assert served.client.get("/v1/stream", headers=served.headers).status_code == 426


def test_a_key_that_is_revoked_meanwhile_ends_the_connection(
    served: Served, signal: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    from serving import stream_routes

    monkeypatch.setattr(stream_routes, "CHECK_S", 0.0)
    headers = key_of(served.home, "demo-north")
    with connected(served, headers) as socket:
        site = Site(socket)
        site.hello()
        site.send(0, signal[:, :256])
        site.until("ack")
        engine = open_keys(served.home)
        revoke_key(engine, key_id(headers["Authorization"].split()[1]), NOW)
        engine.dispose()
        site.send(1, signal[:, :256])
        assert closed(site) == (401, 1008)


def test_a_quiet_stream_is_told_that_its_model_answers_no_more(served: Served, own_home: Path) -> None:
    """It is not asked for a further word: `idle_s` would be over much later, with another code."""
    patient = Limits(streams=StreamLimits(idle_s=120.0))
    with serving(own_home, served.recording, limits=patient) as own, connected(own) as socket:
        site = Site(socket)
        revoked(own_home, site.hello()["model"]["digest"])
        answer = site.until("answer")["answer"]
        assert (answer["outcome"], answer["code"]) == ("not_evaluable", "no_approved_model")


def test_streams_of_a_site_are_bounded(served: Served) -> None:
    east = key_of(served.home, "demo-east")
    with ExitStack() as stack:
        for _ in range(LIMITS.streams.at_once_per_site):
            Site(stack.enter_context(connected(served, east))).hello()
        with connected(served, east) as socket:
            socket.send_text(json.dumps(HELLO))
            assert closed(Site(socket)) == (429, 1008)


def test_a_service_that_stops_writes_down_what_was_said(tmp_path: Path, signal: np.ndarray, served: Served) -> None:
    home = served_home(tmp_path)
    with serving(home, served.recording) as own, connected(own) as socket:
        site = Site(socket)
        id = site.hello()["prediction_id"]
        site.send(0, signal[:, : 60 * 256])
        site.until("ack")
    ledger = Ledger(home / "ledger" / "ledger.db")
    assert [entry.subjects[0].id for entry in ledger.entries("prediction.issued")] == [id]
    ledger.engine.dispose()
