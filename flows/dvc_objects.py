"""DVC's objects and the lists that name them: what somebody's consent no longer covers is taken out of cache and remotes.

DVC keeps every version of a folder as a list (`<md5>.dir`) of its files' MD5s, and has no command that removes one file
from them. Here lists are written anew without it, dvc.lock and .dvc files are made to name the new lists as what stages
gave, and the objects are deleted. What stages *read* keeps its old digest in dvc.lock, so that everything that was made
with the patient counts as out of date.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from flows.dvc_stores import DIR, Stores
from flows.traces import Traces, task_of
from flows.workspace import TASKS, CommandFailed, Workspace, git
from lineage.refused import Refused


@dataclass
class Change:
    """What is to become of the objects: `renamed` lists (old → new), `doomed` objects, `lists` that are new, with sizes."""

    renamed: dict[str, str] = field(default_factory=dict)
    doomed: set[str] = field(default_factory=set)
    lists: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    sizes: dict[str, int | None] = field(default_factory=dict)


def refuse_while_running(workspace: Workspace) -> None:
    """Refuse while DVC runs a stage here: it would write what is being taken out."""
    lock = workspace.root / ".dvc" / "tmp" / "rwlock"
    text = lock.read_text() if lock.exists() else ""
    held = json.loads(text) if text.strip() else {}
    holders = [one for kind in ("read", "write") for one in held.get(kind, {}).values()]
    pids = {info["pid"] for one in holders for info in (one if isinstance(one, list) else [one])}
    if any(Path(f"/proc/{pid}").exists() for pid in pids):
        raise Refused("a stage is running in this workspace: wait until it has ended, then withdraw again")


def changed(
    workspace: Workspace, stores: Stores, theirs: Iterable[Traces], raw: Iterable[str], *, write: bool
) -> Change:
    """What has to change in the stores so that a patient is in none of them; with `write`, new lists are put there.

    `raw` are the MD5s of their recordings, which go whatever list names them.
    """
    change, lists = Change(), stores.lists()
    known = _outs_ever(workspace) if lists else {}
    theirs, everywhere = tuple(theirs), set(raw)
    for md5, listed in lists.items():
        places = known.get(md5, set())
        # the place and its time say which cohort it was made of, whatever the tasks look at now
        at_all = [(path, one) for path, cohorts in places for one in theirs if one.cohort in cohorts]
        concerned = [(path, replace(one, tasks=frozenset(TASKS))) for path, one in at_all]
        made, new = _without(stores, listed, concerned, everywhere, change)
        if made != listed:
            _rename(stores, md5, made, new, change, write)
    keeps = {one["md5"] for md5, listed in lists.items() if md5 not in change.renamed for one in listed}
    keeps |= {one["md5"] for listed in change.lists.values() for one in listed}
    change.doomed = {md5 for md5 in change.doomed if md5 not in keeps or md5 in everywhere}
    return change


def rewrite_locks(workspace: Workspace, change: Change) -> None:
    """Make dvc.lock and .dvc files name the new lists as what was made; what was read keeps its old name."""
    for path in [workspace.root / "dvc.lock", *sorted(workspace.raw.glob("*.dvc"))]:
        if not path.exists():
            continue
        document = yaml.safe_load(path.read_text()) or {}
        outs = [out for stage in document.get("stages", {}).values() for out in stage.get("outs", [])]
        if sum(_renamed(out, change) for out in [*outs, *document.get("outs", [])]):
            partial = path.with_name(f".{path.name}.partial")
            partial.write_text(yaml.safe_dump(document, sort_keys=False))
            partial.replace(path)


def delete(stores: Stores, change: Change) -> int:
    """Delete the objects, then the old lists, and remembered runs that would bring either back; returns how many."""
    old = set(change.renamed)
    stores.forget_runs(old)
    return sum(stores.delete(md5) for md5 in [*sorted(change.doomed), *sorted(old)])


def _without(
    stores: Stores,
    listed: list[dict[str, Any]],
    concerned: list[tuple[str, Traces]],
    everywhere: set[str],
    change: Change,
) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """A list without the patient's files, and the new objects that it names."""
    kept, new = [], {}
    for one in listed:
        md5 = one["md5"]
        places = [(PurePosixPath(path) / one["relpath"], theirs) for path, theirs in concerned]
        if md5 in everywhere or any(theirs.goes(path, lambda md5=md5: stores.read(md5)) for path, theirs in places):  # type: ignore[misc]
            change.doomed.add(md5)
            continue
        for path, theirs in places:
            content = theirs.without(path, lambda md5=md5: stores.read(md5))  # type: ignore[misc]
            if content is not None:
                change.doomed.add(md5)
                one = {**one, "md5": hashlib.md5(content, usedforsecurity=False).hexdigest()}
                new[one["md5"]] = content
        kept.append(one)
    return kept, new


