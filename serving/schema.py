"""What the service says: one answer to one recording, and one shape for everything that went wrong."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from data.outcomes import Outcome
from lineage.digest import Digest, digest_of

BANNER = "review required: a qualified reader has to review this recording; the answer is no diagnosis"
DEMO_NOTICE = (
    "demonstration: the model was approved by demo signers to show the system, for demo sites only and for one day; "
    "it is for no patient"
)

SHADOW_NOTICE = "shadow: recorded beside the answer that was given, and shown to no site"

Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Distance = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Said(BaseModel):
    """A part of an answer: never changed once said, and finite, since JSON has no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Span(Said):
    """A stretch of the recording, in seconds from its start."""

    onset_s: Seconds
    duration_s: Seconds


class ChannelShare(Said):
    """How much a channel drove an event: its share (0–1) among all that the model looks at."""

    channel: str
    share: Probability


class BandShare(Said):
    """How much a band of frequency drove the name of a stretch: its share (0–1) among all."""

    band: str
    share: Probability


class EventDrivers(Said):
    """What drove an event, or the name of a stretch, by integrated gradients; it explains the model, not the patient.

    `channels` holds the five that count most with their shares (derivations of EEG, joints of a pose, cameras of a film), and
    `bands` those of frequency, where the model tells them apart. `moments` are the windows with the highest probability, from
    which the shares are; of a stretch the parts of them that counted most.
    """

    method: str
    channels: tuple[ChannelShare, ...]
    moments: tuple[Span, ...]
    bands: tuple[BandShare, ...] = ()


class FoundEvent(Said):
    """One seizure that was found, in seconds from the recording's start; `confidence` is its highest probability.

    `channels` are those that drove it by more than an equal share, the first of them the most; empty where the model
    does not tell. `drivers` says by how much.
    """

    onset_s: Seconds
    duration_s: Seconds
    confidence: Probability | None = None
    channels: tuple[str, ...] = ()
    drivers: EventDrivers | None = None


class OodStatement(Said):
    """How far the recording lies from the patients that the model has learnt from (1 is usual).

    Above `limit` it is refused (code `ood`); `share_outside` is the share of its two-second windows that lie outside.
    """

    score: Distance
    limit: Distance
    share_outside: Probability


class ModelStatement(Said):
    """Which model answered, and by which approval (the digest of the record that was signed).

    `digest` names weights, settings, calibration and threshold together.
    """

    name: str
    title: str
    digest: Digest
    front_end: Digest
    approval: Digest
    intended_use: str
    card: str = "/v1/models"


class Asked(Said):
    """What was asked, so that it can be asked again of the same bytes (`ictal audit replay`).

    `files` are the SHA-256 of the files, `views` the cameras they are of, `age_days` the age as declared, `stretches`
    those that were marked. `code` is the digest of the code that answered, `machine` the kind of machine it ran on, and
    `engine` what ran the network: `onnxruntime`, or `reference`, the code that the model was fitted with.
    """

    files: tuple[Digest, ...]
    views: tuple[str, ...] = ()
    age_days: FiniteFloat | None = None
    stretches: tuple[Span, ...] = ()
    pose_estimator: Digest | None = None
    code: Digest
    machine: str
    engine: str = "reference"


class Answered(Said):
    """What every answer holds, whatever was asked. The receipt proves offline that the answer stands in the ledger."""

    prediction_id: str
    outcome: Outcome
    code: str | None = None
    reason: str | None = None
    banner: str = BANNER
    notice: str | None = None
    duration_s: Seconds = 0.0
    model: ModelStatement | None = None
    recording_digest: Digest
    asked: Asked | None = None
    receipt: dict[str, Any] | None = None

    def statement(self) -> dict[str, Any]:
        """All but the receipt, as JSON values: what the ledger keeps and the receipt vouches for."""
        return self.model_dump(mode="json", exclude={"receipt"})

    @property
    def digest(self) -> Digest:
        """That of the answer without its receipt: by it the ledger names the answer."""
        return digest_of(self.statement())


class NamedStretch(Said):
    """A stretch of a recording and what the model calls it: a probability for each class, and the likeliest as `name`.

    `clips` is how many clips (or views of a film) were looked at; where nothing could be said, `code` and `reason` say
    why and there is neither name nor probability. `drivers` says what it was named for, where the model tells, of the first
    twenty stretches that bear a name of something. `frames_lost` counts the frames of film looked at for it, over all views,
    that could not be decoded, in whose place the one before was looked at; of more than a tenth the code is `corrupt`.
    `frames_after_lost` counts those looked at that lie between such a one and the next key frame: they may be built on it and
    were looked at with what traces it left; of more than half the code is `corrupt`.
    """

    onset_s: Seconds
    duration_s: Seconds
    name: str | None = None
    probabilities: dict[str, Probability] = {}
    clips: int = 0
    code: str | None = None
    reason: str | None = None
    drivers: EventDrivers | None = None
    frames_lost: int = 0
    frames_after_lost: int = 0


