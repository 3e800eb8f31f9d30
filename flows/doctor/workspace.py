"""The workspace of this machine: whether it can be read, goes on from its last checkpoint, and keeps its keys to itself."""

import configparser
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from flows.doctor.finding import Check, Finding, Outcome
from flows.workspace import Workspace, changed_code, checkout_state, home
from lineage.place import LEDGER, MARKER, workspace_id
from lineage.refused import Refused

OK, MISSING, WRONG, UNKNOWN = Outcome.OK, Outcome.MISSING, Outcome.WRONG, Outcome.UNKNOWN
KINDS = ("real", "demo")
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def workspace() -> Iterator[Finding]:
    """Everything about the workspace; of none it is only said that there is none, since a new machine has none yet."""
    needed = "by all commands but `demo` and `init`"
    if not (home() / MARKER).exists():
        yield Finding("workspace", MISSING, "there is none yet", needed, "`ictal demo` or `ictal init`", needed=False)
        return
    here = Workspace(home())
    try:
        workspace_id(here.root)
        marker = here.marker
        kind, made = marker["kind"], marker["made"]
    except (Refused, KeyError, TypeError) as error:
        said = str(error) if isinstance(error, Refused) else f"{MARKER} lacks what it should say"
        yield Finding("workspace", WRONG, said, needed, f"put {MARKER} back from Git or from a copy")
        return
    if kind not in KINDS:
        yield Finding(
            "workspace", WRONG, f"{MARKER} is of no kind that is known", needed, f"put {MARKER} back from Git"
        )
        return
    yield Finding("workspace", OK, f"{kind}, made {made[:10]}", needed)
    yield from _code(here)
    yield from _ledger(here)
    yield from _keys(here)
    yield from _remotes(here)


CHECKS: tuple[Check, ...] = (workspace,)


def _code(here: Workspace) -> Iterator[Finding]:
    """Whether stages would run by other code than they did, and whether anything made now could be approved."""
    needed = "to go on with what was computed here, and to have it approved"
    changed, dirty = changed_code(here), checkout_state()["dirty"]
    if not changed and not dirty:
        yield Finding("code", OK, "as the stages of the workspace ran by", needed, needed=False)
        return
    said = [f"another for {', '.join(changed)}, which run again"] if changed else []
    said += ["the checkout is not as committed"] if dirty else []
    step = "commit, or take changes back: nothing made by other code can be approved" if dirty else ""
    yield Finding("code", WRONG, "; ".join(said), needed, step, needed=False)


def _ledger(here: Workspace) -> Iterator[Finding]:
    """Only its head: `ictal audit verify` hashes every line."""
    needed = "to record and to prove anything"
    try:
        if not here.has_ledger:
            yield Finding("ledger", MISSING, "nothing was recorded yet", needed, "`ictal check`", needed=False)
            return
        yield _head(here, needed)
    except (Refused, OSError) as refused:
        said = str(refused) if isinstance(refused, Refused) else "it cannot be read"
        yield Finding("ledger", WRONG, said, needed, "`ictal audit verify`")


def _head(here: Workspace, needed: str) -> Finding:
    from lineage.belonging import BelongsElsewhere, refuse_foreign
    from lineage.dsse import read_pem
    from lineage.keys import every_platform_key
    from lineage.ledger import Ledger, is_of_this_release
    from lineage.rows import EntryRow
    from lineage.store import reach

    tables = reach(str(here.ledger_place))
    if EntryRow.__tablename__ not in tables:
        return Finding("ledger", MISSING, "there are no lines yet", needed, "`ictal check`", needed=False)
    if not is_of_this_release(tables):  # to open it would change its tables
        said = "it is of an earlier release, and is brought up to date by whatever opens it next"
        return Finding("ledger", UNKNOWN, said, needed, "`ictal audit verify`", needed=False)
    ledger = Ledger(here.ledger_place)
    try:
        refuse_foreign(ledger.engine, here.id)
    except BelongsElsewhere as foreign:
        return Finding("ledger", WRONG, str(foreign), needed, f"a database of its own in {LEDGER}")
    keys = [read_pem(path.read_bytes()) for path in every_platform_key(here.keys)]
    problems = ledger.head_problems(*keys)
    if problems:
        return Finding("ledger", WRONG, "; ".join(problems), needed, "`ictal audit verify` says what was changed")
    return Finding("ledger", OK, f"{ledger.head().size} lines, and its head goes on from the last checkpoint", needed)


def _keys(here: Workspace) -> Iterator[Finding]:
    """Private halves belong to one account: no file of one may be read by another."""
    needed = "so that nobody else signs"
    private = [p for p in sorted(here.keys.rglob("*")) if p.is_file() and p.suffix in PRIVATE]
    open_ = [p.name for p in private if p.stat().st_mode & OTHERS]
    if open_:
        step = f"chmod 600 {' '.join(f'keys/{name}' for name in open_[:3])}, and ask yourself who read them"
        yield Finding("keys", WRONG, f"{len(open_)} of {len(private)} may be read by others", needed, step)
    else:
        yield Finding("keys", OK, f"{len(private)} private, of this account alone", needed)


PRIVATE = (".pem", ".totp")


def _remotes(here: Workspace) -> Iterator[Finding]:
    """Remotes that are folders are looked at; of others DVC knows the door, and asking may cost."""
    needed = "to keep data beyond this workspace"
    settings = configparser.ConfigParser(interpolation=None)
    for name in ("config", "config.local"):
        settings.read(here.root / ".dvc" / name)
    remotes = {section: re.search(r'remote "(.+)"', section) for section in settings.sections()}
    urls = {named[1]: settings[section].get("url", "") for section, named in remotes.items() if named}
    if not urls:
        yield Finding("dvc remote", MISSING, "none is set", needed, "dvc remote add -d NAME URL in the workspace")
    for name, url in urls.items():
        if "://" in url:
            said = "not a folder; not asked here"
            step = "`dvc status -c` in the workspace asks it"
            yield Finding(f"dvc remote {name}", UNKNOWN, said, needed, step)
        else:
            yield _folder(name, (here.root / ".dvc" / url).resolve(), needed)


def _folder(name: str, folder: Path, needed: str) -> Finding:
    """One that is not there yet is made with the first push, where its parent allows."""
    place = next(one for one in (folder, *folder.parents) if one.exists())
    if os.access(place, os.W_OK | os.X_OK) and place.is_dir():
        return Finding(f"dvc remote {name}", OK, "a folder that may be written to", needed)
    step = "mount it, or have this account allowed to write there"
    return Finding(f"dvc remote {name}", WRONG, "a folder that may not be written to", needed, step)