def _rename(
    stores: Stores, md5: str, made: list[dict[str, Any]], new: Mapping[str, bytes], change: Change, write: bool
) -> None:
    content = json.dumps(made, sort_keys=True).encode()
    renamed = hashlib.md5(content, usedforsecurity=False).hexdigest() + DIR
    sizes = [len(new[one["md5"]]) if one["md5"] in new else stores.size(one["md5"]) for one in made]
    change.renamed[md5] = renamed
    change.lists[renamed] = made
    change.sizes[renamed] = None if None in sizes else sum(size for size in sizes if size is not None)
    if write:
        for store in stores.holders(md5):
            for name, own in new.items():
                store.keep(name, own)
            store.keep(renamed, content)


def _renamed(out: dict[str, Any], change: Change) -> bool:
    new = change.renamed.get(out.get("md5", ""))
    if new is None:
        return False
    out.update({"md5": new, "size": change.sizes[new], "nfiles": len(change.lists[new])})
    if out["size"] is None:
        del out["size"]
    return True


def _outs_ever(workspace: Workspace) -> dict[str, set[tuple[str, frozenset[str]]]]:
    """Every list that some version of the workspace named: where its folder lies, and of which cohorts it was made."""
    found: dict[str, set[tuple[str, frozenset[str]]]] = {}
    for read in _versions(workspace):
        params = (yaml.safe_load(read("params.yaml")) or {}).get("cohort", {})
        cohorts = {task: params.get("name" if task == "detection" else task, TASKS[task].simulated) for task in TASKS}
        stages = (yaml.safe_load(read("dvc.lock")) or {}).get("stages", {})
        outs = [(out["path"], out) for stage in stages.values() for out in stage.get("outs", [])]
        for name in read("data/raw").split():
            document = yaml.safe_load(read(f"data/raw/{name}")) or {} if name.endswith(".dvc") else {}
            outs += [(f"data/raw/{out['path']}", out) for out in document.get("outs", [])]
        for path, out in outs:
            if str(out.get("md5", "")).endswith(DIR):
                found.setdefault(out["md5"], set()).add((path, frozenset(cohorts_of(PurePosixPath(path), cohorts))))
    return found


def cohorts_of(path: PurePosixPath, cohorts: Mapping[str, str]) -> set[str]:
    """The cohorts that a file may be made of, by its place; `cohorts` are those of the tasks."""
    if path.parts[:2] == ("data", "raw"):
        return {path.parts[2]}
    task = task_of(path)
    return set(cohorts.values()) if task is None else {cohorts[task]}


def _versions(workspace: Workspace) -> Iterator[Any]:
    """A reader of small files for the workspace as it is, and as every commit of it was."""

    def now(name: str) -> str:
        path = workspace.root / name
        if path.is_dir():
            return "\n".join(sorted(p.name for p in path.iterdir()))
        return path.read_text() if path.exists() else ""

    yield now
    for commit in git(workspace, "log", "--all", "--format=%H").split():

        def then(name: str, commit: str = commit) -> str:
            try:
                if name == "data/raw":
                    listed = git(workspace, "ls-tree", "--name-only", commit, "data/raw/")
                    return "\n".join(Path(line).name for line in listed.splitlines())
                return git(workspace, "show", f"{commit}:{name}")
            except CommandFailed:
                return ""

        yield then
