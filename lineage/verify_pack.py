"""Checks an evidence pack with nothing but the platform's public key: no network, no workspace, no Ictal.

    python verify.py PACK.zip --key platform.pub

Ictal puts this very file into every pack as `verify.py`; the pack's zip and a folder it was unpacked into are read
alike. It needs Python 3.9 or later, and `cryptography` for the signatures. Take the key from somebody you trust: the
one inside the pack only shows that the pack agrees with itself.

Exit code 0: everything is as it was packed and signed. 1: something is not; each line names the item.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
import zipfile
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

MANIFEST, MANIFEST_SIGNATURE = "MANIFEST.sha256", "MANIFEST.sig"
METADATA, PREVIEW = "ro-crate-metadata.json", "ro-crate-preview.html"
CARD, RESULT, REPORT, PAGE = "model/card.md", "evaluation/result.json", "evaluation/report.json", "evaluation/page.html"
GATES, LEAKAGE = "evaluation/gates.json", "evaluation/leakage_audit.json"
SPLIT, DATASET = "data/split.json", "data/manifest.json"
APPROVAL, SIGNERS, MANIFESTATIONS = "approvals/approval.json", "approvals/signers.json", "approvals/signatures.txt"
BUNDLE = "model/bundle/"
BUNDLE_MANIFEST, BUNDLE_SIGNATURE = f"{BUNDLE}manifest.json", f"{BUNDLE}model.sig"
SBOM, LOCK = "software/sbom.cdx.json", "software/constraints.txt"
GRAPH, PICTURE = "lineage/graph.json", "lineage/graph.svg"
RECEIPTS, CHECKPOINT, PAYLOADS = "ledger/receipts.json", "ledger/checkpoint.json", "ledger/payloads/"
PUBLIC_KEY, VERIFIER, STEPS = "keys/platform.pub", "verify.py", "HOW-TO-VERIFY.txt"

REQUIRED = (
    METADATA, PREVIEW, CARD, RESULT, REPORT, PAGE, GATES, LEAKAGE, SPLIT, DATASET, APPROVAL, SIGNERS, MANIFESTATIONS,
    BUNDLE_MANIFEST, BUNDLE_SIGNATURE, SBOM, LOCK, GRAPH, PICTURE, RECEIPTS, CHECKPOINT, PUBLIC_KEY, VERIFIER, STEPS,
)  # fmt: skip
"""What every pack holds, whatever else it holds."""

MANIFEST_TYPE = "application/vnd.ictal.evidence-manifest"
CHECKPOINT_TYPE = "application/vnd.ictal.checkpoint+json"
SIGNATURE_TYPE = "application/vnd.ictal.approval-signature+json"
"""Kinds of statement: a signature under one is none under another."""

Items = Mapping[str, bytes]


def check(items: Items, key_pem: bytes | None = None) -> list[str]:
    """Everything that is wrong with a pack, one sentence each, naming the item; empty when nothing is.

    `key_pem` is the platform's public key as the reader knows it; the pack's own where none is given.
    """
    problems = list(_not_whole(items))
    pem = items.get(PUBLIC_KEY, b"") if key_pem is None else key_pem
    missing = {MANIFEST, MANIFEST_SIGNATURE, *REQUIRED} - items.keys()
    for look in (_manifest_signature, _ledger, _payloads, _bundle, _approval, _evidence, _crate):
        try:
            problems += look(items, pem)
        except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
            if not (isinstance(error, KeyError) and error.args[0] in missing):  # which has been named above
                problems.append(f"{_SUBJECT[look.__name__]}: cannot be read ({type(error).__name__}: {error})")
    if key_pem is not None and _key_id(key_pem) != _key_id(items.get(PUBLIC_KEY, b"")):
        problems.append(f"{PUBLIC_KEY}: is not the key that was given")
    return problems


_SUBJECT = {
    "_manifest_signature": MANIFEST_SIGNATURE, "_ledger": RECEIPTS, "_payloads": PAYLOADS, "_bundle": BUNDLE_SIGNATURE,
    "_approval": APPROVAL, "_evidence": APPROVAL, "_crate": METADATA,
}  # fmt: skip


def read(place: Path) -> dict[str, bytes]:
    """The items of a zip or of a folder by their names; ValueError where it is neither, or names an item twice."""
    if place.is_dir():
        return {p.relative_to(place).as_posix(): p.read_bytes() for p in sorted(place.rglob("*")) if p.is_file()}
    if not zipfile.is_zipfile(place):
        raise ValueError(f"{place.name} is neither a zip nor a folder")
    with zipfile.ZipFile(place) as pack:
        names = pack.namelist()
        if len(set(names)) != len(names):
            raise ValueError(f"{place.name} holds two items of one name")
        return {name: pack.read(name) for name in names if not name.endswith("/")}


def manifest_of(items: Items) -> bytes:
    """One line for each item, as `sha256sum` writes and reads them."""
    named = sorted(name for name in items if name not in (MANIFEST, MANIFEST_SIGNATURE))
    return "".join(f"{hashlib.sha256(items[name]).hexdigest()}  {name}\n" for name in named).encode()


def canonical(value: Any) -> bytes:
    """The one byte form of a JSON value (RFC 8785)."""
    return _canonical(value).encode()


def signed_bytes(kind: str, payload: bytes) -> bytes:
    """What a signature covers (DSSE pre-authentication encoding): the kind of statement, then the statement."""
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind.encode(), len(payload), payload)


def is_included(root: bytes, size: int, index: int, leaf: bytes, path: list[bytes]) -> bool:
    """Whether the hashes of `path` lead from a leaf to the root of a tree of `size` leaves (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = hashlib.sha256(b"\x01" + step + found).digest()
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = hashlib.sha256(b"\x01" + found + step).digest()
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def _not_whole(items: Items) -> Iterator[str]:
    for name in (MANIFEST, MANIFEST_SIGNATURE, *REQUIRED):
        if name not in items:
            yield f"{name}: missing"
    lines = [line.split("  ", 1) for line in items.get(MANIFEST, b"").decode("utf-8", "replace").splitlines()]
    listed = {line[-1]: line[0] for line in lines}
    for name, digest in listed.items():
        if name not in items and name not in REQUIRED:
            yield f"{name}: missing"
        elif name in items and hashlib.sha256(items[name]).hexdigest() != digest:
            yield f"{name}: is not what was packed"
    for name in items:
        if name not in listed and name not in (MANIFEST, MANIFEST_SIGNATURE) and MANIFEST in items:
            yield f"{name}: is not in {MANIFEST}"


def _manifest_signature(items: Items, pem: bytes) -> Iterator[str]:
    signature = json.loads(items[MANIFEST_SIGNATURE])["signature"]
    yield from _unsigned(pem, MANIFEST_TYPE, items[MANIFEST], signature, MANIFEST)


def _ledger(items: Items, pem: bytes) -> Iterator[str]:
    checkpoint = json.loads(items[CHECKPOINT])
    statement = canonical({name: value for name, value in checkpoint.items() if name != "signature"})
    yield from _unsigned(pem, CHECKPOINT_TYPE, statement, checkpoint["signature"], CHECKPOINT)
    root, size = bytes.fromhex(checkpoint["root"]), checkpoint["size"]
    for receipt in json.loads(items[RECEIPTS]):
        entry = receipt["entry"]
        leaf = hashlib.sha256(b"\x00" + canonical(entry)).digest()
        if not is_included(root, size, entry["seq"], leaf, [bytes.fromhex(step) for step in receipt["path"]]):
            yield f"{RECEIPTS}: entry {entry['seq']} is not among the {size} entries of the checkpoint"
        if entry["recorded_at"] > checkpoint["at"]:
            yield f"{RECEIPTS}: entry {entry['seq']} says it was recorded after the checkpoint"


def _payloads(items: Items, pem: bytes) -> Iterator[str]:
    entries = [receipt["entry"] for receipt in json.loads(items[RECEIPTS])]
    erased = {s["digest"] for e in entries if e["type"] == "erase.executed" for s in e["subjects"]}
    for digest in sorted({entry["payload_digest"] for entry in entries} - erased - {""}):
        name = f"{PAYLOADS}{digest}.json"
        if name not in items:
            yield f"{name}: missing, and no entry says that it was erased"
        elif hashlib.sha256(items[name]).hexdigest() != digest:
            yield f"{name}: is not what its entry names"


def _bundle(items: Items, pem: bytes) -> Iterator[str]:
    """OpenSSF model signing: a DSSE envelope over an in-toto statement with the digest of every file."""
    envelope = json.loads(items[BUNDLE_SIGNATURE])["dsseEnvelope"]
    statement = base64.b64decode(envelope["payload"])
    yield from _unsigned(pem, envelope["payloadType"], statement, envelope["signatures"][0]["sig"], BUNDLE_SIGNATURE)
    signed = {r["name"]: r["digest"] for r in json.loads(statement)["predicate"]["resources"]}
    files = json.loads(items[BUNDLE_MANIFEST])["files"]
    here = {name.removeprefix(BUNDLE): name for name in items if name.startswith(BUNDLE)}
    if set(signed) != {*files, "manifest.json"}:
        yield f"{BUNDLE_SIGNATURE}: signs other files than {BUNDLE_MANIFEST} lists"
    for name, digest in signed.items():
        if files.get(name, digest) != digest:
            yield f"{BUNDLE_MANIFEST}: states another digest of {name} than was signed"
        if name in here and hashlib.sha256(items[here[name]]).hexdigest() != digest:
            yield f"{here[name]}: is not what was signed"
    if _digest_of(files) != json.loads(items[APPROVAL])["record"]["bundle_digest"]:
        yield f"{BUNDLE_MANIFEST}: is not of the bundle that was approved"


_SHOWN = ("person_id", "printed_name", "role")


def _approval(items: Items, pem: bytes) -> Iterator[str]:
    """Two different people signed exactly this record, the review first, neither made the model, and the ledger says so."""
    approval, signers = json.loads(items[APPROVAL]), json.loads(items[SIGNERS])
    record = _digest_of(approval["record"])
    seen: dict[str, list[Any]] = {"review": [], "approval": []}
    for signature in approval["signatures"]:
        signer = signers.get(signature["key_id"], {})
        statement = canonical({name: value for name, value in signature.items() if name != "signature"})
        who = f"{APPROVAL}: the signature of {signature['person_id']}"
        if signature["record_digest"] != record:
            yield f"{who} belongs to another record"
        key = signer.get("public_key", "").encode()
        yield from _unsigned(key, SIGNATURE_TYPE, statement, signature["signature"], who)
        if _key_id(key) != signature["key_id"] or any(signer.get(f) != signature[f] for f in _SHOWN):
            yield f"{SIGNERS}: shows another key, id, name or role than the signature of {signature['person_id']}"
        if signature["printed_name"] not in items[MANIFESTATIONS].decode():
            yield f"{MANIFESTATIONS}: does not show {signature['person_id']}"
        seen.setdefault(signature["meaning"], []).append(signature)
    if not any(_is_review_of(r, a) for r in seen["review"] for a in seen["approval"]):
        yield f"{APPROVAL}: not reviewed by one person and then approved by another"
    author = approval["record"]["author"]
    if any(signature["person_id"] == author for signature in (*seen["review"], *seen["approval"])):
        yield f"{APPROVAL}: reviewed or approved by {author}, who made the model"
    entries = [receipt["entry"] for receipt in json.loads(items[RECEIPTS])]
    approved = [e for e in entries if e["type"] == "approval.signed" and e["subjects"][0]["digest"] == record]
    if not {"review", "approval"} <= {e["reason"] for e in approved}:
        yield f"{RECEIPTS}: the ledger does not hold both signatures under this record"


def _is_review_of(review: Mapping[str, Any], approval: Mapping[str, Any]) -> bool:
    """By another person, under another key, and not later."""
    differ = all(review[name] != approval[name] for name in ("person_id", "key_id"))
    return differ and bool(review["utc_time"] <= approval["utc_time"])


def _evidence(items: Items, pem: bytes) -> Iterator[str]:
    """Every piece of evidence is the one that the signatures cover."""
    named = json.loads(items[APPROVAL])["record"]["evidence"]
    leakage = json.loads(items[LEAKAGE])
    found = {
        RESULT: ("evaluation", hashlib.sha256(items[RESULT]).hexdigest()),
        GATES: ("gates", hashlib.sha256(items[GATES]).hexdigest()),
        REPORT: ("report", hashlib.sha256(items[REPORT]).hexdigest()),
        CARD: ("card", hashlib.sha256(items[CARD]).hexdigest()),
        SPLIT: ("split", _digest_of(json.loads(items[SPLIT]))),
        DATASET: ("dataset", _digest_of(json.loads(items[DATASET]))),
        LEAKAGE: ("leakage_audit", _digest_of({"split": leakage["split_digest"], "outcomes": leakage["outcomes"]})),
    }
    for name, (what, digest) in found.items():
        if named[what] != digest:
            yield f"{name}: is not what was signed"


def _crate(items: Items, pem: bytes) -> Iterator[str]:
    """The RO-Crate names every item, with its digest."""
    entities = {entity["@id"]: entity for entity in json.loads(items[METADATA])["@graph"]}
    for name, content in items.items():
        if name not in entities:
            yield f"{METADATA}: does not name {name}"
        elif entities[name].get("sha256", "") not in ("", hashlib.sha256(content).hexdigest()):
            yield f"{METADATA}: states another digest of {name}"


def _unsigned(pem: bytes, kind: str, statement: bytes, signature: str, what: str) -> Iterator[str]:
    """A problem, unless the key signed exactly this statement: ECDSA over P-256 and SHA-256."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError:
        yield f"{what}: signature not checked, for want of the Python package `cryptography`"
        return
    try:
        key: Any = serialization.load_pem_public_key(pem)
        key.verify(base64.b64decode(signature, validate=True), signed_bytes(kind, statement), ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError, TypeError, AttributeError):
        yield f"{what}: is not signed by the key that it should be signed by"


def _key_id(pem: bytes) -> str:
    """SHA-256 of the key's DER bytes: how the platform names it, and what two people compare."""
    lines = [line for line in pem.decode("ascii", "replace").splitlines() if line and "-----" not in line]
    try:
        return hashlib.sha256(base64.b64decode("".join(lines))).hexdigest()
    except ValueError:
        return "unreadable"


def _digest_of(value: Any) -> str:
    return hashlib.sha256(canonical(value)).hexdigest()


def _canonical(value: Any) -> str:
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return "{" + ",".join(f"{_canonical(key)}:{_canonical(value[key])}" for key in keys) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(_canonical, value)) + "]"
    if isinstance(value, float):
        return _number(value)
    return json.dumps(value, ensure_ascii=False)


