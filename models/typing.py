"""What is a stretch of a recording? Fitting one fold of a typing detector, what it is as a bundle, and its answers.

A typing detector looks at stretches: seizures that somebody has marked, or clips. Every clip of one is scored, and the
mean of the clips' calibrated probabilities is the answer for the stretch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import log_softmax, softmax

from data.events import Annotations
from data.film_frontend import PreparedFilm
from data.outcomes import Refusal
from lineage.digest import Digest
from models import detectors
from models.admission import Source, admit
from models.analysis import Told, nobody
from models.bundle import BrokenBundle, Bundle, load_bundle, read_description, rebuilt, write_files
from models.detector import Examples, Pretrained, Progress, State, Stretch, TypingDetector
from models.engines import REFERENCE
from models.explain import MOST_EVENTS, PEAKS, Drivers, drivers_of_clips
from models.probe import Probe
from models.strangers import Strangers

PARTS = ("detector", "params", "state", "front_end", "temperature", "probe", "origin")
"""What bundle.json holds; of those made since strangers are refused also `ood`."""
ANSWER = "answer"
"""The variant that is the detector's own answer; the others are parts of it that stand beside."""
TEMPERATURES = (0.05, 20.0)
TOGETHER = 64
"""Stretches whose clips are scored at once: more would only fill the memory."""


@dataclass(frozen=True)
class TypingBundle:
    """A fitted typing detector: probabilities are softmax(logits / `temperature`). `origin` as of `models.bundle`.

    `probe` is a question of noise (nobody's recording) with the answer that the detector gave when it was fitted. `ood`
    says what is unlike the training patients; None of a bundle that compares nobody, as those made before do.
    """

    detector: TypingDetector
    temperature: float
    probe: Probe
    origin: Mapping[str, Any] = field(default_factory=dict)
    digest: Digest = ""
    ood: Strangers | None = None

    @property
    def name(self) -> str:
        """Name of the detector, as `models.detectors` knows it."""
        return self.detector.name

    @property
    def front_end(self) -> Any:
        """What prepares a recording, film or pose track for the detector."""
        return self.detector.front_end

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """(clips, classes) → the same shape, rows sum to 1."""
        return np.asarray(softmax(np.asarray(logits, dtype=float) / self.temperature, axis=1))


@dataclass(frozen=True)
class StretchAnswer:
    """What was said of one stretch: per variant the mean probabilities (classes,) over its clips.

    Where nothing could be said `probabilities` is empty, and `code` and `reason` say why. `frames_lost` counts the frames of
    film looked at for it that could not be decoded, over all views, `frames_after_lost` those between such a one and the next
    key frame.
    """

    event: int
    truth: str | None
    clips: int = 0
    probabilities: Mapping[str, np.ndarray] = field(default_factory=dict)
    code: str | None = None
    reason: str | None = None
    drivers: Drivers | None = None
    frames_lost: int = 0
    frames_after_lost: int = 0


def stretch_examples(
    detector: TypingDetector, prepared: Any, truth: Annotations, recording: str = "", patient: str = ""
) -> Examples | None:
    """Labelled clips of every stretch of a recording; None where there is none that is long enough."""
    parts = []
    for one in detector.stretches(truth):
        try:
            clips = detector.examples(prepared.between(one.onset_s, one.end_s), recording, patient)
        except Refusal:
            continue  # too short to learn from; at evaluation it counts as not answered
        n = len(clips)
        label, event = np.full(n, one.label, dtype=np.int8), np.full(n, one.number)
        parts.append(replace(clips, label=label, event=event, clear=None if one.clear else np.zeros(n, dtype=bool)))
    return Examples.join(parts) if parts else None


def build_typing(name: str, params: Mapping[str, Any], pretrained: State | None = None) -> TypingDetector:
    """An unfitted typing detector, with what it learnt beforehand where it does."""
    detector = detectors.build(name, dict(params))
    assert isinstance(detector, TypingDetector)
    if pretrained is not None:
        assert isinstance(detector, Pretrained)
        detector.load_pretrained(pretrained)
    return detector


def fit_typing_fold(
    name: str,
    params: Mapping[str, Any],
    train: Examples,
    valid: Examples,
    *,
    seed: int,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
    pretrained: State | None = None,
) -> tuple[TypingBundle, dict[str, Any]]:
    """A fitted bundle and its training log: the network learns from `train`, `valid` stops it and sets the temperature.

    `pretrained` is what a detector learnt beforehand from others (`models.detector.Pretrained`). Of `train` only what is
    clear is learnt from; inner patients are asked about everything, as those tested are.
    """
    train = train if train.clear is None else train.take(train.clear)
    detector = build_typing(name, params, pretrained)
    log = detector.fit(train, valid, seed=seed, checkpoint=checkpoint, progress=progress)
    assert train.label is not None and valid.label is not None
    known = np.isin(valid.label, np.unique(train.label))  # a type never trained on is never named, at any temperature
    temperature = fit_temperature(detector.score(valid)[known], valid.label[known]) if known.any() else 1.0
    log.setdefault("inner_auc", log["valid_auc"][log["best_epoch"] - 1])  # of a floor, whose only epoch nobody chose
    log["temperature"] = temperature
    ood = strangers_of(detector, train)
    origin = {"fitted_on": _provenance(detector, train, valid, ood is not None)}
    return TypingBundle(detector, temperature, Probe.asked(detector, valid), origin, ood=ood), log


