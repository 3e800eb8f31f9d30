"""A published cohort comes in: licence first, then its files, verified, in our layout, under DVC and in the ledger."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from console.spelling import counted
from data.cohorts.corrections import Corrections, read_corrections
from data.cohorts.fetching import Fetched, fetch_files, verify
from data.cohorts.layout import write_layout
from data.cohorts.listings import CHECKSUMS, OFFICIAL, YOURS, list_files, own_list
from data.cohorts.published import Conversion, FetchRefused, PublicFile, Published
from data.cohorts.server import Server
from flows import records
from flows.ingest import adopt, refuse_taken, summary
from flows.params import refuse_cohort_name
from flows.progress import Show, on_terminal
from flows.published import MODULES, PROVENANCE, accept_licence, login_for, published_as, read_provenance
from flows.workspace import Workspace, open_workspace
from lineage.digest import sha256_file
from lineage.refused import Refused

MEGABYTE = 1e6


def fetch_cohort(
    name: str,
    *,
    accept: bool = False,
    address: str | None = None,
    checksums: Path | None = None,
    folder: Path | None = None,
    only: Sequence[str] = (),
    corrections: Path | None = None,
    as_name: str | None = None,
    task: str = "detection",
) -> dict[str, Any]:
    """Fetch a published cohort (or take it from `folder`) into the workspace and make it the cohort that a task uses.

    What is here already is not fetched again; a cohort that is here altogether is left as it is, and that is said.

    `only` names patients (none given is all), `corrections` and `checksums` are files, `address` is another server than
    the published one. Refused with both `address` and `folder`, without the licence accepted, for a name that another
    cohort bears, and for a cohort that nobody published; FetchRefused where files are not as listed, too little disk is
    free, or no recording can be taken.
    """
    published, workspace = published_as(name), open_workspace().of(task)
    target = as_name or name
    refuse_cohort_name(target)
    if address and folder:
        raise Refused("a cohort comes from a folder or from an address: leave --from or --base-url out")
    if (workspace.raw / target).exists():
        return _here_already(workspace, published, target, sorted(only), corrections)
    refuse_taken(workspace, target)
    said = read_corrections(corrections) if corrections else Corrections()
    accept_licence(workspace, published, accept)
    login = login_for(published) if folder is None else None
    place = folder or workspace.raw / ".fetch" / name
    with on_terminal() as show:
        if folder:
            fetched, where = _from_folder(folder, published, checksums, only, show)
        else:
            with Server(address or published.address, published.hosts, login, login_text=published.login) as server:
                fetched, where = _from_server(server, place, published, checksums, only, show), server.address
        with _seen_alone(place, fetched) as source:
            conversion = _converted(published, source, said)
            provenance = _provenance(published, where, only, fetched, corrections)

            def tell(done: int, total: int) -> None:
                show("recordings laid out", done, total)

            write_layout(workspace.raw / target, published, conversion, provenance, tell, link=folder is None)
    added = adopt(workspace, target, f"Fetch cohort {target}")
    return _answer(published, target, fetched, conversion, added)


def _from_server(
    server: Server, folder: Path, published: Published, checksums: Path | None, only: Sequence[str], show: Show
) -> tuple[Fetched, ...]:
    listed, whose = (own_list(checksums), YOURS) if checksums else list_files(server, published)
    files = published.wanted(listed, only)
    folder.mkdir(parents=True, exist_ok=True)
    _refuse_too_large(files, folder)
    order = {f.name: n for n, f in enumerate(files, 1)}

    def tell(name: str, done: int, total: int) -> None:
        show(f"{name} ({order[name]} of {len(files)}), MB", round(done / MEGABYTE), round(total / MEGABYTE))

    return fetch_files(server, files, folder, whose, tell)


def _from_folder(
    folder: Path, published: Published, checksums: Path | None, only: Sequence[str], show: Show
) -> tuple[tuple[Fetched, ...], str]:
    """A folder in the published layout, held to the list that lies in it or is given; it is only read."""
    if not folder.is_dir():
        raise Refused("--from names no folder: give the folder that holds the cohort as published")
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    here = [PublicFile(n) for n in names if published.patient_of(n) is not None]
    if not here:
        raise Refused(f"the folder holds no file of {published.name} in its published layout: give its root")
    own = checksums or (folder / CHECKSUMS if (folder / CHECKSUMS).is_file() else None)
    known = {f.name: f for f in own_list(own)} if own else {}
    official = own is not None and sha256_file(own) == published.listing.sha256
    files = published.wanted(here, only)
    fetched = []
    for number, file in enumerate(files, 1):
        show("files verified", number, len(files))
        fetched.append(verify(folder / file.name, known.get(file.name, file), OFFICIAL if official else YOURS))
    return tuple(fetched), "a folder"


@contextmanager
def _seen_alone(folder: Path, fetched: Sequence[Fetched]) -> Iterator[Path]:
    """A folder that holds these files and no others of `folder`, as links, for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="ictal-fetch-") as made:
        for file in fetched:
            link = Path(made, file.name)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to((folder / file.name).resolve())
        yield Path(made)


