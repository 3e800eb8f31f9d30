"""What ran, from which things and into which: OpenLineage run events in a file, for tools that draw such histories.

The ledger is the evidence; these events retell it run by run in a language that others read. Things are named by kind
and digest; recordings by nothing else, and people not at all.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from lineage.entries import Software
from lineage.graph import LOOKUP, HasEngine, Node, NodeRow
from lineage.rows import EntryRow
from lineage.run_history import ENGINE_RUN
from lineage.store import session

if TYPE_CHECKING:
    from openlineage.client import OpenLineageClient
    from openlineage.client.event_v2 import InputDataset, OutputDataset, RunEvent

NAMESPACE = "ictal"
"""Of jobs; datasets bear `ictal:KIND`."""

PRODUCER = "urn:ictal"

NAMELESS = ("recording",)
"""Kinds whose label stays at home: a recording's is somebody's pseudonym."""

NEVER_TOLD = ("patient", "person")
"""Kinds that are no things."""

OF_SERVICES = ("prediction", "verdict", "auth", "site", "label")
"""What a service writes meanwhile, by the first word of the entry's type; no flow made it."""


@dataclass(frozen=True)
class Run:
    """One run of the job `job`; `parent` is the run inside which it was started, `engine_run` its id at the engine."""

    id: str
    job: str
    software: Software = field(default_factory=Software)
    parent: "Run | None" = None
    engine_run: str = ""

    @property
    def root(self) -> "Run":
        """The outermost run inside which it was started; itself if there is none."""
        return self.parent.root if self.parent else self


@dataclass(frozen=True)
class Touched:
    """The things that a run used and those that it made, as far as the ledger knows."""

    used: tuple[Node, ...] = ()
    made: tuple[Node, ...] = ()


def touched_since(ledger: HasEngine, size: int) -> Touched:
    """What the entries from number `size` on speak of: their subjects were made, what those came from was used."""
    with session(ledger.engine, write=False) as reading:
        new = select(EntryRow.type, EntryRow.envelope).where(EntryRow.seq >= size).order_by(EntryRow.seq)
        said = [json.loads(row.envelope) for row in reading.execute(new) if row.type.split(".")[0] not in OF_SERVICES]
        subjects = [subject for entry in said for subject in entry["subjects"] if subject["digest"]]
        made = {s["digest"]: Node(s["digest"], s["kind"], s["id"]) for s in reversed(subjects)}
        wanted = sorted({edge["parent"] for entry in said for edge in entry["edges"]} - set(made))
        used = []
        for start in range(0, len(wanted), LOOKUP):
            known = select(NodeRow.digest, NodeRow.kind, NodeRow.label)
            used += [
                Node(*row) for row in reading.execute(known.where(NodeRow.digest.in_(wanted[start : start + LOOKUP])))
            ]
    return Touched(_told(used), _told(made.values()))


class RunEvents:
    """The events of a workspace, one line of JSON each, added at the end of `path`."""

    def __init__(self, path: Path):
        self.path = path

    def started(self, run: Run, now: datetime) -> None:
        """Write that it began; file and folder are made with the first event."""
        self._emit(run, "START", Touched(), now)

    def completed(self, run: Run, touched: Touched, now: datetime) -> None:
        """Write that it ended well, with what it read and wrote."""
        self._emit(run, "COMPLETE", touched, now)

    def failed(self, run: Run, why: str, touched: Touched, now: datetime) -> None:
        """`why` is a sentence without patient data, or only the kind of error."""
        self._emit(run, "FAIL", touched, now, why)

    def _emit(self, run: Run, state: str, touched: Touched, now: datetime, why: str = "") -> None:
        from openlineage.client.event_v2 import Job, RunEvent, RunState
        from openlineage.client.event_v2 import Run as OpenRun

        event = RunEvent(
            eventType=RunState[state],
            eventTime=now.isoformat(),
            producer=PRODUCER,
            run=OpenRun(run.id, _run_facets(run, why)),
            job=Job(NAMESPACE, run.job, _job_facets()),
            inputs=[_input(node) for node in touched.used],
            outputs=[_output(node) for node in touched.made],
        )
        self._client.emit(event)

    @cached_property
    def _client(self) -> "OpenLineageClient":
        """Writes to the file whatever addresses the environment names; tells nothing of the folder it runs in."""
        from openlineage.client import OpenLineageClient
        from openlineage.client.transport.file import FileConfig, FileTransport

        self.path.parent.mkdir(parents=True, exist_ok=True)
        to_file = FileTransport(FileConfig(str(self.path), append=True))
        untold = {"facets": {"source_code_location": {"disabled": True}}}
        return OpenLineageClient(transport=to_file, config=untold)


def read_events(path: Path) -> list["RunEvent"]:
    """The events of a file in order, through the classes of the official client, which refuse what is no event."""
    return [_event(json.loads(line)) for line in path.read_text().splitlines()]


def _told(nodes: Iterable[Node]) -> tuple[Node, ...]:
    return tuple(sorted((n for n in nodes if n.kind not in NEVER_TOLD), key=lambda n: (n.kind, n.digest)))


def _run_facets(run: Run, why: str) -> dict[str, Any]:
    from openlineage.client.generated import error_message_run, parent_run, tags_run

    known = {"git_commit": run.software.git_commit, "lock_digest": run.software.lock_digest}
    known["changed_since_commit"] = str(run.software.dirty).lower()
    if run.engine_run:
        known[ENGINE_RUN] = run.engine_run
    facets: dict[str, Any] = {
        "tags": tags_run.TagsRunFacet([tags_run.TagsRunFacetFields(k, v, "ictal") for k, v in known.items()])
    }
    if run.parent:
        facets["parent"] = parent_run.ParentRunFacet(
            parent_run.Run(run.parent.id),
            parent_run.Job(NAMESPACE, run.parent.job),
            parent_run.Root(parent_run.RootRun(run.root.id), parent_run.RootJob(NAMESPACE, run.root.job)),
        )
    if why:
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(why, "python")
    return _by_us(facets)


def _job_facets() -> dict[str, Any]:
    from openlineage.client.generated.job_type_job import JobTypeJobFacet

    return _by_us({"jobType": JobTypeJobFacet("BATCH", "PREFECT", "FLOW")})


def _input(node: Node) -> "InputDataset":
    from openlineage.client.event_v2 import InputDataset

    return InputDataset(f"{NAMESPACE}:{node.kind}", node.digest, facets=_dataset_facets(node))


def _output(node: Node) -> "OutputDataset":
    from openlineage.client.event_v2 import OutputDataset

    return OutputDataset(f"{NAMESPACE}:{node.kind}", node.digest, facets=_dataset_facets(node))


def _dataset_facets(node: Node) -> dict[str, Any]:
    from openlineage.client.generated.documentation_dataset import DocumentationDatasetFacet

    return {} if node.kind in NAMELESS else _by_us({"documentation": DocumentationDatasetFacet(node.label)})


def _by_us(facets: dict[str, Any]) -> dict[str, Any]:
    for facet in facets.values():
        facet._producer = PRODUCER
    return facets


def _event(values: Mapping[str, Any]) -> "RunEvent":
    from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState

    read = RunEvent(
        eventType=RunState(values["eventType"]),
        eventTime=values["eventTime"],
        producer=values["producer"],
        run=Run(**values["run"]),
        job=Job(**values["job"]),
        inputs=[InputDataset(**d) for d in values["inputs"]],
        outputs=[OutputDataset(**d) for d in values["outputs"]],
    )
    if read.schemaURL != values["schemaURL"]:
        raise ValueError(f"an event of another schema: {values['schemaURL']}")
    return read
