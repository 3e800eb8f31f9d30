"""What rests on this recording, this version of a library, or this commit?"""

from collections.abc import Iterator
from typing import Any

from flows import books, windows_answered
from flows.listing import SHOWN, Told, lines_of, page, told
from flows.workspace import open_workspace
from lineage import graph
from lineage.circumstances import normal_name
from lineage.graph import ANSWERS, PREDICTION, WINDOWS, Node, Step
from lineage.ledger import Ledger
from lineage.refused import Refused
from serving.naming import QUESTIONS
from serving.store import NotInForce, read_pointer


def blast(
    recording: str | None = None, library: str | None = None, commit: str | None = None, limit: int = SHOWN
) -> dict[str, Any]:
    """Everything that was made from or with one thing: runs, models, evaluations, approvals, deployments, answers.

    `library` reads name==version, as the lock file pins it; `commit` is at least 6 digits. Exactly one of the three is
    asked about. All predictions are counted, the newest `limit` told of; answered windows are counted at each site.
    Refused where the ledger knows no such thing, or several.
    """
    ledger = books.books_of(open_workspace())
    starts = _starts(ledger, recording, library, commit)
    digests = [start.digest for start in starts]
    listed = page(graph.count_below(ledger, *digests), graph.predictions_below(ledger, *digests, limit=limit))
    return _answer(ledger, recording or library or commit, starts, listed, lines_of(listed))


def every_prediction_below(
    recording: str | None = None, library: str | None = None, commit: str | None = None
) -> tuple[dict[str, Any], Iterator[Told]]:
    """The same with all predictions, which are told one by one."""
    ledger = books.books_of(open_workspace())
    starts = _starts(ledger, recording, library, commit)
    digests = [start.digest for start in starts]
    count = graph.count_below(ledger, *digests)
    head = _answer(ledger, recording or library or commit, starts, {"count": count, "shown": count}, [])
    return head, told(graph.each_prediction_below(ledger, *digests))


def _answer(
    ledger: Ledger, asked: str | None, starts: list[Node], listed: dict[str, Any], told_of: list[str]
) -> dict[str, Any]:
    """What rests on the starts; `listed` says how many predictions do, and `told_of` of some of them in lines."""
    steps = [step for start in starts for step in graph.downstream(ledger, start.digest, short_of=ANSWERS)]
    windows = windows_answered.summed(graph.windows_below(ledger, *(start.digest for start in starts)))
    rests = list({step.node.digest: step.node for step in steps}.values())
    home = open_workspace().root
    serving = {p.bundle for task in ("detection", *QUESTIONS) for p in _pointers(home, task)}
    in_force = [node for node in rests if node.digest in serving]
    return {
        "asked": asked,
        "starts": [books.in_short(start) for start in starts],
        "rests": [books.in_short(node) for node in rests],
        "kinds": {**_kinds(rests), PREDICTION: listed["count"], WINDOWS: windows["count"]},
        "in_force": [books.in_short(node) for node in in_force],
        "steps": [_plain(step) for step in steps],
        **listed,
        "windows": windows,
        "text": "\n".join(_lines(starts, rests, in_force, listed["count"], windows, told_of)),
    }


def _starts(ledger: Ledger, recording: str | None, library: str | None, commit: str | None) -> list[Node]:
    if sum(asked is not None for asked in (recording, library, commit)) != 1:
        raise Refused("ask about one thing: --recording R, --library name==version or --commit C")
    if recording is not None:
        return [books.thing(ledger, recording, ("recording",))]
    return _environments(ledger, library) if library is not None else _commits(ledger, commit or "")


def _environments(ledger: Ledger, library: str) -> list[Node]:
    name, _, version = library.partition("==")
    if not version:
        raise Refused(f"a library is asked about with its version, as mne==1.13.1; got {library[:40]!r}")
    registered = ledger.entries("environment.recorded")
    pinned = [((ledger.payload(e.payload_digest) or {}).get("pinned", {}), e) for e in registered]
    with_it = {s.digest for pins, e in pinned if pins.get(normal_name(name)) == version for s in e.subjects}
    found = [n for n in graph.things(ledger, "environment") if n.digest in with_it]
    if not found:
        other = sorted({pins[normal_name(name)] for pins, _ in pinned if normal_name(name) in pins})
        known = f"known versions of it are {', '.join(other)}" if other else "no environment pins it in any version"
        raise Refused(f"none of {len(registered)} environments in the ledger pins {library[:60]}: {known}")
    return found


def _commits(ledger: Ledger, commit: str) -> list[Node]:
    found = [n for n in graph.things(ledger, "code") if len(commit) >= 6 and n.label.startswith(commit)]
    if len(found) != 1:
        raise Refused(f"{len(found)} commits in the ledger begin with {commit[:40]!r}: give at least 6 digits of one")
    return found


def _pointers(home: Any, task: str) -> list[Any]:
    try:
        return [read_pointer(home, task)]
    except NotInForce:
        return []


def _kinds(nodes: list[Node]) -> dict[str, int]:
    kinds: dict[str, int] = {}
    for node in nodes:
        kinds[node.kind] = kinds.get(node.kind, 0) + 1
    return kinds


def _plain(step: Step) -> dict[str, Any]:
    return {"depth": step.depth, "relation": step.relation, "at": step.at, **books.in_short(step.node)}


def _lines(
    starts: list[Node],
    rests: list[Node],
    in_force: list[Node],
    predictions: int,
    windows: dict[str, Any],
    told_of: list[str],
) -> list[str]:
    lines = [f"on {start.kind} {start.label} {start.digest[:12]} rest" for start in starts]
    for kind, number in sorted(_kinds(rests).items()):
        names = [f"{n.label} {n.digest[:12]}" for n in rests if n.kind == kind]
        lines.append(f"  {number} × {kind}: {', '.join(names[:4])}{', …' if len(names) > 4 else ''}")
    serving = ", ".join(f"{n.label} {n.digest[:12]}" for n in in_force)
    lines += [f"  {line}" for line in windows_answered.lines_of(windows)]
    lines.append(f"  {predictions} × prediction")
    return [*lines, *told_of, f"in force now: {serving or 'none of these'}"]
