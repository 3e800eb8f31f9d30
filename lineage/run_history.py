"""The runs of a workspace, newest first, from the OpenLineage events that were written of them."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

ENGINE_RUN = "prefect_flow_run"
"""The tag of a run under which it is known to the engine that ran it."""

STATES = {"START": "running", "COMPLETE": "completed", "FAIL": "failed", "ABORT": "stopped"}


@dataclass(frozen=True)
class Ran:
    """One run: `state` is `running` as long as nothing says how it ended, and stays so for one that was killed; `began` is
    None where nothing says when.

    `used` and `made` count things by kind; `why` is what a failed run said; `parent` and `engine_run` are ids, or empty.
    """

    id: str
    job: str
    state: str
    began: datetime | None
    ended: datetime | None = None
    why: str = ""
    parent: str = ""
    commit: str = ""
    dirty: bool = False
    engine_run: str = ""
    used: Mapping[str, int] | None = None
    made: Mapping[str, int] | None = None

    @property
    def seconds(self) -> float | None:
        """How long it took, in seconds; None where nothing says that it ended, or that it began."""
        return (self.ended - self.began).total_seconds() if self.began and self.ended else None


def runs_in(path: Path) -> list[Ran]:
    """Every run that the file tells of, newest first; none where there is no file. A line that is cut short is passed over."""
    found: dict[str, Ran] = {}
    for event in _events(path):
        run = _ran(event)
        known = found.get(run.id)
        found[run.id] = replace(run, began=known.began) if known and known.began else run
    return sorted(found.values(), key=_first_known, reverse=True)


def _first_known(run: Ran) -> datetime:
    first = run.began or run.ended
    assert first is not None, "every event has a time"
    return first


def _events(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    with path.open() as file:
        for line in file:
            try:
                yield json.loads(line)
            except ValueError:
                continue


def _ran(event: Mapping[str, Any]) -> Ran:
    facets, at = event["run"].get("facets", {}), datetime.fromisoformat(event["eventTime"])
    begins = event["eventType"] == "START"
    tags = {tag["key"]: tag["value"] for tag in facets.get("tags", {}).get("tags", ())}
    return Ran(
        event["run"]["runId"],
        event["job"]["name"],
        STATES.get(event["eventType"], "running"),
        at if begins else None,
        None if begins else at,
        facets.get("errorMessage", {}).get("message", ""),
        facets.get("parent", {}).get("run", {}).get("runId", ""),
        tags.get("git_commit", ""),
        tags.get("changed_since_commit") == "true",
        tags.get(ENGINE_RUN, ""),
        _kinds(event["inputs"]),
        _kinds(event["outputs"]),
    )


def _kinds(things: list[Mapping[str, Any]]) -> Mapping[str, int]:
    """How many of each kind; a dataset's namespace is `ictal:KIND`."""
    return Counter(thing["namespace"].partition(":")[2] for thing in things)
