"""The life of a model, from draft to retirement, in steps of which none can be skipped or taken back.

Where a model stands follows from the ledger's lines alone: there is no file that says it and could be edited.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from lineage.digest import Digest
from lineage.entries import Edge, Entry, EntryType
from lineage.graph import upstream
from lineage.ledger import Ledger
from lineage.refused import Refused

STATES = ("draft", "validated", "evaluated", "reviewed", "approved", "deployed", "retired")
IN_FORCE = ("approved", "deployed")
"""States in which a model may answer, where nothing else stands against it."""


class StepSkipped(Refused):
    """A step that does not follow the present state."""


@dataclass(frozen=True)
class Lifecycle:
    """Where a model stands: one of `STATES`, ValueError for another. A model that fails on its way stays where it is;
    its successor begins as a draft."""

    state: str = STATES[0]

    def __post_init__(self) -> None:
        if self.state not in STATES:
            raise ValueError(f"unknown state {self.state!r}, expected one of {', '.join(STATES)}")

    @property
    def history(self) -> tuple[str, ...]:
        """Every state that a model in this state has been through."""
        return STATES[: STATES.index(self.state) + 1]

    def advance(self, to: str) -> "Lifecycle":
        """The next state, and only that one; StepSkipped for every other."""
        following = STATES[len(self.history) : len(self.history) + 1]
        if (to,) != following:
            allowed = following[0] if following else "nothing"
            raise StepSkipped(f"after {self.state} comes {allowed}, not {to}")
        return Lifecycle(to)


@dataclass(frozen=True)
class Standing:
    """Where a model stands by the ledger, under which approval record (if any was signed), and why it has ended."""

    life: Lifecycle
    record: Digest = ""
    ended: str = ""

    @property
    def state(self) -> str:
        """One of `STATES`, the last that the ledger shows; a model that has `ended` keeps it."""
        return self.life.state

    def refuse_ended(self) -> None:
        """Raise StepSkipped where the model was revoked or retired: it goes no further."""
        if self.ended:
            raise StepSkipped(f"it goes no further: {self.ended}")


class Steps:
    """The ledger's lines about models, read once: however many models are asked about, each then costs the same.

    They are those of the moment at which this is made; `ledger` is asked for what else a model stands on.
    """

    TYPES = (
        EntryType.EVALUATION_RECORDED, EntryType.APPROVAL_SIGNED, EntryType.APPROVAL_REJECTED, EntryType.APPROVAL_REVOKED,
        EntryType.DEPLOYMENT_PROMOTED, EntryType.MODEL_RETIRED,
    )  # fmt: skip

    def __init__(self, ledger: Ledger):
        self.ledger = ledger
        self._leading: dict[tuple[str, str, Digest], list[Entry]] = {}
        for entry in ledger.entries(self.TYPES):
            for relation, parent in _leads(entry.edges):
                self._leading.setdefault((entry.type, relation, parent), []).append(entry)

    def leading(self, type: EntryType, relation: str, to: Digest) -> list[Entry]:
        """The lines of a type that lead in this way to the thing with this digest, in order."""
        return self._leading.get((type, relation, to), [])


def standing(steps: Steps, bundle: Digest, record: Digest = "") -> Standing:
    """Where a bundle stands, approved by `record` where one is named.

    A step counts only after all before it: an approval that no review precedes in the ledger is none. Refuses
    (UnknownNode) a bundle that the ledger does not know.
    """
    life = Lifecycle()
    for step in _taken(steps, bundle, record):
        life = life.advance(step)
    return Standing(life, record, _why_ended(steps, bundle, record))


def record_of(steps: Steps, proposal: Digest) -> Digest:
    """The approval record that was signed for a proposal; empty where nobody has signed yet."""
    signed = steps.leading(EntryType.APPROVAL_SIGNED, "decides", proposal)
    return signed[-1].subjects[0].digest if signed else ""


def why_rejected(steps: Steps, proposal: Digest) -> str:
    """Who refused what was proposed, and why; empty where nobody did."""
    for entry in steps.leading(EntryType.APPROVAL_REJECTED, "rejects", proposal):
        return f"rejected by {entry.actor.id}: {entry.reason}"
    return ""


def _taken(steps: Steps, bundle: Digest, record: Digest) -> Iterable[str]:
    """The states after the first that the ledger shows, in order, up to the first that it does not."""
    if not _was_validated(steps.ledger, bundle):
        return
    yield "validated"
    if not steps.leading(EntryType.EVALUATION_RECORDED, "evaluates", bundle):
        return
    yield "evaluated"
    signed = [e for e in steps.leading(EntryType.APPROVAL_SIGNED, "approves", bundle) if _approves(e, record, bundle)]
    reviews = [e for e in signed if e.reason == "review"]
    if not reviews:
        return
    yield "reviewed"
    approvals = [e for e in signed if e.reason == "approval" and any(_follows(e, review) for review in reviews)]
    if not approvals:
        return
    yield "approved"
    deployed = _after(approvals[0], steps.leading(EntryType.DEPLOYMENT_PROMOTED, "permitted_by", record))
    if not deployed:
        return
    yield "deployed"
    if _after(deployed[0], steps.leading(EntryType.MODEL_RETIRED, "retires", record)):
        yield "retired"


def _was_validated(ledger: Ledger, bundle: Digest) -> bool:
    checks = {s.node.digest for s in upstream(ledger, bundle) if s.node.kind == "validation"}
    return any(ledger.entries(EntryType.VALIDATION_PASSED, digest) for digest in checks)


def _approves(entry: Entry, record: Digest, bundle: Digest) -> bool:
    return bool(record) and Edge(record, "approves", bundle) in entry.edges


def _follows(approval: Entry, review: Entry) -> bool:
    """By another person, and later."""
    return review.seq < approval.seq and review.actor.id != approval.actor.id


def _after(earlier: Entry, entries: Iterable[Entry]) -> list[Entry]:
    return [e for e in entries if e.seq > earlier.seq]


def _why_ended(steps: Steps, bundle: Digest, record: Digest) -> str:
    """A bundle, or its approval, that was ever revoked or retired stays so, whatever became of the files that say it."""
    revoked = [e for thing in (bundle, record) for e in steps.leading(EntryType.APPROVAL_REVOKED, "revokes", thing)]
    if revoked:
        first = min(revoked, key=lambda entry: entry.seq)
        return f"revoked by {first.actor.id}: {first.reason}"
    for entry in steps.leading(EntryType.MODEL_RETIRED, "retires", record):
        return f"retired by {entry.actor.id}: {entry.reason}"
    return ""


def _leads(edges: Iterable[Edge]) -> set[tuple[str, Digest]]:
    """Where edges lead, and how."""
    return {(edge.relation, edge.parent) for edge in edges}
