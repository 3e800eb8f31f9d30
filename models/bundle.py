"""A fitted detector as it travels: weights, settings, all that decides and abstains, card, and a binding manifest."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from data.frontend import FrontEnd
from lineage.digest import Digest, Manifest
from lineage.refused import Refused
from models import detectors
from models.calibration import Calibration
from models.conformal import Conformal
from models.decisions import Decision
from models.detector import Detector, State
from models.engines import REFERENCE, export, sessions
from models.ood import Ood

UNSIGNED = ("manifest.json", "model.sig")
"""Files that the manifest does not list: itself, and the signature over everything."""

PARTS = ("detector", "params", "state", "front_end", "calibration", "decision", "conformal", "ood", "origin")
"""What bundle.json holds."""


class BrokenBundle(Refused):
    """A bundle whose files are not those of its manifest, or that this code cannot run."""


class NonReportable(Refused):
    """A model of a split under which the test has been seen: there is no way by which it may reach a patient."""


@dataclass(frozen=True)
class Bundle:
    """Everything a prediction depends on besides the recording.

    `origin` says from what it was made: recordings it was fitted on, split, data and code digests, seed.
    """

    detector: Detector
    calibration: Calibration
    decision: Decision
    conformal: Conformal
    ood: Ood
    origin: Mapping[str, Any] = field(default_factory=dict)
    digest: Digest = ""

    @property
    def name(self) -> str:
        """Name of the detector, as `models.detectors` knows it."""
        return self.detector.name

    @property
    def front_end(self) -> FrontEnd:
        """What prepares a recording for the detector, with the settings that it was fitted behind."""
        return self.detector.front_end


def refuse_leaky(bundle: "Made") -> None:
    """Refuse (`NonReportable`) a model not made with patients or sites apart, or that does not say how it was made."""
    if bundle.origin.get("reportable") is not True or bundle.origin.get("regime") not in ("patient", "site"):
        regime = bundle.origin.get("regime", "a regime that it does not name")
        raise NonReportable(
            f"this model was trained under {regime}: non-reportable, so it can be neither proposed nor used"
        )


class Made(Protocol):
    """A model that says how it was made."""

    @property
    def origin(self) -> Mapping[str, Any]:
        """What it was made of; without `reportable` and a `regime` in it, `refuse_leaky` refuses."""


def save_bundle(bundle: Bundle, folder: Path) -> Bundle:
    """Write the bundle's files and manifest; byte-reproducible. Returns the bundle with its digest."""
    parts = {
        "calibration": asdict(bundle.calibration),
        "decision": asdict(bundle.decision),
        "conformal": asdict(bundle.conformal),
        "ood": bundle.ood.to_json(),
        "origin": dict(bundle.origin),
    }
    return replace(bundle, digest=write_files(folder, bundle.detector, parts))


def write_files(folder: Path, detector: Detector, parts: Mapping[str, Any]) -> Digest:
    """Weights, `bundle.json` (detector, settings and `parts`), card, networks as ONNX, manifest; returns its digest."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    state = detector.state()
    save_file({k: np.ascontiguousarray(v) for k, v in sorted(state.tensors.items())}, folder / "weights.safetensors")
    description = {
        "detector": detector.name,
        "params": detector.params,
        "state": dict(state.settings),
        "front_end": {**asdict(detector.front_end), "digest": detector.front_end.digest},
        **parts,
    }
    (folder / "bundle.json").write_text(json.dumps(description, indent=1, sort_keys=True) + "\n")
    (folder / "card.md").write_text(detectors.card_of(detector.name))
    export(detector.networks(), folder)
    manifest = Manifest.of(folder, UNSIGNED)
    manifest.write(folder / "manifest.json")
    return manifest.digest


def load_bundle(folder: Path, engine: str = REFERENCE) -> Bundle:
    """Rebuild a bundle after comparing every file with its manifest; refuses what `read_description` refuses.

    `engine` is what it will score with; by the reference where it holds nothing for another.
    """
    description, digest = read_description(folder, PARTS)
    return Bundle(
        rebuilt(folder, description, engine),
        Calibration(**description["calibration"]),
        Decision(**description["decision"]),
        Conformal(**description["conformal"]),
        _ood(description),
        description["origin"],
        digest,
    )


def read_description(folder: Path, parts: tuple[str, ...] = ("origin",)) -> tuple[dict[str, Any], Digest]:
    """What bundle.json holds, and the bundle's digest, once every file was compared with the manifest.

    `BrokenBundle` where a file differs, is missing or has come in, and where bundle.json lacks one of `parts`.
    """
    try:
        manifest = Manifest.read(folder / "manifest.json")
    except (OSError, ValueError, KeyError) as error:
        raise BrokenBundle("the bundle has no readable manifest.json") from error
    if problems := manifest.differences(folder, UNSIGNED):
        raise BrokenBundle("the bundle is not as it was made: " + "; ".join(problems))
    description: dict[str, Any] = json.loads((folder / "bundle.json").read_text())
    if missing := [part for part in parts if part not in description]:
        raise BrokenBundle(
            f"the bundle has no {' and no '.join(missing)}: it was made before these belonged to a bundle, or for "
            "another task; fit it anew"
        )
    return description, manifest.digest


def rebuilt(folder: Path, description: Mapping[str, Any], engine: str = REFERENCE) -> Detector:
    """The fitted detector of a bundle; refuses (`BrokenBundle`) one that was fitted behind another front end."""
    from safetensors.numpy import load_file

    detector = detectors.build(description["detector"], description["params"])
    if detector.front_end.digest != description["front_end"]["digest"]:
        raise BrokenBundle("the bundle was fitted behind another front end than this code has; fit it anew")
    detector.load_state(State(load_file(folder / "weights.safetensors"), description["state"]))
    if engine != REFERENCE:
        detector.sessions = sessions(detector.networks(), folder)
    return detector


def _ood(description: Mapping[str, Any]) -> Ood:
    try:
        return Ood.from_json(description["ood"])
    except (ValueError, KeyError) as error:
        raise BrokenBundle(f"the bundle's out-of-distribution score cannot be used ({error}); fit it anew") from error
