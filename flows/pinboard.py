"""What the pages of a Prefect server show of a run: tables and links. Nothing is pinned where no server keeps it.

Counts, outcomes and digests alone: names of recordings stay in the workspace.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flows.workspace import Workspace
from lineage.digest import digest_of

SERVER = "PREFECT_API_URL"
CONSOLE = "ICTAL_CONSOLE"
"""Names the address of `ictal console`, where its pages can be opened by whoever looks at Prefect's."""


def has_server() -> bool:
    """Whether runs are kept by a Prefect server that stays; one started for a single command is gone with it."""
    return bool(os.environ.get(SERVER))


def pin_table(workspace: Workspace, key: str, rows: Sequence[Mapping[str, Any]], about: str) -> None:
    """A table, under `key` (a word) the latest of this workspace; those before are kept with it."""
    if has_server():
        from prefect.artifacts import create_table_artifact

        create_table_artifact([dict(row) for row in rows], key=_key(workspace, key), description=about)


def pin_page(workspace: Workspace, key: str, page: Path, text: str) -> None:
    """A link to a page of the workspace's reports."""
    if has_server():
        from prefect.artifacts import create_link_artifact

        create_link_artifact(address_of(workspace, page), text, key=_key(workspace, key))


def address_of(workspace: Workspace, page: Path) -> str:
    """Where a page below reports/ can be read: in the console, or as the file that it is."""
    console = os.environ.get(CONSOLE, "").rstrip("/")
    path = page.relative_to(workspace.root / "reports")
    return f"{console}/reports/{path.as_posix()}" if console else page.as_uri()


def short_name(workspace: Workspace) -> str:
    """What tells this workspace's things on a server from those of others: the beginning of its id."""
    return (workspace.id or digest_of(str(workspace.root)))[:8]


def _key(workspace: Workspace, key: str) -> str:
    return f"{key}-{short_name(workspace)}"
