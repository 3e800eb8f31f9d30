"""Features that take long to compute, kept by what they were computed of: never by fold, never by name.

`ICTAL_FEATURES` names the folder; without it nothing is kept. Kept are arrays, each file under the digest of everything
that it depends on, so that nothing is ever read that was made of something else.
"""

import os
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from lineage.digest import Digest

FOLDER = "ICTAL_FEATURES"

Arrays = Mapping[str, np.ndarray]


def kept(key: Digest, make: Callable[[], Arrays]) -> Arrays:
    """The arrays kept under `key`, or those that `make` gives, which are then kept.

    Two processes may ask for the same: both make it, and either's whole file stays.
    """
    folder = os.environ.get(FOLDER)
    if not folder:
        return make()
    path = Path(folder) / key[:2] / f"{key}.npz"
    if path.exists():
        return _read(path)
    made = make()
    _write(path, made)
    return made


def _read(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _write(path: Path, arrays: Arrays) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem[:16]}-{os.getpid()}-{uuid.uuid4().hex}.npz")
    np.savez(partial, **dict(arrays))  # type: ignore[arg-type]
    partial.replace(path)
