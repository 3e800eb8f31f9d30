"""What was answered, to whom, about which recording and by which model: one line in the ledger and one receipt each."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from data.acquisition import Fact
from lineage import graph
from lineage.checkpoints import Verification
from lineage.circumstances import edges_of, register
from lineage.digest import Digest, digest_of
from lineage.keys import platform_key
from lineage.ledger import Actor, Edge, Entry, EntryType, Ledger, Software, Subject
from lineage.place import ledger_place, workspace_id
from lineage.receipts import issue, verify_receipt
from serving.debts import Debts
from serving.facts import fact_of, open_facts, subject_of
from serving.schema import SHADOW_NOTICE, Answered

Made = TypeVar("Made", bound=Answered)


class Act(Protocol):
    """Writes what has to be kept together with an answer, in the same transaction; may raise, and then neither is."""

    def __call__(self, writing: Session, answer: Answered) -> None: ...


ENTRY_OF = {
    "completed": EntryType.PREDICTION_ISSUED,
    "completed_with_abstentions": EntryType.PREDICTION_ABSTAINED,
    "not_evaluable": EntryType.PREDICTION_NOT_EVALUABLE,
}


BESIDE = "answer given"
"""The kind of subject by which a shadow's line names the answer that was given."""
SITE = "site"
"""The role of whoever came in with a key."""
SHADOW = Actor("shadow", role="service", auth_method="local")
"""Stands for no site: what it has said is found by no key."""


