"""What a detector learnt from others before any patient was seen, kept until every fold has taken it over."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lineage.digest import Digest, digest_of, sha256_file
from models.detector import State

LOG, WEIGHTS = "log.json", "weights.safetensors"


def save_pretrained(folder: Path, state: State, about: Mapping[str, Any]) -> None:
    """Write weights and log; byte-reproducible. `about` is whatever the log is to say beside the settings."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True)
    save_file({k: np.ascontiguousarray(v) for k, v in sorted(state.tensors.items())}, folder / WEIGHTS)
    (folder / LOG).write_text(json.dumps({**about, "settings": dict(state.settings)}, indent=1) + "\n")


def load_pretrained(folder: Path) -> State | None:
    """What was learnt; None where nothing was."""
    from safetensors.numpy import load_file

    if not (folder / LOG).exists():
        return None
    return State(load_file(folder / WEIGHTS), json.loads((folder / LOG).read_text())["settings"])


def pretrained_digest(folder: Path) -> Digest | None:
    """Digest of the weights and settings that were learnt; None where nothing was."""
    if not (folder / LOG).exists():
        return None
    return digest_of([sha256_file(folder / WEIGHTS), json.loads((folder / LOG).read_text())["settings"]])
