"""What the service says of jobs and of verdicts, and what a reader may say of a prediction."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from data.seizure_types import seizure_type
from lineage.digest import Digest
from serving.jobs import State
from serving.schema import EXAMPLE, ModelCard, Models, NamedAnswer, NamedStretch, Probability, Said

READERS = (
    "epileptologist", "neurologist", "neonatologist", "paediatrician", "intensivist", "clinical_neurophysiologist",
    "technologist", "nurse", "other",
)  # fmt: skip
"""Who looked, by profession: a verdict holds no names."""

MOST_FIELDS = 16
At = Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)]
Lasting = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]
"""Seconds that somebody states of a patient: a number, and neither `true` nor a text that may be read as one."""
Electrode = Annotated[str, Field(pattern=r"^[A-Za-z]{1,3}[0-9]{0,2}(-[A-Za-z]{1,3}[0-9]{0,2})?$")]


class JobStatement(Said):
    """How far a job is. `result` is the answer once `state` is `done`: as of `/v1/detect`, or of the question's route.

    `stage` is waiting, starting, reading, analysing, recording, or the state in which it ended; `progress` is the share (0–1)
    of that stage that is done, `ahead` how many jobs of the site come first.
    Where a job has failed, `outcome` says whether it is worth sending again (`failed_retryable`) and `reason` why; `reason`
    also says why a job waits of a site that was stopped.
    """

    job_id: str
    question: str
    state: State
    stage: str
    progress: Probability = 0.0
    ahead: int = 0
    cancelling: bool = False
    attempts: int = 0
    accepted_at: str
    started_at: str | None = None
    ended_at: str | None = None
    outcome: str | None = None
    reason: str | None = None
    prediction_id: str | None = None
    result: dict[str, Any] | None = None


def _known_type(text: str) -> str:
    known = seizure_type(text)
    if known is None:
        raise ValueError("not a seizure type of HED-SCORE: sz, sz_foc_…, sz_gen_…, sz_uo_…")
    return known


class _Stated(Said):
    """What somebody states: looked at no further than its first fault, since all are served by those who look."""

    @model_validator(mode="before")
    @classmethod
    def _has_few_fields(cls, given: Any) -> Any:
        if isinstance(given, dict) and len(given) > MOST_FIELDS:
            raise ValueError(f"more than {MOST_FIELDS} fields")
        return given


class ReadEvent(_Stated):
    """A seizure as a reader sees it, in seconds from the recording's start; `type` is a name of HED-SCORE."""

    onset_s: At
    duration_s: Lasting
    type: Annotated[str, Field(max_length=80), AfterValidator(_known_type)] = "sz"
    channels: Annotated[tuple[Electrode, ...], Field(max_length=128, fail_fast=True)] = ()


class ReadStretch(_Stated):
    """A stretch and what a reader calls it: one of the answer's classes."""

    onset_s: At
    duration_s: Lasting
    name: Annotated[str, Field(max_length=80)]


class VerdictGiven(_Stated):
    """What a reader makes of a prediction: `confirm` and `reject` it as a whole, or `edit` it.

    An edit gives all `events` of the recording as they should have been (of a detection; an empty list says that there
    is none), or all `stretches`. `reader` is a profession; there is no field for names or remarks.
    """

    verdict: Literal["confirm", "reject", "edit"]
    reader: Literal[READERS]  # type: ignore[valid-type]
    events: Annotated[tuple[ReadEvent, ...], Field(max_length=10_000, fail_fast=True)] | None = None
    stretches: Annotated[tuple[ReadStretch, ...], Field(max_length=10_000, fail_fast=True)] | None = None

    @model_validator(mode="after")
    def _edits_alone_have_content(self) -> "VerdictGiven":
        given = [part for part in (self.events, self.stretches) if part is not None]
        if len(given) != (self.verdict == "edit"):
            raise ValueError("`events` or `stretches` go with the verdict `edit`, one of them, and with no other")
        return self


class VerdictStatement(VerdictGiven):
    """A verdict as it stands in the ledger, with a receipt of its own."""

    verdict_id: str
    prediction_id: str
    receipt: dict[str, Any]


class VerdictsStatement(Said):
    """What a site's readers made of a prediction, the first verdict first."""

    prediction_id: str
    verdicts: tuple[VerdictStatement, ...]


class ReceiptStatement(Said):
    """Proof that an entry stands in the ledger: envelope, path to the root, signed checkpoint."""

    entry: dict[str, Any]
    path: tuple[Digest, ...]
    checkpoint: dict[str, Any]


_JOB = {
    "job_id": "019d3e6a-1111-7c41-9a55-0b6f0a1d2c3e",
    "question": "detection",
    "state": "running",
    "stage": "analysing",
    "progress": 0.45,
    "attempts": 1,
    "accepted_at": "2026-03-02T09:00:00.000000Z",
    "started_at": "2026-03-02T09:00:01.000000Z",
}
JOB_EXAMPLE = JobStatement.model_validate(_JOB).model_dump(mode="json")
DONE = {"state": "done", "stage": "done", "progress": 1.0, "ended_at": "2026-03-02T09:00:03.000000Z"}
DONE_EXAMPLE = JobStatement.model_validate(
    _JOB | DONE | {"outcome": EXAMPLE["outcome"], "prediction_id": EXAMPLE["prediction_id"], "result": EXAMPLE}
).model_dump(mode="json")
VERDICT_EXAMPLE: dict[str, Any] = VerdictGiven(
    verdict="edit", reader="neonatologist", events=(ReadEvent(onset_s=14.0, duration_s=37.5, channels=("C3", "T3")),)
).model_dump(mode="json", exclude_none=True)
RECEIPT_EXAMPLE: dict[str, Any] = {"entry": {}, "path": [], "checkpoint": {}}
GIVEN_EXAMPLE = VERDICT_EXAMPLE | {
    "verdict_id": "019d3e6a-2222-7c41-9a55-0b6f0a1d2c3e",
    "prediction_id": EXAMPLE["prediction_id"],
    "receipt": RECEIPT_EXAMPLE,
}
VERDICTS_EXAMPLE: dict[str, Any] = {"prediction_id": EXAMPLE["prediction_id"], "verdicts": [GIVEN_EXAMPLE]}
NAMED_EXAMPLE: dict[str, Any] = NamedAnswer(
    prediction_id=EXAMPLE["prediction_id"],
    outcome="completed",
    duration_s=15.0,
    recording_digest="c0" * 32,
    question="semiology",
    classes=("FBTCS", "FOS"),
    stretches=(
        NamedStretch(onset_s=2.0, duration_s=15.0, name="FOS", probabilities={"FBTCS": 0.2, "FOS": 0.8}, clips=8),
    ),
    receipt=RECEIPT_EXAMPLE,
).model_dump(mode="json")
MODELS_EXAMPLE: dict[str, Any] = Models(
    models=(
        ModelCard(
            **{name: EXAMPLE["model"][name] for name in ("name", "title", "digest", "front_end", "intended_use")},
            ages="0 to 28 days",
            montage="neonatal_18",
            min_duration_s=30.0,
            engine="reference",
            card="# Line length, the floor …",
        ),
    )
).model_dump(mode="json")