class Journal:
    """The ledger of a workspace and the platform's key, with which receipts are signed.

    FileNotFoundError where the workspace has no such key. May be used from several threads.
    """

    def __init__(self, home: Path, software: Software | None = None):
        self.ledger = Ledger(ledger_place(home), software, workspace_id(home))
        open_facts(self.ledger.engine.url.render_as_string(hide_password=False))
        self._keys = home / "keys"
        platform_key(self._keys)  # a service without one does not start
        register(self.ledger)
        self._act: Act | None = None
        self.debts = Debts(self.ledger.engine)

    def together_with(self, act: Act) -> "Journal":
        """The same journal, where every answer is kept together with what `act` writes, or neither is."""
        both = copy(self)
        both._act = act
        return both

    def record(
        self,
        answer: Made,
        actor: Actor,
        now: datetime,
        acquisition: Mapping[str, Fact] = MappingProxyType({}),
        *,
        announced: bool = False,
    ) -> Made:
        """Write the answer down; returns it with its receipt. What cannot be written down is not answered.

        The prediction's digest is that of the answer without the receipt, which is also the entry's payload. Its facts
        for monitoring, with those of how the recording was made (`acquisition`), are kept in the same step. Where this
        fails half-way, or the service is killed over it, the site that comes again for the same answer is given the one that
        stands, and none is written twice: by its id where that was `announced` to it before.
        """
        if announced:
            entry = self._standing(answer.prediction_id, actor.site) or self._issued(answer, actor, now, acquisition)
        elif self._act is None and actor.role == SITE:
            return self._given(answer, actor, now, acquisition)
        else:  # what is kept together with its answer knows by itself whether that stands
            entry = self._issued(answer, actor, now, acquisition)
        return answer.model_copy(update={"receipt": self.receipt(entry, now)})

    def close(self) -> None:
        """Let go of the ledger. All that was given has arrived, as far as can be known here; where a ledger that is away cannot
        be told, it is given again to a site that asks the same again."""
        with suppress(DBAPIError):
            self.debts.settle()
        self.ledger.engine.dispose()

    def record_beside(self, answer: Made, given: Answered, now: datetime) -> Made:
        """Write down what a shadow says beside the answer that was `given`; it is no site's, so none can read it.

        Its line is by the actor `shadow`, with the id of the answer that was given as the reason, and its text says that it
        is one.
        """
        notice = " · ".join(part for part in (SHADOW_NOTICE, answer.notice) if part)
        answer = answer.model_copy(update={"notice": notice})
        beside = (Subject(BESIDE, given.prediction_id, given.digest),)  # no edge: it did not come from that answer
        self._append(answer, SHADOW, f"shadow of {given.prediction_id}", beside, now)
        return answer

    def _given(self, answer: Made, actor: Actor, now: datetime, acquisition: Mapping[str, Fact]) -> Made:
        """The answer, or the same one that the site is owed since before."""
        asked = digest_of([actor.id, actor.site, answer.statement() | {"prediction_id": ""}])
        owed = self.debts.of(asked)
        if owed is not None:
            answer = answer.model_copy(update={"prediction_id": owed})
        with self.debts.giving(answer.prediction_id):
            entry = None if owed is None else self._standing(owed, actor.site)
            entry = entry or self._issued(answer, actor, now, acquisition, asked)
            return answer.model_copy(update={"receipt": self.receipt(entry, now)})

    def _standing(self, id: str, site: str) -> Entry | None:
        found = graph.prediction_at(self.ledger, id, site)
        return None if found is None else self.ledger.entry(found.seq)

    def _issued(
        self, answer: Answered, actor: Actor, now: datetime, acquisition: Mapping[str, Fact], asked: Digest = ""
    ) -> Entry:
        fact = partial(fact_of, answer, actor.site, now, acquisition)  # a row is good for one try of a transaction

        def beside(writing: Session, answer: Answered) -> None:
            writing.add(fact())
            if asked:
                self.debts.owe(writing, answer.prediction_id, asked)

        return self._append(answer, actor, answer.code or "", (subject_of(fact()),), now, beside)

    def _append(
        self,
        answer: Answered,
        actor: Actor,
        reason: str,
        more: tuple[Subject, ...],
        now: datetime,
        fact: "Act | None" = None,
    ) -> Entry:
        prediction = Subject("prediction", answer.prediction_id, answer.digest)
        recording = Subject("recording", answer.recording_digest[:12], answer.recording_digest)
        subjects, edges = [prediction, recording], [Edge(prediction.digest, "analyses", recording.digest)]
        if answer.model is not None:
            subjects.append(Subject("model", answer.model.name, answer.model.digest))
            subjects.append(Subject("approval", answer.model.name, answer.model.approval))
            edges.append(Edge(prediction.digest, "made_by", answer.model.digest))
            edges.append(Edge(prediction.digest, "permitted_by", answer.model.approval))
        edges += edges_of(self.ledger.software, prediction.digest)
        return self.ledger.append(
            ENTRY_OF[answer.outcome],
            actor=actor,
            subjects=[*subjects, *more],
            reason=reason,
            payload=answer.statement(),
            edges=edges,
            now=now,
            also=partial(_do, [act for act in (fact, self._act) if act], answer=answer),
        )

    def receipt(self, entry: Entry, now: datetime) -> dict[str, Any]:
        """Proof that an entry stands in the ledger, under a head signed now."""
        made: dict[str, Any] = json.loads(issue(self.ledger, entry, platform_key(self._keys), now).to_json())
        return made


def _do(acts: Sequence[Act], writing: Session, answer: Answered) -> None:
    for act in acts:
        act(writing, answer)


def verify_answer(answer: Mapping[str, Any], public_key_pem: str | bytes) -> Verification:
    """Check an answer as it was received, offline: its receipt is sound, and is the receipt of exactly this answer.

    Whatever is wrong with the answer is a problem; ValueError for what is no P-256 key in PEM.
    """
    if not answer.get("receipt"):
        return Verification(["the answer has no receipt"], 0, "")
    receipt = answer["receipt"]
    found = verify_receipt(json.dumps(receipt), public_key_pem)
    said = digest_of({name: value for name, value in answer.items() if name != "receipt"})
    if found.ok and receipt["entry"]["payload_digest"] != said:
        return replace(found, problems=["the receipt belongs to another answer than this one"])
    return found
