"""Somebody shows that they are there, or the ledger keeps that somebody tried."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from flows import records
from flows.workspace import Workspace
from lineage.dsse import PrivateKey
from lineage.keys import AuthenticationFailed, unlock
from lineage.ledger import Actor, Draft, Subject
from lineage.people import People
from lineage.refused import Refused
from lineage.registry import Registry

TWO_COMPONENTS = "key file, passphrase and one-time code"


def unlocked(workspace: Workspace, person: str, passphrase: str, code: str, wish: str, now: datetime) -> PrivateKey:
    """The key of a person who is there; `wish` says what it is wanted for. AuthenticationFailed for a wrong passphrase
    or code and for a stranger alike; the ledger keeps that it was tried."""
    with failures_noted(workspace, person, wish):
        return unlock(workspace.keys, person, passphrase, code, now)


@contextmanager
def failures_noted(workspace: Workspace, person: str, wish: str) -> Iterator[None]:
    """Write an AuthenticationFailed of the block into the ledger, and raise it on. Which component was wrong is not
    said, and an unknown name is not repeated: it may be a passphrase in the wrong field."""
    try:
        yield
    except AuthenticationFailed as failed:
        known = person if person in People.read(workspace.keys).by_id else "nobody registered"
        actor = Actor(known, auth_method=TWO_COMPONENTS)
        said = {"said": str(failed)}
        line = Draft("auth.failed", actor, (Subject("person", known),), wish, said)
        records.open_ledger(workspace).append_many([line])
        raise


def attested(workspace: Workspace) -> People:
    """The people of `people.json` who are there exactly as the ledger registered them."""
    return Registry.read(records.open_ledger(workspace)).attested(People.read(workspace.keys))


def refuse_unattested(workspace: Workspace, person: str) -> None:
    """Refuse somebody whom a file names and the ledger does not, or not like this; strangers are refused later on."""
    if person in People.read(workspace.keys).by_id and person not in attested(workspace).by_id:
        raise Refused(
            f"{person} is not in the ledger as people.json has them: the file was edited, or a change of theirs was cut off; "
            "`ictal person revoke` (--left) ends the key that the ledger knows and puts its word back, `ictal person add` "
            "registers them under another id"
        )


def operator() -> Actor:
    """Whoever works on this machine, by their login: it signs nothing."""
    return Actor(getpass.getuser(), role="operator", auth_method="local")


def signer(workspace: Workspace, person: str) -> Actor:
    """A person who has just shown that they are there, as people.json names them; `unlocked` has compared that with the
    ledger."""
    known = People.read(workspace.keys).person(person)
    return Actor(known.id, known.printed_name, known.role, auth_method=TWO_COMPONENTS)
