"""The contract that every detector keeps, whatever it looks at."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from data.events import Annotations
from data.frontend import FrontEnd, Prepared
from data.seizure_types import tuh_type
from data.windows import Cutter
from models.engines import ONNX_RUNTIME, REFERENCE, Network, Sessions
from models.explain import Attribution

Progress = Callable[[int, int, float], None]
"""Called after each epoch with (epoch, epochs, validation AUC)."""


@dataclass(frozen=True)
class InputContract:
    """What a detector is meant for; anything else is refused, never guessed at.

    `age_days`: youngest and oldest; `min_duration_s`: of an EEG the longest gapless stretch, else the whole recording.
    """

    montage: str
    age_days: tuple[float, float]
    min_duration_s: float


@dataclass(frozen=True)
class Examples:
    """Windows of one or more recordings, ready for a detector.

    `x` (windows, …) float32 · `onset_s` (windows,) · `recording`, `patient` (windows,) str · `label` (windows,) where the
    truth is known: index into the detector's classes (0/1 of a detection). `window_s` is each window's length. `event`
    (windows,) numbers the seizure of its recording that a window lies in, where a detector only looks at seizures.
    `clear` (windows,) bool is False for what is asked about but no example to learn from; None where all are. `seen`
    (windows, features) is what each looks like (`models.appearance`), of a typing: it stands beside `x`, and no detector
    reads it; None where nobody asks.
    """

    x: np.ndarray
    onset_s: np.ndarray
    recording: np.ndarray
    patient: np.ndarray
    window_s: float
    label: np.ndarray | None = None
    event: np.ndarray | None = None
    clear: np.ndarray | None = None
    seen: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.onset_s)

    def take(self, index: np.ndarray) -> "Examples":
        """The windows at these indices (or where this mask is True)."""
        known = (None if of is None else of[index] for of in (self.label, self.event, self.clear, self.seen))
        own = self.x[index], self.onset_s[index], self.recording[index], self.patient[index]
        return Examples(*own, self.window_s, *known)

    @classmethod
    def join(cls, parts: Sequence["Examples"]) -> "Examples":
        """All windows of several recordings, in the given order."""
        if len(parts) == 1:
            return parts[0]
        labels = [p.label for p in parts if p.label is not None]
        events = [p.event for p in parts if p.event is not None]
        clear = [np.ones(len(p), dtype=bool) if p.clear is None else p.clear for p in parts]
        seen = [p.seen for p in parts if p.seen is not None]
        return cls(
            np.concatenate([p.x for p in parts]),
            np.concatenate([p.onset_s for p in parts]),
            np.concatenate([p.recording for p in parts]),
            np.concatenate([p.patient for p in parts]),
            parts[0].window_s,
            np.concatenate(labels) if len(labels) == len(parts) else None,
            np.concatenate(events) if len(events) == len(parts) else None,
            np.concatenate(clear) if any(p.clear is not None for p in parts) else None,
            np.concatenate(seen) if len(seen) == len(parts) else None,
        )


@dataclass(frozen=True)
class State:
    """All that a fitted detector is: named float tensors, each of its own shape, and JSON settings."""

    tensors: Mapping[str, np.ndarray]
    settings: Mapping[str, Any]


class Detector(ABC):
    """A detector: `examples` → `fit` → `predict`, and a `state` that rebuilds it exactly.

    Laws (tests/contract): a rebuilt detector predicts bit-equally; prediction does not depend on batch mates;
    two fits with one seed give the same state; the future does not change the past.
    """

    name: ClassVar[str]
    task: ClassVar[str]
    modality: ClassVar[str]
    classes: ClassVar[tuple[str, ...]]
    contract: ClassVar[InputContract]
    window_s: float
    hop_s: float

    def __init__(self, params: Mapping[str, Any]):
        self.params = dict(params)
        self.sessions: Sessions = {}

    @property
    def front_end(self) -> Any:
        """What prepares recordings, films or poses for it: a frozen dataclass with `prepare` and `digest`."""
        return FrontEnd(montage=self.contract.montage)

    @property
    def rate_hz(self) -> float:
        """Samples or frames per second that it reads."""
        return float(self.front_end.rate_hz)

    def prepare(self, source: Any) -> Any:
        """A `Recording`, `Film` or `PoseTrack`, by the detector's modality, as its front end gives it."""
        return self.front_end.prepare(source)

    def networks(self) -> dict[str, Network]:
        """Its networks that ONNX Runtime can run in their place (`sessions`); none where there is no such network."""
        return {}

    @property
    def engine(self) -> str:
        """What it scores with: `reference`, the code it was fitted with, or `onnxruntime`."""
        return ONNX_RUNTIME if self.sessions else REFERENCE

    @abstractmethod
    def examples(self, prepared: Prepared, recording: str = "", patient: str = "") -> Examples:
        """Cut a prepared recording into windows; label is left open. A typing says what each looks like (`seen`)."""

    @abstractmethod
    def fit(
        self,
        train: Examples,
        valid: Examples,
        *,
        seed: int,
        checkpoint: Path | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        """Learn from labelled windows; `valid` (inner patients) only stops the training. Returns a log in JSON values.

        The log holds `epochs`, `best_epoch`, `valid_auc` (per epoch; macro AUC over classes where there are several), and
        `inner_auc`, what detectors are chosen by (`models.training.figure_by_halves`); the best of `valid_auc` where it is
        not stated.
        """

    @abstractmethod
    def score(self, examples: Examples) -> np.ndarray:
        """Logits before calibration: (windows,) of a detection, (windows, classes) of a typing."""

    @abstractmethod
    def state(self) -> State:
        """All that was fitted: copies of its tensors, and settings as JSON values."""

    @abstractmethod
    def load_state(self, state: State) -> None:
        """Take over a `state` of a detector with the same `params`, in place of what was fitted before.

        It then predicts what that one predicts, bit by bit.
        """


WindowsToX = Callable[[np.ndarray], np.ndarray]
"""(windows, derivations, samples), the next of a recording → `x` of these windows; may remember windows before."""


class Listener:
    """Makes a detector's examples while a recording goes on: `start` a segment, then call with its prepared samples.

    Law: any chunks give the examples of the whole recording, bit by bit. Keeps less than a window of signal.
    """

    def __init__(self, to_x: WindowsToX, rate_hz: float, window_s: float, hop_s: float):
        self._to_x, self._rate_hz, self.window_s, self._hop_s = to_x, rate_hz, window_s, hop_s
        self.start(0.0)

    def start(self, onset_s: float) -> None:
        """A gapless stretch begins, `onset_s` seconds after the recording's start.

        Signal before it is in no window any more; what the detector remembers of windows before (`WindowsToX`) stays.
        """
        self._cut = Cutter(self._rate_hz, self.window_s, self._hop_s, onset_s)

    def __call__(self, signal: np.ndarray, recording: str = "", patient: str = "") -> Examples:
        """(derivations, samples), the next of this segment → the windows that are whole now."""
        windows, onset_s = self._cut(signal)
        count = len(windows)
        return Examples(self._to_x(windows), onset_s, np.full(count, recording), np.full(count, patient), self.window_s)

    @property
    def next_end_s(self) -> float:
        """Seconds of the recording at which the next window will be whole."""
        return self._cut.next_end_s


class WindowDetector(Detector):
    """A detector that scores one window after another while the recording goes on, as at the bedside."""

    @abstractmethod
    def to_x(self, rate_hz: float) -> WindowsToX:
        """What makes `x` of one recording's windows, given them in order; a window's `x` uses no later window."""

    def listen(self) -> Listener:
        """Examples while the recording goes on; a new one for each recording."""
        rate_hz = self.front_end.rate_hz
        return Listener(self.to_x(rate_hz), rate_hz, self.window_s, self.hop_s)

    def examples(self, prepared: Prepared, recording: str = "", patient: str = "") -> Examples:
        """What `listen` gives of one segment after another: no window crosses a gap."""
        listen, parts = self.listen(), []
        for segment in prepared.segments:
            listen.start(segment.onset_s)
            parts.append(listen(segment.signal, recording, patient))
        if not parts:  # nothing was recorded: the same, without a window
            parts.append(listen(np.zeros((len(self.front_end.channels), 0), dtype=np.float32), recording, patient))
        return Examples.join(parts)


@dataclass(frozen=True)
class Cost:
    """What a part of a detector asks for: trained numbers, their size on disk (10⁶ bytes), and processor time here."""

    parameters: int
    megabytes: float
    ms_per_clip: float


UNSEEN = -30.0
"""The score of a type that no training patient had: it is never named, and a log loss stays finite."""


@dataclass(frozen=True)
class Stretch:
    """A part of a recording that a detector is asked about; `label` is the class that it truly has, None if unknown.

    What is not `clear` lies on the border of two classes: asked about as all else, but never learnt from.
    """

    number: int
    onset_s: float
    end_s: float
    label: int | None = None
    clear: bool = True


class TypingDetector(Detector):
    """A detector that names what a stretch of a recording is, shown nothing outside of it.

    The stretch may be a seizure that somebody marked (of which type is it?), a clip of a few seconds (is it a spasm?),
    or a clip before something (will a seizure begin?). `examples` is given the prepared signal, film or pose of one
    stretch (`between`) and makes one or more clips of it; the mean of the clips' probabilities is the answer. `classes`
    are in the order of the scores. The log of `fit` also holds `classes_seen`, those that the training patients had;
    all others score `UNSEEN`.
    """

    task = "typing"
    offset: float = 0.0
    """Added to the scores of the second class, so that inner patients' best threshold is ½; 0 where it is not fitted."""

    def stretches(self, truth: Annotations) -> list[Stretch]:
        """What is asked about in a recording whose events are known: here the seizures of a type that is told apart."""
        codes = [tuh_type(event.type) for event in truth.events]
        return [
            Stretch(number, event.onset_s, event.end_s, self.classes.index(code))
            for number, (event, code) in enumerate(zip(truth.events, codes, strict=True))
            if code in self.classes
        ]

    def asked(self, duration_s: float) -> list[Stretch]:
        """What is asked about in a recording of which nothing is known but its length: here all of it, as one."""
        return [Stretch(0, 0.0, duration_s)]

    @property
    def telling(self) -> tuple[str, ...]:
        """The classes of which it is worth knowing what they are named for; not those that mean nothing was seen."""
        return self.classes

    def attributed(self, clip: np.ndarray, name: int) -> Attribution | None:
        """What in a clip (`x` of one example, without its first axis) spoke for a class, by its index (`name`).

        None of a detector that cannot tell. The shapes are those of `Attribution`.
        """
        return None

    def explained_s(self, onset_s: float, one: Stretch) -> tuple[float, float]:
        """Onset and length (s) of what `attributed` tells of, for a clip that begins at `onset_s` in a stretch."""
        return onset_s, self.window_s

    def variants(self, examples: Examples) -> dict[str, np.ndarray]:
        """Scores of parts of the detector that stand for themselves beside the whole, each (windows, classes).

        Such as the members of an ensemble or a distilled student; they are evaluated beside the answer of `score`.
        """
        return {}

    def scored(self, examples: Examples) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """`score` and `variants` of the same clips, (windows, classes) each, where one look does for both."""
        return self.score(examples), self.variants(examples)

    def costs(self, examples: Examples) -> dict[str, Cost]:
        """Of the whole (`answer`) and of each variant, measured on these clips; empty where nobody would ask."""
        return {}


@dataclass(frozen=True)
class Lesson:
    """A recording to learn from before any seizure is seen: what it holds (`walk`, `rodent`, …) and whose it is."""

    prepared: Any
    content: str
    recording: str
    person: str


class Pretrained(ABC):
    """Of a detector that first learns from recordings of others (never of a patient who is tested) and keeps it.

    `pretrain` is run once, on the recordings of a cohort's period `pretraining`; what it learnt is given to every fold
    with `load_pretrained` before the first `examples`, and travels in the bundle like all else.
    """

    params: dict[str, Any]

    @abstractmethod
    def wanted(self, lessons: Sequence[Lesson]) -> list[Lesson]:
        """Those of the lessons that `pretrain` learns from; none where published weights take their place."""

    @property
    def published(self) -> str:
        """The file of published weights that it begins with, whose makers learnt from persons unknown; "" without."""
        return Path(self.params["weights"]).name

    @abstractmethod
    def pretrain(self, lessons: Sequence[Lesson], *, seed: int, progress: Progress | None = None) -> dict[str, Any]:
        """Learn; returns a log in JSON values. Same seed, same state, bit by bit."""

    @abstractmethod
    def pretrained(self) -> State:
        """What `pretrain` learnt, as copies; `load_pretrained` of the same `params` takes it."""

    @abstractmethod
    def load_pretrained(self, state: State) -> None:
        """Take over what another one has `pretrained`, before the first `examples`: these may depend on it."""