def strangers_of(detector: TypingDetector, train: Examples) -> Strangers | None:
    """What is unlike the training patients' clips; None of one patient. ValueError where they do not say what they look like:
    a detector whose `examples` forget it would compare nobody, and nobody would know."""
    if train.seen is None:
        raise ValueError(f"{detector.name}'s examples do not say what they look like (`Examples.seen`)")
    if len(np.unique(train.patient)) < 2:
        return None
    event = np.zeros(len(train), dtype=int) if train.event is None else train.event
    stretch = np.unique(np.stack([train.recording, event.astype(str)]), axis=1, return_inverse=True)[1]
    return Strangers.fit(detector.modality, train.seen, train.patient, stretch)


def fit_temperature(logits: np.ndarray, label: np.ndarray) -> float:
    """The temperature that makes inner patients' labels most likely (Guo et al. 2017), within 0.05–20.

    Logits (clips, classes), label (clips,) of class indices.
    """

    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        spread = log_softmax(np.asarray(logits, dtype=float) / np.exp(log_temperature), axis=1)
        return -float(spread[np.arange(len(label)), label].mean())

    found = minimize_scalar(loss, bounds=tuple(np.log(TEMPERATURES)), method="bounded")
    return round(float(np.exp(found.x)), 6)


def save_typing(bundle: TypingBundle, folder: Path) -> TypingBundle:
    """Write the bundle's files and manifest; byte-reproducible. Returns the bundle with its digest."""
    parts = {"temperature": bundle.temperature, "probe": asdict(bundle.probe), "origin": dict(bundle.origin)}
    if bundle.ood is not None:
        parts["ood"] = bundle.ood.to_json()
    return replace(bundle, digest=write_files(folder, bundle.detector, parts))


def load_typing(folder: Path, engine: str = REFERENCE) -> TypingBundle:
    """Rebuild a bundle after comparing every file with its manifest; BrokenBundle for what differs, and a detection."""
    description, digest = read_description(folder, PARTS)
    detector = rebuilt(folder, description, engine)
    if not isinstance(detector, TypingDetector):
        raise BrokenBundle(f"{detector.name} finds seizures and names no type of them")
    probe, temperature = Probe.from_json(description["probe"]), float(description["temperature"])
    return TypingBundle(detector, temperature, probe, description["origin"], digest, _strangers(description))


def _strangers(description: Mapping[str, Any]) -> Strangers | None:
    if "ood" not in description:
        return None
    try:
        return Strangers.from_json(description["ood"])
    except (ValueError, KeyError) as error:
        raise BrokenBundle(f"what the bundle knows of strangers cannot be used ({error}); fit it anew") from error


def load_model(folder: Path, engine: str = REFERENCE) -> Bundle | TypingBundle:
    """Rebuild whichever kind of bundle a folder holds; refuses (`BrokenBundle`) what differs from its manifest."""
    description, _ = read_description(folder, ("detector",))
    load = load_bundle if detectors.task_of(description["detector"]) == "detection" else load_typing
    return load(folder, engine)


def answer_known(recording: Source, truth: Annotations, bundle: TypingBundle) -> list[StretchAnswer]:
    """Every stretch of a recording with the detector's answer, or why there is none; nothing is left out.

    `truth` gives where seizures are and, beside the answer, what experts called them; the detector sees times only.
    """
    return answer_stretches(recording, bundle.detector.stretches(truth), bundle)


def answer_stretches(
    recording: Source,
    stretches: Sequence[Stretch],
    bundle: TypingBundle,
    told: Told = nobody,
    variants: bool = True,
    explained: bool = False,
) -> list[StretchAnswer]:
    """`answer_known` of any stretches, whether or not it is known what they are; the answer alone without `variants`.

    With `explained` what drove the names is told too, of the first `MOST_EVENTS` that are worth it.
    """
    try:
        admit(recording, bundle.detector)
        prepared = bundle.detector.prepare(recording)
    except Refusal as refusal:
        return [refused(one, bundle, refusal) for one in stretches]
    said: list[StretchAnswer] = []
    for at in range(0, len(stretches), TOGETHER):
        told(at / len(stretches))
        most = MOST_EVENTS - sum(one.drivers is not None for one in said) if explained else 0
        said += _typed(prepared, stretches[at : at + TOGETHER], bundle, variants, most)
    return said


def refused(one: Stretch, bundle: TypingBundle, refusal: Refusal) -> StretchAnswer:
    """A stretch about which nothing can be said."""
    return StretchAnswer(one.number, _truth(one, bundle), code=refusal.code, reason=refusal.reason)


