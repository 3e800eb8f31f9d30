"""Windows of EEG that a site's own software cut: a probability for each, at once. No recording, no event, no finding."""

import hashlib
import re
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from data.door import Door
from data.outcomes import Refusal
from lineage.circumstances import edges_of
from lineage.digest import Digest, digest_of
from lineage.entries import Draft, Edge, EntryType, Subject, uuid7
from lineage.graph import WINDOWS
from lineage.refused import Refused
from lineage.times import utc_text
from models.bundle import Bundle
from models.engines import REFERENCE
from models.live import asked_for
from models.together import Judged
from serving.answering import actor_of, check_age, notice_of, rounded
from serving.journal import Journal
from serving.loader import Loaded
from serving.problems import ProblemError
from serving.schema import WindowsAnswer

FORMATS: Mapping[str, str] = {"float32": "<f4", "int16": "<i2"}
LONGEST_S = 60.0
TOGETHER_S = 16.0
"""Seconds of EEG that are looked at in one go: for longer nothing else would be served."""
BEHIND_S = 5.0
"""How long an answer may wait to be written down: a line is due every second."""
MOST_CHANNELS = 256
RATES_HZ = (1.0, 20_000.0)
SCALES_UV = (1e-6, 1e6)


WINDOWS_EXAMPLE: dict[str, Any] = WindowsAnswer(
    answer_id="019d3e6a-6f2b-7c41-9a55-0b6f0a1d2c3e",
    outcome="completed",
    window_s=2.0,
    onset_s=(0.0, 1.0),
    probability=(0.04, 0.91),
    engine="onnxruntime",
).model_dump(mode="json")
"""The shape of an answer, without its model; nobody's windows."""


@dataclass(frozen=True)
class Sent:
    """A gapless stretch of EEG: `signal` (channels, samples) float32 µV."""

    signal: np.ndarray
    channels: tuple[str, ...]
    rate_hz: float
    age_days: float | None


def read_samples(body: bytes, headers: Mapping[str, str], age_days: float | None) -> Sent:
    """The samples that were sent, channel after channel, as the headers (names in lower case) describe them.

    Refuses (ProblemError 400) what is no whole number of samples, no number (NaN, infinite), or too much.
    """
    names = tuple(name.strip() for name in headers.get("x-channels", "").split(","))
    if not all(names) or len(names) > MOST_CHANNELS:
        raise ProblemError(400, f"X-Channels names 1 to {MOST_CHANNELS} channels, with commas between them")
    rate_hz, format = _number("X-Rate-Hz", headers, *RATES_HZ), headers.get("x-sample-format", "float32")
    if format not in FORMATS:
        raise ProblemError(400, f"X-Sample-Format is {' or '.join(FORMATS)}, little-endian")
    if ("x-scale-uv" in headers) != (format == "int16"):
        raise ProblemError(400, "X-Scale-uV, the microvolts of one step, goes with int16 and with nothing else")
    kind = np.dtype(FORMATS[format])
    count, rest = divmod(len(body), kind.itemsize * len(names))
    if not body:
        raise ProblemError(400, "no sample was sent: the body holds the samples of one channel after another")
    if rest or not count:
        raise ProblemError(
            400,
            f"{len(body)} bytes are no whole number of samples of {len(names)} channels in {format}: each takes "
            f"{kind.itemsize * len(names)} bytes",
        )
    if count / rate_hz > LONGEST_S:
        raise ProblemError(
            400,
            f"{len(body)} bytes are {count / rate_hz:.1f} s of {len(names)} channels at {rate_hz:g} Hz, and at most "
            f"{LONGEST_S:g} s are read here: check X-Channels and X-Rate-Hz, and send recordings to /v1/detect",
        )
    signal = np.frombuffer(body, kind).reshape(len(names), count).astype(np.float32)
    if format == "int16":
        signal *= np.float32(_number("X-Scale-uV", headers, *SCALES_UV))
    if not np.isfinite(signal).all():
        raise ProblemError(400, "a sample is not a number: leave out what was not recorded")
    return Sent(signal, names, rate_hz, age_days)


