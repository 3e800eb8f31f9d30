"""The contract that every detector keeps, whatever it looks at."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from data.frontend import FrontEnd, Prepared
from data.windows import Cutter

Progress = Callable[[int, int, float], None]
"""Called after each epoch with (epoch, epochs, validation AUC)."""


@dataclass(frozen=True)
class InputContract:
    """What a detector is meant for; anything else is refused, never guessed at."""

    montage: str
    age_days: tuple[float, float]
    min_duration_s: float


@dataclass(frozen=True)
class Examples:
    """Windows of one or more recordings, ready for a detector.

    `x` (windows, …) float32 · `onset_s` (windows,) · `recording`, `patient` (windows,) str · `label` (windows,) where the
    truth is known: index into the detector's classes (0/1 of a detection). `window_s` is each window's length. `event`
    (windows,) numbers the seizure of its recording that a window lies in, where a detector only looks at seizures.
    """

    x: np.ndarray
    onset_s: np.ndarray
    recording: np.ndarray
    patient: np.ndarray
    window_s: float
    label: np.ndarray | None = None
    event: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.onset_s)

    def take(self, index: np.ndarray) -> "Examples":
        """The windows at these indices (or where this mask is True)."""
        label = None if self.label is None else self.label[index]
        event = None if self.event is None else self.event[index]
        return Examples(
            self.x[index], self.onset_s[index], self.recording[index], self.patient[index], self.window_s, label, event
        )

    @classmethod
    def join(cls, parts: Sequence["Examples"]) -> "Examples":
        """All windows of several recordings, in the given order."""
        if len(parts) == 1:
            return parts[0]
        labels = [p.label for p in parts if p.label is not None]
        events = [p.event for p in parts if p.event is not None]
        return cls(
            np.concatenate([p.x for p in parts]),
            np.concatenate([p.onset_s for p in parts]),
            np.concatenate([p.recording for p in parts]),
            np.concatenate([p.patient for p in parts]),
            parts[0].window_s,
            np.concatenate(labels) if len(labels) == len(parts) else None,
            np.concatenate(events) if len(events) == len(parts) else None,
        )


@dataclass(frozen=True)
class State:
    """All that a fitted detector is: named float tensors and JSON settings."""

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

    @property
    def front_end(self) -> FrontEnd:
        return FrontEnd(montage=self.contract.montage)

    @abstractmethod
    def examples(self, prepared: Prepared, recording: str = "", patient: str = "") -> Examples:
        """Cut a prepared recording into windows; label is left open."""

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

        The log holds `epochs`, `best_epoch`, `valid_auc` (per epoch; macro AUC over classes where there are several).
        """

    @abstractmethod
    def score(self, examples: Examples) -> np.ndarray:
        """Logits before calibration: (windows,) of a detection, (windows, classes) of a typing."""

    @abstractmethod
    def state(self) -> State: ...

    @abstractmethod
    def load_state(self, state: State) -> None: ...


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
        self._cut = Cutter(self._rate_hz, self.window_s, self._hop_s, onset_s)

    def __call__(self, signal: np.ndarray, recording: str = "", patient: str = "") -> Examples:
        """(derivations, samples), the next of this segment → the windows that are whole now."""
        windows, onset_s = self._cut(signal)
        count = len(windows)
        return Examples(self._to_x(windows), onset_s, np.full(count, recording), np.full(count, patient), self.window_s)

    @property
    def next_end_s(self) -> float:
        """When the next window will be whole."""
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
        listen, parts = self.listen(), []
        for segment in prepared.segments:
            listen.start(segment.onset_s)
            parts.append(listen(segment.signal, recording, patient))
        return Examples.join(parts)


@dataclass(frozen=True)
class Cost:
    """What a part of a detector asks for: trained numbers, their size on disk, and processor time on this machine."""

    parameters: int
    megabytes: float
    ms_per_clip: float


UNSEEN = -30.0
"""The score of a type that no training patient had: it is never named, and a log loss stays finite."""


class TypingDetector(Detector):
    """A detector that names the type of a seizure: it is shown windows inside seizures only.

    `examples` is given the prepared signal of one seizure (`Prepared.between`); `classes` are the codes of
    `data.seizure_types.TUH_TYPES` that it tells apart, in the order of its scores. The log of `fit` also holds
    `classes_seen`, the codes that the training patients had; all others score `UNSEEN`.
    """

    task = "typing"

    def variants(self, examples: Examples) -> dict[str, np.ndarray]:
        """Scores of parts of the detector that stand for themselves beside the whole, each (windows, classes).

        Such as the members of an ensemble or a distilled student; they are evaluated beside the answer of `score`.
        """
        return {}

    def costs(self, examples: Examples) -> dict[str, Cost]:
        """Of the whole (`answer`) and of each variant, measured on these clips; empty where nobody would ask."""
        return {}
