"""A recording while it is being made: chunks in any size and, within bounds, in any order; each second is answered once.

Nothing here knows of a network. Law: at the end the answer is that of the same samples sent as a file.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from data.door import CHUNK_S
from data.events import Event
from data.growing import Growing
from data.outcomes import Refusal
from lineage.digest import Digest, digest_of
from lineage.entries import uuid7
from models.analysis import not_evaluable
from models.engines import REFERENCE
from models.live import Heard, LiveAnalysis
from serving.answering import actor_of, in_words, notice_of, rounded
from serving.asking import answering_code, machine
from serving.journal import Journal
from serving.loader import ForSites, Loaded, NoApprovedModel, why_no_more
from serving.naming import check_age
from serving.problems import ProblemError
from serving.schema import Answer, Asked, FoundEvent, ModelStatement

UNITS = {"uV": 1.0, "mV": 1e3, "V": 1e6}
MOST_UV = 1e12
"""Beyond it sums of squares overflow. What is only too large for an EEG is refused as that of a file is (`unit_suspect`)."""
HEADER = 8
"""Bytes of a chunk before its samples: its number, unsigned, lowest byte first."""
SAMPLE = np.dtype("<f4")
OF_A_PART = 32
"""Bytes that keeping a part takes beside its samples, at most."""
LOOK_EVERY_S = 10.0
"""After so much of the recording it is looked again whether it would be refused as a whole: that takes all of it."""


@dataclass(frozen=True)
class StreamLimits:
    """What a stream may bring, and how much of it is kept; together they bound the memory of every stream.

    Chunks have `chunk_bytes` at most; those that come too early wait, `ahead` of them with `ahead_bytes`. What was
    heard is kept on disk until the stream is answered, at most `kept_bytes` of samples (a day of 24 channels at 256
    Hz), with `gaps` gaps, over `hours` h. A connection without a message for `idle_s` is closed; a stream without a
    connection is ended after `resume_s`. `at_once` may be open, of one site `at_once_per_site`; a site that has none
    open may always begin one.
    """

    chunk_bytes: int = 4 * 2**20
    ahead: int = 64
    ahead_bytes: int = 8 * 2**20
    gaps: int = 10_000
    kept_bytes: int = 2 * 2**30
    hours: float = 24.0
    idle_s: float = 30.0
    resume_s: float = 120.0
    at_once: int = 16
    at_once_per_site: int = 4


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Hello(_Message):
    """The first message of a stream. Samples are 32-bit floats in `unit`; only in uV they equal a file's exactly."""

    type: Literal["hello"]
    channels: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=16)], ...], Field(min_length=1, max_length=256)
    ]
    rate_hz: Annotated[float, Field(gt=0, le=100_000, allow_inf_nan=False)]
    unit: Literal["uV", "mV", "V"]
    age: str | None = None


class Resume(_Message):
    """The first message of a connection that goes on with a stream; `have_s` seconds and `have_events` were received."""

    type: Literal["resume"]
    token: Annotated[str, Field(max_length=100)]
    have_s: Annotated[int, Field(ge=0)] = 0
    have_events: Annotated[int, Field(ge=0)] = 0


class Gap(_Message):
    """Nothing was recorded for some seconds. Numbered as chunks are, so that its place among them is known."""

    type: Literal["gap"]
    seq: Annotated[int, Field(ge=0)]
    seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)]


class End(_Message):
    """The recording is over; `duration_s` where its clock ran on after the last sample."""

    type: Literal["end"]
    seq: Annotated[int, Field(ge=0)]
    duration_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


Part = np.ndarray | Gap | End


def nowhere(seq: int, part: Part) -> None:
    """Keeps nothing of what is heard."""


