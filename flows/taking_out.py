"""Take a patient out of the workspace's files: what is theirs is deleted, lists lose their rows, what can be made anew goes."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from data.cohorts.bids import MODALITIES, Cohort, read_cohort
from data.outcomes import Refusal
from flows.consent import withdrawn
from flows.stages.files import digest_of_entry
from flows.traces import PAGES, TABLES, Traces, relative
from flows.workspace import Workspace

ACCOUNTED_FOR = ("bundles", "approvals", "candidates", "revocations")
"""Folders of the store that hold models and what was signed of them: weights, numbers and pseudonyms."""

REPORTS_OF_WITHDRAWALS = "withdrawals"


@dataclass
class Taken:
    """How much was taken out of the files: deleted files with their bytes, lists that lost rows."""

    files: int = 0
    size: int = 0
    lists: int = 0

    def delete(self, path: Path, act: bool) -> None:
        """Count a file and its bytes; without `act` it stays where it is."""
        self.files += 1
        self.size += path.stat().st_size
        if act:
            path.unlink()


def take_out(workspace: Workspace, theirs: Iterable[Traces], *, act: bool) -> Taken:
    """Take a patient out of data, reports and store; without `act` it is only counted what would go."""
    taken, theirs, tables, counted = Taken(), tuple(theirs), set(), set()
    for path in _files(workspace):
        place = relative(path, workspace.root)
        if any(one.goes(place, path.read_bytes) for one in theirs):
            tables |= {path.parent} if path.suffix in TABLES else set()
            taken.delete(path, act)
            counted.add(path)
            continue
        for one in theirs:
            content = one.without(place, path.read_bytes)
            if content is not None:
                taken.lists += 1
                _write(path, content, act)
    for page in [p for folder in sorted(tables) for p in folder.glob("*") if p.suffix in PAGES and p not in counted]:
        taken.delete(page, act)  # a page beside such a table was drawn from it
    if act:
        remove_empty(workspace.raw)
    return taken


def forget_scratch(workspace: Workspace, *, act: bool) -> int:
    """Features of films and what stages keep on the way: nothing in them says whose it is, and all is made anew."""
    folders = [workspace.root / "tmp", workspace.store / "features"]
    found = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    for folder in folders if act else ():
        shutil.rmtree(folder, ignore_errors=True)
    return len(found)


def keep_out(workspace: Workspace, folder: Path) -> int:
    """Take everybody whose consent is withdrawn out of a cohort that has just come in; returns how many recordings."""
    gone = withdrawn(workspace)
    if not gone.persons:
        return 0
    cohorts = every_modality(folder)
    theirs = [
        entry
        for cohort in cohorts
        for entry in cohort.entries
        if entry.person in gone.persons or digest_of_entry(entry) in gone.digests
    ]
    patients, names = frozenset(e.patient for e in theirs), frozenset(e.name for e in theirs)
    traces = Traces(folder.name, frozenset(), patients, names)
    for path in sorted(p for p in folder.rglob("*") if p.is_file()) if theirs else ():
        place = relative(path, workspace.root)
        if traces.goes(place, path.read_bytes):
            path.unlink()
        elif (content := traces.without(place, path.read_bytes)) is not None:
            _write(path, content, act=True)
    remove_empty(folder)
    return len(theirs)


def every_modality(folder: Path) -> list[Cohort]:
    """A cohort's folder once for each modality that it holds."""
    found = []
    for modality in MODALITIES:
        try:
            found.append(read_cohort(folder, modality))
        except Refusal:
            continue  # a cohort of another modality
    return found


def remove_empty(folder: Path) -> None:
    """Remove folders in which nothing is left."""
    for path in sorted((p for p in folder.rglob("*") if p.is_dir()), reverse=True):
        if not any(path.iterdir()):
            path.rmdir()


def _files(workspace: Workspace) -> list[Path]:
    root = workspace.root
    left_out = [*(root / "store" / name for name in ACCOUNTED_FOR), root / "reports" / REPORTS_OF_WITHDRAWALS]
    found = [p for part in ("data", "reports", "store") for p in (root / part).rglob("*") if p.is_file()]
    return sorted(p for p in found if not any(p.is_relative_to(folder) for folder in left_out))


def _write(path: Path, content: bytes, act: bool) -> None:
    if act:
        partial = path.with_name(f".{path.name}.partial")
        partial.write_bytes(content)
        partial.replace(path)
