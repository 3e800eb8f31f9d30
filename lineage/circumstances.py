"""In which environment and by which code was it made? Both are things of the lineage, named by their digests.

The environment is the lock file: its digest is the identity, the versions that it pins stand in the entry that brings it
in. The code is the Git commit; whether the checkout was clean is said by each entry's `software`.
"""

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from lineage.digest import Digest, digest_of, sha256_file
from lineage.entries import Actor, Edge, EntryType, Software, Subject

if TYPE_CHECKING:
    from lineage.ledger import Ledger

LOCK_FILE = Path(__file__).resolve().parents[1] / "constraints.txt"
WRITER = Actor("ledger", "Ictal ledger", "service", auth_method="local")


def circumstances(software: Software) -> dict[str, Subject]:
    """Environment (`ran_in`) and code (`made_by_code`) of what writes the ledger; what is unknown is left out."""
    found = {}
    if re.fullmatch(r"[0-9a-f]{64}", software.lock_digest):
        found["ran_in"] = Subject("environment", LOCK_FILE.name, software.lock_digest)
    if re.fullmatch(r"[0-9a-f]{40,64}", software.git_commit):
        found["made_by_code"] = Subject("code", software.git_commit, commit_digest(software.git_commit))
    return found


def register(ledger: "Ledger") -> None:
    """Bring environment and code of whoever writes the ledger into the lineage, unless they are there."""
    subjects = tuple(circumstances(ledger.software).values())
    known = {s.digest for s in subjects if ledger.entries(EntryType.ENVIRONMENT_RECORDED, s.digest)}
    if any(s.digest not in known for s in subjects):
        pinned = pins() if ledger.software.lock_digest == _lock_digest() else {}
        payload = {"lock": ledger.software.lock_digest, "pinned": pinned}
        ledger.append(EntryType.ENVIRONMENT_RECORDED, actor=WRITER, subjects=subjects, payload=payload)


def made_in(ledger: "Ledger", digest: Digest) -> tuple[Edge, ...]:
    """The edges from a thing to the environment and the code by which it is made now; both are registered first."""
    register(ledger)
    return edges_of(ledger.software, digest)


def edges_of(software: Software, digest: Digest) -> tuple[Edge, ...]:
    """The same edges, where environment and code are registered already."""
    return tuple(Edge(digest, relation, s.digest) for relation, s in circumstances(software).items())


def commit_digest(commit: str) -> Digest:
    """A commit's place in the lineage: Git names it by SHA-1, the lineage by SHA-256."""
    return digest_of({"git_commit": commit})


@cache
def pins() -> dict[str, str]:
    """The versions that the lock file pins, by the package's normal name (PEP 503); empty without a lock file."""
    lines = LOCK_FILE.read_text().splitlines() if LOCK_FILE.exists() else []
    pinned = (line.split("#")[0].split(";")[0].strip().partition("==") for line in lines)
    return {normal_name(name): version for name, _, version in pinned if version}


def normal_name(package: str) -> str:
    """PEP 503: `Great_Expectations` and `great-expectations` are one package."""
    return re.sub(r"[-_.]+", "-", package.strip()).lower()


@cache
def _lock_digest() -> Digest:
    return sha256_file(LOCK_FILE) if LOCK_FILE.exists() else ""
