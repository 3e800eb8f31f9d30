"""The people who may sign, as everybody may know them: printed name, role, and every public key that was ever theirs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from lineage import dsse
from lineage.digest import Digest, digest_of
from lineage.refused import Refused
from lineage.times import read_utc, utc_text

PEOPLE = "people.json"
SERVICE_ROLE = "service"


@dataclass(frozen=True)
class SigningKey:
    """The public half of a key (PEM) and its time. A signature is good where it was made between the two.

    One that was revoked is good for nothing, whenever it signed: whoever stole it can write any time under a signature.
    """

    public_key: str
    created_at: datetime
    valid_until: datetime | None = None
    revoked_at: datetime | None = None
    reason: str = ""

    @property
    def key(self) -> dsse.PublicKey:
        """The public key, read from its PEM each time; ValueError for what is no P-256 key."""
        return dsse.read_pem(self.public_key)

    @property
    def id(self) -> str:
        """SHA-256 of the public key, by which signatures name it."""
        return dsse.key_id(self.key)

    @property
    def revoked(self) -> bool:
        """Whether it was revoked, at any time."""
        return self.revoked_at is not None

    def is_valid(self, at: datetime) -> bool:
        """Whether a signature made `at` this time counts: from making to end, both included; never if revoked."""
        ended = self.valid_until is not None and at > self.valid_until
        return self.created_at <= at and not ended and not self.revoked

    def values(self) -> dict[str, Any]:
        """Its fields as plain JSON, times as UTC text."""
        times = {name: moment and utc_text(moment) for name, moment in vars(self).items() if name in KEY_TIMES}
        return {**vars(self), **times}

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> "SigningKey":
        """Law: `SigningKey.from_values(key.values()) == key`."""
        return cls(**{**values, **{name: values[name] and read_utc(values[name]) for name in KEY_TIMES}})


KEY_TIMES = ("created_at", "valid_until", "revoked_at")


@dataclass(frozen=True)
class Person:
    """A registered signer. `keys` begins with the present one; those before it were rotated away.

    `demo` people sign for `demo-*` sites only. `secret` makes the codes of their device: it is known where the person is
    made, to be shown to them once, and empty ever after.
    """

    id: str
    printed_name: str
    role: str
    demo: bool
    keys: tuple[SigningKey, ...]
    secret: bytes = field(default=b"", compare=False, repr=False)

    @property
    def present(self) -> SigningKey:
        """The key with which they sign now."""
        return self.keys[0]

    @property
    def key(self) -> dsse.PublicKey:
        """The public half of the present key."""
        return self.present.key

    @property
    def key_id(self) -> str:
        """The id of the present key."""
        return self.present.id

    @property
    def created_at(self) -> datetime:
        """When the present key was made."""
        return self.present.created_at

    @property
    def valid_until(self) -> datetime | None:
        """When the present key ends; None if it does not by itself."""
        return self.present.valid_until

    @property
    def is_service(self) -> bool:
        """Whether this is a program: it can neither approve nor revoke, nor resume a stopped site."""
        return self.role == SERVICE_ROLE

    def key_is_valid(self, now: datetime) -> bool:
        """Whether this person can sign with their present key."""
        return self.present.is_valid(now)

    def key_named(self, key_id: str) -> SigningKey | None:
        """The key with this id, if it is or was this person's."""
        return next((key for key in self.keys if key.id == key_id), None)

    def rotated(self, key: SigningKey, secret: bytes) -> "Person":
        """With a new key from its first moment on; what the old one signed until then stays good."""
        old = replace(self.present, valid_until=key.created_at)
        return replace(self, keys=(key, old, *self.keys[1:]), secret=secret)

    def ended(self, now: datetime) -> "Person":
        """Who has left: signs nothing more, and what they signed until now stays good."""
        return self._with_present(valid_until=now)

    def revoked(self, now: datetime, reason: str) -> "Person":
        """Whose present key is in wrong hands: nothing that it ever signed is good any more."""
        return self._with_present(revoked_at=now, reason=reason)

    def _with_present(self, **changes: Any) -> "Person":
        return replace(self, keys=(replace(self.present, **changes), *self.keys[1:]))

    def values(self) -> dict[str, Any]:
        """All but the secret, as JSON values. Law: `Person.from_values(p.values()) == p`."""
        named = {"id": self.id, "printed_name": self.printed_name, "role": self.role, "demo": self.demo}
        return {**named, "keys": [key.values() for key in self.keys]}

    @property
    def digest(self) -> Digest:
        """SHA-256 of what is registered of them: what the ledger keeps (see `lineage.registry`)."""
        return digest_of(self.values())

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> "Person":
        """A person as they are written down, read back with all their keys; their secret is empty. ValueError without keys."""
        if not values["keys"]:
            raise ValueError("a person has a key, present or past")
        return cls(**{**values, "keys": tuple(SigningKey.from_values(key) for key in values["keys"])})


@dataclass(frozen=True)
class People:
    """The registered signers by id."""

    by_id: Mapping[str, Person]

    @classmethod
    def read(cls, folder: Path) -> "People":
        """The people of `folder`; nobody where none was registered. Refuses (Refused) a file that is no such list."""
        path = folder / PEOPLE
        if not path.exists():
            return cls({})
        try:
            return cls({row["id"]: Person.from_values(row) for row in json.loads(path.read_text())})
        except (ValueError, TypeError, KeyError) as error:
            raise Refused(
                f"{PEOPLE} cannot be read, or is of a version in which nobody had a device: move it away and register "
                "everybody anew with `ictal person add`"
            ) from error

    def person(self, id: str) -> Person:
        """The person registered under `id`; KeyError where nobody is."""
        return self.by_id[id]

    def holding(self, person: Person) -> "People":
        """With a person, new or changed."""
        return People({**self.by_id, person.id: person})

    def without(self, id: str) -> "People":
        """The others."""
        return People({name: person for name, person in self.by_id.items() if name != id})

    def write(self, folder: Path) -> None:
        """Replaced in one step, so that a reader never sees half of it. Who has read it to change it is `alone` from then on."""
        unfinished = folder / f"{PEOPLE}.new"
        unfinished.write_text(json.dumps([p.values() for _, p in sorted(self.by_id.items())], indent=1) + "\n")
        unfinished.replace(folder / PEOPLE)