def _truth(one: Stretch, bundle: TypingBundle) -> str | None:
    return None if one.label is None else bundle.detector.classes[one.label]


def clip_probabilities(bundle: TypingBundle, clips: Examples, variants: bool = True) -> dict[str, np.ndarray]:
    """Probabilities (clips, classes) of every clip: the answer, and each variant beside it."""
    answer, parts = bundle.detector.scored(clips) if variants else (bundle.detector.score(clips), {})
    return {name: bundle.probabilities(logits) for name, logits in {ANSWER: answer, **parts}.items()}


def answer_examples(
    bundle: TypingBundle, examples: Examples, variants: bool = True
) -> dict[tuple[str, int], tuple[int, dict[str, np.ndarray]]]:
    """(recording, event) → (clips, probabilities per variant) of clips of several stretches at once."""
    assert examples.event is not None
    places: dict[tuple[str, int], list[int]] = {}
    for at, place in enumerate(zip(examples.recording.tolist(), examples.event.tolist(), strict=True)):
        places.setdefault(place, []).append(at)
    clips = clip_probabilities(bundle, examples, variants)
    return {
        place: (len(own), {name: said[own].mean(axis=0) for name, said in clips.items()})
        for place, own in sorted(places.items())
    }


def _typed(
    prepared: Any, stretches: Sequence[Stretch], bundle: TypingBundle, variants: bool, most: int
) -> list[StretchAnswer]:
    """The answers for some stretches of a recording, whose clips are scored together: one by one takes far longer.

    `most` of them are explained.
    """
    refusals: dict[int, Refusal] = {}
    parts: dict[int, Examples] = {}
    lost: dict[int, tuple[int, int]] = {}
    for one in stretches:
        part = prepared.between(one.onset_s, one.end_s)
        try:
            clips = bundle.detector.examples(part)
            _refuse_strange(clips, bundle)
            parts[one.number] = replace(clips, event=np.full(len(clips), one.number))
            lost[one.number] = (sum(part.lost), sum(part.after_lost)) if isinstance(part, PreparedFilm) else (0, 0)
        except Refusal as refusal:
            refusals[one.number] = refusal
    said = answer_examples(bundle, Examples.join(list(parts.values())), variants) if parts else {}
    answers = []
    for one in stretches:
        if one.number in refusals:
            answers.append(refused(one, bundle, refusals[one.number]))
            continue
        found = StretchAnswer(one.number, _truth(one, bundle), *said["", one.number])
        drivers = _drivers(one, found, parts[one.number], bundle) if most > 0 else None
        most -= drivers is not None
        own, after = lost[one.number]
        answers.append(replace(found, drivers=drivers, frames_lost=own, frames_after_lost=after))
    return answers


def _refuse_strange(clips: Examples, bundle: TypingBundle) -> None:
    if bundle.ood is None:
        return
    assert clips.seen is not None, "a detector that was fitted says what its examples look like"
    if why := bundle.ood.refusal(clips.seen):
        raise why


def _drivers(one: Stretch, found: StretchAnswer, clips: Examples, bundle: TypingBundle) -> Drivers | None:
    """What a stretch was named for, from those of its clips that said so the clearest."""
    detector, name = bundle.detector, int(found.probabilities[ANSWER].argmax())
    if detector.classes[name] not in detector.telling:
        return None
    said = bundle.probabilities(detector.score(clips))[:, name]
    asked = sorted(np.argsort(-said, kind="stable")[:PEAKS])
    told = [(clips.onset_s[at], detector.attributed(clips.x[at], name)) for at in asked]
    parts = [(*detector.explained_s(float(onset_s), one), part) for onset_s, part in told if part is not None]
    drivers = drivers_of_clips(parts)
    return None if drivers is None else replace(drivers, moments=_inside(drivers.moments, one))


def _inside(moments: Sequence[tuple[float, float]], one: Stretch) -> tuple[tuple[float, float], ...]:
    """Moments without what a clip was filled up with behind its stretch."""
    ends = [(onset_s, min(onset_s + length_s, one.end_s)) for onset_s, length_s in moments]
    return tuple((onset_s, end_s - onset_s) for onset_s, end_s in ends if end_s > onset_s)


def _provenance(detector: TypingDetector, train: Examples, valid: Examples, compares: bool) -> dict[str, list[str]]:
    """Which recordings each fitted part has really seen; what a typing does not fit has seen none."""
    learned, inner = (sorted({str(r) for r in np.unique(part.recording)}) for part in (train, valid))
    on_train, on_inner = dict.fromkeys(("normaliser", "network"), learned), ("early_stopping", "calibration")
    threshold = inner if detector.offset else []  # ½, but for what inner patients moved it by
    return (
        on_train
        | dict.fromkeys(on_inner, inner)
        | {
            "threshold": threshold,
            "conformal": [],
            "ood": learned if compares else [],
        }
    )