def _number(value: float) -> str:
    """As ECMAScript writes it: the shortest digits that read back the same, without exponent from 1e-6 to 1e21."""
    if value == 0:
        return "0"
    sign, places, exponent = Decimal(repr(value)).as_tuple()
    digits = "".join(map(str, places)).rstrip("0")
    point = len(places) + int(exponent)
    if 0 < point <= 21:
        text = digits[:point].ljust(point, "0") + ("." + digits[point:] if digits[point:] else "")
    elif -6 < point <= 0:
        text = "0." + "0" * -point + digits
    else:
        text = digits[0] + ("." + digits[1:] if digits[1:] else "") + f"e{point - 1:+d}"
    return "-" * sign + text


def main() -> int:
    """Print what does not hold of a pack; returns the exit code, 1 where anything does not or it cannot be read."""
    asked = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    asked.add_argument("pack", type=Path, nargs="?", default=Path(__file__).parent, help="zip or folder; default: here")
    asked.add_argument("--key", type=Path, help="the platform's public key (PEM), from somebody you trust")
    given = asked.parse_args()
    try:
        items, key = read(given.pack), given.key.read_bytes() if given.key else None
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        print(f"verify: {error}", file=sys.stderr)
        return 1
    problems = check(items, key)
    print(f"{len(items)} items; platform key {_key_id(items.get(PUBLIC_KEY, b'') if key is None else key)}")
    if key is None:
        print("this is the key inside the pack: compare its name with the one that the platform's operator tells you")
    print("\n".join(problems) or "everything is as it was packed and signed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
