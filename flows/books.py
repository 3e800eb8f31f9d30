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
    """The ledger. Refused where there is none: one that is not there is not an empty one that verifies."""
    if not workspace.has_ledger:
        raise Refused("this workspace has no ledger: nothing was recorded here yet, or it was taken away")
    return records.open_ledger(workspace)


def thing(ledger: Ledger, name: str, kinds: Collection[str] = ()) -> Node:
    """The one thing (of these kinds; none given is of any) that an id, a digest or the beginning of one means. Refused
    where nothing or several things are called so."""
    found = [n for n in graph.find(ledger, name) if not kinds or n.kind in kinds]
    if len(found) != 1:
        called = f"{' or '.join(kinds)}s" if kinds else "things"
        raise Refused(f"{len(found)} {called} in the ledger are called {name[:20]!r}; give more of its digest or id")
    return found[0]


def model(workspace: Workspace, ledger: Ledger, name: str) -> Node:
    """The one model with this digest (or its beginning) or label; of a detector's name its proposed candidate, or its
    only model; of an approval or a proposal the model that it is about. Refused where it is none, or several."""
    found = graph.find(ledger, name, shortest=LEAST_DIGITS)
    models = [n for n in found if n.kind == "model"] or [
        m for n in found if n.kind in ABOUT_A_MODEL for m in _about(ledger, n)
    ]
    if not models:
        proposed = [digest for digest, c in candidates(workspace).items() if c["detector"] == name]
        models = [graph.node(ledger, digest) for digest in proposed] or _of_detector(ledger, name)
    models = list(dict.fromkeys(models))
    if len(models) == 1:
        return models[0]
    if not models:
        raise Refused(f"no model in the ledger is called {name[:20]!r}: `ictal console` lists them with their digests")
    told = ", ".join(f"{n.label} {n.digest[:12]}" for n in models[:LISTED]) + ", …" * (len(models) > LISTED)
    raise Refused(f"{len(models)} models are called {name[:20]!r}: name one by its digest ({told})")


LEAST_DIGITS, LISTED = 4, 6
ABOUT_A_MODEL = {"approval": "approves", "candidate": "proposes"}


def _about(ledger: Ledger, thing: Node) -> list[Node]:
    wanted = (1, ABOUT_A_MODEL[thing.kind])
    return [s.node for s in graph.upstream(ledger, thing.digest) if (s.depth, s.relation) == wanted]


def _of_detector(ledger: Ledger, name: str) -> list[Node]:
    """The models of every fold of a detector that was never proposed."""
    return [n for n in graph.things(ledger, "model") if n.label.partition(" ")[0] == name]


def candidates(workspace: Workspace) -> dict[Digest, dict[str, Any]]:
    """Every model that was ever proposed, as its file has it, by digest."""
    return {path.stem: read_json(path) for path in sorted((workspace.store / "candidates").glob("*.json"))}


def in_short(node: Node) -> dict[str, str]:
    """A thing as answers name it."""
    return {"kind": node.kind, "label": node.label, "digest": node.digest}
