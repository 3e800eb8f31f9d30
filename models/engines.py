"""A detector's networks as ONNX: written when it is fitted, held equal to it, and what a service answers with.

Training and evaluation run the code that a detector was fitted with, the `reference` (PyTorch, or NumPy of a floor). ONNX
Runtime does the same in a fraction of the time; how far the two lie apart is measured before a model is proposed.
"""

import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data.threads import each, shares
from lineage.refused import Refused

ONNX_RUNTIME, REFERENCE = "onnxruntime", "reference"
LIMIT = 1e-4
"""Largest difference of an output. Logits of this size apart give probabilities that no reader could tell apart."""
OPSET = 18
QUESTIONS = 8


class NotEqual(Refused):
    """An exported network that does not say what the fitted one says."""


@dataclass(frozen=True)
class Network:
    """A network of PyTorch that looks at examples of one `shape`; `centre` and `spread` are of what it usually sees."""

    module: Any
    shape: tuple[int, ...]
    centre: Any = 0.0
    spread: Any = 1.0

    def questions(self) -> np.ndarray:
        """Noise in the form of what it sees, float32 (`QUESTIONS`, *shape): nobody's recording."""
        noise = np.random.default_rng(0).normal(size=(QUESTIONS, *self.shape))
        return np.asarray(self.centre + self.spread * noise, dtype=np.float32)

    def answers(self, x: np.ndarray) -> np.ndarray:
        """What the module says of x, float32 (examples, *shape); leaves it in evaluation mode."""
        import torch

        with torch.inference_mode():
            return np.asarray(self.module.eval()(torch.from_numpy(x)).numpy())


class Session:
    """An exported network in ONNX Runtime, for any number of threads at once.

    Examples are looked at one by one, so that what is said of one cannot depend on its company: in batches of one and of
    three the last bit was seen to differ. Where there are more threads, examples are shared out, never one example.
    """

    def __init__(self, path: Path):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
        (asked,), (said,) = self._session.get_inputs(), self._session.get_outputs()
        self._name, self._shape = asked.name, tuple(said.shape[1:])

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """float32 (examples, …) → float32 (examples, …)."""
        x = np.ascontiguousarray(x, dtype=np.float32)
        parts = each(
            lambda share: [self._session.run(None, {self._name: one[None]})[0] for one in x[share]], shares(len(x))
        )
        return np.concatenate([np.zeros((0, *self._shape), np.float32), *(one for part in parts for one in part)])


Sessions = Mapping[str, Session]


def export(networks: Mapping[str, Network], folder: Path) -> None:
    """Write each network as `NAME.onnx`; the same weights give the same bytes."""
    for name, network in networks.items():
        file_of(folder, name).write_bytes(exported(network))


def exported(network: Network) -> bytes:
    """The network as an ONNX model for one example at a time.

    By the exporter that traces: it takes 0.2 s where that of `torch.export` takes 5 s, and a training has many folds.
    """
    import torch

    written = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the older exporter, and of shapes that are taken as they are: they are
        torch.onnx.export(
            network.module.eval(), (torch.from_numpy(network.questions()[:1]),), written,  # type: ignore[arg-type]
            dynamo=False, opset_version=OPSET, input_names=["x"], output_names=["y"],
        )  # fmt: skip
    return written.getvalue()


def sessions(networks: Mapping[str, Network], folder: Path) -> dict[str, Session]:
    """A session of each network; none at all where the folder lacks one of them, as in bundles from before."""
    files = {name: file_of(folder, name) for name in networks}
    return {name: Session(file) for name, file in files.items()} if all(f.exists() for f in files.values()) else {}


def apart(networks: Mapping[str, Network], folder: Path) -> dict[str, float]:
    """How far each exported network lies from the fitted one: largest difference of an output over all questions."""
    found = {}
    for name, session in sessions(networks, folder).items():
        asked = networks[name].questions()
        found[name] = float(np.abs(session(asked) - networks[name].answers(asked)).max())
    return found


def refuse_unequal(distances: Mapping[str, float]) -> None:
    """Refuse (`NotEqual`) networks that lie further apart than `LIMIT`, or whose distance is no number."""
    for name, distance in distances.items():
        if not distance <= LIMIT:
            raise NotEqual(
                f"{name}.onnx differs from the network that was evaluated by {distance:.1e}, {LIMIT:.0e} are allowed: "
                "train it anew"
            )


def file_of(folder: Path, name: str) -> Path:
    """Where a network of a detector lies in the detector's folder, written or not."""
    return folder / f"{name}.onnx"
