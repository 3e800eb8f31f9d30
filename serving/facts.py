"""What is kept of every recording that was answered, so that drift can be seen: how it was recorded, how it was answered.

Numbers only, by the recording's digest: the service does not know the patient. Rows of a recording go when it is withdrawn.
"""

import json
import math
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Engine, delete, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from data.acquisition import Fact
from lineage.digest import Digest, digest_of
from lineage.entries import EntryType
from lineage.ledger import Ledger, Subject
from lineage.rows import SubjectRow
from lineage.store import Base, open_store, session, settle, table_names
from lineage.times import utc_text
from models import forecasting, spasms
from serving.schema import Answer, Answered, NamedAnswer

DETECTION = "detection"
EVENTS = {"spasms": spasms.CLASSES[1], "forecasting": forecasting.CLASSES[1]}
"""The class that is an alarm, of the questions that have one; a type of seizure is none."""


class FactRow(Base):
    """One answer about one recording. Shares are 0–1; a number is None where it cannot be.

    `acquisition` holds the facts of `data.acquisition` as JSON; {} of a recording that could not be read, or that was
    heard as a stream. `verdict` is what a reader said last.
    """

    __tablename__ = "serving_fact"
    prediction_id: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[str] = mapped_column(index=True)
    site: Mapped[str] = mapped_column(index=True)
    recording: Mapped[str] = mapped_column(index=True)
    question: Mapped[str]
    model: Mapped[str]
    outcome: Mapped[str]
    code: Mapped[str]
    duration_s: Mapped[float]
    coverage: Mapped[float | None]
    abstained_share: Mapped[float | None]
    alarms_per_hour: Mapped[float | None]
    burden_min_per_h: Mapped[float | None]
    mean_probability: Mapped[float | None]
    p95_probability: Mapped[float | None]
    confidence: Mapped[float | None]
    strangeness: Mapped[float | None]
    acquisition: Mapped[str]
    verdict: Mapped[str | None]
    judged_at: Mapped[str | None]


NUMBERS = (
    "duration_s", "coverage", "abstained_share", "alarms_per_hour", "burden_min_per_h", "mean_probability",
    "p95_probability", "confidence", "strangeness",
)  # fmt: skip


KEPT, OF = "facts", "facts of "
"""Kind of the subject by which a prediction's line names what is kept of it, and how its label begins: the id follows."""
NAMED = (SubjectRow.id, SubjectRow.digest, SubjectRow.seq)
BY_READERS = ("verdict", "judged_at")
"""What comes later, and is held to the lines of verdicts."""


def open_facts(place: str) -> None:
    """Make the table in the ledger's own store, where it is not there."""
    open_store(place, FactRow).dispose()


def has_facts(engine: Engine) -> bool:
    """Whether a service has ever kept any in this store."""
    return FactRow.__tablename__ in table_names(engine)


def fact_of(answer: Answered, site: str, now: datetime, acquisition: Mapping[str, Fact]) -> FactRow:
    """What an answer says in numbers, and how its recording was made."""
    known = {name: None if isinstance(v, float) and math.isnan(v) else v for name, v in acquisition.items()}
    return FactRow(
        prediction_id=answer.prediction_id,
        at=utc_text(now),
        site=site,
        recording=answer.recording_digest,
        question=answer.question if isinstance(answer, NamedAnswer) else DETECTION,
        model=answer.model.digest if answer.model else "",
        outcome=answer.outcome,
        code=answer.code or "",
        duration_s=answer.duration_s,
        acquisition=json.dumps(known, sort_keys=True),
        **answer_facts(answer),
    )


def answer_facts(answer: Answered) -> dict[str, float | None]:
    """The numbers of an answer. Of named stretches the confidence is that of the likeliest class, and an alarm is a stretch
    that bears the name in `EVENTS`."""
    if isinstance(answer, Answer):
        return _of_detection(answer)
    return _of_stretches(answer) if isinstance(answer, NamedAnswer) else {}


def judged(writing: Session, prediction_id: str, verdict: str, now: datetime) -> None:
    """Note what a reader makes of an answer; in the transaction that writes the verdict down."""
    row = update(FactRow).where(FactRow.prediction_id == prediction_id)
    writing.execute(row.values(verdict=verdict, judged_at=utc_text(now)))


def subject_of(row: FactRow) -> Subject:
    """The row as a prediction's line names it, with the digest of all that stands in it but what readers say later."""
    columns = [column.name for column in FactRow.__table__.columns if column.name not in BY_READERS]
    return Subject(KEPT, f"{OF}{row.prediction_id}", digest_of({name: getattr(row, name) for name in columns}))


