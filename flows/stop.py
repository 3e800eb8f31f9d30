"""One site gets no answers for now, or gets them again: a line in the ledger that running services obey within seconds."""

from datetime import UTC, datetime
from typing import Any

from flows import records
from flows.authenticate import attested, operator, refuse_unattested, signer, unlocked
from flows.place import check_reason
from flows.workspace import open_workspace
from lineage.deployments import SITE, stopped
from lineage.ledger import Draft, Subject
from lineage.refused import Refused
from serving.auth import open_keys, sites_of


def stop_site(site: str, reason: str) -> dict[str, Any]:
    """Stop a site. Whoever works on this machine may, at once and without signing: to stop is the safe side. Refused
    without a reason, for a site that never had a key, and for one that is stopped."""
    workspace = open_workspace()
    check_reason(reason)
    ledger = records.open_ledger(workspace)
    keys = open_keys(workspace.root)
    known = sites_of(keys)
    keys.dispose()
    if site not in known:
        raise Refused(
            f"no site {site[:40]!r} was ever given a key here; there are {', '.join(sorted(known)) or 'none'}"
        )
    if site in (before := stopped(ledger)):
        raise Refused(f"{site} is stopped already: {before[site]}")
    ledger.append_many([Draft("deployment.stopped", operator(), (Subject(SITE, site),), reason.strip())])
    return {"site": site, "reason": reason, "text": f"{site} is stopped: {reason}; services follow within 5 s"}


def resume_site(
    site: str, reason: str, person: str, passphrase: str, code: str, now: datetime | None = None
) -> dict[str, Any]:
    """Serve a stopped site again; somebody registered says so, with both components. Refused without a reason, for a
    site that is not stopped, and for a person whose key has ended or who is a service account; AuthenticationFailed
    where they do not show that they are there, which is a line in the ledger."""
    workspace, now = open_workspace(), now or datetime.now(UTC)
    check_reason(reason)
    ledger = records.open_ledger(workspace)
    if site not in stopped(ledger):
        raise Refused(f"{site[:40]!r} is not stopped; stopped are: {', '.join(sorted(stopped(ledger))) or 'none'}")
    refuse_unattested(workspace, person)
    unlocked(workspace, person, passphrase, code, "to serve a stopped site again", now)
    known = attested(workspace).person(person)
    if known.is_service or not known.key_is_valid(now):
        raise Refused(f"{person} cannot resume a site: a service account, or a key that has ended")
    line = Draft("deployment.resumed", signer(workspace, person), (Subject(SITE, site),), reason.strip())
    ledger.append_many([line], now=now)
    return {"site": site, "reason": reason, "text": f"{site} is served again, says {person}: {reason}"}
