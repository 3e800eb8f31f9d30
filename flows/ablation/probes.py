"""What is looked into besides the score: whether features know the baby, and where attention looks."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from data.cohorts.bids import Entry
from data.events import Annotations, Event
from data.outcomes import Refusal
from data.readers.edf import read_edf
from data.simulator.artefacts import Artefact
from data.simulator.injection import LENGTH_S, draw_injections, injected, sharing
from flows.ablation.runs import Study
from flows.ablation.windows import Job, probability, read
from flows.stages.files import read_json, write_json
from lineage.digest import digest_of
from models import detectors
from models.ablations import FULL
from models.detector import Examples
from models.fitting import Fitted
from validation.ablation import attention, identity

INJECTED = ("emg", "pop")


def write_disturbed(name: str, params: dict[str, Any], entry: Entry, truth: Annotations, scratch: Path) -> None:
    """Only windows that lie inside an injected artefact; `index` says which windows of the recording they are."""
    rng = np.random.default_rng(int(digest_of(["injections", entry.name])[:15], 16))
    drawn = draw_injections(rng, truth, INJECTED)
    try:
        recording = injected(read_edf(entry.path, age_days=entry.age_days, name=entry.name), drawn)
    except Refusal:
        drawn, recording = (), None  # recorded in derivations: no electrode can be disturbed alone
    write_json(scratch / f"{entry.name}.injections.json", [asdict(a) for a in drawn])
    if recording is None or not drawn:
        return
    detector = detectors.build(name, params)
    made = detector.examples(detector.front_end.prepare(recording), entry.name, entry.person)
    inside = [_within(made, a.onset_s, a.onset_s + LENGTH_S) for a in drawn]
    np.savez(scratch / f"{entry.name}.injected.npz", x=made.x[np.concatenate(inside)], index=np.concatenate(inside))


def write_features(job: Job, fitted: Fitted, part: Path) -> None:
    """Features of background windows of both halves: of babies learnt from, and of those never seen.

    Of the whole detector also what all variants start from: the mean spectrum of every derivation.
    """
    for whose, names in (("train", job.run.fold.train), ("test", job.run.fold.test)):
        asked = Examples.join([_background(job, name) for name in names])
        half = asked.label
        columns = {"features": fitted.detector.features(asked), "baby": asked.patient, "half": half}  # type: ignore[attr-defined]
        if job.run.variant.name == FULL:
            columns["input"] = asked.x.mean(axis=-1).reshape(len(asked), -1)
        np.savez(part / f"{whose}.npz", **columns)


def _background(job: Job, name: str) -> Examples:
    """The windows of a recording that the probe is asked about; the label says which half they are in."""
    examples, truth = read(job, name), job.truth[name]
    background = truth.covered(examples.onset_s, examples.window_s) == 0
    half = identity.halves(examples.onset_s, background, examples.window_s, truth.duration_s)
    return replace(examples, label=half).take(np.flatnonzero(half >= 0))


def looks(job: Job, fitted: Fitted, test: dict[str, Examples]) -> dict[str, list[dict[str, Any]]]:
    """Mean weights of attention in every seizure that states its derivations, and in every injected artefact."""
    seizures, injections = [], []
    channels = fitted.detector.front_end.channels
    for name, examples in test.items():
        weights = fitted.detector.attention(examples)  # type: ignore[attr-defined]
        seizures += [
            {"recording": name, "ictal": [c in event.channels for c in channels], **_focus(examples, weights, inside)}
            for event, inside in _whole_events(job.truth[name], examples)
        ]
        injections += [{"recording": name, **own} for own in _disturbed(job, fitted, name, examples, weights)]
    return {"seizures": seizures, "injections": injections}


def _whole_events(truth: Annotations, examples: Examples) -> Iterator[tuple[Event, np.ndarray]]:
    for event in truth.events:
        inside = _within(examples, event.onset_s, event.end_s)
        if event.channels and len(inside):
            yield event, inside


def _within(examples: Examples, start_s: float, end_s: float) -> np.ndarray:
    """Indices of windows that lie wholly inside a stretch."""
    return np.flatnonzero((examples.onset_s >= start_s) & (examples.onset_s + examples.window_s <= end_s))


def _focus(examples: Examples, weights: np.ndarray, inside: np.ndarray) -> dict[str, list[float]]:
    loudness = np.asarray(examples.x[inside]).mean(axis=(0, 2, 3))
    return {"weights": weights[inside].mean(axis=0).tolist(), "loudness": loudness.tolist()}


def _disturbed(
    job: Job, fitted: Fitted, name: str, examples: Examples, weights: np.ndarray
) -> Iterator[dict[str, Any]]:
    path, channels = job.examples / f"{name}.injected.npz", fitted.detector.front_end.channels
    if not path.exists():
        return
    with np.load(path) as kept:
        x, index = kept["x"], kept["index"]
    changed = examples.take(index)
    changed = Examples(x, changed.onset_s, changed.recording, changed.patient, changed.window_s)
    said = probability(fitted, examples.take(index)), probability(fitted, changed)
    after = fitted.detector.attention(changed)  # type: ignore[attr-defined]
    for artefact in (_artefact(a) for a in read_json(job.examples / f"{name}.injections.json")):
        own = np.flatnonzero(np.isin(index, _within(examples, artefact.onset_s, artefact.onset_s + LENGTH_S)))
        touched = sharing(artefact.electrodes[0])
        yield {
            "kind": artefact.kind,
            "electrode": artefact.electrodes[0],
            "amplitude_uv": artefact.amplitude_uv,
            "onset_s": artefact.onset_s,
            "before": weights[index[own]].mean(axis=0).tolist(),
            "after": after[own].mean(axis=0).tolist(),
            "touched": [c in touched for c in channels],
            "probability": [float(p[own].mean()) for p in said],
        }


def _artefact(drawn: dict[str, Any]) -> Artefact:
    """What was drawn, read back from JSON, which knows no tuples."""
    fields: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in drawn.items()}
    return Artefact(**fields)


def identity_result(study: Study, other: str | None, seed: int, draws: int) -> dict[str, Any] | None:
    """The probe on the whole detector's features, on those of the variant, and on what both of them read."""
    if other is None:
        return None
    both = sorted(set(study.kept(FULL)) & set(study.kept(other)))
    if not both:
        return {"not_evaluable": f"{other} was not run", "variant": other}
    found = {}
    for whose in ("train", "test"):
        read = {name: _seen(study, name, whose, "features", both) for name in (FULL, other)}
        read["input"] = _seen(study, FULL, whose, "input", both[:1])
        found[whose] = identity.compare(read, study.sites, seed, draws)
    return {"variant": other, **found}


