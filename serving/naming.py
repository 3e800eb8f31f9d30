"""What is this stretch of a recording? Answered as detection is: one recording in, one answer out, journaled."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from data.film import Film, View
from data.outcomes import Refusal
from data.pose import PoseTrack
from data.readers.edf import read_edf
from data.readers.opening import Estimate, estimated
from data.readers.pose import read_pose
from data.readers.video import read_film
from data.readers.video_container import is_film
from data.recording import Recording
from lineage.digest import Digest, digest_of, sha256_file
from lineage.entries import uuid7
from models.admission import admit
from models.detector import Stretch
from models.engines import REFERENCE
from models.pose_estimator import PoseEstimator, load_estimator
from models.typing import ANSWER, StretchAnswer, TypingBundle, answer_stretches
from serving.answering import (
    Acquired,
    Seen,
    Stages,
    actor_of,
    analysed,
    answer,
    check_age,
    nobody,
    notice_of,
    rounded,
    told_of,
    unseen,
)
from serving.asking import asked_of
from serving.journal import Journal
from serving.loader import ForSites, Loaded, NoApprovedModel, why_no_more
from serving.schema import Answered, NamedAnswer, NamedStretch

DETECTION = "detection"
"""The question that is no question about stretches."""
QUESTIONS = ("typing", "spasms", "semiology", "forecasting")
"""The tasks whose detectors name stretches; each has a route, and a model in force, of its own."""

FILMED = ("semiology", "forecasting")
"""Those whose detectors look at film, of which two views may be sent."""

ESTIMATOR = "store/pose_estimator.onnx"

Span = tuple[float, float]
"""(onset_s, duration_s) in a recording."""


def ask(
    files: Sequence[Path], *, loader: ForSites, marked: Sequence[Span], estimator: PoseEstimator | None, **asked: Any
) -> Answered:
    """Whatever the loader's task is: `answer` or `name_stretches`, which take what else is asked."""
    if loader.task == DETECTION:
        return answer(files[0], loader=loader, **asked)
    return name_stretches(files, loader=loader, marked=marked, estimator=estimator, **asked)


def said_of(
    files: Sequence[Path],
    age_days: float | None,
    marked: Sequence[Span],
    loaded: Loaded,
    now: datetime,
    estimator: PoseEstimator | None,
) -> Answered:
    """What a loaded model says of a recording, whatever its task; neither asks by what right nor writes it down."""
    if loaded.bundle.detector.task == DETECTION:
        said: Answered = analysed(files[0], age_days, loaded, now)
        return said.model_copy(update={"asked": asked_of(files, age_days, engine=loaded.engine)})
    said = answered(files, age_days, marked, loaded, now, estimator.estimate if estimator else None)
    asked = asked_of(files, age_days, marked, estimator.digest if estimator else None, loaded.engine)
    return said.model_copy(update={"asked": asked})


def name_stretches(
    files: Sequence[Path],
    *,
    site: str,
    age_days: float | None,
    marked: Sequence[Span],
    loader: ForSites,
    journal: Journal,
    now: datetime,
    key_id: str = "",
    estimator: PoseEstimator | None = None,
    told: Stages = nobody,
) -> NamedAnswer:
    """Ask the model in force for a site what the `marked` stretches of a recording are, and write the answer down.

    `files` is one EDF, one pose track, or the views of one film. Where nothing is marked the model is asked about the
    whole recording, as it divides it. `estimator` makes poses of a film where poses are needed. Always ends in an answer.
    """
    estimate, engine, acquired = estimator.estimate if estimator else None, REFERENCE, Acquired()
    try:
        loaded = loader.for_site(site, now)
    except NoApprovedModel as error:
        refusal = Refusal("no_approved_model", error.reason)
        said = _refused(refusal, loader.task, None, digest_of_files(files), now)
    else:
        said, engine = answered(files, age_days, marked, loaded, now, estimate, told, acquired), loaded.engine
        if reason := why_no_more(loaded, loader, site, now):  # taken back while it looked
            refusal = Refusal("no_approved_model", reason)
            said, engine = _refused(refusal, loader.task, None, said.recording_digest, now), REFERENCE
    told("recording", 1.0)
    asked = asked_of(files, age_days, marked, estimator.digest if estimator else None, engine)
    return journal.record(said.model_copy(update={"asked": asked}), actor_of(site, key_id), now, acquired)


def estimator_of(home: Path) -> PoseEstimator | None:
    """The pose estimator that the site has put into its workspace (`store/pose_estimator.onnx`); None where there is none."""
    path = home / ESTIMATOR
    return load_estimator(path) if path.exists() else None


def digest_of_files(files: Sequence[Path]) -> Digest:
    """SHA-256 of the one file, or of the digests of all views."""
    digests = [sha256_file(file) for file in files]
    return digests[0] if len(digests) == 1 else digest_of(digests)


