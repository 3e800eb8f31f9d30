"""Whom and which keys the ledger knows. A file beside it can be edited; what it says counts where the ledger says the same.

A person counts as they were last registered, rotated, ended or revoked; the platform's keys are those that were ever
registered, without the revoked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lineage import dsse
from lineage.digest import Digest
from lineage.entries import Actor, Draft, EntryType, Subject
from lineage.keys import platform_public_paths
from lineage.ledger import Ledger
from lineage.people import People, Person

OF_PEOPLE = (
    EntryType.PERSON_REGISTERED,
    EntryType.PERSON_KEY_ROTATED,
    EntryType.PERSON_KEY_ENDED,
    EntryType.PERSON_KEY_REVOKED,
)
OF_THE_PLATFORM = (EntryType.PLATFORM_KEY_REGISTERED, EntryType.PLATFORM_KEY_ROTATED)
PERSON = "person"
PLATFORM_KEY = "platform key"


@dataclass(frozen=True)
class Registry:
    """The ledger's last word: a digest for each person (`Person.digest`), the ids of platform keys and of revoked ones."""

    people: Mapping[str, Digest]
    platform: frozenset[str] = frozenset()
    revoked: frozenset[str] = frozenset()

    @classmethod
    def read(cls, ledger: Ledger) -> "Registry":
        """What the ledger says of people and platform keys now."""
        last = {s.id: s.digest for e in ledger.entries(OF_PEOPLE) for s in e.subjects}
        known = frozenset(s.digest for e in ledger.entries(OF_THE_PLATFORM) for s in e.subjects)
        gone = frozenset(s.digest for e in ledger.entries(EntryType.PLATFORM_KEY_REVOKED) for s in e.subjects)
        return cls(last, known, gone)

    def attested(self, people: People) -> People:
        """Those of `people` who are exactly as the ledger registered them; whoever was edited or added is nobody."""
        return People({id: p for id, p in people.by_id.items() if self.people.get(id) == p.digest})

    def trusts(self, key_id: str) -> bool:
        """Whether a key is the platform's, and not revoked."""
        return key_id in self.platform and key_id not in self.revoked

    def trusted(self, keys: Path) -> list[Path]:
        """The platform's public keys in a folder that the ledger knows and that were not revoked, the present one first."""
        return [path for path in platform_public_paths(keys) if self.trusts(_id_of(path))]


def last_known(ledger: Ledger, id: str) -> Person | None:
    """A person as the ledger last registered them, whatever a file says of them; None where it knows nobody of this id."""
    about = [e for e in ledger.entries(OF_PEOPLE) if any(s.id == id for s in e.subjects)]
    values = ledger.payload(about[-1].payload_digest) if about else None
    return None if values is None else Person.from_values(values)


def of_person(type: EntryType, person: Person, actor: Actor, reason: str = "") -> Draft:
    """The line by which the ledger knows a person as they are from now on."""
    subject = Subject(PERSON, person.id, person.digest)
    return Draft(type, actor, (subject,), reason, person.values())


def of_platform_key(type: EntryType, key: dsse.PublicKey, actor: Actor, reason: str = "") -> Draft:
    """The line by which the ledger knows a key of the platform, or that it is revoked."""
    id = dsse.key_id(key)
    return Draft(type, actor, (Subject(PLATFORM_KEY, id[:12], id),), reason, {"public_key": dsse.pem_of(key)})


def _id_of(path: Path) -> str:
    """Empty, which is nobody's, where the file is no public key."""
    try:
        return dsse.key_id(dsse.read_pem(path.read_bytes()))
    except ValueError:
        return ""
