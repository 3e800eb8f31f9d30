"""Proof that one entry stands in the ledger, small enough to go out with a prediction and checked without us."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from lineage import dsse, merkle
from lineage.checkpoints import Checkpoint, Verification
from lineage.digest import canonical
from lineage.entries import Entry

if TYPE_CHECKING:
    from lineage.ledger import Ledger


@dataclass(frozen=True)
class Receipt:
    """An entry's envelope, the path from it to the root of a checkpoint, and that checkpoint with its signature.

    The leaf is SHA-256 over 0x00 and the envelope in canonical JSON (RFC 8785), so anyone can make it again.
    """

    entry: Entry
    path: tuple[bytes, ...]
    checkpoint: Checkpoint

    def to_json(self) -> str:
        """The receipt as it is handed out: one line of JSON, hashes as hexadecimal digits."""
        parts = {
            "entry": self.entry.envelope(),
            "path": [step.hex() for step in self.path],
            "checkpoint": json.loads(self.checkpoint.to_json()),
        }
        return json.dumps(parts, sort_keys=True)


def issue(ledger: "Ledger", entry: Entry, private_key: dsse.PrivateKey, now: datetime) -> Receipt:
    """A receipt for an entry of the ledger, under a head signed now; once in a while it is a checkpoint (`certify`)."""
    checkpoint = ledger.certify(private_key, now)
    return Receipt(entry, tuple(ledger.inclusion_proof(entry.seq, checkpoint.size)), checkpoint)


def verify_receipt(receipt_json: str, public_key_pem: str | bytes) -> Verification:
    """Check a receipt with nothing but the platform's public key; `size` and `root` are those of its checkpoint.

    Anything that is not a receipt is a problem, never an exception; a key that is none of P-256 is one (ValueError).
    """
    key = dsse.read_pem(public_key_pem)
    try:
        parts = json.loads(receipt_json)
        checkpoint = Checkpoint.from_json(json.dumps(parts["checkpoint"]))
        entry = Entry.from_envelope(parts["entry"])
        path = [bytes.fromhex(step) for step in parts["path"]]
        problems = _problems(entry, merkle.leaf_hash(canonical(parts["entry"])), path, checkpoint, key)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        return Verification([f"this is not a receipt: {error}"], 0, "")
    return Verification(problems, checkpoint.size, checkpoint.root)


def _problems(entry: Entry, leaf: bytes, path: list[bytes], checkpoint: Checkpoint, key: dsse.PublicKey) -> list[str]:
    problems = [checkpoint.problem(key)]
    if not merkle.includes(bytes.fromhex(checkpoint.root), checkpoint.size, entry.seq, leaf, path):
        problems.append(f"entry {entry.seq} is not among the {checkpoint.size} entries of the checkpoint")
    if entry.recorded_at > checkpoint.at:
        problems.append(f"entry {entry.seq} says it was recorded after the checkpoint that covers it")
    return [problem for problem in problems if problem]
