"""Where models wait to be served: BentoML's model store, and the one signed pointer that says what is in force."""

import json
import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from lineage import dsse
from lineage.digest import Digest, Manifest, canonical
from lineage.keys import platform_key
from lineage.ledger import Ledger
from lineage.place import ledger_place, workspace_id
from lineage.registry import Registry
from lineage.signing import SIGNATURE, verify_bundle
from lineage.times import utc_text

POINTER_TYPE = "application/vnd.ictal.in-force+json"
BUNDLE = "bundle"
"""Sub-folder of a stored model: BentoML writes a file of its own beside it, which is not part of the bundle."""


class NotInForce(Exception):
    """There is no pointer, or it cannot be trusted; `reason` says which."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Pointer:
    """Which bundle is in force and by which approval (a path inside the workspace), signed by the platform.

    It only points: a bundle without its own signature and approval is not loaded, whoever points at it.
    """

    bundle: Digest
    tag: str
    approval: str
    at: str
    key_id: str
    signature: str = ""

    def statement(self) -> bytes:
        """The bytes that the platform signs: canonical JSON of every field but the signature."""
        return canonical({name: value for name, value in asdict(self).items() if name != "signature"})


PLACES = ("in_force", "canary", "shadow")
"""Where a model may be pointed at; whether a canary or a shadow is on trial is what the ledger says."""


def pointer_path(home: Path, task: str = "detection", place: str = PLACES[0]) -> Path:
    """Each task has a model of its own in each place."""
    return home / "store" / (f"{place}.json" if task == "detection" else f"{place}_{task}.json")


def write_pointer(
    home: Path,
    *,
    bundle: Digest,
    tag: str,
    approval: Path,
    now: datetime,
    task: str = "detection",
    place: str = PLACES[0],
) -> Pointer:
    """Sign and put in force: services look at it every second. Replaced in one step, so nobody reads half of it.

    `approval` is a file inside the workspace `home`, ValueError for another. Rolling back is pointing at the earlier
    bundle again.
    """
    key = platform_key(home / "keys")
    inside = approval.resolve().relative_to(home.resolve()).as_posix()
    unsigned = Pointer(bundle, tag, inside, utc_text(now), dsse.key_id(key.public_key()))
    pointer = replace(unsigned, signature=dsse.sign(key, POINTER_TYPE, unsigned.statement()))
    path = pointer_path(home, task, place)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".new")
    unfinished.write_text(json.dumps(asdict(pointer), indent=1, sort_keys=True) + "\n")
    unfinished.replace(path)
    return pointer


def read_pointer(home: Path, task: str = "detection", place: str = PLACES[0]) -> Pointer:
    """What is in force; NotInForce where nothing is, or where the platform did not sign it."""
    path = pointer_path(home, task, place)
    if not path.exists():
        raise NotInForce("no model has been put in force yet")
    try:
        pointer = Pointer(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise NotInForce("the pointer to the model in force cannot be read") from error
    keys = [dsse.read_pem(key.read_bytes()) for key in trusted_keys(home)]
    if not keys:
        raise NotInForce("the platform's public key cannot be read, or is none that the ledger knows and trusts")
    if not any(dsse.verifies(key, POINTER_TYPE, pointer.statement(), pointer.signature) for key in keys):
        raise NotInForce("the pointer to the model in force is not signed by this platform")
    if not (home / pointer.approval).resolve().is_relative_to(home.resolve()):
        raise NotInForce("the pointer names an approval outside the workspace")
    return pointer


def named_approval(home: Path, task: str = "detection", place: str = PLACES[0]) -> Path:
    """The approval that the pointer names, whoever wrote the pointer: good for looking whether it changed, no more."""
    try:
        return home / str(json.loads(pointer_path(home, task, place).read_text())["approval"])
    except (OSError, ValueError, TypeError, KeyError):
        return pointer_path(home, task, place)


@contextmanager
def reading_ledger(home: Path) -> Iterator[Ledger]:
    """The workspace's ledger, let go of afterwards; NotInForce where there is none to ask."""
    place = ledger_place(home)
    if isinstance(place, Path) and not place.exists():
        raise NotInForce("there is no ledger that says who may sign and what was approved")
    ledger = Ledger(place, workspace=workspace_id(home))
    try:
        yield ledger
    finally:
        ledger.engine.dispose()


def trusted_keys(home: Path) -> list[Path]:
    """The public keys of this platform that the ledger knows and that were not revoked; NotInForce as
    `reading_ledger`."""
    with reading_ledger(home) as ledger:
        return Registry.read(ledger).trusted(home / "keys")


def import_bundle(home: Path, folder: Path) -> str:
    """Put a signed bundle into the workspace's BentoML store, under a tag made of its digest; returns the tag.

    Importing it again changes nothing, but that a copy whose signature is by a revoked key gets the present one. Refuses
    (SignatureInvalid) a bundle, or a stored copy, that is not as it was signed. Being in the store approves of nothing.
    """
    keys = trusted_keys(home)
    verify_bundle(folder, *keys)
    digest = Manifest.read(folder / "manifest.json").digest
    tag = f"{json.loads((folder / 'bundle.json').read_text())['detector']}:{digest[:40]}"
    try:
        stored = stored_bundle(home, tag)
        if Manifest.of(stored) != Manifest.of(folder):
            _take_over_signature(folder, stored)
        verify_bundle(stored, *keys)
    except NotInForce:
        models, store = _bentoml(home)
        with models.create(tag, labels={"bundle": digest[:40]}, _model_store=store) as made:
            shutil.copytree(folder, made.path_of(BUNDLE))
    return tag


def _take_over_signature(folder: Path, stored: Path) -> None:
    """Where nothing but the signature differs: the model was signed once more, since its first key was revoked."""
    if Manifest.of(stored, (SIGNATURE,)) == Manifest.of(folder, (SIGNATURE,)):
        shutil.copyfile(folder / SIGNATURE, stored / SIGNATURE)


def stored_bundle(home: Path, tag: str) -> Path:
    """The folder of a stored bundle; NotInForce where the store has none."""
    models, store = _bentoml(home)
    from bentoml.exceptions import NotFound

    try:
        return Path(models.get(tag, _model_store=store).path_of(BUNDLE))
    except NotFound as error:
        raise NotInForce("the model in force is not in the store: import it again") from error


@contextmanager
def quiet_bentoml() -> Iterator[None]:
    """Import BentoML in here: without usage reports, which only the spelling `True` switches off, and without its
    warnings about functions of other libraries that it uses itself."""
    os.environ["BENTOML_DO_NOT_TRACK"] = "True"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _bentoml(home: Path) -> tuple[Any, Any]:
    """BentoML's `models` (about 1 s) and the store of this workspace, whatever BENTOML_HOME says."""
    with quiet_bentoml():
        import bentoml.models
        from bentoml._internal.models import ModelStore
    folder = home / "bentoml" / "models"
    folder.mkdir(parents=True, exist_ok=True)
    return bentoml.models, ModelStore(folder)
