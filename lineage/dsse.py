"""Signatures that say what kind of statement they cover: DSSE pre-authentication encoding over ECDSA P-256.

A signature under a checkpoint can therefore never be passed off as one under an approval, whatever the bytes.
Source: DSSE v1.0.2, github.com/secure-systems-lab/dsse/blob/master/protocol.md.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PrivateKey = ec.EllipticCurvePrivateKey
PublicKey = ec.EllipticCurvePublicKey


def encode(payload_type: str, payload: bytes) -> bytes:
    """PAE: the bytes that are signed. Lengths stand before the parts, so that no two pairs read the same."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign(key: PrivateKey, payload_type: str, payload: bytes, *, repeatable: bool = False) -> str:
    """Base64 of the DER signature; with `repeatable` the same one every time (RFC 6979)."""
    algorithm = ec.ECDSA(hashes.SHA256(), deterministic_signing=repeatable)
    return base64.b64encode(key.sign(encode(payload_type, payload), algorithm)).decode()


def verifies(key: PublicKey, payload_type: str, payload: bytes, signature: str) -> bool:
    """Whether `signature` (Base64 of DER) is this key's under type and payload; False for what is none at all."""
    try:
        raw = base64.b64decode(signature, validate=True)
        key.verify(raw, encode(payload_type, payload), ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, binascii.Error, ValueError, TypeError):
        return False
    return True


def pem_of(key: PublicKey) -> str:
    """The public key in PEM; law: `read_pem` gives the same key again."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def read_pem(pem: str | bytes) -> PublicKey:
    """A P-256 public key; refuses (ValueError) every other kind, and what is no key."""
    key = serialization.load_pem_public_key(pem.encode() if isinstance(pem, str) else pem)
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise ValueError("expected a P-256 public key")
    return key


def key_id(key: PublicKey) -> str:
    """SHA-256 of the public key (DER), in hexadecimal: the key's name."""
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def envelope(key: PrivateKey, payload_type: str, payload: bytes) -> dict[str, Any]:
    """The envelope of DSSE: the payload with its signature, as one JSON object."""
    signature = {"keyid": key_id(key.public_key()), "sig": sign(key, payload_type, payload)}
    return {
        "payloadType": payload_type,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [signature],
    }


def payload_of(enveloped: Mapping[str, Any]) -> bytes:
    """What an envelope holds, unverified; KeyError or ValueError for what is no envelope."""
    return base64.b64decode(enveloped["payload"], validate=True)


def holds(key: PublicKey, enveloped: Mapping[str, Any]) -> bool:
    """Whether an envelope's payload is signed with this key."""
    try:
        payload, kind = payload_of(enveloped), str(enveloped["payloadType"])
        signatures = [str(one["sig"]) for one in enveloped["signatures"] if one["keyid"] == key_id(key)]
    except (KeyError, TypeError, ValueError):
        return False
    return any(verifies(key, kind, payload, signature) for signature in signatures)
