"""The private half: key files that only their person opens, and the platform's own key, which is nobody.

A person signs with two components (21 CFR 11.200): the passphrase that they know, and the code that a device of theirs
shows for half a minute; both stand before the key file. Public keys stand in `people.json` (`lineage.people`).
"""

import base64
import os
import re
import secrets
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from lineage import dsse, onetime, reauthentication
from lineage.alone import alone
from lineage.digest import sha256_bytes
from lineage.people import People, Person, SigningKey
from lineage.reauthentication import AuthenticationFailed
from lineage.refused import Refused
from lineage.times import in_a_zone
from lineage.whole import whole_file

PLATFORM = "platform"
DEMO_LIFETIME = timedelta(hours=24)
SHORTEST_PASSPHRASE = 8
"""NIST SP 800-63B-4, 3.1.1.2: a passphrase that is one of two components has at least 8 characters."""
NONCE_BYTES = 12

__all__ = [
    "AuthenticationFailed", "People", "Person", "PersonRefused", "create_person", "create_platform_key",
    "every_platform_key", "platform_key",
    "platform_public_path", "platform_public_paths", "rotate_person", "rotate_platform_key", "set_aside_platform_key",
    "unlock",
]  # fmt: skip


class PersonRefused(Refused, ValueError):
    """A person who cannot be registered, or given a new key, like this."""


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
    The key of a `demo` person ends after 24 h. Refuses (PersonRefused) a taken or reserved id, a name that is missing
    or another's, and a short passphrase.
    """
    with alone(folder):
        people = People.read(folder)
        _refuse_bad_person(people, id, printed_name, now)
        _refuse_short(passphrase)
        key, public = _new_key(now, now + DEMO_LIFETIME if demo else None)
        person = Person(id, printed_name, role, demo, (public,), onetime.new_secret())
        for path in (_key_path(folder, person), _secret_path(folder, person)):
            path.unlink(missing_ok=True)  # of a registration that was cut off before it counted
        _write_components(folder, person, key, passphrase)
        people.holding(person).write(folder)
        return person


def rotate_person(folder: Path, id: str, passphrase: str, code: str, new_passphrase: str, now: datetime) -> Person:
    """A new key and a new secret for codes, in place of those that open now; what the old key signed stays good.

    The old private key is destroyed. Refuses (PersonRefused) a key that was revoked or has ended, as its holder may be
    anybody, and a short passphrase; AuthenticationFailed as `unlock`.
    """
    _refuse_short(new_passphrase)
    with alone(folder):
        unlock(folder, id, passphrase, code, now)
        people = People.read(folder)
        old = people.person(id)
        if not old.key_is_valid(now):
            raise PersonRefused(f"the key of {id} was revoked or has ended: register the person anew, under another id")
        key, public = _new_key(now, old.valid_until)
        person = old.rotated(public, onetime.new_secret())
        for path in (_key_path(folder, person), _secret_path(folder, person)):
            path.unlink(missing_ok=True)  # of a rotation that was cut off before it counted
        _write_components(folder, person, key, new_passphrase)
        people.holding(person).write(folder)  # from here on the new files are those that count
        for path in (_key_path(folder, old), _secret_path(folder, old)):
            path.unlink()
        return person


def unlock(folder: Path, id: str, passphrase: str, code: str, now: datetime) -> dsse.PrivateKey:
    """The private key of a person who is there at `now`: AuthenticationFailed where passphrase or code is wrong.

    A code is accepted once, in whichever program; repeated failures lock the name for a while (Locked says until when).
    A key file that is not the registered person's is refused as well, whatever passphrase opens it.
    """
    in_a_zone(now)
    person = People.read(folder).by_id.get(id)
    who = person.key_id if person else sha256_bytes(id.encode())
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
    path = _platform_path(folder)
    if not (path.exists() and _is_public_half(platform_public_path(folder), platform_key(folder))):
        with alone(folder):
            if not path.exists():  # another program may have been first
                _write_unfinished(folder, _new_private()).replace(path)
            _write_public(platform_public_path(folder), platform_key(folder))
    return path


def rotate_platform_key(folder: Path) -> Path:
    """A new platform key in place of the present one, which is destroyed; its public half stays, for what it signed.

    Returns the path of that former public key. FileNotFoundError where no key was made. Wherever it is cut off, the public
    half of the key that signs is among `platform_public_paths`.
    """
    with alone(folder):
        present, new = platform_key(folder), _new_private()
        former = _former_path(folder, dsse.key_id(present.public_key()))
        _write_public(former, present)
        unfinished = _write_unfinished(folder, new)
        _write_public(platform_public_path(folder), new)
        unfinished.replace(_platform_path(folder))
    return former


def set_aside_platform_key(folder: Path, key_id: str) -> None:
    """Take a former public key from among those that are trusted; FileNotFoundError where there is none of this id."""
    former = _former_path(folder, key_id)
    former.rename(former.with_suffix(".revoked"))


def platform_key(folder: Path) -> dsse.PrivateKey:
    """The platform's private key; FileNotFoundError where none was made, ValueError for one that is not P-256."""
    key = serialization.load_pem_private_key(_platform_path(folder).read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("the platform key is not a P-256 key")
    return key


def platform_public_path(folder: Path) -> Path:
    """Where the platform's public key (PEM) lies: what verifiers of bundles, checkpoints and receipts need."""
    return folder / f"{PLATFORM}.pub"


def platform_public_paths(folder: Path) -> list[Path]:
    """The present public key and those before it that were not revoked: what they signed is still to be verified."""
    present = platform_public_path(folder)
    return [path for path in (present, *sorted(folder.glob(f"{PLATFORM}-*.pub"))) if path.exists()]


def every_platform_key(folder: Path) -> list[Path]:
    """The revoked ones as well: a checkpoint of theirs is held against the ledger, and proves nothing else."""
    return [*platform_public_paths(folder), *sorted(folder.glob(f"{PLATFORM}-*.revoked"))]


def _refuse_bad_person(people: People, id: str, printed_name: str, now: datetime) -> None:
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", id) or id == PLATFORM:
        raise PersonRefused(f"a person's id is up to 64 of a-z 0-9 . _ - and not {PLATFORM!r}, got {id!r}")
    if id in people.by_id:
        raise PersonRefused(f"{id!r} is registered already; `ictal person rotate {id}` gives them a new key")
    if not printed_name.strip():
        raise PersonRefused("a signature shows a printed name (21 CFR 11.50): give one")
    for other in people.by_id.values():
        if _as_heard(other.printed_name) == _as_heard(printed_name) and other.key_is_valid(now):
            raise PersonRefused(
                f"{other.id} signs under this printed name already, and a name under a signature means one person "
                "(21 CFR 11.100): add an initial, or `ictal person rotate` where it is the same person"
            )


def _as_heard(name: str) -> str:
    return " ".join(name.casefold().split())


def _refuse_short(passphrase: str) -> None:
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise PersonRefused(f"a passphrase has at least {SHORTEST_PASSPHRASE} characters, got {len(passphrase)}")


def _new_private() -> dsse.PrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _new_key(now: datetime, until: datetime | None) -> tuple[dsse.PrivateKey, SigningKey]:
    key = _new_private()
    return key, SigningKey(dsse.pem_of(key.public_key()), now, until)


def _write_components(folder: Path, person: Person, key: dsse.PrivateKey, passphrase: str) -> None:
    stretched = _stretched(passphrase, person)
    _write_private(_key_path(folder, person), _pem(key, serialization.BestAvailableEncryption(stretched)))
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = _secret_cipher(stretched).encrypt(nonce, person.secret, person.id.encode())
    _write_private(_secret_path(folder, person), nonce + sealed)


def _opened(folder: Path, person: Person, passphrase: str) -> tuple[dsse.PrivateKey, bytes]:
    """Key and secret of a person; ValueError, OSError or InvalidTag where the passphrase opens none that is theirs."""
    stretched = _stretched(passphrase, person)
    key = serialization.load_pem_private_key(_key_path(folder, person).read_bytes(), stretched)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or dsse.key_id(key.public_key()) != person.key_id:
        raise ValueError("the key file holds another key than the registered one")
    sealed = _secret_path(folder, person).read_bytes()
    secret = _secret_cipher(stretched).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], person.id.encode())
    return key, secret


