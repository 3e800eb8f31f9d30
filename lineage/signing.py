"""Is this bundle, file for file, the one that the platform signed? OpenSSF model signing with an EC key.

It says that the files are whole and whose key signed them; whether the model may be used is said by an approval.
"""

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lineage.refused import Refused

if TYPE_CHECKING:
    from model_signing import hashing

SIGNATURE = "model.sig"
"""The signature's file name, inside the bundle's folder; the only file that is not itself signed."""


class SignatureInvalid(Refused):
    """A bundle that is not as it was signed, or not signed by the trusted key; `reason` says what is wrong."""

    def __init__(self, reason: str):
        super().__init__(f"the bundle's signature is not valid: {reason}")
        self.reason = reason


def sign_bundle(folder: Path, private_key_path: Path) -> Path:
    """Sign every file of `folder` with an unencrypted EC key; returns the path of the signature."""
    import model_signing

    target = folder / SIGNATURE
    config = model_signing.signing.Config().use_elliptic_key_signer(private_key=private_key_path)
    config.set_hashing_config(_everything(folder)).sign(folder, target)
    return target


def verify_bundle(folder: Path, *public_key_paths: Path) -> None:
    """Accept `folder` only if its files are exactly those signed with one of the keys; SignatureInvalid says what differs."""
    signature = folder / SIGNATURE
    if not signature.is_file():
        raise SignatureInvalid(f"there is no {SIGNATURE}")
    keys = [path for path in public_key_paths if path.is_file()]
    if not keys:
        raise SignatureInvalid("there is no public key to check it with")
    reasons = [_why_invalid(folder, signature, key) for key in keys]
    if "" not in reasons:
        raise SignatureInvalid(next((r for r in reasons if OTHER_KEY not in r), reasons[0]))


OTHER_KEY = "Key mismatch"
"""How the library begins where the signature says that it is by another key: what differs is said by the key that it is by."""


def _why_invalid(folder: Path, signature: Path, public_key_path: Path) -> str:
    """Empty where the signature holds under this key."""
    try:
        _verify(folder, signature, public_key_path)
        ignored = _ignored_paths(signature)
    except Exception as error:  # whatever a parser stumbles over in an untrusted file: it is not a valid signature
        return str(error).strip() or type(error).__name__
    return "" if ignored == [SIGNATURE] else f"it was made with other files left out than {SIGNATURE}"


def _verify(folder: Path, signature: Path, public_key_path: Path) -> None:
    import model_signing

    config = model_signing.verifying.Config().use_elliptic_key_verifier(public_key=public_key_path)
    config.set_hashing_config(_everything(folder)).verify(folder, signature)


def _everything(folder: Path) -> "hashing.Config":
    """The library leaves out .git and the like by default; a planted file there would pass unseen."""
    import model_signing

    return model_signing.hashing.Config().set_ignored_paths(paths=[folder / SIGNATURE], ignore_git_paths=False)


def _ignored_paths(signature: Path) -> list[str]:
    """What the signer left out: the library obeys this list, so it has to be the list that we make."""
    envelope: dict[str, Any] = json.loads(signature.read_text())["dsseEnvelope"]
    statement = json.loads(base64.b64decode(envelope["payload"]))
    return list(statement["predicate"]["serialization"]["ignore_paths"])
