"""The people who may sign here: how they are registered, and what is kept of those who failed to show that they are they."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from flows import records
from flows.workspace import Workspace, open_workspace
from lineage.dsse import PrivateKey
from lineage.keys import AuthenticationFailed, People, create_person, unlock
from lineage.ledger import Actor, Draft, Subject
from lineage.onetime import enrolment_uri

TWO_COMPONENTS = "key file, passphrase and one-time code"


def add_person(id: str, printed_name: str, role: str, passphrase: str) -> dict[str, Any]:
    """Register somebody who may sign: a key file in the workspace, opened by their passphrase and their device."""
    workspace = open_workspace()
    made = create_person(workspace.keys, id, printed_name, role, passphrase, now=datetime.now(UTC))
    uri = enrolment_uri(made.secret, made.id)
    text = (
        f"{made.printed_name} ({made.role}) may sign as {made.id}; the key file is keys/{made.id}.pem\n"
        f"enrol an authenticator app with this, now; it is not shown again and opens no door to anybody else:\n{uri}"
    )
    row = {"id": made.id, "printed_name": made.printed_name, "role": made.role, "key_id": made.key_id}
    return {**row, "enrolment_uri": uri, "text": text}


def unlocked(workspace: Workspace, person: str, passphrase: str, code: str, wish: str, now: datetime) -> PrivateKey:
    """The key of a person who is there; where it was not shown that they are, the ledger keeps that somebody tried."""
    with failures_noted(workspace, person, wish):
        return unlock(workspace.keys, person, passphrase, code, now)


@contextmanager
def failures_noted(workspace: Workspace, person: str, wish: str) -> Iterator[None]:
    """`wish` says what was asked for. Which component was wrong is not said, and an unknown name is not repeated: it may
    be a passphrase in the wrong field."""
    try:
        yield
    except AuthenticationFailed as failed:
        known = person if person in People.read(workspace.keys).by_id else "nobody registered"
        actor = Actor(known, auth_method=TWO_COMPONENTS)
        records.open_ledger(workspace).append_many(
            [Draft("auth.failed", actor, (Subject("person", known),), wish, {"said": str(failed)})]
        )
        raise


def signer(workspace: Workspace, person: str) -> Actor:
    """A person who has just shown that they are there, as the ledger names them."""
    known = People.read(workspace.keys).person(person)
    return Actor(known.id, known.printed_name, known.role, auth_method=TWO_COMPONENTS)
