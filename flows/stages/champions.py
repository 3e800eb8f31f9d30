"""What is in force is the champion: its evaluation is kept as it was approved, for the next challenger to be held against."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows.stages.files import fresh, read_json, write_json
from flows.workspace import Workspace
from lineage.digest import Digest, sha256_file
from lineage.refused import Refused
from validation.predictions import EVENTS, SECONDS, STATED

RESULT = "result.json"


def keep_evaluation(workspace: Workspace, bundle: Digest, signed: Path, evaluation: Digest) -> None:
    """Keep the evaluation of a model that comes into force, out of the folder `signed` of its evidence.

    Refused where its result is not the one of the digest `evaluation`, which two people have signed.
    """
    target = _folder(workspace) / bundle
    if _is(target, evaluation):
        return
    if not _is(signed, evaluation):
        raise Refused(
            f"the evaluation of model {bundle[:12]} that was signed ({evaluation[:12]}) is not in store/evidence/"
            f"{signed.name[:12]}…, so that no challenger could be held against it: put that folder back from a backup"
        )
    partial = fresh(target.with_name(f".{bundle}.partial"))
    for name in (RESULT, SECONDS, EVENTS, STATED):
        if (signed / name).exists():  # a withdrawn consent takes predictions away
            shutil.copyfile(signed / name, partial / name)
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)


def name_champion(workspace: Workspace, bundle: Digest, detector: str) -> None:
    """Say which of the kept evaluations is that of the model in force."""
    write_json(_folder(workspace) / "current.json", {"bundle": bundle, "detector": detector})


def champion(workspace: Workspace) -> tuple[str, Path] | None:
    """The detector in force and where its evaluation is kept; None before the first."""
    path = _folder(workspace) / "current.json"
    if not path.exists():
        return None
    now = read_json(path)
    return now["detector"], path.with_name(now["bundle"])


def is_comparable(kept: Path, now: Mapping[str, Any]) -> bool:
    """Whether a champion was evaluated on the recordings and labels of `now` (`files.circumstances`), and its predictions
    are still there."""
    then = read_json(kept / RESULT)["of"]
    return (kept / SECONDS).exists() and all(then[what] == now[what] for what in ("recordings", "shuffled_labels"))


def _folder(workspace: Workspace) -> Path:
    return workspace.store / "champions"


def _is(folder: Path, evaluation: Digest) -> bool:
    return (folder / RESULT).exists() and sha256_file(folder / RESULT) == evaluation
