"""Everything that stands behind one model in one file, which an auditor checks without us: the evidence pack.

Nothing is left out in silence: what is missing, or is not what the signers saw, stops the build and is named.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows import records
from flows.packing.about import about
from flows.packing.case import Case, to_json
from flows.packing.page import preview
from flows.packing.parts import PARTS
from flows.progress import on_terminal, shown
from flows.promote import candidate_path, find_candidate, read_candidate
from flows.workspace import TASKS, Workspace, open_workspace
from lineage import crate, dsse, verify_pack
from lineage.crate import Item
from lineage.digest import Digest, sha256_file
from lineage.keys import platform_key
from lineage.ledger import Draft, Edge, Subject
from lineage.refused import Refused
from serving.store import NotInForce, read_pointer


class PackIncomplete(Refused):
    """Parts that are missing or failed, or a pack that does not verify; it was not written."""


def pack_model(model: str, out: Path | None = None, with_weights: bool = False) -> dict[str, Any]:
    """Write the evidence pack of a model, named by its digest (or its beginning) or by a detector that is in force.

    Without `out` it lies in the workspace's reports/packs, named after the model. Read back with the `rocrate` library and
    with the verifier that lies in it, and told to the ledger, before it gets its name: cut off, it leaves a line without a
    file, and not a file without a line. The same state of the workspace gives the same bytes.

    PackIncomplete names what is missing or failed; Refused for a model that was not proposed, and where the folder of
    `out` is not there. A file that lies at `out` is replaced.
    """
    workspace = open_workspace()
    candidate = _find(workspace, model)
    case = Case(workspace.of(candidate["task"]), candidate, with_weights)
    if out is None:  # never the folder that one stands in: a file in the checkout makes its code another
        out = workspace.root / "reports" / "packs" / f"ictal-{candidate['detector']}-{case.digest[:12]}.zip"
        out.parent.mkdir(parents=True, exist_ok=True)
    if not out.parent.is_dir():
        raise Refused(f"there is no folder {out.parent}: make it, or give another with --out")
    with on_terminal():
        contents = contents_of(case)
    unchecked = out.with_name(f".{out.name}.unchecked")
    try:
        crate.write_zip(unchecked, contents, case.proven.checkpoint.at)
        crate.refuse_broken(unchecked)
        _refuse_unverifiable(verify_pack.read(unchecked), case.public_key)
        digest = sha256_file(unchecked)
        _record(case, digest)
        unchecked.replace(out)
    finally:
        unchecked.unlink(missing_ok=True)
    text = f"{out}: {len(contents)} items about {case.named}, SHA-256 {digest}\ncheck it with: ictal audit verify-pack {out}"
    return {"file": str(out), "sha256": digest, "model": case.digest, "items": sorted(contents), "text": text}


def contents_of(case: Case) -> dict[str, bytes]:
    """Every file of the pack by its name. PackIncomplete names each part that is missing or failed, and why."""
    items: list[Item] = []
    failed: dict[str, str] = {}
    for number, (name, part) in enumerate(PARTS.items()):
        shown()(f"evidence pack: {name}", number, len(PARTS))
        try:
            items += part(case)
        except Exception as error:  # whatever breaks in a part, the pack is not built and the part is named
            failed[name] = str(error) if isinstance(error, Refused) else f"{type(error).__name__}: {error}"
    if failed:
        named = "\n".join(f"  {name}: {why}" for name, why in failed.items())
        raise PackIncomplete(
            f"no pack of {case.named}: {len(failed)} of {len(PARTS)} parts are missing or failed\n{named}"
        )
    page = preview(case, items).encode()
    described = crate.metadata(about(case), items)
    contents = {item.path: item.content for item in items}
    contents |= {verify_pack.PREVIEW: page, verify_pack.METADATA: described}
    manifest = verify_pack.manifest_of(contents)
    return contents | {verify_pack.MANIFEST: manifest, verify_pack.MANIFEST_SIGNATURE: _signed(case, manifest)}


def _find(workspace: Workspace, model: str) -> dict[str, Any]:
    """The candidate of a digest, or the one that is in force under a detector's name."""
    for task in TASKS:
        try:
            in_force = read_pointer(workspace.root, task).bundle
        except NotInForce:
            continue
        if candidate_path(workspace, in_force).exists():
            candidate = read_candidate(workspace, in_force)
            if candidate["detector"] == model:
                return candidate
    return find_candidate(workspace, model)


def _record(case: Case, pack: Digest) -> None:
    """That evidence was made up to leave the house; the same pack made again adds no line."""
    export = Subject("export", f"evidence pack of {case.named}", pack)
    edges = (Edge(pack, "tells_of", case.digest),)
    payload = {"with_weights": case.with_weights}
    records.record_once(
        case.workspace, Draft("data.exported", records.PIPELINE, (export,), payload=payload, edges=edges)
    )


def _refuse_unverifiable(items: Mapping[str, bytes], key: bytes) -> None:
    problems = verify_pack.check(items, key)
    if problems:
        raise PackIncomplete("the pack does not verify and was not kept: " + "; ".join(problems))


def _signed(case: Case, manifest: bytes) -> bytes:
    """By RFC 6979, so that the same manifest bears the same signature."""
    key = platform_key(case.workspace.keys)
    signature = dsse.sign(key, verify_pack.MANIFEST_TYPE, manifest, repeatable=True)
    statement = {
        "key_id": dsse.key_id(key.public_key()),
        "payload_type": verify_pack.MANIFEST_TYPE,
        "signature": signature,
    }
    return to_json(statement)
