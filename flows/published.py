"""What is known of the published cohorts, which of them are here, and under which terms somebody may fetch them."""

import difflib
import json
import os
import sys
from pathlib import Path
from typing import Any

from data.cohorts import chbmit, helsinki, seizeit2, siena, tusz
from data.cohorts.published import Published
from data.cohorts.server import refuse_address
from flows import records
from flows.terminal import confirm, prompt
from flows.workspace import Workspace, open_workspace
from lineage.digest import digest_of
from lineage.refused import Refused

MODULES = {m.PUBLISHED.name: m for m in (chbmit, helsinki, seizeit2, siena, tusz)}
SPACE = (
    "the download (data/raw/.fetch, which may be deleted afterwards), the cohort, DVC's cache and its remote: up to four "
    "times the size where the file system shares no copies"
)
PROVENANCE = "sourcedata/fetched.json"
"""Where a cohort keeps whence it came, inside its folder."""


def describe(name: str, address: str | None = None) -> dict[str, Any]:
    """What a person should know before they accept: what it is, under which licence, and what was verified."""
    published = published_as(name)
    refuse_address(address or published.address)
    facts = {
        "cohort": name,
        "title": published.title,
        "accession": published.accession,
        "address": address or published.address,
        "licence": published.licence,
        "licence_address": published.licence_address,
        "citation": published.citation,
        "size": published.size,
        "space": SPACE,
        "checksums": "official list, its digest is known" if published.listing.sha256 else "none verified here",
        "unverified_here": published.unverified,
        "login": bool(published.login),
    }
    lines = [f"{k.replace('_', ' '):16} {v}" for k, v in facts.items() if k not in ("cohort", "login")]
    return {**facts, "text": "\n".join(lines)}


def list_cohorts() -> dict[str, Any]:
    """Which published cohorts are known, and which of them are in the workspace."""
    workspace = open_workspace()
    rows = []
    for published in (m.PUBLISHED for m in MODULES.values()):
        here = [
            f.parent.parent.name for f in provenances(workspace) if read_provenance(f).get("cohort") == published.name
        ]
        rows.append({"cohort": published.name, "title": published.title, "size": published.size, "here_as": here})
    texts = [f"{r['cohort']:10} {', '.join(r['here_as']) or '-':12} {r['title']} ({r['size']})" for r in rows]
    return {"cohorts": rows, "in_use": workspace.params.cohort.name, "text": "\n".join(texts)}


def published_as(name: str) -> Published:
    """What is known of a published cohort; Refused, with the nearest name or all of them, for an unknown one."""
    if name not in MODULES:
        near = difflib.get_close_matches(name, MODULES, 1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(MODULES)}"
        raise Refused(
            f"no published cohort is called {name!r}: {hint}; for a folder of your own use ictal cohort import"
        )
    published: Published = MODULES[name].PUBLISHED
    return published


def accept_licence(workspace: Workspace, published: Published, accept: bool) -> None:
    """Go on only with a licence that somebody accepted: before (the acceptance stands in the ledger, and holds from
    then on), by `accept`, or at the terminal, where there is one. Refused otherwise."""
    stated = {
        "cohort": published.name,
        "accession": published.accession,
        "licence": published.licence,
        "licence_address": published.licence_address,
    }
    if records.licence_accepted(workspace, digest_of(stated)):
        return
    if not accept:
        if not sys.stdin.isatty():
            raise Refused(
                f"the licence of {published.name} ({published.licence}) was not accepted: read it at "
                f"{published.licence_address} and give --accept-licence. Nothing was fetched"
            )
        if not confirm(f"Do you accept the licence ({published.licence}, {published.licence_address})?"):
            raise Refused(f"the licence of {published.name} was not accepted: nothing was fetched")
    records.record_licence(workspace, digest_of(stated), stated, "option" if accept else "terminal")


def login_for(published: Published) -> tuple[str, str] | None:
    """Name and password of cohorts that want them, from the environment or typed; never kept. None for a cohort that
    wants none; refused where one does and nobody gives them."""
    if not published.login:
        return None
    names = [f"ICTAL_{published.name.upper()}_{part}" for part in ("USER", "PASSWORD")]
    given = [os.environ.get(n, "") for n in names]
    if not all(given) and sys.stdin.isatty():
        print(published.login, file=sys.stderr)
        given = [prompt("Name", err=True), prompt("Password", hide_input=True, err=True)]
    if not all(given):
        raise Refused(published.login)
    return given[0], given[1]


def provenances(workspace: Workspace) -> list[Path]:
    """Where the workspace's fetched cohorts say whence they came: paths, in order."""
    return sorted(workspace.raw.glob(f"*/{PROVENANCE}"))


def read_provenance(path: Path) -> dict[str, Any]:
    """Whence a cohort came, as it was noted when it was fetched; empty where there is no note."""
    found: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return found
