"""Which rehearsal of drift stands behind a deployment: the newest of each of its sites, by the ledger, or that there is none."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from flows.stages.files import cohort_of, read_json
from flows.workspace import Workspace
from lineage.digest import Digest, sha256_file
from lineage.ledger import Edge, Ledger, Subject
from lineage.refused import Refused

KIND, MISSING = "rehearsal", "site without rehearsal"
"""Kinds of subjects of ledger lines: a rehearsal, whose id is its site; and a site that was never rehearsed."""

Rehearsed = dict[str, dict[str, str] | None]
"""Of each site the `digest` of its newest rehearsal's table and when it was recorded (`at`); None where there is none."""


def newest(ledger: Ledger) -> dict[str, dict[str, str]]:
    """The last rehearsal of each site that ever was rehearsed."""
    lines = [e for e in ledger.entries("evaluation.recorded") if e.subjects[0].kind == KIND]
    return {
        e.subjects[0].id: {"digest": e.subjects[0].digest, "at": e.recorded_at.isoformat(timespec="seconds")}
        for e in lines
    }


def rehearsed(workspace: Workspace, ledger: Ledger, sites: Sequence[str]) -> Rehearsed:
    """The newest rehearsal of every site that these patterns (`demo-*`) mean, as far as it is known here: by name, by the
    cohort, or by a rehearsal."""
    found = newest(ledger)
    known = _sites_of_cohort(workspace)
    named = {site for site in sites if not set(site) & set("*?[")}
    meant = {site for site in known | set(found) if any(fnmatchcase(site, pattern) for pattern in sites)}
    return {site: found.get(site) for site in sorted(named | meant)}


def _sites_of_cohort(workspace: Workspace) -> set[str]:
    """None where no cohort was ever chosen, as where models are only signed and served."""
    chosen = (workspace.root / "params.yaml").exists() and (workspace.cohort / "dataset_description.json").exists()
    return {e.site for e in cohort_of(workspace).entries} if chosen else set()


def subjects_of(of_sites: Rehearsed) -> tuple[Subject, ...]:
    """How a deployment's line names the rehearsals that it rests on, and the sites that have none."""
    return tuple(
        Subject(KIND, site, one["digest"]) if one else Subject(MISSING, site) for site, one in of_sites.items()
    )


def edges_of(deployment: Digest, of_sites: Rehearsed) -> tuple[Edge, ...]:
    """Lineage from a deployment to the rehearsals behind it; a site that has none gives no edge."""
    return tuple(Edge(deployment, "rehearsed_by", one["digest"]) for one in of_sites.values() if one)


def in_words(of_sites: Rehearsed) -> list[str]:
    """The same in lines for people."""
    done = [f"{site} ({one['at'][:10]}, {one['digest'][:12]})" for site, one in of_sites.items() if one]
    missing = [site for site, one in of_sites.items() if not one]
    told = [f"drift rehearsed at {', '.join(done)}"] if done else []
    return told + (
        [f"no rehearsal of drift at {', '.join(missing)}: `ictal rehearse --site {missing[0]}`"] if missing else []
    )


def kept_path(workspace: Workspace, digest: Digest) -> Path:
    """Where the table of a rehearsal is kept, whatever later ones came to."""
    return workspace.store / "rehearsals" / f"{digest}.json"


def kept(workspace: Workspace, digest: Digest) -> dict[str, Any]:
    """A rehearsal's table; refuses one that is gone or is not what the ledger names."""
    path = kept_path(workspace, digest)
    if not path.exists() or sha256_file(path) != digest:
        raise Refused(f"the rehearsal {digest[:12]} is gone, or is not what the ledger names: `ictal rehearse` again")
    found: dict[str, Any] = read_json(path)
    return found
