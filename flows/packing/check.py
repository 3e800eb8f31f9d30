"""An evidence pack as its reader checks it: offline, without Prefect, and without a workspace where there is none."""

from pathlib import Path
from typing import Any

from flows.workspace import open_workspace
from lineage import verify_pack
from lineage.keys import platform_public_path
from lineage.refused import Refused


def verify_file(file: Path, key: Path | None = None) -> dict[str, Any]:
    """Check a pack offline, with the key of this workspace unless another is given. What does not hold is told, with
    `ok` false; Refused is a file that is no pack and a key that cannot be read."""
    path = key or _own_key()
    try:
        items, pem = verify_pack.read(file), path.read_bytes() if path else None
    except (OSError, ValueError) as error:
        raise Refused(f"this is no evidence pack, or the key cannot be read: {error}") from error
    problems = verify_pack.check(items, pem)
    whose = "the key given" if key else "this workspace's key" if path else "the key inside the pack, whoever made it"
    said = "everything is as it was packed and signed" if not problems else "\n".join(problems)
    text = f"{len(items)} items, checked with {whose}:\n{said}"
    return {"ok": not problems, "items": len(items), "problems": problems, "checked_with": whose, "text": text}


def _own_key() -> Path | None:
    try:
        path = platform_public_path(open_workspace().keys)
    except Refused:
        return None
    return path if path.exists() else None
