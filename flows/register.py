"""Who may sign here and with which keys: people and the platform's own key, registered, rotated and revoked in the ledger."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from textwrap import wrap
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flows import records
from flows.authenticate import failures_noted, operator, refuse_unattested, signer
from flows.workspace import Workspace, open_workspace
from lineage import keys
from lineage.alone import alone
from lineage.dsse import key_id, read_pem
from lineage.entries import EntryType
from lineage.onetime import enrolment_uri
from lineage.people import People, Person
from lineage.refused import Refused
from lineage.registry import Registry, last_known, of_person, of_platform_key

ENROL = (
    "enrol an authenticator app with this now; it is shown once, and whoever has it has the second component. A phone can take in "
    "the picture below, where a terminal shows one; else choose to type a key, time-based, six digits:"
)


def register(
    workspace: Workspace, id: str, printed_name: str, role: str, passphrase: str, *, demo: bool = False, now: datetime
) -> Person:
    """Make a person's key and secret, and tell the ledger: only whom the ledger knows like this can sign.

    One that was cut off before the ledger knew of it never counted, and is made again. Refused as
    `lineage.keys.create_person`.
    """
    with alone(workspace.keys):
        ledger, people = records.open_ledger(workspace), People.read(workspace.keys)
        if id in people.by_id and last_known(ledger, id) is None:
            people.without(id).write(workspace.keys)
        made = keys.create_person(workspace.keys, id, printed_name, role, passphrase, demo, now=now)
        ledger.append_many([of_person(EntryType.PERSON_REGISTERED, made, operator())])
    return made


def add_person(id: str, printed_name: str, role: str, passphrase: str) -> dict[str, Any]:
    """Register somebody who may sign; the answer holds what their device has to know, this once."""
    made = register(open_workspace(), id, printed_name, role, passphrase, now=datetime.now(UTC))
    return _enrolment(made, f"{made.printed_name} ({made.role}) may sign as {made.id}")


def rotate_person(id: str, passphrase: str, code: str, new_passphrase: str) -> dict[str, Any]:
    """A new key and a new device for a person who is there; what they signed until now stays good. The answer holds
    what their device has to know, this once. AuthenticationFailed as in `flows.authenticate.unlocked`; Refused where
    the ledger does not know them like this."""
    workspace, now = open_workspace(), datetime.now(UTC)
    refuse_unattested(workspace, id)
    with alone(workspace.keys):
        with failures_noted(workspace, id, "to rotate a key"):
            made = keys.rotate_person(workspace.keys, id, passphrase, code, new_passphrase, now)
        line = of_person(EntryType.PERSON_KEY_ROTATED, made, signer(workspace, id))
        records.open_ledger(workspace).append_many([line])
    return _enrolment(made, f"{made.printed_name} has a new key; the old one is destroyed, what it signed stays good")


def end_person(id: str, reason: str, left: bool) -> dict[str, Any]:
    """Revoke a person's key, or, where they have `left`, end it: then what they signed until now stays good.

    It is the person as the ledger knows them whose key ends, and people.json has them like that afterwards: what was written
    into it beside the ledger is never attested on the way.

    Refused without a reason, for somebody whom the ledger does not know, and for a key that has ended or is revoked
    already.
    """
    workspace, now = open_workspace(), datetime.now(UTC)
    if not reason.strip():
        raise Refused("the end of a key says why: give --reason")
    with alone(workspace.keys):
        people, ledger = People.read(workspace.keys), records.open_ledger(workspace)
        person = last_known(ledger, id)
        if person is None:
            raise Refused(f"the ledger knows nobody as {id[:64]!r}, so they sign nothing; see `ictal person list`")
        if not person.key_is_valid(now):
            raise Refused(f"the key of {id} has ended or is revoked already; see `ictal person list`")
        changed = person.ended(now) if left else person.revoked(now, reason)
        type = EntryType.PERSON_KEY_ENDED if left else EntryType.PERSON_KEY_REVOKED
        ledger.append_many([of_person(type, changed, operator(), reason)])
        people.holding(changed).write(workspace.keys)
    what = "stays good" if left else "is not good any more: running services stop within seconds where it was needed"
    text = f"{person.printed_name} signs nothing more here; what was signed before {what}"
    return {**_row(changed, now, known=True), "reason": reason, "text": text}


def list_people() -> dict[str, Any]:
    """Everybody who is registered, with the state of their key and whether the ledger knows them like this."""
    workspace, now = open_workspace(), datetime.now(UTC)
    people = People.read(workspace.keys)
    known = Registry.read(records.open_ledger(workspace)).attested(people).by_id
    rows = [_row(person, now, id in known) for id, person in sorted(people.by_id.items())]
    lines = [f"{r['id']}  {r['printed_name']} ({r['role']})  key {r['key_id'][:12]}  {r['state']}" for r in rows]
    return {"people": rows, "text": "\n".join(lines) or "nobody may sign yet: `ictal person add`"}


def platform_key(workspace: Workspace) -> Path:
    """The private key that signs bundles, made and registered where there is none; refuses one that was exchanged."""
    path = keys.create_platform_key(workspace.keys)
    ledger = records.open_ledger(workspace)
    registry, public = Registry.read(ledger), read_pem(keys.platform_public_path(workspace.keys).read_bytes())
    if not registry.platform:
        ledger.append_many([of_platform_key(EntryType.PLATFORM_KEY_REGISTERED, public, operator())])
    elif not registry.trusts(key_id(public)):
        raise Refused(
            f"the platform's key {key_id(public)[:12]} is not one that the ledger knows and trusts: put back the one that "
            "was registered, or make a new one with `ictal key rotate-platform`"
        )
    return path


def rotate_platform_key() -> dict[str, Any]:
    """A new platform key; what the old one signed stays good until that one is revoked. Its public key is kept."""
    workspace = open_workspace()
    with alone(workspace.keys):
        with suppress(Refused):  # a key that was exchanged for another is replaced as well
            platform_key(workspace)
        former = keys.rotate_platform_key(workspace.keys)
        made = read_pem(keys.platform_public_path(workspace.keys).read_bytes())
        line = of_platform_key(EntryType.PLATFORM_KEY_ROTATED, made, operator())
        records.open_ledger(workspace).append_many([line])
    text = (
        f"the platform signs with key {key_id(made)[:12]} from now on; what the former one signed stays good "
        f"(public key kept as keys/{former.name}). Give keys/platform.pub to those who check receipts"
    )
    return {"key_id": key_id(made), "former": former.name, "text": text}


def revoke_platform_key(named: str, reason: str) -> dict[str, Any]:
    """Revoke a platform key by (the beginning of, at least 6 digits) its id: a bundle that only it signed is refused
    from now on. Where it is the present one, a new one is made first. Refused without a reason, and where not exactly
    one key that is not revoked begins so."""
    workspace = open_workspace()
    if not reason.strip():
        raise Refused("a revocation says why: give --reason")
    ledger = records.open_ledger(workspace)
    found = [id for id in Registry.read(ledger).platform if len(named) >= 6 and id.startswith(named)]
    if len(found) != 1:
        raise Refused(f"{len(found)} platform keys begin with {named[:16]!r} (at least 6 digits); see `ictal key list`")
    (id,) = found
    paths = {key_id(read_pem(path.read_bytes())): path for path in keys.platform_public_paths(workspace.keys)}
    if id not in paths:
        raise Refused(f"platform key {id[:12]} is revoked already; see `ictal key list`")
    public = read_pem(paths[id].read_bytes())
    if paths[id] == keys.platform_public_path(workspace.keys):
        rotate_platform_key()  # the platform goes on with a new key, and what the present one signed is refused
    ledger.append_many([of_platform_key(EntryType.PLATFORM_KEY_REVOKED, public, operator(), reason)])
    keys.set_aside_platform_key(workspace.keys, id)
    text = (
        f"platform key {id[:12]} is revoked: bundles and pointers that only it signed are refused within seconds; "
        "propose and approve the model again to have it signed by the present key"
    )
    return {"key_id": id, "reason": reason, "text": text}


def list_platform_keys() -> dict[str, Any]:
    """Every key that the platform ever signed with, and whether what it signed is still good."""
    workspace = open_workspace()
    registry = Registry.read(records.open_ledger(workspace))
    public = keys.platform_public_path(workspace.keys)
    present = key_id(read_pem(public.read_bytes())) if public.exists() else ""
    states = {id: "revoked" if id in registry.revoked else "former" for id in sorted(registry.platform)}
    if present in states and registry.trusts(present):
        states[present] = "present"
    rows = [{"key_id": id, "state": state} for id, state in states.items()]
    return {"keys": rows, "text": "\n".join(f"{r['key_id'][:16]}  {r['state']}" for r in rows) or "no platform key yet"}


def _enrolment(person: Person, said: str) -> dict[str, Any]:
    uri = enrolment_uri(person.secret, person.id)
    secret = parse_qs(urlsplit(uri).query)["secret"][0].rstrip("=")
    typed = " ".join(wrap(secret, 4))
    row = {"id": person.id, "printed_name": person.printed_name, "role": person.role, "key_id": person.key_id}
    return {
        **row,
        "enrolment_uri": uri,
        "text": f"{said}\n{ENROL}\n{typed}\nor, for an app that takes an address:\n{uri}",
    }


def _row(person: Person, now: datetime, known: bool) -> dict[str, Any]:
    row = {"id": person.id, "printed_name": person.printed_name, "role": person.role, "demo": person.demo}
    return {**row, "key_id": person.key_id, "keys": len(person.keys), "state": _state_of(person, now, known)}


def _state_of(person: Person, now: datetime, known: bool) -> str:
    if not known:
        return "NOT in the ledger like this: signs nothing"
    key = person.present
    if key.revoked_at:
        return f"revoked at {key.revoked_at:%Y-%m-%d %H:%M} UTC: {key.reason}"
    until = "" if key.valid_until is None else f"until {key.valid_until:%Y-%m-%d %H:%M} UTC"
    return f"may sign {until}".strip() if key.is_valid(now) else f"signed {until}".strip()
