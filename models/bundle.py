"""A fitted detector as it travels: weights, settings, calibration, decision, card, and a manifest that binds them."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from data.frontend import FrontEnd
from lineage.digest import Digest, Manifest
from lineage.refused import Refused
from models import detectors
from models.calibration import Calibration
from models.decisions import Decision
from models.detector import Detector, State

UNSIGNED = ("manifest.json", "model.sig")
"""Files that the manifest does not list: itself, and the signature over everything."""


class BrokenBundle(Refused):
    """A bundle whose files are not those of its manifest, or that this code cannot run."""


@dataclass(frozen=True)
class Bundle:
    """Everything a prediction depends on besides the recording.

    `origin` says from what it was made: recordings it was fitted on, split, data and code digests, seed.
    """

    detector: Detector
    calibration: Calibration
    decision: Decision
    origin: Mapping[str, Any] = field(default_factory=dict)
    digest: Digest = ""

    @property
    def name(self) -> str:
        return self.detector.name

    @property
    def front_end(self) -> FrontEnd:
        return self.detector.front_end


def save_bundle(bundle: Bundle, folder: Path) -> Bundle:
    """Write the bundle's files and manifest; byte-reproducible. Returns the bundle with its digest."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    state = bundle.detector.state()
    save_file({k: np.ascontiguousarray(v) for k, v in sorted(state.tensors.items())}, folder / "weights.safetensors")
    description = {
        "detector": bundle.name,
        "params": bundle.detector.params,
        "state": dict(state.settings),
        "front_end": {**asdict(bundle.front_end), "digest": bundle.front_end.digest},
        "calibration": asdict(bundle.calibration),
        "decision": asdict(bundle.decision),
        "origin": dict(bundle.origin),
    }
    (folder / "bundle.json").write_text(json.dumps(description, indent=1, sort_keys=True) + "\n")
    (folder / "card.md").write_text(detectors.card_of(bundle.name))
    manifest = Manifest.of(folder, UNSIGNED)
    manifest.write(folder / "manifest.json")
    return Bundle(bundle.detector, bundle.calibration, bundle.decision, bundle.origin, manifest.digest)


def load_bundle(folder: Path) -> Bundle:
    """Rebuild a bundle after comparing every file with its manifest; refuses what differs."""
    from safetensors.numpy import load_file

    try:
        manifest = Manifest.read(folder / "manifest.json")
    except (OSError, ValueError, KeyError) as error:
        raise BrokenBundle("the bundle has no readable manifest.json") from error
    if problems := manifest.differences(folder, UNSIGNED):
        raise BrokenBundle("the bundle is not as it was made: " + "; ".join(problems))
    description = json.loads((folder / "bundle.json").read_text())
    detector = detectors.build(description["detector"], description["params"])
    if detector.front_end.digest != description["front_end"]["digest"]:
        raise BrokenBundle("the bundle was fitted behind another front end than this code has; fit it anew")
    detector.load_state(State(load_file(folder / "weights.safetensors"), description["state"]))
    return Bundle(
        detector,
        Calibration(**description["calibration"]),
        Decision(**description["decision"]),
        description["origin"],
        manifest.digest,
    )
