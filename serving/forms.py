"""The forms in which an answer can be read: JSON as it was given, and what clinical systems take in."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from serving.problems import ProblemError
from serving.schema import EXAMPLE


@dataclass(frozen=True)
class Form:
    """How an answer (as JSON values) is written; `example` is shown in the interface's description."""

    media_type: str
    make: Callable[[dict[str, Any]], bytes]
    example: Any
    file_name: str = ""


def _as_json(said: dict[str, Any]) -> bytes:
    return json.dumps(said, allow_nan=False).encode()


FORMS = {"json": Form("application/json", _as_json, EXAMPLE)}


def form_of(name: str | None, accept: str) -> Form:
    """The form that is named, or the first of the Accept header that there is; ProblemError 406 for others."""
    if name is not None:
        if name not in FORMS:
            raise ProblemError(406, f"the forms of an answer are {', '.join(FORMS)}")
        return FORMS[name]
    wanted = [kind.split(";")[0].strip().lower() for kind in accept.split(",")]
    found = [form for kind in wanted for form in FORMS.values() if form.media_type == kind]
    return found[0] if found else FORMS["json"]
