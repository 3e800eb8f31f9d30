"""A console over a small hand-made ledger: a model from recordings to answers, two signers, and a hostile name."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from console.acts import Acts, Candidate, Proof, Room, Wish
from console.app import create_app
from console.shelf import Recorded, Shelf
from lineage.approvals import Approval, ApprovalRecord, sign
from lineage.digest import sha256_bytes
from lineage.graph import node, upstream
from lineage.ledger import Actor, Draft, Edge, Ledger, Software, Subject
from lineage.refused import Refused
from lineage.run_history import Ran
from tests.office import BUNDLE, HOUR, NOW, RECORD, Office

HOSTILE = "<script>alert('x')</script>"
PIPELINE = Actor("pipeline", "Ictal pipeline", "service")
OPEN_GATE = {"name": "floor", "outcome": "insufficient_evidence", "value": None, "limit": 0.7, "reason": "3 patients"}
GATES = [
    {"name": "sensitivity", "outcome": "pass", "value": 0.81, "limit": 0.7, "reason": "0.81"},
    {"name": "false_alarms", "outcome": "pass", "value": 2.0, "limit": 5.0, "reason": "2"},
]
WHERE = "http://127.0.0.1"


def named(text: str) -> str:
    return sha256_bytes(text.encode())


RECORDINGS = [named(f"recording {i}") for i in range(4)]


def thing(kind: str, id: str, digest: str, type: str, *edges: tuple[str, str], payload: Any = None) -> Draft:
    links = tuple(Edge(digest, relation, parent) for relation, parent in edges)
    return Draft(type, PIPELINE, (Subject(kind, id, digest),), payload=payload, edges=links)


def lineage_of_a_model() -> list[Draft]:
    data, split, run, score = named("data"), named("split"), named("run"), RECORD.evidence["evaluation"]
    return [
        *(thing("recording", f"sub-{i} {HOSTILE}", r, "recording.registered") for i, r in enumerate(RECORDINGS)),
        thing("dataset", "small", data, "dataset.frozen", *(("contains", r) for r in RECORDINGS[1:])),
        thing("split", "patient", split, "split.created", ("divides", data)),
        thing("run", "train line_length", run, "run.finished", ("split_by", split)),
        thing("model", f"line_length {HOSTILE}", BUNDLE, "run.finished", ("made_by", run), payload={"fold": 0}),
        thing("model", "another", named("another"), "run.finished", ("made_by", run)),
        thing("evaluation", "line_length", score, "evaluation.recorded", ("evaluates", BUNDLE)),
    ]


def signature_line(approval: Approval) -> Draft:
    signature, record = approval.signatures[-1], approval.record
    actor = Actor(signature.person_id, signature.printed_name, signature.role)
    payload = {"record": record.values(), "signature": vars(signature)}
    edges = (Edge(record.digest, "approves", record.bundle_digest),)
    return Draft(
        "approval.signed",
        actor,
        (Subject("approval", "line_length", record.digest),),
        signature.meaning,
        payload,
        edges,
    )


def prediction(number: int, record: ApprovalRecord) -> Draft:
    events = [{"onset_s": at, "duration_s": 20.0, "confidence": 0.9, "channels": []} for at in (30.0, 90.0)]
    payload = {
        "outcome": "completed", "code": None, "reason": None, "banner": "review required", "notice": None,
        "duration_s": 600.0, "coverage": 0.5, "events": events, "number": number,
    }  # fmt: skip
    digest = named(f"prediction {number}")
    subjects = (
        Subject("prediction", f"answer-{number}", digest),
        Subject("recording", "r", RECORDINGS[0]),
        Subject("model", "line_length", BUNDLE),
        Subject("approval", "line_length", record.digest),
    )
    edges = tuple(
        Edge(digest, how, parent)
        for how, parent in (("analyses", RECORDINGS[0]), ("made_by", BUNDLE), ("permitted_by", record.digest))
    )
    actor = Actor("site-key:1", role="site", site="hospital-1", auth_method="api key")
    return Draft("prediction.issued", actor, subjects, payload=payload, edges=edges)


@dataclass
class Desk:
    """The acts behind a console, as a test sets them; `bytes_` says of which recordings the bytes do not match."""

    office: Office
    ledger: Ledger
    record: ApprovalRecord = RECORD
    state: str = "deployed"
    signed: Approval | None = None
    against: tuple[str, ...] = ()
    pointed_at: bool = True
    bytes_: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    now: datetime = NOW + HOUR
    shelves: list[Shelf] = field(default_factory=list)
    recordings: dict[tuple[str, str], Recorded] = field(default_factory=dict)
    runs: list[Ran] = field(default_factory=list)
    sites: set[str] = field(default_factory=set)
    rehearsals: dict[str, dict[str, Any]] = field(default_factory=dict)
    run_server: str = ""
    gates: list[dict[str, Any]] | None = None
    """Those of the record if None."""

    def candidates(self, now: datetime) -> list[Candidate]:
        gates = self.gates or ([*GATES, OPEN_GATE] if "floor" in self.record.gates else GATES)
        candidate = {
            "candidate": BUNDLE, "detector": "line_length", "version": HOSTILE, "task": "detection",
            "author": "engineer-1", "state": self.state, "ended": "", "gates": gates, "evidence": dict(RECORD.evidence),
        }  # fmt: skip
        pages = {"Evaluation": "/reports/evaluation/line_length.html"}
        return [Candidate(candidate, self.signed, self.against, self.pointed_at, pages)]

    def candidate(self, digest: str, now: datetime) -> Candidate | None:
        return next((one for one in self.candidates(now) if one.digest == digest), None)

    def evaluation(self, digest: str, name: str) -> bytes | None:
        return b"<!doctype html><title>As signed</title>" if (digest, name) == (BUNDLE, "line_length.html") else None

    def why(self, digest: str) -> dict[str, Any]:
        steps = upstream(self.ledger, digest)
        start = node(self.ledger, digest)
        recordings = {s.node.digest for s in steps if s.node.kind == "recording"}
        return {
            "subject": start._asdict(),
            "steps": [{"depth": s.depth, "at": s.at, "relation": s.relation, **s.node._asdict()} for s in steps],
            "raw_bytes": {r: self.bytes_.get(r, "matches raw/r") for r in recordings},
            "problems": self.problems,
        }

    def verify(self) -> dict[str, Any]:
        found = self.ledger.verify()
        return {"ok": found.ok, "size": found.size, "root": found.root, "problems": found.problems}

    def impact(self, patient: str) -> dict[str, Any]:
        if patient != "sub-1":
            raise Refused(f"nobody is called {patient[:20]!r} here")
        recording = {
            "recording": HOSTILE,
            "digest": RECORDINGS[1],
            "cohort": "small",
            "patient": patient,
            "site": "",
            "here": True,
        }
        model = {
            "kind": "model",
            "label": "another",
            "digest": named("another"),
            "role": "tested on only",
            "state": "draft",
        }
        return {
            "person": "p1", "patients": [patient], "sites": [], "datasets": [], "exports": [], "withdrawals": [],
            "predictions_about": [], "predictions_about_count": 0, "recordings": [{**recording, "registered": True}],
            "models": [{**model, "approvals": [], "deployments": [], "predictions": 0, "windows": {"count": 27}}],
        }  # fmt: skip

    def shadow(self, digest: str) -> dict[str, Any]:
        if digest != BUNDLE:
            raise Refused("it has said nothing as a shadow yet")
        differing = {"differs": "outcome", "prediction": "answer-1", "shadow": HOSTILE}
        return {
            "model": digest, "compared": 4, "erased": 1, "agree": 3, "differ": {"outcome": 1, "events": 0, "stretches": 0},
            "seconds_of_seizure": {"given": 41.0, "shadow": 12.25}, "newest": 1000,
            "examples": [{**differing, "outcomes": ["completed", "not_evaluable (ood)"], "events": [2, 0]}],
        }  # fmt: skip

    def approvals(self) -> list[dict[str, Any]]:
        """As `ictal approvals --json` tells of them."""
        if self.signed is None:
            return []
        record = self.signed.record
        named = {"record": record.digest, "candidate": BUNDLE, "detector": HOSTILE, "state": self.state}
        return [{**record.values(), **named, "in_force": not self.against, "against": list(self.against),
                 "signatures": [vars(s) for s in self.signed.signatures]}]  # fmt: skip

    def rehearsal(self, digest: str) -> dict[str, Any]:
        if digest not in self.rehearsals:
            raise Refused(f"the rehearsal {digest[:12]} is gone, or is not what the ledger names")
        return self.rehearsals[digest]

    def recording(self, cohort: str, name: str) -> Recorded | None:
        return self.recordings.get((cohort, name))

    def seen(self, digest: str, name: str) -> str:
        return next((r.shelved.address for r in self.recordings.values() if digest in r.digests.values()), "")

    def to_sign(self, wish: Wish) -> ApprovalRecord:
        record = replace(self.record, not_before=wish.begins, not_after=wish.begins + HOUR, deviations=wish.deviations)
        if record.faults():
            raise Refused("; ".join(record.faults()))
        return record

    def sign(self, wish: Wish, proof: Proof, shown: str) -> dict[str, Any]:
        record = self.to_sign(wish)
        if record.digest != shown:
            raise Refused("what would be signed is no longer what was shown")
        made = sign(record, self.office.folder, proof.person, proof.passphrase, proof.code, wish.meaning, self.now)
        self.signed, self.state = Approval(record, (made,)), "reviewed"
        return {"candidate": BUNDLE, "record": record.digest, "text": f"{proof.person} signed ({wish.meaning})"}

    def room(self, reports: Path, demo: bool = True) -> Room:
        card = f"---\ntitle: A card\nages: 0 to 28 days\n---\n# {HOSTILE}\n\n**Bold** and `code`.\n\n| a | b |\n|---|---|\n| {HOSTILE} | 2 |"
        acts = Acts(
            candidates=self.candidates,
            candidate=self.candidate,
            card=lambda digest: card if digest == BUNDLE else None,
            evaluation=self.evaluation,
            why=self.why,
            verify=self.verify,
            impact=self.impact,
            shadow=self.shadow,
            shelves=lambda: self.shelves,
            put_aside=lambda: sum(len(shelf.quarantined) for shelf in self.shelves),
            recording=self.recording,
            seen=self.seen,
            runs=lambda: self.runs,
            approvals=self.approvals,
            sites=lambda: self.sites,
            rehearsal=self.rehearsal,
            record=self.to_sign,
            sign=self.sign,
        )
        made = "2026-03-01T12:00:00+00:00"
        return Room(self.ledger, acts, reports, demo, made, self.run_server, lambda: self.now)


def open_desk(folder: Path, office: Office, predictions: int = 3, **settings: Any) -> Desk:
    """A desk whose ledger holds a model, who signed it, and what it answered."""
    ledger = Ledger(folder / "ledger.db", Software("abc", "def", dirty=False))
    approval = office.case().approval
    drafts = [
        *lineage_of_a_model(),
        signature_line(Approval(RECORD, approval.signatures[:1])),
        signature_line(approval),
    ]
    drafts += [prediction(number, RECORD) for number in range(predictions)]
    for minute, draft in enumerate(drafts):
        ledger.append_many([draft], now=NOW + minute * HOUR / 60)
    return Desk(office, ledger, **{"signed": approval, **settings})


def browser(desk: Desk, reports: Path, *, demo: bool = True, wrap: Callable[[Room], Room] = lambda r: r) -> TestClient:
    """Somebody at a browser on the machine of the console."""
    return TestClient(create_app(wrap(desk.room(reports, demo))), WHERE, raise_server_exceptions=False)
