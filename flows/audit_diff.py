"""What differs between two models: data, split, parameters, code, environment, figures, gates, approvals?"""

from collections.abc import Mapping
from typing import Any

from flows import books
from flows.workspace import Workspace, open_workspace
from lineage import graph
from lineage.graph import Node
from lineage.ledger import Ledger

SECTIONS = ("data", "split", "parameters", "code", "environment", "training", "evaluation", "gates", "approvals")
ABSENT = "—"
SHOWN = 6


def diff(first: str, second: str) -> dict[str, Any]:
    """Everything in which two models differ, by section; `same` names the sections in which they do not."""
    workspace = open_workspace()
    ledger = books.books_of(workspace)
    nodes = [books.model(workspace, ledger, name) for name in (first, second)]
    one, two = (described(workspace, ledger, node) for node in nodes)
    differences = {section: _differences(one[section], two[section]) for section in SECTIONS}
    kept = {section: found for section, found in differences.items() if found}
    same = [section for section in SECTIONS if section not in kept]
    head = " against ".join(f"{n.label} {n.digest[:12]}" for n in nodes)
    return {
        "models": [books.in_short(node) for node in nodes],
        "differences": kept,
        "same": same,
        "text": "\n".join([head, *_lines(kept), f"the same: {', '.join(same) or 'nothing'}"]),
    }


def described(workspace: Workspace, ledger: Ledger, model: Node) -> dict[str, dict[str, Any]]:
    """A model as the ledger knows it, by section. What was erased or never recorded is missing."""
    run, log = _run(ledger, model)
    fold: dict[str, Any] = next((f for f in log.get("runs", []) if f.get("bundle") == model.digest), {})
    split, recordings = split_of(ledger, log.get("split", ""))
    candidate = books.candidates(workspace).get(model.digest)
    number = fold.get("fold", 0)
    roles = split["folds"][number] if split else {}
    return {
        "data": recordings,
        "split": {
            "digest": log.get("split", ABSENT), "regime": log.get("regime", ABSENT), "fold": number,
            "seed": split.get("seed", ABSENT), **{role: ", ".join(names) for role, names in roles.items()},
        },
        "parameters": flat(log.get("params", {})),
        "code": {"commit": run.software.git_commit, "dirty": run.software.dirty} if run else {},
        "environment": _environment(ledger, run.software.lock_digest) if run else {},
        "training": flat({k: v for k, v in fold.items() if k not in ("bundle", "fold")}),
        "evaluation": _figures(ledger, model),
        "gates": {g["name"]: g["outcome"] for g in candidate["gates"]} if candidate else {},
        "approvals": _approvals(ledger, model),
    }  # fmt: skip


def split_of(ledger: Ledger, digest: str) -> tuple[dict[str, Any], dict[str, str]]:
    """A split as it was drawn, and the recordings (name → digest) of the data that it divides."""
    for entry in ledger.entries("split.created", digest) if digest else ():
        stated = ledger.payload(entry.payload_digest)
        if stated:
            frozen = ledger.entries("dataset.frozen", entry.edges[0].parent)
            named = [ledger.payload(e.payload_digest) for e in frozen]
            return stated["split"], next((n["recordings"] for n in named if n), {})
    return {}, {}


def flat(value: Any, before: str = "") -> dict[str, Any]:
    """Nested objects as one, keys joined by dots."""
    if not isinstance(value, Mapping):
        return {before: value}
    parts = (flat(own, f"{before}.{name}" if before else str(name)) for name, own in value.items())
    return {name: own for part in parts for name, own in part.items()}


def _run(ledger: Ledger, model: Node) -> tuple[Any, dict[str, Any]]:
    """The entry of the run that made a model, and the run's log."""
    made_by = [s.node.digest for s in graph.upstream(ledger, model.digest) if (s.depth, s.relation) == (1, "made_by")]
    for digest in made_by:
        for entry in reversed(ledger.entries("run.finished", digest)):
            return entry, ledger.payload(entry.payload_digest) or {}
    return None, {}


def _environment(ledger: Ledger, lock: str) -> dict[str, Any]:
    found: dict[str, Any] = {"lock": lock}
    for entry in ledger.entries("environment.recorded", lock) if len(lock) == 64 else ():
        found |= (ledger.payload(entry.payload_digest) or {}).get("pinned", {})
    return found


def _figures(ledger: Ledger, model: Node) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for _, evaluation in graph.hanging(ledger, model.digest, ("evaluates",)):
        for entry in ledger.entries("evaluation.recorded", evaluation.digest):
            figures |= flat(ledger.payload(entry.payload_digest) or {}, evaluation.label)
    return figures


def _approvals(ledger: Ledger, model: Node) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _, approval in graph.hanging(ledger, model.digest, ("approves",)):
        for entry in ledger.entries("approval.signed", approval.digest):
            found[f"{entry.reason} by {entry.actor.id}"] = entry.recorded_at.isoformat(timespec="seconds")
            record = (ledger.payload(entry.payload_digest) or {}).get("record", {})
            found |= {f"deviation {d['gate']}": d["justification"] for d in record.get("deviations", [])}
    for relation, other in graph.hanging(ledger, model.digest, ("serves", "revokes")):
        found[f"{relation} {other.label}"] = other.digest[:12]
    return found


def _differences(one: Mapping[str, Any], two: Mapping[str, Any]) -> dict[str, list[Any]]:
    names = sorted({*one, *two})
    pairs = {name: [one.get(name, ABSENT), two.get(name, ABSENT)] for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _lines(differences: Mapping[str, Mapping[str, list[Any]]]) -> list[str]:
    lines = []
    for section, found in differences.items():
        lines.append(f"{section}: {len(found)} differ")
        lines += [f"  {name}: {_short(one)} | {_short(two)}" for name, (one, two) in list(found.items())[:SHOWN]]
        if len(found) > SHOWN:
            lines.append(f"  and {len(found) - SHOWN} more: --json tells all")
    return lines


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 48 else f"{text[:45]}…"
