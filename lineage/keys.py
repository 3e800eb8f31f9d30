"""Who can sign: people with a key that only their passphrase opens, and the platform's own key, which is nobody.

A person signs with two components (21 CFR 11.200): the passphrase that they know, and the code that a device of theirs
shows for half a minute; both stand before the key file. Public keys stand in `people.json`; a service keeps its own copy
of that file, away from the models that it checks.
"""

import base64
import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from lineage import dsse, onetime, reauthentication
from lineage.digest import sha256_bytes
from lineage.reauthentication import AuthenticationFailed
from lineage.refused import Refused
from lineage.times import in_a_zone, read_utc, utc_text

PEOPLE = "people.json"
PLATFORM = "platform"
SERVICE_ROLE = "service"
DEMO_LIFETIME = timedelta(hours=24)
SHORTEST_PASSPHRASE = 8
"""NIST SP 800-63B-4, 3.1.1.2: a passphrase that is one of two components has at least 8 characters."""
NONCE_BYTES = 12

__all__ = [
    "AuthenticationFailed", "People", "Person", "PersonRefused", "create_person", "create_platform_key", "platform_key",
    "platform_public_path", "unlock",
]  # fmt: skip


class PersonRefused(Refused, ValueError):
    """A person who cannot be registered like this."""


@dataclass(frozen=True)
class Person:
    """A registered signer. `public_key` is PEM; `demo` keys are valid until `valid_until` and for `demo-*` sites.

    `secret` makes the codes of their device. It is known where the person is made, to be shown to them once, and empty
    ever after.
    """

    id: str
    printed_name: str
    role: str
    public_key: str
    demo: bool
    created_at: datetime
    valid_until: datetime | None
    secret: bytes = field(default=b"", compare=False, repr=False)

    @property
    def key(self) -> dsse.PublicKey:
        return dsse.read_pem(self.public_key)

    @property
    def key_id(self) -> str:
        return dsse.key_id(self.key)

    @property
    def is_service(self) -> bool:
        return self.role == SERVICE_ROLE

    def key_is_valid(self, now: datetime) -> bool:
        return self.created_at <= now and (self.valid_until is None or now <= self.valid_until)


@dataclass(frozen=True)
class People:
    """The registered signers by id."""

    by_id: Mapping[str, Person]

    @classmethod
    def read(cls, folder: Path) -> "People":
        """The people of `folder`; nobody where none was registered."""
        path = folder / PEOPLE
        rows = json.loads(path.read_text()) if path.exists() else {}
        return cls({id: _read_person(id, row) for id, row in rows.items()})

    def person(self, id: str) -> Person:
        """The person registered under `id`; KeyError where nobody is."""
        return self.by_id[id]


def create_person(
    folder: Path,
    id: str,
    printed_name: str,
    role: str,
    passphrase: str,
    demo: bool = False,
    *,
    now: datetime,
) -> Person:
    """Make a P-256 key and a secret for codes, write both encrypted, and register the public half; never over another
    person.

    The returned person alone knows the `secret`: `onetime.enrolment_uri(person.secret, id)` brings it into their device.
    Refuses (PersonRefused) a taken or reserved id, a nameless person and a short passphrase.
    """
    people = People.read(folder)
    _refuse_bad_person(people, id, printed_name, passphrase)
    key = ec.generate_private_key(ec.SECP256R1())
    until = now + DEMO_LIFETIME if demo else None
    public, secret = dsse.pem_of(key.public_key()), onetime.new_secret()
    person = Person(id, printed_name, role, public, demo, now, until, secret)
    _write_components(folder, person, key, passphrase)
    _write_people(folder, {**people.by_id, id: person})
    return person


def unlock(folder: Path, id: str, passphrase: str, code: str, now: datetime) -> dsse.PrivateKey:
    """The private key of a person who is there at `now`: AuthenticationFailed where passphrase or code is wrong.

    A code is accepted once, in whichever program; repeated failures lock the name for a while (Locked says until when).
    A key file that is not the registered person's is refused as well, whatever passphrase opens it.
    """
    in_a_zone(now)
    person = People.read(folder).by_id.get(id)
    who = id if person else sha256_bytes(id.encode())  # an unknown name may be a passphrase in the wrong field
    reauthentication.refuse_locked(folder, who, now)
    key, step = None, None
    if person is not None:
        try:
            key, secret = _opened(folder, person, passphrase)
            step = onetime.step_of(secret, code, now)
        except (OSError, ValueError, TypeError, InvalidTag):
            key = None
    reauthentication.count(folder, who, step, now)
    assert key is not None, "a step is known only where the key was opened"
    return key


