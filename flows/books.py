"""The ledger as an auditor opens it, and the one thing in it that they mean."""

from collections.abc import Collection
from typing import Any

from flows import records
from flows.stages.files import read_json
from flows.workspace import Workspace
from lineage import graph
from lineage.digest import Digest
from lineage.graph import Node
from lineage.ledger import Ledger
from lineage.refused import Refused


def books_of(workspace: Workspace) -> Ledger:
    """The ledger; one that is not there is not an empty one that verifies."""
    if not workspace.has_ledger:
        raise Refused("this workspace has no ledger: nothing was recorded here yet, or it was taken away")
    return records.open_ledger(workspace)


def thing(ledger: Ledger, name: str, kinds: Collection[str] = ()) -> Node:
    """The one thing (of these kinds) that an id, a digest or the beginning of one means."""
    found = [n for n in graph.find(ledger, name) if not kinds or n.kind in kinds]
    if len(found) != 1:
        called = f"{' or '.join(kinds)}s" if kinds else "things"
        raise Refused(f"{len(found)} {called} in the ledger are called {name[:20]!r}; give more of its digest or id")
    return found[0]


def model(workspace: Workspace, ledger: Ledger, name: str) -> Node:
    """The model with this digest (or its beginning), or the one proposed candidate of a detector of this name."""
    if not [n for n in graph.find(ledger, name) if n.kind == "model"]:
        proposed = [digest for digest, c in candidates(workspace).items() if c["detector"] == name]
        if len(proposed) == 1:
            return graph.node(ledger, proposed[0])
    return thing(ledger, name, ("model",))


def candidates(workspace: Workspace) -> dict[Digest, dict[str, Any]]:
    """Every model that was ever proposed, as its file has it, by digest."""
    return {path.stem: read_json(path) for path in sorted((workspace.store / "candidates").glob("*.json"))}


def in_short(node: Node) -> dict[str, str]:
    """A thing as answers name it."""
    return {"kind": node.kind, "label": node.label, "digest": node.digest}