def _seen(study: Study, variant: str, whose: str, what: str, repeats: list[int]) -> list[list[identity.Features]]:
    """Of each of these fits the features of every fold."""
    made: list[list[identity.Features]] = []
    for repeat in repeats:
        made.append([])
        for run in study.kept(variant)[repeat]:
            with np.load(run.folder / f"{whose}.npz") as kept:
                made[-1].append(identity.Features(kept[what], kept["baby"], kept["half"]))
    return made


def attention_result(study: Study, wanted: bool, seed: int, draws: int) -> dict[str, Any] | None:
    """Attention of the whole detector in every seizure and every injected artefact of recordings it had not seen."""
    if not wanted:
        return None
    fits = [[read_json(r.folder / "attention.json") for r in folds] for folds in study.kept(FULL).values()]
    seizures = [[_as_focus(study, row) for own in folds for row in own["seizures"]] for folds in fits]
    injections = [[_as_disturbed(study, row) for own in folds for row in own["injections"]] for folds in fits]
    return {
        "foci": attention.on_foci(seizures, seed, draws),
        "artefacts": attention.on_artefacts(injections, seed, draws),
    }


def _as_focus(study: Study, row: dict[str, Any]) -> attention.Focus:
    weights, loudness, ictal = (np.array(row[name]) for name in ("weights", "loudness", "ictal"))
    return attention.Focus(*_who(study, row), weights, loudness, ictal)


def _as_disturbed(study: Study, row: dict[str, Any]) -> attention.Disturbed:
    before, after, touched = (np.array(row[name]) for name in ("before", "after", "touched"))
    first, second = row["probability"]
    return attention.Disturbed(*_who(study, row), row["kind"], before, after, touched, (first, second))


def _who(study: Study, row: dict[str, Any]) -> tuple[str, str]:
    person = study.persons[row["recording"]]
    return person, study.sites[person]
