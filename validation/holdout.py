"""Who is locked away: persons whom no training, tuning or choice ever sees, to be asked a few times at the very end.

Whether somebody is locked follows from their key and the seed alone, so that it never changes when others come or go.
"""

import hashlib


def is_locked(person: str, share: float, seed: int) -> bool:
    """Whether a person belongs to the locked hold-out, for an expected `share` (0–1) of all persons.

    Law: who is locked at one share is locked at every larger share of the same seed.
    """
    drawn = hashlib.sha256(f"hold-out {seed} {person}".encode()).digest()[:8]
    return int.from_bytes(drawn, "big") / 2**64 < share