def create_platform_key(folder: Path) -> Path:
    """Make the key that signs bundles and checkpoints, unless it is there; returns the private key's path.

    It lies unencrypted (mode 0600), since programs use it unattended; it is no person and cannot approve.
    """
    path = _key_path(folder, PLATFORM)
    if not path.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        _write_private(path, _pem(key, serialization.NoEncryption()))
    platform_public_path(folder).write_text(dsse.pem_of(platform_key(folder).public_key()))
    return path


def platform_key(folder: Path) -> dsse.PrivateKey:
    """The platform's private key; FileNotFoundError where none was made."""
    key = serialization.load_pem_private_key(_key_path(folder, PLATFORM).read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("the platform key is not a P-256 key")
    return key


def platform_public_path(folder: Path) -> Path:
    """Where the platform's public key (PEM) lies: what verifiers of bundles, checkpoints and receipts need."""
    return folder / f"{PLATFORM}.pub"


def _refuse_bad_person(people: People, id: str, printed_name: str, passphrase: str) -> None:
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", id) or id == PLATFORM:
        raise PersonRefused(f"a person's id is up to 64 of a-z 0-9 . _ - and not {PLATFORM!r}, got {id!r}")
    if id in people.by_id:
        raise PersonRefused(
            f"{id!r} is registered already; a new key needs a new id, so that old signatures stay theirs"
        )
    if not printed_name.strip():
        raise PersonRefused("a signature shows a printed name (21 CFR 11.50): give one")
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise PersonRefused(f"a passphrase has at least {SHORTEST_PASSPHRASE} characters, got {len(passphrase)}")


def _write_components(folder: Path, person: Person, key: dsse.PrivateKey, passphrase: str) -> None:
    stretched = _stretched(passphrase, person)
    _write_private(_key_path(folder, person.id), _pem(key, serialization.BestAvailableEncryption(stretched)))
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = _secret_cipher(stretched).encrypt(nonce, person.secret, person.id.encode())
    _write_private(_secret_path(folder, person.id), nonce + sealed)


def _opened(folder: Path, person: Person, passphrase: str) -> tuple[dsse.PrivateKey, bytes]:
    """Key and secret of a person; ValueError, OSError or InvalidTag where the passphrase opens none that is theirs."""
    stretched = _stretched(passphrase, person)
    key = serialization.load_pem_private_key(_key_path(folder, person.id).read_bytes(), stretched)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or dsse.key_id(key.public_key()) != person.key_id:
        raise ValueError("the key file holds another key than the registered one")
    sealed = _secret_path(folder, person.id).read_bytes()
    secret = _secret_cipher(stretched).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], person.id.encode())
    return key, secret


def _stretched(passphrase: str, person: Person) -> bytes:
    """PEM encryption alone (2048 rounds) lets a stolen file be guessed at; scrypt makes each guess cost 32 MiB."""
    salt = bytes.fromhex(person.key_id)
    return base64.b64encode(Scrypt(salt=salt, length=32, n=2**15, r=8, p=1).derive(passphrase.encode()))


def _secret_cipher(stretched: bytes) -> AESGCM:
    """The passphrase is stretched once for both files; this keeps their keys apart."""
    return AESGCM(HKDF(hashes.SHA256(), 32, salt=None, info=b"ictal one-time codes").derive(stretched))


def _secret_path(folder: Path, id: str) -> Path:
    return folder / f"{id}.totp"


def _key_path(folder: Path, id: str) -> Path:
    return folder / f"{id}.pem"


def _pem(key: dsse.PrivateKey, encryption: serialization.KeySerializationEncryption) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def _write_private(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


def _write_people(folder: Path, people: Mapping[str, Person]) -> None:
    """Replaced in one step, so that a reader never sees half of it."""
    unfinished = folder / f"{PEOPLE}.new"
    unfinished.write_text(json.dumps({id: _row(p) for id, p in sorted(people.items())}, indent=1) + "\n")
    unfinished.replace(folder / PEOPLE)


def _row(person: Person) -> dict[str, Any]:
    until = person.valid_until and utc_text(person.valid_until)
    row = {**asdict(person), "created_at": utc_text(person.created_at), "valid_until": until}
    del row["id"], row["secret"]
    return row


def _read_person(id: str, row: Mapping[str, Any]) -> Person:
    until = row["valid_until"] and read_utc(row["valid_until"])
    return Person(**{"id": id, **row, "created_at": read_utc(row["created_at"]), "valid_until": until})