def answered(
    files: Sequence[Path],
    age_days: float | None,
    marked: Sequence[Span],
    loaded: Loaded,
    now: datetime,
    estimate: Estimate | None,
    told: Stages = nobody,
    seen: Seen = unseen,
) -> NamedAnswer:
    """What a loaded model says of stretches; neither asks by what right nor writes it down."""
    told("reading", 0.0)
    bundle, digest = loaded.bundle, digest_of_files(files)
    assert isinstance(bundle, TypingBundle)
    task = bundle.detector.task
    try:
        source, views = _opened(files, bundle.detector.modality, age_days, estimate)
        seen(source)
        check_age(source.age_days, loaded)
        admit(source, bundle.detector)
        stretches = _stretches(bundle, marked, source.duration_s)
    except Refusal as refusal:
        return _refused(refusal, task, loaded, digest, now)
    found = answer_stretches(source, stretches, bundle, partial(told, "analysing"), variants=False, explained=True)
    named = tuple(_named(one, found_, bundle) for one, found_ in zip(stretches, found, strict=True))
    unsaid = [one for one in found if one.code]
    if len(unsaid) == len(found):
        reason = unsaid[0].reason if unsaid else "the recording holds no stretch that the model could be asked about"
        nothing = Refusal((unsaid[0].code if unsaid else None) or "too_short", reason or "")
        return _refused(nothing, task, loaded, digest, now, source.duration_s)
    return NamedAnswer(
        prediction_id=uuid7(now),
        outcome="completed_with_abstentions" if unsaid else "completed",
        notice=notice_of(loaded),
        duration_s=source.duration_s,
        model=loaded.statement,
        recording_digest=digest,
        question=task,
        classes=bundle.detector.classes,
        stretches=named,
        frames_lost=tuple(view.lost for view in views),
        frames_after_lost=tuple(view.after_lost for view in views),
        length_stated=tuple(view.length_stated for view in views),
        frames_missing=tuple(view.missing for view in views),
    )


def _opened(
    files: Sequence[Path], modality: str, age_days: float | None, estimate: Estimate | None
) -> tuple[Recording | Film | PoseTrack, tuple[View, ...]]:
    """What the model is asked about, and the views of the film that it is, or is made of."""
    if len(files) > 1 and modality != "video":
        raise Refusal("unsupported_format", f"{len(files)} files were sent, the model reads one: send one recording")
    if modality == "eeg":
        return read_edf(files[0], age_days=age_days), ()
    if modality == "pose" and not _filmed(files[0]):
        return read_pose(files[0], age_days=age_days), ()
    film = read_film(files, age_days=age_days)
    return film if modality == "video" else estimated(film, estimate), tuple(film.views)


def _filmed(path: Path) -> bool:
    with path.open("rb") as file:
        return is_film(file.read(512))


def _stretches(bundle: TypingBundle, marked: Sequence[Span], duration_s: float) -> list[Stretch]:
    if not marked:
        return bundle.detector.asked(duration_s)
    for onset_s, length_s in marked:
        if not (onset_s >= 0 and length_s > 0 and onset_s + length_s <= duration_s + 1e-6):
            raise Refusal(
                "outside_recording",
                f"the stretch {onset_s:g}–{onset_s + length_s:g} s is not inside the recording (0–{duration_s:g} s): mark "
                "one that is",
            )
    return [Stretch(number, onset_s, onset_s + length_s) for number, (onset_s, length_s) in enumerate(marked)]


def _named(one: Stretch, found: StretchAnswer, bundle: TypingBundle) -> NamedStretch:
    place = {"onset_s": one.onset_s, "duration_s": one.end_s - one.onset_s}
    if found.code:
        return NamedStretch(**place, code=found.code, reason=found.reason)
    said, classes = found.probabilities[ANSWER], bundle.detector.classes
    probabilities = {name: rounded(float(p)) or 0.0 for name, p in zip(classes, said, strict=True)}
    drivers = found.drivers and told_of(found.drivers)
    name = classes[int(said.argmax())]
    return NamedStretch(
        **place,
        name=name,
        probabilities=probabilities,
        clips=found.clips,
        drivers=drivers,
        frames_lost=found.frames_lost,
        frames_after_lost=found.frames_after_lost,
    )


def _refused(
    refusal: Refusal, task: str, loaded: Loaded | None, digest: Digest, now: datetime, duration_s: float = 0.0
) -> NamedAnswer:
    return NamedAnswer(
        prediction_id=uuid7(now),
        outcome="not_evaluable",
        code=refusal.code,
        reason=refusal.reason,
        notice=notice_of(loaded),
        duration_s=duration_s,
        model=loaded and loaded.statement,
        recording_digest=digest,
        question=task,
    )