def _number(name: str, headers: Mapping[str, str], low: float, high: float) -> float:
    try:
        found = float(headers.get(name.lower(), ""))
    except ValueError:
        found = float("nan")
    if not low <= found <= high:
        raise ProblemError(400, f"{name} is a number from {low:g} to {high:g}")
    return found


@dataclass(frozen=True)
class Asked:
    """Windows that are to be answered: their bytes, what they hold, and who asks with which key."""

    body: bytes
    sent: Sent
    site: str
    key_id: str

    @property
    def seconds(self) -> float:
        """How long the stretch is, in seconds."""
        return self.sent.signal.shape[1] / self.sent.rate_hz


Judge = Callable[[Bundle, Sequence[np.ndarray], tuple[str, ...], float], Awaitable[Sequence[Judged | Refusal]]]
"""As `models.together.judge_together`, wherever it runs."""


async def answer_windows(
    asked: Sequence[Sent], models: Sequence[Loaded | str], now: datetime, judge: Judge
) -> list[WindowsAnswer]:
    """What the model of each asker says of every whole window of its stretch; text instead of a model says why there is none.

    The filters start with the first sample, as at the beginning of a recording: send some seconds before the window
    that matters to have them settled. Stretches of one form for one model are looked at together.
    """
    found = await _looked_at(asked, models, judge)
    return [_in_words(judged, model, now) for judged, model in zip(found, models, strict=True)]


def _in_words(judged: Judged | Refusal, model: Loaded | str, now: datetime) -> WindowsAnswer:
    said: dict[str, Any] = {"answer_id": uuid7(now), "engine": REFERENCE}
    if isinstance(model, Loaded):
        said |= {"notice": notice_of(model), "model": model.statement, "engine": model.engine}
        said |= {"window_s": model.detection.detector.window_s}
    if isinstance(judged, Refusal):
        return WindowsAnswer(**said, outcome="not_evaluable", code=judged.code, reason=judged.reason)
    spoken = tuple(rounded(p) for p in judged.probability.tolist())
    said |= {"outcome": "completed", "onset_s": tuple(judged.onset_s.tolist()), "probability": spoken}
    if None in spoken:
        why = (
            f"{spoken.count(None)} of {len(spoken)} windows look unlike the patients that the model learnt from: check"
        )
        said |= {
            "outcome": "completed_with_abstentions",
            "code": "ood",
            "reason": f"{why} electrodes, gain and filters",
        }
    return WindowsAnswer(**said)


async def _looked_at(asked: Sequence[Sent], models: Sequence[Loaded | str], judge: Judge) -> list[Judged | Refusal]:
    found: dict[int, Judged | Refusal] = {}
    alike: dict[Any, list[int]] = {}
    for at, (sent, model) in enumerate(zip(asked, models, strict=True)):
        try:
            alike.setdefault((id(_let_in(sent, model)), sent.channels, sent.rate_hz, sent.signal.shape), []).append(at)
        except Refusal as refusal:
            found[at] = refusal
    for (_, channels, rate_hz, _), those in alike.items():
        model = models[those[0]]
        assert isinstance(model, Loaded)
        signals = [asked[at].signal for at in those]
        found |= dict(zip(those, await judge(model.detection, signals, channels, rate_hz), strict=True))
    return [found[at] for at in range(len(asked))]


def _let_in(sent: Sent, model: Loaded | str) -> Loaded:
    """The model that may look at it; refuses what is known beforehand."""
    if isinstance(model, str):
        raise Refusal("no_approved_model", model)
    Door(sent.channels, sent.rate_hz, sent.age_days, **asked_for(model.detection))
    check_age(sent.age_days, model)
    return model


@dataclass
class _Count:
    """What one key was answered by one model since the last line."""

    since: datetime
    loaded: Loaded | None
    answers: int = 0
    windows: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    digest: Any = field(default_factory=hashlib.sha256)


