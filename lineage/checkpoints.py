"""A signed statement of how long the ledger is and what it hashes to, small enough to keep somewhere else."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from lineage import dsse
from lineage.digest import Digest, canonical
from lineage.entries import require_digest
from lineage.times import read_utc, utc_text

Progress = Callable[[int, int], object]
"""progress(done, total): how many entries were read or written, of how many."""

PAYLOAD_TYPE = "application/vnd.ictal.checkpoint+json"


@dataclass(frozen=True)
class TreeHead:
    """The ledger's first `size` entries hash to `root`."""

    size: int
    root: Digest


@dataclass(frozen=True)
class Checkpoint:
    """A tree head at a time, signed by a platform key. Kept elsewhere, it makes every later change visible.

    Law: `Checkpoint.from_json(c.to_json()) == c`.
    """

    size: int
    root: Digest
    at: datetime
    key_id: str
    signature: str = ""

    @classmethod
    def signed(cls, head: TreeHead, key: dsse.PrivateKey, at: datetime) -> "Checkpoint":
        """This tree head, signed with this key at this time; ValueError for a time without a zone."""
        unsigned = cls(head.size, head.root, at, dsse.key_id(key.public_key()))
        return replace(unsigned, signature=dsse.sign(key, PAYLOAD_TYPE, unsigned._statement()))

    @property
    def head(self) -> TreeHead:
        """The size and root that it states; whether they were signed is told by `problem`."""
        return TreeHead(self.size, self.root)

    def problem(self, key: dsse.PublicKey) -> str | None:
        """Why this checkpoint is not one signed by `key`; None when it is."""
        if self.key_id != dsse.key_id(key):
            return f"checkpoint of size {self.size} names another key than the trusted one"
        if not dsse.verifies(key, PAYLOAD_TYPE, self._statement(), self.signature):
            return f"checkpoint of size {self.size} has a signature that does not belong to it"
        return None

    def to_json(self) -> str:
        """The published form: one line of JSON."""
        return json.dumps({**asdict(self), "at": utc_text(self.at)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Checkpoint":
        """Read the published form; ValueError where it is not one."""
        fields = json.loads(text)
        try:
            read = cls(**{**fields, "at": read_utc(fields["at"])})
        except (TypeError, KeyError) as error:
            raise ValueError(f"not a checkpoint: {error}") from error
        require_digest(read.root)
        if type(read.size) is not int or read.size < 0:
            raise ValueError(f"a checkpoint's size is a whole number ≥ 0, got {read.size!r}")
        return read

    def _statement(self) -> bytes:
        return canonical({"size": self.size, "root": self.root, "at": utc_text(self.at), "key_id": self.key_id})


@dataclass(frozen=True)
class Verification:
    """What a re-hashing found: `problems` is empty when everything is as it was written."""

    problems: list[str]
    size: int
    root: Digest

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.problems