class NamedAnswer(Answered):
    """What stretches of a recording are: of which type a seizure is, whether a clip is a spasm, or comes before a seizure.

    `stretches` is None where the outcome is `not_evaluable`. A stretch that looks unlike what the training patients showed has
    the code `ood` and no name, by its signal, pictures or joints; whether it is a seizure, or a patient, nobody asks.
    `frames_lost` counts, for each view of a film, the frames that could not be decoded, in whose place the one before was looked
    at, or, where poses were made of the film, no joint was seen; None for a film that is too long to be decoded whole: of that,
    each stretch counts those that it was looked at by, poses none.
    `frames_after_lost` counts alike the frames between such a one and the next key frame: they may be built on it, and show
    traces of it.
    `frames_missing` counts, for each view of a film of any length, those that are not there between the times of the others.
    `length_stated` says, for each view of a film, whether its file states its length: of one that does not, as an MPEG stream,
    nobody can see that it was cut off at its end.
    """

    question: str
    classes: tuple[str, ...] = ()
    stretches: tuple[NamedStretch, ...] | None = None
    frames_lost: tuple[int | None, ...] = ()
    frames_after_lost: tuple[int | None, ...] = ()
    frames_missing: tuple[int, ...] = ()
    length_stated: tuple[bool, ...] = ()


class Answer(Answered):
    """What was found in a recording, and in how much of it one could look.

    `events` is None where the outcome is `not_evaluable`: "no seizure" and "not looked at" are never the same.
    `trend_1hz` holds one seizure probability per second, None where nothing could be assessed: the mean of the seconds up to
    that one, so that it lags behind the signal. `trend_delay_s` is by how much: it is taken out of `events`, which begin and end
    that much before the trend crosses the threshold, and not out of the trend or of `abstained`. `coverage` is the
    share (0–1) of the duration that was analysed. `abstained` lists where the model looked and does not commit itself
    (it could be either), `decided_share` is the rest's share of the analysed seconds; events and trend are as they were
    without.
    """

    events: tuple[FoundEvent, ...] | None = None
    trend_1hz: tuple[Probability | None, ...] | None = None
    trend_delay_s: Seconds | None = None
    burden_min_per_h: FiniteFloat | None = None
    burden_total_min: FiniteFloat | None = None
    coverage: Probability = 0.0
    analysed_s: Seconds = 0.0
    not_assessed: tuple[Span, ...] = ()
    abstained: tuple[Span, ...] = ()
    decided_share: Probability | None = None
    ood: OodStatement | None = None


EXAMPLE: dict[str, Any] = Answer(
    prediction_id="019d3e6a-6f2b-7c41-9a55-0b6f0a1d2c3e",
    outcome="completed_with_abstentions",
    events=(FoundEvent(onset_s=12.0, duration_s=41.0, confidence=0.93),),
    trend_1hz=(None, 0.02, 0.03),
    trend_delay_s=5.0,
    burden_min_per_h=4.1,
    burden_total_min=0.683333,
    coverage=0.998333,
    analysed_s=599.0,
    duration_s=600.0,
    not_assessed=(Span(onset_s=0.0, duration_s=1.0),),
    abstained=(Span(onset_s=53.0, duration_s=6.0),),
    decided_share=0.989983,
    ood=OodStatement(score=0.71, limit=1.04, share_outside=0.0),
    model=ModelStatement(
        name="line_length",
        title="Line length, the floor",
        digest="4f" * 32,
        front_end="7a" * 32,
        approval="5e" * 32,
        intended_use="A yardstick for neonatal seizure detectors. Not for clinical use.",
    ),
    recording_digest="c0" * 32,
    receipt={"entry": {}, "path": [], "checkpoint": {}},
).model_dump(mode="json")
"""The shape of an answer, with a trend cut short and an empty receipt; nobody's recording."""


class WindowsAnswer(Said):
    """What the model makes of windows that a site's own software sent: a probability for each, and no finding.

    `probability` is calibrated and of that window alone, not smoothed; None where the window looks unlike the patients
    that the model has learnt from: then `code` is `ood`, and `reason` says of how many. `onset_s` counts from the first sample sent. There is no receipt: the ledger holds one
    line for all windows answered within a second, with a digest over what was sent and said.
    """

    answer_id: str
    outcome: Outcome
    code: str | None = None
    reason: str | None = None
    banner: str = BANNER
    notice: str | None = None
    window_s: Seconds = 0.0
    onset_s: tuple[Seconds, ...] | None = None
    probability: tuple[Probability | None, ...] | None = None
    model: ModelStatement | None = None
    engine: str


class ModelCard(Said):
    """A model in force for the site that asks: what it is meant for, what runs it, and its card in Markdown."""

    name: str
    title: str
    digest: Digest
    front_end: Digest
    intended_use: str
    ages: str
    montage: str
    min_duration_s: Seconds
    engine: str
    notice: str | None = None
    card: str


class Models(Said):
    """The models in force for a site; `reason` says why there is none."""

    models: tuple[ModelCard, ...]
    reason: str | None = None


class Problem(Said):
    """RFC 9457: why a request was not served. `instance` names the request in the service's log."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str
