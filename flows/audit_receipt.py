"""Is this saved answer the one that was given? Checked offline, with the platform's public key and nothing else."""

import json
from pathlib import Path
from typing import Any

from flows.workspace import open_workspace
from lineage.keys import platform_public_path
from lineage.receipts import verify_receipt
from lineage.refused import Refused
from serving.journal import verify_answer


def check_receipt(file: Path, key: Path | None = None) -> dict[str, Any]:
    """Verify an answer with its receipt, or a receipt alone. Without `key` the workspace's own public key is taken."""
    value = _json(file)
    pem = _pem(key or platform_public_path(open_workspace().keys))
    whole = "receipt" in value
    try:
        found = verify_answer(value, pem) if whole else verify_receipt(json.dumps(value), pem)
    except ValueError as error:
        raise Refused("the key is not a P-256 public key in PEM: give the platform's, keys/platform.pub") from error
    entry = (value.get("receipt") or {}).get("entry", {}) if whole else value.get("entry", {})
    said = {name: entry.get(name) for name in ("seq", "type", "recorded_at")}
    about = "the answer" if whole else "a receipt without its answer"
    text = f"{about} stands in the ledger as entry {said['seq']} of {found.size}, recorded at {said['recorded_at']}"
    return {
        "ok": found.ok,
        "answer": whole,
        "entry": said,
        "size": found.size,
        "root": found.root,
        "problems": found.problems,
        "text": text if found.ok else f"{about} does not verify: {'; '.join(found.problems)}",
    }


def _json(file: Path) -> dict[str, Any]:
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