class WindowBook:
    """Writes down every second what windows were answered: one line in the ledger for each key and model.

    A line for each answer would take as long as a hundred answers. Its digest is SHA-256 over SHA-256 of what was sent and
    of what was said, answer by answer. Where a line cannot be written nothing more is answered, until it can. A killed
    service loses the line of its last second.
    """

    def __init__(self, journal: Journal):
        self._journal = journal
        self._lock = threading.Lock()
        self._open: dict[tuple[str, str, Digest], _Count] = {}
        self._unwritten: list[tuple[tuple[str, str, Digest], _Count]] = []

    def refuse_behind(self, now: datetime) -> None:
        """Raise ProblemError 503 where anything that was answered waits for longer than `BEHIND_S` seconds: nothing
        more is answered while it cannot be written down."""
        with self._lock:
            waiting = [count.since for _, count in self._unwritten[:1]] + [c.since for c in self._open.values()]
        if waiting and (now - min(waiting)).total_seconds() > BEHIND_S:
            raise ProblemError(503, "answers cannot be written down now: try again", {"Retry-After": "5"})

    def add(
        self,
        site: str,
        key_id: str,
        loaded: Loaded | None,
        said: WindowsAnswer,
        sent: bytes,
        text: bytes,
        now: datetime,
    ) -> None:
        """Count one answer until `write`: what was `sent`, the `text` that was said. Threads may share it."""
        model = loaded.bundle.digest if loaded else ""
        line = hashlib.sha256(sent).digest() + hashlib.sha256(text).digest()
        with self._lock:
            count = self._open.setdefault((site, key_id, model), _Count(now, loaded))
            count.answers += 1
            count.windows += len(said.probability or ())
            count.outcomes[said.outcome] = count.outcomes.get(said.outcome, 0) + 1
            count.digest.update(line)

    def write(self, now: datetime) -> None:
        """Put all that was answered into the ledger; what cannot be written stays for the next time, and the ledger's
        error is raised. From one thread at a time."""
        with self._lock:
            self._unwritten += self._open.items()
            self._open = {}
        while self._unwritten:
            (site, key_id, _), count = self._unwritten[0]
            self._journal.ledger.append_many([_line(site, key_id, count, self._journal, now)], now=now)
            self._unwritten.pop(0)


def in_words(windows: int, answers: int) -> str:
    """How many windows got a probability, in how many answers: the label of a line in the ledger.

    Law: `counted(in_words(w, a)) == (w, a)`.
    """
    return f"{windows or 'none'} in {answers} answer{'' if answers == 1 else 's'}"


def counted(words: str) -> tuple[int, int]:
    """Windows and answers of a label of `in_words`; Refused for any other."""
    said = _IN_WORDS.fullmatch(words)
    if said is None:
        raise Refused(
            f"answered windows are counted as `5 in 1 answer`, the ledger has {words[:40]!r}: `ictal audit verify`"
        )
    return 0 if said[1] == "none" else int(said[1]), int(said[2])


_IN_WORDS = re.compile(r"(none|\d+) in (\d+) answers?", re.ASCII)


def _line(site: str, key_id: str, count: _Count, journal: Journal, now: datetime) -> Draft:
    stated = {
        "answers": count.answers,
        "windows": count.windows,
        "outcomes": dict(sorted(count.outcomes.items())),
        "from": utc_text(count.since),
        "until": utc_text(now),
        "digest": count.digest.hexdigest(),
    }
    how_many = in_words(count.windows, count.answers)
    answered = Subject(WINDOWS, how_many, digest_of({**stated, "site": site, "key": key_id}))
    subjects, edges = [answered], [*edges_of(journal.ledger.software, answered.digest)]
    if count.loaded is not None:
        bundle, approval = count.loaded.bundle, count.loaded.terms.approval.record.digest
        subjects += [Subject("model", bundle.name, bundle.digest), Subject("approval", bundle.name, approval)]
        edges += [
            Edge(answered.digest, "made_by", bundle.digest),
            Edge(answered.digest, "permitted_by", approval),
        ]
    return Draft(
        EntryType.WINDOWS_ANSWERED, actor_of(site, key_id), tuple(subjects), payload=stated, edges=tuple(edges)
    )
