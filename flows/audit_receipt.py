"""Is this saved answer the one that was given? Checked offline, with the platform's public key and nothing else."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows.workspace import open_workspace
from lineage import dsse
from lineage.keys import platform_public_paths
from lineage.receipts import verify_receipt
from lineage.refused import Refused
from serving.journal import verify_answer


def check_receipt(file: Path, key: Path | None = None) -> dict[str, Any]:
    """Verify an answer with its receipt, a receipt alone, or a signed report in its envelope.

    Without `key` the keys that this workspace's platform signs and signed with are taken. What does not verify is told
    (`ok` false, with `problems`); Refused is a file that is not JSON or no answer, and a key that is not there or not a
    P-256 public key in PEM.
    """
    value = _json(file)
    paths = [key] if key else platform_public_paths(open_workspace().keys)
    if not paths:
        raise Refused("this workspace has no platform key to check it with: give one with --key FILE")
    tried = [_checked(value, _pem(path)) for path in paths]
    return next((one for one in tried if one["ok"]), tried[0])


def _checked(value: dict[str, Any], pem: bytes) -> dict[str, Any]:
    try:
        public = dsse.read_pem(pem)
    except ValueError as error:
        raise Refused("the key is not a P-256 public key in PEM: give the platform's, keys/platform.pub") from error
    if "payloadType" in value:
        return _envelope(value, public)
    whole = "receipt" in value
    found = verify_answer(value, pem) if whole else verify_receipt(json.dumps(value), pem)
    entry = (value["receipt"] if whole else value)["entry"] if found.ok else {}
    said = {name: entry.get(name) for name in ("seq", "type", "recorded_at")}
    about = "the answer" if whole else "a receipt without its answer"
    text = f"{about} does not verify: {'; '.join(found.problems)}"
    if found.ok:
        text = f"{about} stands in the ledger as entry {said['seq']} of {found.size}, recorded at {said['recorded_at']}"
    parts = {"entry": said, "size": found.size, "root": found.root, "problems": found.problems}
    return {"ok": found.ok, "kind": "answer" if whole else "receipt", **parts, "text": text}


def _envelope(value: Mapping[str, Any], public: dsse.PublicKey) -> dict[str, Any]:
    ok, kind = dsse.holds(public, value), str(value["payloadType"])
    text = f"{kind}: {'signed by' if ok else 'NOT signed by, or changed since it was signed by,'} this platform's key"
    return {"ok": ok, "kind": kind, "problems": [] if ok else ["its signature does not belong to it"], "text": text}


def _json(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise Refused(f"there is no such file: {file}")
    try:
        value = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise Refused("the file cannot be read as JSON: give an answer as it was saved, receipt included") from error
    if not isinstance(value, dict):
        raise Refused("the file holds no answer: give one as it was saved, receipt included")
    return value


def _pem(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Refused("there is no public key to check it with: give the platform's with --key FILE") from error