def _converted(published: Published, source: Path, corrections: Corrections) -> Conversion:
    conversion: Conversion = MODULES[published.name].convert(source, corrections)
    corrections.refuse_unused()
    if not conversion.recordings:
        why = conversion.refused[0] if conversion.refused else "there is none among the files"
        raise FetchRefused(f"no recording of {published.name} could be taken: {why}")
    return conversion


def _provenance(
    published: Published, where: str, only: Sequence[str], fetched: Sequence[Fetched], corrections: Path | None
) -> dict[str, Any]:
    """What stays with the cohort: whence, under which licence, and the SHA-256 of every file with what it was held to."""
    return {
        "cohort": published.name,
        "accession": published.accession,
        "address": where,
        "licence": published.licence,
        "licence_address": published.licence_address,
        "only": sorted(only),
        "corrections": corrections.read_text("utf-8-sig") if corrections else "",
        "files": [asdict(f) for f in sorted(fetched, key=lambda f: f.name)],
    }


def _held(added: dict[str, Any]) -> str:
    return f"{counted(added['recordings'], 'recording')} of {counted(added['patients'], 'patient')}"


def _answer(
    published: Published, target: str, fetched: Sequence[Fetched], conversion: Conversion, added: dict[str, Any]
) -> dict[str, Any]:
    held = Counter(f.checked for f in fetched)
    seizures = sum(len(r.marks.events) for r in conversion.recordings)
    lines = [f"fetched {published.name} as {target}: {_held(added)}, {counted(seizures, 'seizure')}"]
    lines += [f"  {count} files held to: {how}" for how, count in sorted(held.items())]
    lines += [f"  note: {note}" for note in conversion.notes[:MOST_LINES]]
    lines += [f"  left out: {said}" for said in conversion.refused[:MOST_LINES]]
    hidden = sum(max(0, len(said) - MOST_LINES) for said in (conversion.notes, conversion.refused))
    lines += [f"  and {hidden} more, in data/raw/{target}/README"] if hidden else []
    lines += [OVERRIDE] if conversion.refused else []
    return {
        **added,
        "outcome": "fetched",
        "published": published.name,
        "seizures": seizures,
        "files": dict(held),
        "notes": list(conversion.notes),
        "left_out": list(conversion.refused),
        "text": "\n".join([*lines, f"next: ictal check {target}"]),
    }


OVERRIDE = (
    "  What is left out can come in with --corrections FILE, under another name (--as): tab-separated recording, seizure,\n"
    "  field (start, end or registration), value, reason. Nothing is corrected without it."
)
MOST_LINES = 20


def _here_already(
    workspace: Workspace, published: Published, target: str, only: list[str], corrections: Path | None
) -> dict[str, Any]:
    """Nothing to fetch where this very cohort is here, and nothing to do where it also is in use and in the ledger.

    A refusal where something else bears its name.
    """
    before = read_provenance(workspace.raw / target / PROVENANCE)
    if before.get("cohort") != published.name:
        raise Refused(f"the workspace has another cohort called {target!r}: give this one another name with --as")
    if before["only"] != only:
        had = ", ".join(before["only"]) or "all patients"
        raise Refused(f"{target!r} is here with {had}: fetch other patients under another name with --as")
    if corrections and before["corrections"] != corrections.read_text("utf-8-sig"):
        raise Refused(
            f"{target!r} is here with other corrections or none: convert it anew under another name with --as"
        )
    whole = workspace.cohort_name == target and records.knows_recordings(workspace, workspace.raw / target)
    added = summary(workspace, target) if whole else adopt(workspace, target, f"Fetch cohort {target}")
    text = f"{target} is here already: {_held(added)}, nothing was fetched"
    return {**added, "outcome": "here_already", "published": published.name, "text": text}


def _refuse_too_large(files: Sequence[PublicFile], folder: Path) -> None:
    """FetchRefused where the disk cannot hold what the list says; where it says no sizes, that is found out later."""
    missing = sum((f.size or 0) for f in files if not (folder / f.name).is_file())
    free = shutil.disk_usage(folder).free
    if missing > free:
        raise FetchRefused(
            f"{missing / 1e9:.1f} GB are to be fetched, the workspace's disk has {free / 1e9:.1f} GB free: make room, or "
            "take some patients with --only"
        )