def _stretched(passphrase: str, person: Person) -> bytes:
    """PEM encryption alone (2048 rounds) lets a stolen file be guessed at; scrypt makes each guess cost 32 MiB."""
    salt = bytes.fromhex(person.key_id)
    return base64.b64encode(Scrypt(salt=salt, length=32, n=2**15, r=8, p=1).derive(passphrase.encode()))


def _secret_cipher(stretched: bytes) -> AESGCM:
    """The passphrase is stretched once for both files; this keeps their keys apart."""
    return AESGCM(HKDF(hashes.SHA256(), 32, salt=None, info=b"ictal one-time codes").derive(stretched))


def _key_path(folder: Path, person: Person) -> Path:
    """`reviewer-1.pem`, and `reviewer-1+2.pem` for their second key: so rotating is one change of `people.json`."""
    return folder / f"{person.id}{_which(person)}.pem"


def _secret_path(folder: Path, person: Person) -> Path:
    return folder / f"{person.id}{_which(person)}.totp"


def _which(person: Person) -> str:
    return "" if len(person.keys) == 1 else f"+{len(person.keys)}"


def _platform_path(folder: Path) -> Path:
    return folder / f"{PLATFORM}.pem"


def _former_path(folder: Path, key_id: str) -> Path:
    return folder / f"{PLATFORM}-{key_id[:16]}.pub"


def _pem(key: dsse.PrivateKey, encryption: serialization.KeySerializationEncryption) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def _is_public_half(path: Path, key: dsse.PrivateKey) -> bool:
    return path.exists() and path.read_bytes() == dsse.pem_of(key.public_key()).encode()


def _write_public(path: Path, key: dsse.PrivateKey) -> None:
    """Whole or not at all, and only where it is another: services read it, and look at everything anew when it changes."""
    if not _is_public_half(path, key):
        with whole_file(path) as partial:
            partial.write_bytes(dsse.pem_of(key.public_key()).encode())


def _write_unfinished(folder: Path, key: dsse.PrivateKey) -> Path:
    """A platform key that has not its name yet, in place of one that a program which was cut off has left."""
    unfinished = folder / f"{PLATFORM}.pem.new"
    unfinished.unlink(missing_ok=True)
    _write_private(unfinished, _pem(key, serialization.NoEncryption()))
    return unfinished


def _write_private(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
