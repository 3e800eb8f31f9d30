"""The second component: six digits that a person's own device shows for half a minute (RFC 6238).

What is fixed here is what every authenticator app takes for granted: SHA-1, six digits, steps of 30 s (RFC 6238, 4).
"""

import hmac
import secrets
from datetime import datetime

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.twofactor.totp import TOTP

STEP_S = 30
DIGITS = 6
TOLERATED_STEPS = 1
"""A device's clock may be this many steps off (RFC 6238, 5.2 recommends at most one, for the way through the network)."""
SECRET_BYTES = 20
"""RFC 4226, 4 (R6): 160 bits are recommended."""
ISSUER = "Ictal"


def new_secret() -> bytes:
    """`SECRET_BYTES` from the system's source of randomness for secrets."""
    return secrets.token_bytes(SECRET_BYTES)


def step_at(now: datetime) -> int:
    """Which half minute since 1970 this is."""
    return int(now.timestamp()) // STEP_S


def code_at(secret: bytes, step: int) -> str:
    """What the device shows in a step."""
    return _totp(secret).generate(step * STEP_S).decode()


def step_of(secret: bytes, code: str, now: datetime) -> int | None:
    """The step that `code` belongs to, at most `TOLERATED_STEPS` from `now`; None for any other text."""
    here = step_at(now)
    near = range(here - TOLERATED_STEPS, here + TOLERATED_STEPS + 1)
    found = [step for step in near if hmac.compare_digest(code_at(secret, step).encode(), code.strip().encode())]
    return found[-1] if found else None


def enrolment_uri(secret: bytes, person_id: str) -> str:
    """What an authenticator app takes in, typed or as a QR code. It is the secret itself: shown once, kept nowhere."""
    return _totp(secret).get_provisioning_uri(person_id, ISSUER)


def _totp(secret: bytes) -> TOTP:
    return TOTP(secret, DIGITS, hashes.SHA1(), STEP_S)
