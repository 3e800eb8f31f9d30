"""Content digests: SHA-256 is the identity of every file, setting and folder in Ictal."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rfc8785

Digest = str
"""Lower-case hexadecimal SHA-256."""


def sha256_bytes(content: bytes) -> Digest:
    """Digest of bytes as they stand."""
    return hashlib.sha256(content).hexdigest()


def sha256_file(path: Path) -> Digest:
    """Digest of a file's bytes, which are never all held in memory."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def canonical(value: Any) -> bytes:
    """The one byte form of a JSON value (RFC 8785); tuples read as lists.

    Refuses what has none: ValueError for NaN, infinite numbers and whole ones from 2**53 on, TypeError for what is no
    JSON.
    """
    return rfc8785.dumps(json.loads(json.dumps(value)))


def digest_of(value: Any) -> Digest:
    """Digest of a JSON value, independent of key order and spacing; refuses what `canonical` does."""
    return sha256_bytes(canonical(value))


@dataclass(frozen=True)
class Manifest:
    """The files of a folder with their digests; `digest` names the folder's whole content."""

    files: dict[str, Digest]

    @classmethod
    def of(cls, folder: Path, exclude: tuple[str, ...] = ()) -> "Manifest":
        """Digest every file below `folder`, except relative paths named in `exclude`."""
        paths = sorted(p for p in folder.rglob("*") if p.is_file())
        named = ((p.relative_to(folder).as_posix(), p) for p in paths)
        return cls({name: sha256_file(p) for name, p in named if name not in exclude})

    @property
    def digest(self) -> Digest:
        """SHA-256 over the canonical list of files and their digests."""
        return digest_of(self.files)

    def differences(self, folder: Path, exclude: tuple[str, ...] = ()) -> list[str]:
        """What in `folder` is not as recorded, one sentence per file; empty when all is as it was."""
        now = Manifest.of(folder, exclude).files
        changed = [f"{n}: content changed" for n in self.files if n in now and now[n] != self.files[n]]
        missing = [f"{n}: missing" for n in self.files if n not in now]
        added = [f"{n}: not in the manifest" for n in now if n not in self.files]
        return changed + missing + added

    def write(self, path: Path) -> None:
        """Write it as JSON, files by name; the same manifest gives the same bytes."""
        path.write_text(json.dumps({"digest": self.digest, "files": self.files}, indent=1, sort_keys=True) + "\n")

    @classmethod
    def read(cls, path: Path) -> "Manifest":
        """Read what `write` wrote; OSError, ValueError, KeyError or TypeError where it is none.

        No file is hashed again, and the digest that stands there is passed over: `digest` is made of the list.
        """
        return cls(json.loads(path.read_text())["files"])
