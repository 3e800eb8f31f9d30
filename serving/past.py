"""What was answered before: read again from the ledger, for the site that asked, and judged by its readers."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineage import graph
from lineage.digest import digest_of
from lineage.entries import uuid7
from lineage.ledger import Actor, Edge, Entry, EntryType, Subject
from lineage.store import Base, open_store, session
from serving.facts import judged
from serving.forms import Form
from serving.journal import Journal
from serving.problems import ProblemError
from serving.statements import ReadEvent, ReadStretch, VerdictGiven, VerdictStatement
from serving.threads import in_thread
from serving.turns import Turns

READ_AT_ONCE = 4


class VerdictRow(Base):
    """Under which Idempotency-Key a site gave a verdict; what it said stands in the ledger."""

    __tablename__ = "serving_verdict"
    site: Mapped[str] = mapped_column(primary_key=True)
    idempotency_key: Mapped[str] = mapped_column(primary_key=True)
    asked: Mapped[str]
    payload: Mapped[str]


class Past:
    """The predictions in the ledger, each only for its own site."""

    def __init__(self, journal: Journal):
        self.journal = journal
        open_store(journal.ledger.engine.url.render_as_string(hide_password=False), VerdictRow).dispose()

    def answer(self, id: str, site: str, now: datetime) -> dict[str, Any]:
        """The answer as it was given, with a receipt under the ledger's present head.

        ProblemError 404 for one of another site as for one that is none, 410 where what it said was erased since.
        """
        entry = self._entry(id, site)
        return {**self._statement(entry), "receipt": self.journal.receipt(entry, now)}

    def find(self, id: str, site: str, now: datetime) -> dict[str, Any] | None:
        """`answer`, or None where it was not written down; ProblemError 410 as there."""
        return None if graph.prediction_at(self.journal.ledger, id, site) is None else self.answer(id, site, now)

    def receipt(self, id: str, site: str, now: datetime) -> dict[str, Any]:
        """Proof that the answer stands in the ledger; also where what it said was erased. ProblemError 404 as
        `answer`."""
        return self.journal.receipt(self._entry(id, site), now)

    def judge(
        self, id: str, given: VerdictGiven, actor: Actor, now: datetime, idempotency_key: str | None = None
    ) -> VerdictStatement:
        """Write down what a reader makes of a prediction; ProblemError 404 and 410 as `answer`, 400 for one that does not
        fit the prediction. Under an idempotency key that the site used before it is the verdict of then, or 409 where
        that was another."""
        entry = self._entry(id, actor.site)
        _check_fits(given, self._statement(entry))
        content = given.model_dump(mode="json", exclude_none=True) | {"prediction_id": id}
        if earlier := self._earlier(actor.site, idempotency_key, content, now):
            return earlier
        said = content | {"verdict_id": uuid7(now)}
        try:
            return self._write(entry, said, given.verdict, actor, now, idempotency_key)
        except IntegrityError:  # the same was sent twice at once
            earlier = self._earlier(actor.site, idempotency_key, content, now)
            if earlier is None:
                raise
            return earlier

    def verdicts(self, id: str, site: str, now: datetime) -> list[VerdictStatement]:
        """What the site's readers made of a prediction, the first verdict first, each with a receipt under the ledger's
        present head; one that was erased is left out. ProblemError 404 as `answer`."""
        prediction, ledger = self._entry(id, site).subjects[0], self.journal.ledger
        lines = ledger.entries(EntryType.VERDICT_RECORDED, prediction.digest)
        said = [(line, ledger.payload(line.payload_digest)) for line in lines]
        return [VerdictStatement(**own, receipt=self.journal.receipt(line, now)) for line, own in said if own]

    def _write(
        self, entry: Entry, said: dict[str, Any], verdict_said: str, actor: Actor, now: datetime, key: str | None
    ) -> VerdictStatement:
        verdict, prediction = Subject("verdict", said["verdict_id"], digest_of(said)), entry.subjects[0]

        def remember(writing: Session) -> None:
            judged(writing, prediction.id, verdict_said, now)
            if key is not None:
                asked = digest_of({name: value for name, value in said.items() if name != "verdict_id"})
                row = {"site": actor.site, "idempotency_key": key, "asked": asked, "payload": verdict.digest}
                writing.add(VerdictRow(**row))
                writing.flush()

        line = self.journal.ledger.append(
            EntryType.VERDICT_RECORDED,
            actor=actor,
            subjects=(verdict, prediction),
            reason=verdict_said,
            payload=said,
            edges=(Edge(verdict.digest, "judges", prediction.digest),),
            now=now,
            also=remember,
        )
        return VerdictStatement(**said, receipt=self.journal.receipt(line, now))

    def _earlier(self, site: str, key: str | None, content: dict[str, Any], now: datetime) -> VerdictStatement | None:
        """The verdict that the site gave under this key; ProblemError 409 where that was another."""
        if key is None:
            return None
        ledger = self.journal.ledger
        with session(ledger.engine, write=False) as reading:
            row = reading.scalar(select(VerdictRow).where(VerdictRow.site == site, VerdictRow.idempotency_key == key))
        if row is None:
            return None
        if row.asked != digest_of(content):
            raise ProblemError(409, "this Idempotency-Key was used for another verdict: send a new key")
        said, [line] = ledger.payload(row.payload), ledger.entries(EntryType.VERDICT_RECORDED, row.payload)
        if said is None:
            raise ProblemError(410, "what this verdict said was erased; its line in the ledger stays")
        return VerdictStatement(**said, receipt=self.journal.receipt(line, now))

    def _entry(self, id: str, site: str) -> Entry:
        found = graph.prediction_at(self.journal.ledger, id, site)
        if found is None:
            raise ProblemError(404, "this site has no such prediction")
        return self.journal.ledger.entry(found.seq)

    def _statement(self, entry: Entry) -> dict[str, Any]:
        said = self.journal.ledger.payload(entry.payload_digest)
        if said is None:
            raise ProblemError(410, "what this prediction said was erased; its line in the ledger and its receipt stay")
        return said


class PastDesk:
    """`Past` for the event loop: the same problems, from threads of its own."""

    def __init__(self, past: Past, clock: Callable[[], datetime]):
        self.past, self.clock = past, clock
        self._pool = ThreadPoolExecutor(READ_AT_ONCE, "past")
        self._forms = ThreadPoolExecutor(1, "forms")
        self._turns = Turns(self._forms, 1)

    async def answer(self, id: str, site: str, form: Form) -> bytes:
        """The answer in a form; both take too long for the event loop, and some forms seconds, for which sites take turns."""
        said = await in_thread(self._pool, self.past.answer, id, site, self.clock())
        return await (self._turns(site, form.make, said) if form.is_slow else in_thread(self._pool, form.make, said))

    async def receipt(self, id: str, site: str) -> dict[str, Any]:
        """`Past.receipt`, in a thread."""
        return await in_thread(self._pool, self.past.receipt, id, site, self.clock())

    async def verdicts(self, id: str, site: str) -> list[VerdictStatement]:
        """`Past.verdicts`, in a thread."""
        return await in_thread(self._pool, self.past.verdicts, id, site, self.clock())

    async def judge(self, id: str, given: VerdictGiven, actor: Actor, idempotency_key: str | None) -> VerdictStatement:
        """`Past.judge`, in a thread."""
        return await in_thread(self._pool, self.past.judge, id, given, actor, self.clock(), idempotency_key)

    def close(self) -> None:
        """Wait for what is being answered, and take nothing more."""
        self._pool.shutdown()
        self._forms.shutdown()


def _check_fits(given: VerdictGiven, said: dict[str, Any]) -> None:
    """An edit corrects what was answered: events of a detection, names of stretches otherwise."""
    if given.verdict != "edit":
        return
    asked_for = "stretches" if "question" in said else "events"
    if getattr(given, asked_for) is None:
        raise ProblemError(
            400, f"an edit of this prediction gives `{asked_for}`: those that there are, or an empty list"
        )
    duration_s = said["duration_s"]
    spans: list[ReadEvent | ReadStretch] = [*(given.events or ()), *(given.stretches or ())]
    for span in spans:
        if duration_s and span.onset_s + span.duration_s > duration_s + 1e-6:
            raise ProblemError(
                400,
                f"{span.onset_s:g}–{span.onset_s + span.duration_s:g} s is not inside the recording (0–{duration_s:g} s)",
            )
    unknown = {s.name for s in given.stretches or ()} - set(said.get("classes", ()))
    if unknown and said.get("classes"):
        raise ProblemError(400, f"a stretch is named one of {', '.join(said['classes'])}")
