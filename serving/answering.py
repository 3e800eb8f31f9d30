"""One recording in, one answer out: the same for the service and for the command line, and journaled in both."""

import tempfile
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np

from data.acquisition import Fact, acquisition
from data.ages import describe_age, describe_ages
from data.events import Annotations
from data.film import Film
from data.outcomes import Refusal
from data.pose import PoseTrack
from data.readers.edf import read_edf
from data.recording import Recording
from lineage.digest import Digest, sha256_file
from lineage.entries import Actor, uuid7
from models.analysis import Analysis, analyse, not_evaluable
from models.engines import REFERENCE
from models.explain import Drivers
from models.ood import Strangeness
from serving.asking import asked_of
from serving.journal import SITE, Journal
from serving.loader import ForSites, Loaded, NoApprovedModel, why_no_more
from serving.schema import (
    DEMO_NOTICE,
    Answer,
    BandShare,
    ChannelShare,
    EventDrivers,
    FoundEvent,
    ModelCard,
    OodStatement,
    Span,
)  # fmt: skip

SHARE_DECIMALS, MOST_CHANNELS = 4, 5
DECIMALS = 6
"""Of a probability, and of what is counted from them. Beyond these two platforms differ, and no reader could tell the
difference."""


Stages = Callable[[str, float], None]
"""Told what is being done and how much of the whole is done (0–1); may raise, and so end it there."""


def nobody(stage: str, share: float) -> None:
    """Whoever does not want to be told."""


Seen = Callable[[Recording | Film | PoseTrack], None]
"""Shown what was read before it is looked at."""


def unseen(recorded: Recording | Film | PoseTrack) -> None:
    """Whoever does not want to see it."""


class Acquired(dict[str, Fact]):
    """Facts of how a recording was made, there once it was shown; empty of one that could not be read."""

    def __call__(self, recorded: Recording | Film | PoseTrack) -> None:
        self.update(acquisition(recorded))


def answer(
    source: Path | bytes,
    *,
    site: str,
    age_days: float | None,
    loader: ForSites,
    journal: Journal,
    now: datetime,
    key_id: str = "",
    told: Stages = nobody,
) -> Answer:
    """Analyse a recording (a file, or its bytes) for a site with the model in force there, and write it down.

    Always ends in an answer: what cannot be read, what the model is not meant for, and a site without an approved
    model end `not_evaluable` with code and reason. `age_days` is the age in days at recording; None asks the file's own
    dates. `key_id` names the key that the site came in with; empty where there was none (on this machine). OSError
    where the file itself cannot be opened, and whatever `told` raises.
    """
    if isinstance(source, bytes):
        with tempfile.NamedTemporaryFile(suffix=".edf") as kept:
            kept.write(source)
            kept.flush()
            return _answer(Path(kept.name), site, age_days, loader, journal, now, key_id, told)
    return _answer(source, site, age_days, loader, journal, now, key_id, told)


def _answer(
    path: Path,
    site: str,
    age_days: float | None,
    loader: ForSites,
    journal: Journal,
    now: datetime,
    key_id: str,
    told: Stages,
) -> Answer:
    engine, acquired = REFERENCE, Acquired()
    try:
        loaded = loader.for_site(site, now)
    except NoApprovedModel as error:
        said = in_words(not_evaluable(Refusal("no_approved_model", error.reason)), None, sha256_file(path), now)
    else:
        said, engine = analysed(path, age_days, loaded, now, told, acquired), loaded.engine
        if reason := why_no_more(loaded, loader, site, now):  # taken back while it looked
            refusal = Refusal("no_approved_model", reason)
            said, engine = in_words(not_evaluable(refusal), None, said.recording_digest, now), REFERENCE
    told("recording", 1.0)
    said = said.model_copy(update={"asked": asked_of([path], age_days, engine=engine)})
    return journal.record(said, actor_of(site, key_id), now, acquired)


def analysed(
    path: Path, age_days: float | None, loaded: Loaded, now: datetime, told: Stages = nobody, seen: Seen = unseen
) -> Answer:
    """What a loaded model says of a recording; neither asks by what right nor writes it down."""
    told("reading", 0.0)
    try:
        recording = read_edf(path, age_days=age_days)
    except Refusal as refusal:
        return in_words(not_evaluable(refusal, loaded.detection), loaded, sha256_file(path), now)
    seen(recording)
    try:
        check_age(recording.age_days, loaded)
    except Refusal as refusal:
        refused = not_evaluable(refusal, loaded.detection, recording.duration_s)
        return in_words(refused, loaded, recording.digest, now)
    analysis = analyse(recording, loaded.detection, partial(told, "analysing"))
    return in_words(analysis, loaded, recording.digest, now)


