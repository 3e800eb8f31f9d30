"""The keys of sites that call the prediction API: given, listed, taken back. The ledger keeps their ids, never a key."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from flows import records
from flows.authenticate import operator
from flows.workspace import Workspace, open_workspace
from lineage.ledger import Draft, Entry, Ledger, Subject
from lineage.refused import Refused
from serving.auth import issue_key, key_id, keys_given, open_keys, revoke_key

LEAST = 6
"""Digits of an id by which a key may be named."""

FOR = "for "
"""How the line of a key that was given begins to say why; the site's name follows."""


def issue_site_key(site: str, days: float) -> str:
    """A new key for a site, good for `days` days, told once; the ledger keeps that it was given, and its id. Refused
    for a name or a time that no key is given for."""
    workspace = open_workspace()
    ledger = records.open_ledger(workspace)  # first, as it refuses the database of another workspace
    try:
        key = issue_key(open_keys(workspace.root), site, ("detect", "verdict"), datetime.now(UTC), days)
    except ValueError as error:
        raise Refused(str(error)) from error
    why = f"{FOR}{site}, {days:g} days"
    ledger.append_many([Draft("site.key.registered", records.PIPELINE, (_subject(key_id(key)),), why)])
    return key


def list_site_keys() -> dict[str, Any]:
    """Every key that was ever given to a site: its id, until when, and whether it still opens anything."""
    workspace = open_workspace()
    ledger = records.open_ledger(workspace)
    rows = [one.to_json() for one in keys_given(open_keys(workspace.root), datetime.now(UTC))]
    lines = [f"{r['key_id']}  {r['site']:<20}  {r['state']:<8}  until {r['expires_at'][:16]}" for r in rows]
    shut_out = sites_to_be_given_keys(workspace, ledger)
    if shut_out:
        lines.append(new_keys_for(shut_out))
    return {
        "keys": rows,
        "sites_without": shut_out,
        "text": "\n".join(lines) or "no site has a key yet: `ictal key issue --site NAME`",
    }


def sites_to_be_given_keys(workspace: Workspace, ledger: Ledger) -> list[str]:
    """Sites of which the ledger says that they were given keys, while this workspace holds none of those, as after a restore:
    a backup holds no keys, since one that was revoked after it was made would open the door again."""
    known = {one.site for one in keys_given(open_keys(workspace.root), datetime.now(UTC))}
    given = {line.reason.removeprefix(FOR).split(",")[0] for line in ledger.entries("site.key.registered")}
    return sorted(given - known)


def new_keys_for(sites: Sequence[str]) -> str:
    """What to do for such sites, in one sentence."""
    return (
        f"no backup holds keys of sites: {', '.join(sites)} had one and {'has' if len(sites) == 1 else 'have'} none here, so "
        "that every old key is refused; give each a new one: `ictal key issue --site NAME`"
    )


def revoke_site_key(named: str, reason: str) -> dict[str, Any]:
    """Take back the key whose id is, or begins with (at least `LEAST` digits), `named`: its next request is refused.
    Done again, it tells the first reason. Refused without a reason, and where no or several keys are named so."""
    workspace = open_workspace()
    if not reason.strip():
        raise Refused("a revocation says why: give --reason")
    ledger, store = records.open_ledger(workspace), open_keys(workspace.root)
    found = [one for one in keys_given(store, datetime.now(UTC)) if len(named) >= LEAST and one.id.startswith(named)]
    if len(found) != 1:
        raise Refused(
            f"{len(found)} keys of sites begin with {named[:16]!r} (at least {LEAST} digits); see `ictal key list-sites`"
        )
    (key,) = found
    revoke_key(store, key.id, datetime.now(UTC))
    line = _line_of(ledger, key.id)
    if line is None:  # also where it was stopped right before
        (line,) = ledger.append_many([Draft("site.key.revoked", operator(), (_subject(key.id),), reason)])
    text = f"key {key.id} of {key.site} is revoked: its next request is refused. `ictal key issue --site {key.site}` gives a new one"
    return {"key_id": key.id, "site": key.site, "reason": line.reason, "text": text}


def _line_of(ledger: Ledger, id: str) -> Entry | None:
    lines = ledger.entries("site.key.revoked")
    return next((line for line in lines if any(subject.id == id for subject in line.subjects)), None)


def _subject(id: str) -> Subject:
    return Subject("site key", id)
