"""The devices of the people in tests: what each shows, whatever copy of a workspace they stand before."""

from datetime import datetime
from pathlib import Path
from typing import Any

from lineage.keys import People, Person, create_person
from lineage.onetime import TOLERATED_STEPS, code_at, step_at
from lineage.reauthentication import last_step

_SECRETS: dict[str, bytes] = {}
"""By the id of the person's key, which a copy of the workspace has as well."""


def enrol(folder: Path, id: str, *person: Any, **settings: Any) -> Person:
    """`create_person`, with the secret in a device."""
    return know(create_person(folder, id, *person, **settings))


def know(made: Person) -> Person:
    """Take in the secret of somebody who was just made."""
    _SECRETS[made.key_id] = made.secret
    return made


def code(folder: Path, id: str, now: datetime) -> str:
    """The earliest code that is still good at `now`: three can be used up at one moment. Nonsense for strangers."""
    person = People.read(folder).by_id.get(id)
    if person is None:
        return "000000"
    step = max(step_at(now) - TOLERATED_STEPS, last_step(folder, person.key_id) + 1)
    return code_at(_SECRETS[person.key_id], step)