def check_age(age_days: float | None, loaded: Loaded) -> None:
    """Raise Refusal (`age_out_of_scope`) for an age in days that the approval is not for: it may be for fewer than the
    detector is made for. None, an age that is not known, passes."""
    scope = loaded.terms.approval.record.scope
    low, high = scope.age_days
    if age_days is not None and not scope.covers_age(age_days):
        raise Refusal(
            "age_out_of_scope",
            f"the model is approved for {describe_ages(low, high)}, the patient's age is "
            f"{describe_age(age_days)}: use one for that age",
        )


def in_words(analysis: Analysis, loaded: Loaded | None, recording: Digest, now: datetime) -> Answer:
    """An analysis as the site reads it; all numbers finite."""
    events, burden = analysis.events, None
    if events is not None and analysis.analysed_s > 0:
        burden = events.burden_min_per_h(analysis.analysed_s)
    return Answer(
        prediction_id=uuid7(now),
        outcome=analysis.outcome,
        code=analysis.code,
        reason=analysis.reason,
        notice=notice_of(loaded),
        events=None if events is None else _events(events, analysis, loaded),
        trend_1hz=None if analysis.trend is None else tuple(rounded(float(p)) for p in analysis.trend),
        trend_delay_s=loaded.detection.decision.delay_s if loaded and analysis.trend is not None else None,
        burden_min_per_h=rounded(burden),
        burden_total_min=None if events is None else rounded(events.total_s() / 60),
        coverage=round(analysis.coverage, DECIMALS),
        analysed_s=analysis.analysed_s,
        duration_s=analysis.duration_s,
        not_assessed=tuple(Span(onset_s=onset, duration_s=length) for onset, length in analysis.not_assessed),
        abstained=tuple(Span(onset_s=onset, duration_s=length) for onset, length in analysis.abstained),
        decided_share=rounded(analysis.decided_share),
        ood=analysis.ood and _ood(analysis.ood),
        model=loaded and loaded.statement,
        recording_digest=recording,
    )  # fmt: skip


def _events(events: Annotations, analysis: Analysis, loaded: Loaded | None) -> tuple[FoundEvent, ...]:
    known = analysis.drivers or (None,) * len(events.events)
    return tuple(
        FoundEvent(
            onset_s=e.onset_s,
            duration_s=e.duration_s,
            confidence=rounded(e.confidence),
            channels=() if drivers is None or loaded is None else _channels(drivers, loaded),
            drivers=drivers and told_of(drivers),
        )
        for e, drivers in zip(events.events, known, strict=True)
    )


def _channels(drivers: Drivers, loaded: Loaded) -> tuple[str, ...]:
    """Those with more than an equal share, of the first five."""
    equal = 1 / len(loaded.detection.front_end.channels)
    return tuple(name for name, share in drivers.channels[:MOST_CHANNELS] if share > equal)


def told_of(drivers: Drivers) -> EventDrivers:
    """What drove an event or a name, as a site reads it."""
    return EventDrivers(
        method=drivers.method,
        channels=tuple(
            ChannelShare(channel=name, share=round(share, SHARE_DECIMALS))
            for name, share in drivers.channels[:MOST_CHANNELS]
        ),
        moments=tuple(
            Span(onset_s=round(onset, DECIMALS), duration_s=round(length, DECIMALS))
            for onset, length in drivers.moments
        ),
        bands=tuple(BandShare(band=name, share=round(share, SHARE_DECIMALS)) for name, share in drivers.bands),
    )


def _ood(strangeness: Strangeness) -> OodStatement:
    score, limit, share = (
        round(value, DECIMALS) for value in (strangeness.score, strangeness.limit, strangeness.share_outside)
    )
    return OodStatement(score=score, limit=limit, share_outside=share)


def model_card(loaded: Loaded) -> ModelCard:
    """What a site reads about the model before it relies on it."""
    facts, contract = loaded.facts, loaded.bundle.detector.contract
    return ModelCard(
        name=loaded.bundle.name,
        title=facts["title"],
        digest=loaded.bundle.digest,
        front_end=loaded.bundle.front_end.digest,
        intended_use=facts["intended_use"],
        ages=facts["ages"],
        montage=facts["montage"],
        min_duration_s=contract.min_duration_s,
        engine=loaded.engine,
        notice=notice_of(loaded),
        card=loaded.card,
    )


def notice_of(loaded: Loaded | None) -> str | None:
    """What stands over the answers of a model that demo signers approved."""
    return DEMO_NOTICE if loaded and loaded.terms.is_demo else None


def rounded(value: float | None) -> float | None:
    """A probability, or a burden, as it is said; None where there is none."""
    return None if value is None or np.isnan(value) else round(value, DECIMALS)


def actor_of(site: str, key_id: str) -> Actor:
    """Who asked: a site by its key, or whoever works on this machine."""
    if key_id:
        return Actor(f"site-key:{key_id}", role=SITE, site=site, auth_method="api key")
    return Actor("local", role="operator", site=site, auth_method="local")
