"""A pose estimator that a site provides, as an ONNX file: from the film of one person to the joints.

Beside `NAME.onnx` lies `NAME.json`: `schema` (ictal.pose-estimator/1), `sha256` of the model, `size_px`, `joints` in the
order of the output, and `output`. The input is (frames, 1, size, size) float, grey from 0 to 1, letterboxed. The output is
`heat_maps` (frames, joints, rows, columns), logits of where the joint is, or `coordinates` (frames, joints, 3): across and
down in pixels of the input, and confidence 0–1.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data.film import Film, View
from data.pose import COCO, PoseTrack
from data.readers.video import frame_times, frames_and_lost
from lineage.digest import Digest, digest_of, sha256_file
from lineage.refused import Refused

SCHEMA = "ictal.pose-estimator/1"
OUTPUTS = ("heat_maps", "coordinates")
FRAMES = 256
"""Frames that are read and looked at together."""
LEAST_CONFIDENCE = 0.1
"""Below, a joint was not seen."""


class BadEstimator(Refused):
    """A pose estimator that is not what its description says, or that says too little."""


@dataclass(frozen=True)
class PoseEstimator:
    """A loaded model; `digest` names the file and its description, and goes into the digest of every track made."""

    session: Any
    size_px: int
    joints: tuple[str, ...]
    output: str
    digest: Digest

    def estimate(self, film: Film) -> PoseTrack:
        """The joints in every frame of the film's first view, in its pixels; NaN where not sure enough to be seen, and in
        frames that cannot be decoded."""
        view = film.views[0]
        time_s = frame_times(view)
        parts = [self.look(view, time_s[at : at + FRAMES]) for at in range(0, len(time_s), FRAMES)]
        found = np.concatenate(parts) if parts else np.zeros((0, len(self.joints), 3))
        found[~(found[..., 2] >= LEAST_CONFIDENCE)] = np.nan
        return PoseTrack(
            time_s, _in_film(found[..., :2], view, self.size_px), found[..., 2], film.duration_s, self.joints, None,
            digest_of([film.digest, self.digest]), film.name, film.age_days,
        )  # fmt: skip

    def look(self, view: View, times_s: np.ndarray) -> np.ndarray:
        """(times, joints, 3): across and down in pixels of the letterboxed picture, and confidence; NaN of a frame that
        cannot be decoded."""
        frames, lost, _ = frames_and_lost(view, times_s, self.size_px, grey=True)
        return np.where(lost[:, None, None], np.nan, self.joints_in(frames))

    def joints_in(self, frames: np.ndarray) -> np.ndarray:
        """(times, joints, 3) as `look`, of frames, uint8 (times, size, size); BadEstimator for any other shape."""
        said = self.session.run(None, {self.session.get_inputs()[0].name: as_input(frames)})[0]
        found = from_heat_maps(said, self.size_px) if self.output == "heat_maps" else np.array(said, dtype=float)
        if found.shape != (len(frames), len(self.joints), 3):
            raise BadEstimator(
                f"the estimator gave {np.shape(said)} for {len(frames)} frames of {len(self.joints)} joints"
            )
        return found


def load_estimator(path: Path) -> PoseEstimator:
    """Read a model and its description. Refuses one without a description, with other bytes, or of other joints."""
    import onnxruntime

    described = _description(path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a family of its own for each cause
        raise BadEstimator("the estimator is not an ONNX model that this version can run: export it again") from error
    size_px = described["size_px"]
    shape = session.get_inputs()[0].shape
    if len(shape) != 4 or list(shape[1:]) != [1, size_px, size_px]:
        raise BadEstimator(f"the estimator takes {shape}, expected are frames of (1, {size_px}, {size_px})")
    return PoseEstimator(session, size_px, tuple(described["joints"]), described["output"], digest_of(described))


def describe(path: Path, size_px: int, joints: tuple[str, ...], output: str) -> None:
    """Write the description beside a model."""
    stated = {
        "schema": SCHEMA, "sha256": sha256_file(path), "size_px": size_px, "joints": list(joints), "output": output,
    }  # fmt: skip
    path.with_suffix(".json").write_text(json.dumps(stated, indent=1) + "\n")


def as_input(frames: np.ndarray) -> np.ndarray:
    """uint8 (times, size, size) → float32 (times, 1, size, size), 0–1."""
    return (frames[:, None] / np.float32(255)).astype(np.float32)


def from_heat_maps(logits: np.ndarray, size_px: int) -> np.ndarray:
    """(frames, joints, rows, columns) → (frames, joints, 3): where each joint is in a picture of `size_px`, how surely.

    The mean place within one step of the peak, weighed by probability; the confidence is the probability that lies there.
    """
    frames, joints, rows, columns = logits.shape
    flat = logits.reshape(frames, joints, -1).astype(float)
    chance = np.exp(flat - flat.max(axis=2, keepdims=True))
    chance /= chance.sum(axis=2, keepdims=True)
    peak = chance.argmax(axis=2)[..., None]
    down, across = np.divmod(np.arange(rows * columns), columns)
    near = (abs(down - peak // columns) <= 1) & (abs(across - peak % columns) <= 1)
    weight = chance * near
    total = weight.sum(axis=2)
    x, y = ((weight * (places + 0.5)).sum(axis=2) / total for places in (across, down))
    return np.stack([x * size_px / columns - 0.5, y * size_px / rows - 0.5, total], axis=2)


def _in_film(xy: np.ndarray, view: View, size_px: int) -> np.ndarray:
    """Pixels of the letterboxed square → pixels of the view."""
    side = max(view.width, view.height)
    border = np.array([(side - view.width) / 2, (side - view.height) / 2])
    return np.asarray((xy + 0.5) * side / size_px - border - 0.5)


def _description(path: Path) -> Mapping[str, Any]:
    beside = path.with_suffix(".json")
    if path.suffix != ".onnx" or not path.is_file() or not beside.is_file():
        lacks = (
            "another kind of file"
            if path.suffix != ".onnx"
            else "no such file"
            if not path.is_file()
            else "no description"
        )
        raise BadEstimator(
            f"a pose estimator is a model (.onnx) with its description (.json) beside it; there is {lacks}"
        )
    try:
        described = json.loads(beside.read_text())
    except ValueError:
        raise BadEstimator("the description of the estimator is not JSON: write it again") from None
    if not isinstance(described, dict) or described.get("schema") != SCHEMA:
        raise BadEstimator(f"the description of the estimator does not say schema {SCHEMA}")
    if described.get("sha256") != sha256_file(path):
        raise BadEstimator("the estimator's bytes are not those of its description: one of them was changed")
    if described.get("output") not in OUTPUTS:
        raise BadEstimator(
            f"the estimator's output is one of {', '.join(OUTPUTS)}, got {str(described.get('output'))[:40]!r}"
        )
    size_px = described.get("size_px")
    if not isinstance(size_px, int) or not 16 <= size_px <= 1024:
        raise BadEstimator(f"size_px must be 16–1024, got {str(size_px)[:40]}")
    if missing := [joint for joint in COCO if joint not in described.get("joints", ())]:
        raise BadEstimator(f"the estimator gives no {missing[0]}: the joints of COCO-17 are needed, by their names")
    return described