class LiveStream:
    """One stream of a site, whatever connections it comes over. For one thread at a time (`stream_desk.Held.lock`).

    `age_days` is the age in days, None where it is not known. A site without an approved model, and what the model
    cannot look at, are no error: the stream is over at once, and its answer says why.
    """

    def __init__(
        self,
        hello: Hello,
        age_days: float | None,
        loader: ForSites,
        limits: StreamLimits,
        now: datetime,
        *,
        site: str,
        key_id: str,
        prediction_id: str = "",
    ):
        self.hello, self.age_days, self.loader, self.limits = hello, age_days, loader, limits
        self.site, self.key_id, self.prediction_id = site, key_id, prediction_id or uuid7(now)
        self.keep: Callable[[int, Part], None] = nowhere
        """Told of each part before it is heard, and so before it is acknowledged; what it refuses is not heard."""
        self.next_seq = 0
        self.answer: Answer | None = None
        self._unwritten: Answer | None = None
        self._waiting: dict[int, Part] = {}
        self._gaps, self._looked_s, self._kept_bytes = 0, 0.0, 0
        self._trend, self._events = Growing(), list[Event]()
        self._bytes, self._stretches = hashlib.sha256(), list[tuple[float, Digest]]()
        self._onset_s, self._samples = 0.0, 0
        self._loaded: Loaded | None = None
        self._live: LiveAnalysis | None = None
        self._refusal: Refusal | None = None
        self._refusal_now: Refusal | None = None
        try:
            self._loaded = loader.for_site(site, now)
            check_age(age_days, self._loaded)
            self._live = LiveAnalysis(self._loaded.detection, hello.channels, hello.rate_hz, age_days=age_days)
        except NoApprovedModel as error:
            self._refusal = Refusal("no_approved_model", error.reason)
        except Refusal as refusal:
            self._refusal = refusal

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be sent: it was ended, or is refused whatever comes."""
        return self.answer is not None or self._unwritten is not None or self._refusal is not None

    @property
    def now_s(self) -> float:
        """Where on the recording's clock the next sample stands."""
        return self._onset_s + self._samples / self.hello.rate_hz

    @property
    def model(self) -> ModelStatement | None:
        """The model that it began with, even where it is refused; None where none may answer the site."""
        return self._loaded.statement if self._loaded else None

    @property
    def notice(self) -> str | None:
        """What has to be said beside every answer of this model; None if nothing."""
        return notice_of(self._loaded)

    def samples(self, chunk: bytes) -> tuple[int, np.ndarray]:
        """Number and samples (channels, any number; µV) of a chunk as it was sent. ProblemError 413 for one that is too
        large, 400 for what is none and for samples that are no numbers."""
        width = len(self.hello.channels) * SAMPLE.itemsize
        if len(chunk) > self.limits.chunk_bytes:
            raise ProblemError(413, f"a chunk has at most {self.limits.chunk_bytes} bytes: send smaller ones")
        if len(chunk) < HEADER or (len(chunk) - HEADER) % width:
            raise ProblemError(
                400,
                f"a chunk is {HEADER} bytes of number and whole samples of {len(self.hello.channels)} channels, "
                f"{SAMPLE.itemsize} bytes each: got {len(chunk)} bytes",
            )
        sent = np.frombuffer(chunk, SAMPLE, offset=HEADER).reshape(-1, len(self.hello.channels))
        signal = np.ascontiguousarray(sent.T, dtype=np.float32)
        if not (np.abs(signal) <= MOST_UV / UNITS[self.hello.unit]).all():
            raise ProblemError(
                400,
                f"a sample is no number up to {MOST_UV:g} µV: send a gap where nothing was recorded, and check the unit",
            )
        if self.hello.unit != "uV":
            signal *= np.float32(UNITS[self.hello.unit])
        return int.from_bytes(chunk[:HEADER], "little"), signal

    def take(self, seq: int, part: Part, journal: Journal, now: datetime) -> list[dict[str, Any]]:
        """The next part (samples are (channels, any number) in µV), or one that came too early (it waits) or twice (it
        is left out); the `heard` messages of what became final with it.

        ProblemError 409 where it is too far ahead, 400 where the stream would be too long or end before what was heard.
        """
        if self.answer is not None or seq < self.next_seq or seq in self._waiting:
            return []
        self._check_bounds(seq, part)
        self._waiting[seq] = part
        said: list[dict[str, Any]] = []
        while not self.is_over and self.next_seq in self._waiting:
            part = self._waiting.pop(self.next_seq)
            self._check(part)
            self.keep(self.next_seq, part)
            said += self._heard(part, journal, now)
            self.next_seq += 1
        return said

    def hear_again(self, parts: Iterable[tuple[int, Part]], journal: Journal, now: datetime) -> None:
        """What an earlier process has heard and kept. One that may not go on counts it still: as how much was heard."""
        for seq, part in parts:
            if not self.is_over:
                self.take(seq, part, journal, now)
            elif seq == self.next_seq and not isinstance(part, End):
                self._count(part)
                self.next_seq += 1

    def check_terms(self, now: datetime) -> None:
        """A stream goes on with the model that it began with, for as long as that one may answer; then it is refused."""
        if self._loaded is None or self.is_over:
            return
        if reason := why_no_more(self._loaded, self.loader, self.site, now):
            self._refusal = Refusal("no_approved_model", reason)

    def refuse(self, reason: str) -> None:
        """End a stream that may not go on; what was said of it until then stays said."""
        if not self.is_over:
            self._refusal = Refusal("no_approved_model", reason)

    def finish(self, journal: Journal, now: datetime, duration_s: float | None = None) -> Answer:
        """The answer to all that was heard, written down. Once there is one, it stays. `duration_s` of the recording's
        clock, None where that ends with the last sample.

        Where it could not be written down, the next call tries to write the same answer: nothing is heard in between.
        """
        if self.answer is None:
            self._unwritten = self._unwritten or self._concluded(now, duration_s)
            self.answer = journal.record(self._unwritten, actor_of(self.site, self.key_id), now, announced=True)
            self._unwritten = None
        return self.answer

    def so_far(self, have_s: int = 0, have_events: int = 0) -> dict[str, Any]:
        """What was given already, for a connection that lost the rest of it: one `heard` message, behind the first
        `have_s` seconds and `have_events` events."""
        first = min(have_s, len(self._trend))
        return _message(first, self._trend.rows[first:], self._events[have_events:], None, self._refusal_now)

    def _concluded(self, now: datetime, duration_s: float | None) -> Answer:
        duration_s = self.now_s if duration_s is None else duration_s
        if self._live is None or self._refusal is not None:
            refusal = self._refusal or Refusal("no_signal", "nothing was heard")
            bundle = self._loaded.detection if self._loaded else None
            analysis = not_evaluable(refusal, bundle, duration_s)
        else:
            analysis = self._live.finish(duration_s)
        digest = self._digest()
        engine = self._loaded.engine if self._loaded else REFERENCE
        asked = Asked(files=(digest,), age_days=self.age_days, code=answering_code(), machine=machine(), engine=engine)
        said = in_words(analysis, self._loaded, digest, now)
        self._waiting, self._live = {}, None
        return said.model_copy(update={"prediction_id": self.prediction_id, "asked": asked})

    def _check_bounds(self, seq: int, part: Part) -> None:
        early = [p for p in self._waiting.values() if isinstance(p, np.ndarray)]
        size = sum(p.nbytes for p in early) + (
            part.nbytes if isinstance(part, np.ndarray) and seq > self.next_seq else 0
        )
        if seq > self.next_seq + self.limits.ahead or size > self.limits.ahead_bytes:
            raise ProblemError(
                409, f"part {seq} is too far ahead of part {self.next_seq}, which is missing: send from there on"
            )

    def _check(self, part: Part) -> None:
        """ProblemError where the recording cannot go on like this."""
        if isinstance(part, End):
            self._check_clock(self.now_s if part.duration_s is None else part.duration_s)
        elif isinstance(part, Gap):
            if self._gaps >= self.limits.gaps:
                raise ProblemError(400, f"a stream has at most {self.limits.gaps} gaps: end it, and begin another")
            self._check_clock(self.now_s + part.seconds)
        else:
            if self._kept_bytes + part.nbytes + OF_A_PART > self.limits.kept_bytes:
                most = self.limits.kept_bytes
                raise ProblemError(400, f"a stream holds at most {most} bytes of samples: end it, and begin another")
            self._check_clock(self.now_s + part.shape[1] / self.hello.rate_hz)

    def _heard(self, part: Part, journal: Journal, now: datetime) -> list[dict[str, Any]]:
        if isinstance(part, End):
            self.finish(journal, now, part.duration_s)
            return []
        assert self._live is not None
        if isinstance(part, Gap):
            given = [self._live.gap(part.seconds)]
        else:
            step = max(1, int(CHUNK_S * self.hello.rate_hz))
            given = [self._live(part[:, at : at + step]) for at in range(0, part.shape[1], step)]
        self._count(part)
        return [message for heard in given for message in self._in_words(heard)]

    def _count(self, part: np.ndarray | Gap) -> None:
        """Of how much was heard, and of which bytes."""
        if isinstance(part, Gap):
            begins_s = self.now_s + part.seconds
            self._end_stretch()
            self._gaps, self._onset_s = self._gaps + 1, begins_s
        else:
            self._bytes.update(np.ascontiguousarray(part.T, SAMPLE).tobytes())
            self._samples += part.shape[1]
            self._kept_bytes += part.nbytes + OF_A_PART

    def _in_words(self, heard: Heard) -> list[dict[str, Any]]:
        self._trend.append(heard.trend)
        self._events += heard.events
        if self._live is not None and self.now_s - self._looked_s >= LOOK_EVERY_S:
            self._refusal_now, self._looked_s = self._live.verdict(), self.now_s
        if not len(heard.trend) and not heard.events:
            return []
        return [_message(heard.first_s, heard.trend, heard.events, heard.ongoing, self._refusal_now)]

    def _check_clock(self, until_s: float) -> None:
        if until_s < self.now_s - 1e-6:
            raise ProblemError(400, f"{self.now_s:.3f} s were heard, a recording of {until_s:.3f} s cannot hold them")
        if until_s > self.limits.hours * 3600:
            raise ProblemError(400, f"a stream lasts at most {self.limits.hours:g} h: end it, and begin another")

    def _end_stretch(self) -> None:
        if self._samples:
            self._stretches.append((self._onset_s, self._bytes.hexdigest()))
            self._onset_s = self.now_s
        self._bytes, self._samples = hashlib.sha256(), 0

    def _digest(self) -> Digest:
        """What names a recording that is no file: channels, rate, and the bytes (µV, sample by sample) of each stretch."""
        self._end_stretch()
        stretches = [{"onset_s": onset_s, "sha256": digest} for onset_s, digest in self._stretches]
        return digest_of({"channels": list(self.hello.channels), "rate_hz": self.hello.rate_hz, "stretches": stretches})


def chunk_of(seq: int, signal: np.ndarray) -> bytes:
    """(channels, samples) as a chunk is sent; the inverse of `LiveStream.samples` for µV."""
    return seq.to_bytes(HEADER, "little") + np.ascontiguousarray(signal.T, dtype=SAMPLE).tobytes()


def _message(
    first_s: int, trend: np.ndarray, events: Sequence[Event], ongoing: Event | None, refusal: Refusal | None
) -> dict[str, Any]:
    """`heard`: seconds and events that are final, the event that goes on, and why all of it would be refused now."""
    return {
        "type": "heard",
        "first_s": first_s,
        "trend_1hz": [rounded(float(p)) for p in trend],
        "events": [_event(event) for event in events],
        "ongoing": None if ongoing is None else _event(ongoing),
        "refusal": None if refusal is None else {"code": refusal.code, "reason": refusal.reason},
    }


def _event(event: Event) -> dict[str, Any]:
    found = FoundEvent(
        onset_s=event.onset_s,
        duration_s=event.duration_s,
        confidence=rounded(event.confidence),
        channels=event.channels,
    )
    return found.model_dump(mode="json")
