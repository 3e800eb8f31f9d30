"""What every detector that names types promises, asked of every one in the index."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.events import Annotations, Event
from data.outcomes import Refusal
from data.recording import Recording, Segment
from data.seizure_types import TUH_TYPES
from lineage.digest import Manifest
from models import detectors
from models.appearance import FEATURES
from models.bundle import UNSIGNED, BrokenBundle
from models.detector import Examples, TypingDetector
from models.typing import (
    ANSWER,
    TypingBundle,
    answer_known,
    fit_typing_fold,
    load_typing,
    save_typing,
    strangers_of,
    stretch_examples,
)
from tests.contract.signals import recording

TINY = {"epochs": 4, "windows_per_epoch": 320, "patience": 5}
RHYTHMS_HZ = {"FNSZ": 6.0, "GNSZ": 3.0, "TNSZ": 15.0}
UNSEEN = 8
FITTED_ON = {"normaliser", "network", "early_stopping", "calibration", "threshold", "conformal", "ood"}


def typed(seed: int) -> Recording:
    """Three seizures that nobody could mistake: a rhythm of its own for each of three types, everywhere."""
    plain = recording(seed, 60, None)
    signal, rate = plain.segments[0].signal.copy(), 256
    rng, events = np.random.default_rng(seed), []
    for number, (kind, hz) in enumerate(RHYTHMS_HZ.items()):
        start = (5 + 18 * number) * rate
        t = np.arange(10 * rate) / rate
        gains = rng.uniform(0.5, 1.5, (19, 1)) * rng.choice([-1, 1], (19, 1))
        signal[:, start : start + len(t)] += 60 * gains * np.sin(2 * np.pi * hz * t + rng.uniform(0, 6))
        events.append(Event(start / rate, 10.0, TUH_TYPES[kind]))
    return replace(
        plain, segments=(Segment(0.0, signal),), age_days=30 * 365.25, annotations=Annotations(tuple(events), 60.0)
    )


QUICK = {"epochs": 1, "windows_per_epoch": 64}
"""Enough where nothing has to be learnt."""


def params(name: str, sizes: dict = TINY) -> dict:
    numbers = detectors.params_of(name, "demo")
    return {**numbers, **{k: v for k, v in sizes.items() if k in numbers}}


def clips(detector: TypingDetector, *seeds: int) -> Examples:
    parts = []
    for seed in seeds:
        made = typed(seed)
        assert made.annotations
        prepared = detector.front_end.prepare(made)
        part = stretch_examples(detector, prepared, made.annotations, f"rec-{seed}", f"sub-{seed}")
        assert part is not None
        parts.append(part)
    return Examples.join(parts)


Fitted = tuple[str, Examples, Examples, TypingBundle]


@pytest.fixture(scope="module", params=detectors.names("typing"))
def fitted(request: pytest.FixtureRequest) -> Fitted:
    name = request.param
    detector = detectors.build(name, params(name))
    assert isinstance(detector, TypingDetector)
    train, valid = clips(detector, 0, 1, 2), clips(detector, 3, 4)
    bundle, log = fit_typing_fold(name, params(name), train, valid, seed=1)
    assert 0 <= log["inner_auc"] <= 1 and len(log["valid_auc"]) >= log["best_epoch"] >= 1
    return name, train, valid, bundle


def test_it_tells_obvious_types_apart_in_an_unseen_patient(fitted: Fitted) -> None:
    _, _, _, bundle = fitted
    made = typed(UNSEEN)
    assert made.annotations
    found = answer_known(made, made.annotations, bundle)
    said = [bundle.detector.classes[int(one.probabilities[ANSWER].argmax())] for one in found]
    assert sum(a == b for a, b in zip(said, RHYTHMS_HZ, strict=True)) >= 2


def test_scores_have_a_column_per_class_and_variants_too(fitted: Fitted) -> None:
    _, _, valid, bundle = fitted
    scores = {ANSWER: bundle.detector.score(valid), **bundle.detector.variants(valid)}
    for name, logits in scores.items():
        assert logits.shape == (len(valid), len(bundle.detector.classes)), name
        assert np.isfinite(logits).all(), name
        np.testing.assert_allclose(bundle.probabilities(logits).sum(axis=1), 1)


def test_a_class_that_nobody_had_in_training_is_never_said(fitted: Fitted) -> None:
    _, _, valid, bundle = fitted
    unseen = [i for i, c in enumerate(bundle.detector.classes) if c not in RHYTHMS_HZ]
    assert bundle.probabilities(bundle.detector.score(valid))[:, unseen].max() < 1e-3


def test_two_fits_with_one_seed_give_the_same_bundle(fitted: Fitted, tmp_path: Path) -> None:
    name, train, valid, _ = fitted
    assert train.label is not None
    moved = replace(train, label=(train.label + 1) % 2)
    quick = params(name, QUICK)
    made = [fit_typing_fold(name, quick, learned, valid, seed=1)[0] for learned in (train, train, moved)]
    digests = [save_typing(b, tmp_path / str(i)).digest for i, b in enumerate(made)]
    assert digests[0] == digests[1] != digests[2]


def test_a_bundle_read_back_answers_bit_equally(fitted: Fitted, tmp_path: Path) -> None:
    _, _, valid, bundle = fitted
    save_typing(bundle, tmp_path / "bundle")
    back = load_typing(tmp_path / "bundle")
    assert np.array_equal(bundle.detector.score(valid), back.detector.score(valid))
    before, after = bundle.detector.variants(valid), back.detector.variants(valid)
    assert list(before) == list(after) and all(np.array_equal(before[v], after[v]) for v in before)
    assert back.temperature == bundle.temperature and set(back.origin["fitted_on"]) == FITTED_ON
    assert (
        not back.detector.offset and back.origin["fitted_on"]["threshold"] == []
    )  # the likeliest of many types is said


@pytest.mark.parametrize("file", ["weights.safetensors", "bundle.json", "card.md"])
def test_a_bundle_with_one_changed_byte_is_not_loaded(fitted: Fitted, tmp_path: Path, file: str) -> None:
    _, _, _, bundle = fitted
    save_typing(bundle, tmp_path / "bundle")
    path = tmp_path / "bundle" / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(BrokenBundle, match=file):
        load_typing(tmp_path / "bundle")


def test_a_clip_is_scored_alike_alone_and_in_company(fitted: Fitted) -> None:
    _, _, valid, bundle = fitted
    together = bundle.detector.score(valid)
    for at in (0, len(valid) - 1):
        alone = bundle.detector.score(valid.take(np.array([at])))[0]
        np.testing.assert_allclose(alone, together[at], rtol=1e-4, atol=1e-4)


def test_a_moment_is_too_short_to_be_typed(fitted: Fitted) -> None:
    _, _, _, bundle = fitted
    prepared = bundle.detector.front_end.prepare(typed(UNSEEN))
    with pytest.raises(Refusal, match="too_short"):
        bundle.detector.examples(prepared.between(10.0, 10.2))


def test_a_newborn_is_not_what_it_is_meant_for(fitted: Fitted) -> None:
    _, _, _, bundle = fitted
    made = replace(typed(UNSEEN), age_days=3.0)
    assert made.annotations
    assert {one.code for one in answer_known(made, made.annotations, bundle)} == {"age_out_of_scope"}


def test_what_no_training_patient_showed_gets_no_name(fitted: Fitted, tmp_path: Path) -> None:
    _, train, _, bundle = fitted
    assert train.seen is not None and train.seen.shape == (len(train), len(FEATURES["eeg"]))
    assert bundle.origin["fitted_on"]["ood"] == ["rec-0", "rec-1", "rec-2"]
    bundle = replace(bundle, ood=strangers_of(bundle.detector, clips(bundle.detector, 0, 1, 2, 3, 4, 5)))
    made = typed(UNSEEN)
    assert made.annotations and made.segments
    noise = np.random.default_rng(0).normal(0, 200, made.segments[0].signal.shape).astype(np.float32)
    strange = replace(made, segments=(Segment(0.0, noise),))
    save_typing(bundle, tmp_path / "bundle")
    for model in (bundle, load_typing(tmp_path / "bundle")):
        assert {one.code for one in answer_known(made, made.annotations, model)} == {None}
        refused = answer_known(strange, made.annotations, model)
        assert {one.code for one in refused} == {"ood"} and "the 6 patients" in str(refused[0].reason)
        assert {one.code for one in answer_known(strange, made.annotations, replace(model, ood=None))} == {None}


def test_a_bundle_of_before_compares_nobody_and_one_with_other_features_is_refused(
    fitted: Fitted, tmp_path: Path
) -> None:
    _, _, _, bundle = fitted
    assert bundle.ood is not None
    save_typing(replace(bundle, ood=None), tmp_path / "before")
    assert load_typing(tmp_path / "before").ood is None
    folder = tmp_path / "other"
    save_typing(bundle, folder)
    description = json.loads((folder / "bundle.json").read_text())
    description["ood"]["features"].pop()
    (folder / "bundle.json").write_text(json.dumps(description))
    Manifest.of(folder, UNSIGNED).write(folder / "manifest.json")
    with pytest.raises(BrokenBundle, match="knows of strangers cannot be used"):
        load_typing(folder)


def test_it_states_what_it_is(fitted: Fitted) -> None:
    name, _, _, bundle = fitted
    facts, detector = detectors.facts(name), bundle.detector
    assert (facts["task"], facts["modality"]) == (detector.task, detector.modality) == ("typing", "eeg")
    assert tuple(facts["classes"]) == detector.classes and facts["montage"] == detector.contract.montage


def test_every_preset_builds(fitted: Fitted) -> None:
    for preset in ("demo", "paper"):
        assert detectors.build(fitted[0], preset=preset).window_s > 0