def fact_problems(ledger: Ledger) -> list[str]:
    """What of the rows is not as the ledger's lines say: changed, added, taken away though what was answered is still kept,
    or judged otherwise. One sentence for each kind, with how many rows, and the first.

    Before the first row nothing is missed: a ledger restored from a backup has none of what was answered before.
    """
    if not has_facts(ledger.engine):
        return []
    said = {line.subjects[1].id: line.reason for line in ledger.entries(EntryType.VERDICT_RECORDED)}
    changed, judged_otherwise, seen = [], [], set[str]()
    with session(ledger.engine, write=False) as reading:
        named = {r.id.removeprefix(OF): r for r in reading.execute(select(*NAMED).where(SubjectRow.kind == KEPT))}
        for row in reading.scalars(select(FactRow).order_by(FactRow.at).execution_options(yield_per=1000)):
            seen.add(row.prediction_id)
            if row.prediction_id not in named or named[row.prediction_id].digest != subject_of(row).digest:
                changed.append(row.prediction_id)
            elif row.verdict != said.get(row.prediction_id):
                judged_otherwise.append(row.prediction_id)
    first = min((name.seq for id, name in named.items() if id in seen), default=math.inf)
    gone = [id for id, name in named.items() if id not in seen and name.seq > first and _is_kept(ledger, name.seq)]
    found = {
        "differ from what the ledger names": changed,
        "bear another verdict than the ledger's last": judged_otherwise,
        "were taken away, though what was answered is still kept": gone,
    }
    return [
        f"{len(ids)} of {len(seen | set(gone))} rows kept for monitoring {how}, the first of prediction {ids[0]}"
        for how, ids in found.items()
        if ids
    ]


def _is_kept(ledger: Ledger, seq: int) -> bool:
    return ledger.payload(ledger.entry(seq).payload_digest) is not None


def kept_of(engine: Engine, recordings: Collection[Digest]) -> int:
    """How many rows are about these recordings."""
    with session(engine, write=False) as reading:
        counted = select(func.count()).select_from(FactRow).where(FactRow.recording.in_(recordings))
        return reading.scalar(counted) or 0


def forget(engine: Engine, recordings: Collection[Digest]) -> int:
    """Take away all rows about these recordings, also from the store's files; returns how many there were.

    The files are seen to even where there are none: an earlier call may have been killed before it was.
    """
    kept = kept_of(engine, recordings)
    if kept:
        with session(engine) as writing:
            writing.execute(delete(FactRow).where(FactRow.recording.in_(recordings)))
    settle(engine, FactRow)
    return kept


def _of_detection(answer: Answer) -> dict[str, float | None]:
    known = [p for p in answer.trend_1hz or () if p is not None]
    hours = answer.analysed_s / 3600
    sure = [e.confidence for e in answer.events or () if e.confidence is not None]
    decided = answer.decided_share
    return {
        "coverage": answer.coverage,
        "abstained_share": None if decided is None else 1 - decided,
        "alarms_per_hour": len(answer.events) / hours if answer.events is not None and hours else None,
        "burden_min_per_h": answer.burden_min_per_h,
        "mean_probability": float(np.mean(known)) if known else None,
        "p95_probability": float(np.percentile(known, 95)) if known else None,
        "confidence": float(np.mean(sure)) if sure else None,
        "strangeness": answer.ood.score if answer.ood else None,
    }


def _of_stretches(answer: NamedAnswer) -> dict[str, float | None]:
    named = [s for s in answer.stretches or () if s.name is not None]
    asked_s, said_s = (sum(s.duration_s for s in part) for part in (answer.stretches or (), named))
    if not asked_s:
        return {}
    event = EVENTS.get(answer.question)
    at_event = [s.probabilities.get(event, 0.0) for s in named] if event else []
    positive = [s for s in named if s.name == event]
    return {
        "coverage": said_s / asked_s,
        "abstained_share": 1 - len(named) / len(answer.stretches or ()),
        "alarms_per_hour": 3600 * len(positive) / said_s if event and said_s else None,
        "burden_min_per_h": 60 * sum(s.duration_s for s in positive) / said_s if event and said_s else None,
        "mean_probability": float(np.mean(at_event)) if at_event else None,
        "p95_probability": float(np.percentile(at_event, 95)) if at_event else None,
        "confidence": float(np.mean([max(s.probabilities.values()) for s in named])) if named else None,
    }


def as_row(row: FactRow) -> dict[str, Any]:
    """A row as plain values, its facts of acquisition among them."""
    own = {column.name: getattr(row, column.name) for column in FactRow.__table__.columns}
    facts: dict[str, Any] = json.loads(own.pop("acquisition"))
    return {**own, **facts}
