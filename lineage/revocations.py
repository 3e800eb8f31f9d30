"""Taking an approval back: a signed statement that stops a model wherever it is read.

The list fails closed. A revocation that cannot be read or verified still stops what it names, since a wrongly stopped
model can be approved again and a wrongly running one cannot be taken back.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from lineage import dsse
from lineage.digest import Digest, canonical, digest_of
from lineage.entries import require_digest
from lineage.keys import unlock
from lineage.people import People
from lineage.records import NotApproved
from lineage.times import utc_text

PAYLOAD_TYPE = "application/vnd.ictal.revocation+json"


@dataclass(frozen=True)
class Revocation:
    """`digest` is that of an approval record, or of a bundle that may no longer be used under any record."""

    digest: Digest
    reason: str
    person_id: str
    printed_name: str
    utc_time: str
    key_id: str
    signature: str = ""

    def verifies(self, people: People) -> bool:
        """Whether a registered person signed it."""
        person = people.by_id.get(self.person_id)
        key = person and person.key_named(self.key_id)
        return key is not None and dsse.verifies(key.key, PAYLOAD_TYPE, self._statement(), self.signature)

    def _statement(self) -> bytes:
        return canonical({name: value for name, value in vars(self).items() if name != "signature"})


def revoke(
    folder: Path, keys: Path, person_id: str, passphrase: str, code: str, *, digest: Digest, reason: str, now: datetime
) -> Revocation:
    """Sign a revocation with a person's two components and put it into `folder`, where services look for it.

    `keys` is the folder of key files. Raises ValueError for what is no digest and for an empty reason,
    AuthenticationFailed for wrong components, NotApproved for a service account and for a key that has ended.
    """
    require_digest(digest)
    if not reason.strip():
        raise ValueError("a revocation says why")
    key = unlock(keys, person_id, passphrase, code, now)
    person = People.read(keys).person(person_id)
    if person.is_service or not person.key_is_valid(now):
        raise NotApproved(f"{person.id} cannot take anything back: a service account, or a key that has ended")
    made = Revocation(digest, reason, person.id, person.printed_name, utc_text(now), person.key_id)
    made = replace(made, signature=dsse.sign(key, PAYLOAD_TYPE, made._statement()))
    _write(folder, made)
    return made


def read_revocations(folder: Path) -> tuple[Revocation, ...]:
    """Every revocation in `folder`; none where it does not exist. An unreadable one raises NotApproved."""
    return tuple(_read(path) for path in sorted(folder.glob("*.json")))


def faults(revoked: Iterable[Revocation], digests: Iterable[Digest], people: People) -> Iterator[str]:
    """What stands against these digests, one sentence for each revocation that names one; those of others say
    nothing."""
    named = set(digests)
    for revocation in revoked:
        if revocation.digest not in named:
            continue
        if revocation.verifies(people):
            yield f"revoked by {revocation.person_id} at {revocation.utc_time}: {revocation.reason}"
        else:
            yield "revoked, by a statement whose signature cannot be verified"


def _write(folder: Path, revocation: Revocation) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{revocation.digest[:16]}-{digest_of(asdict(revocation))[:16]}.json"
    unfinished = folder / f"{name}.new"
    unfinished.write_text(json.dumps(asdict(revocation), indent=1, sort_keys=True) + "\n")
    unfinished.replace(folder / name)


def _read(path: Path) -> Revocation:
    try:
        return Revocation(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise NotApproved(f"the revocation {path.name} cannot be read, so nothing counts as approved") from error
