"""The fields of an upload, the same in all routes that take one."""

import json
import re
from collections.abc import Callable, Coroutine
from math import isfinite
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from data.ages import parse_age
from data.outcomes import Refusal
from lineage.digest import Digest
from serving.naming import Span
from serving.problems import CUT_OFF, ProblemError, exchange

AGE = "age at recording, as 3d, 2w, 5mo or 34y; left out, the dates in the file are used where they are real"
SHA256 = "SHA-256 of the file in hexadecimal; an upload that arrives otherwise is refused"
FIELDS = {"recording", "age", "sha256"}
STRETCH_FIELDS = {*FIELDS, "onset_s", "duration_s"}
FILM_FIELDS = {*STRETCH_FIELDS, "second_view"}
SECOND_VIEW = (
    "of films only: the same seizure by a second camera, begun at the same moment as `recording`, whole like it. The service "
    "cannot tell whether both show the same moments or the same person: a film of another seizure changes the answer and "
    "nothing says so. The first file is taken for the room, this one for the camera on the patient"
)
ONSET = "where the stretch begins that is asked about, in seconds; left out, the whole recording is asked about"
DURATION = "how long that stretch is, in seconds; goes with onset_s"

MOST_FILES, MOST_FIELDS, FIELD_BYTES = 4, 16, 4096
"""Of one form; what is no file is held in memory, and each file open."""
UNREADABLE = (
    f"the form cannot be read; it has at most {MOST_FILES} files and {MOST_FIELDS} fields of {FIELD_BYTES} bytes: see "
    "/openapi.json"
)

IDEMPOTENCY_KEY = "up to 200 signs of the sender's choice: the same again with the same body gives the same answer"
JOB_KEY = (
    "up to 200 signs of the sender's choice: the same again with the same body is the same job, also once it is done, cancelled "
    "or failed for good (`failed_permanent`), until it is forgotten some weeks later: to have that done again, send a new key. "
    "After `failed_retryable` the same key and body are a new job"
)


class BoundedForm(APIRoute):
    """A route that refuses (ProblemError 400) a form of more parts, or longer fields, than any of ours has, while it arrives."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's own, which finds the form read already."""
        answer = super().get_route_handler()

        async def bounded(request: Request) -> Response:
            request = _OneReading(request.scope, request.receive)
            if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
                try:
                    await request.form(max_files=MOST_FILES, max_fields=MOST_FIELDS, max_part_size=FIELD_BYTES)
                except (
                    HTTPException,
                    UnicodeError,
                ):  # some charsets that a form may name have words of their own for a fault
                    raise ProblemError(400, UNREADABLE) from None
                except ClientDisconnect:
                    raise ProblemError(400, CUT_OFF) from None
            return await answer(request)

        return bounded


class _OneReading(Request):
    """A request whose JSON says each thing once: of a name that comes twice others would take another than the last."""

    async def json(self) -> Any:
        if not hasattr(self, "_json"):
            self._json = json.loads(await self.body(), object_pairs_hook=self._each_once)
        return self._json

    def _each_once(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            exchange(self.scope).refusal = ProblemError(400, "a name comes twice in one object: say each thing once")
            raise exchange(self.scope).refusal  # type: ignore[misc]
        return found


def check_idempotency_key(key: str | None) -> None:
    """ProblemError (400) unless it is 1 to 200 printable ASCII signs without a space; None, for no key, passes."""
    if key is not None and not re.fullmatch(r"[!-~]{1,200}", key):
        raise ProblemError(400, "an Idempotency-Key has 1 to 200 signs without spaces: send a UUID")


async def check_fields(request: Request, known: set[str]) -> None:
    """ProblemError (400) for a field that is not `known` or comes twice: a second recording or a misspelt field would
    be left out silently, and the answer would be about something else."""
    names = [name for name, _ in (await request.form()).multi_items()]
    if len(names) != len(set(names)) or not set(names) <= known:
        other = sorted({shown(name) for name in names if name not in known})
        what = f"there is no field {', '.join(other)}: " if other else ""
        raise ProblemError(400, f"{what}the form fields are {', '.join(sorted(known))}, each at most once")


def shown(name: str) -> str:
    """A field's name as a message may tell it: what is no short plain name may hold anything, and is not repeated."""
    return name if re.fullmatch(r"[A-Za-z0-9_.-]{1,40}", name) else "of such a name"


def age_days_of(age: str | None) -> float | None:
    """Days that an age as in `AGE` comes to; None for none. ProblemError (400) with the reason for what is no age."""
    try:
        return parse_age(age) if age else None
    except Refusal as refusal:
        raise ProblemError(400, refusal.reason) from None


def marked_of(onset_s: float | None, duration_s: float | None) -> list[Span]:
    """The one stretch (onset_s, duration_s) that is asked about, or none; ProblemError (400) where only one is
    given."""
    if onset_s is None or duration_s is None:
        if onset_s is not duration_s:
            raise ProblemError(400, "onset_s and duration_s go together: give both, or neither")
        return []
    if not isfinite(onset_s + duration_s):
        raise ProblemError(400, "onset_s and duration_s are seconds of the recording: neither is infinite")
    return [(onset_s, duration_s)]


def check_sha256(found: Digest, announced: str | None) -> None:
    """Refuse (ProblemError 400) a file that is another than the one that was announced; None announces nothing."""
    if announced is not None and found != announced.strip().lower():
        raise ProblemError(400, "the file that arrived does not have the SHA-256 that was announced: send again")
