"""What every detector promises, asked of every detector in the index."""

from pathlib import Path

import numpy as np
import pytest

from data.recording import Recording, Segment
from models import detectors
from models.analysis import analyse
from models.bundle import BrokenBundle, Bundle, load_bundle, save_bundle
from models.detector import Detector, Examples
from models.fitting import FoldData, fit_fold, label
from tests.contract.signals import recording

TINY = {"epochs": 2, "windows_per_epoch": 400, "patience": 5}


def params(name: str) -> dict:
    numbers = detectors.params_of(name, "demo")
    return {**numbers, **{k: v for k, v in TINY.items() if k in numbers}}


def examples(detector: Detector, *seeds: int) -> Examples:
    parts = []
    for seed in seeds:
        made = recording(seed)
        assert made.annotations
        prepared = detector.front_end.prepare(made)
        parts.append(label(detector.examples(prepared, f"rec-{seed}", f"sub-{seed}"), made.annotations))
    return Examples.join(parts)


def fold(name: str) -> FoldData:
    detector = detectors.build(name, params(name))
    truth = {f"rec-{s}": recording(s).annotations for s in range(5)}
    return FoldData(examples(detector, 0, 1, 2), examples(detector, 3, 4), truth)  # type: ignore[arg-type]


@pytest.fixture(scope="module", params=detectors.names())
def fitted(request: pytest.FixtureRequest) -> tuple[str, FoldData, Bundle]:
    name = request.param
    data = fold(name)
    bundle, _ = fit_fold(name, params(name), data, seed=1)
    return name, data, bundle


Fitted = tuple[str, FoldData, Bundle]


def test_it_tells_an_obvious_seizure_from_background(fitted: Fitted) -> None:
    _, _, bundle = fitted
    unseen = recording(9)
    trend = analyse(unseen, bundle).trend
    assert trend is not None and unseen.annotations
    mask = unseen.annotations.to_mask(1.0)
    assert np.nanmean(trend[mask]) > np.nanmean(trend[~mask])


def test_two_fits_with_one_seed_give_the_same_bundle(fitted: Fitted, tmp_path: Path) -> None:
    name, data, bundle = fitted
    again, _ = fit_fold(name, params(name), data, seed=1)
    digests = [save_bundle(b, tmp_path / str(i)).digest for i, b in enumerate((bundle, again))]
    assert digests[0] == digests[1]


def test_another_seed_or_another_label_gives_another_bundle(fitted: Fitted, tmp_path: Path) -> None:
    """The test above could not fail if the digest ignored the weights."""
    name, data, bundle = fitted
    assert data.train.label is not None
    flipped = Examples(
        data.train.x,
        data.train.onset_s,
        data.train.recording,
        data.train.patient,
        data.train.window_s,
        1 - data.train.label,
    )
    other, _ = fit_fold(name, params(name), FoldData(flipped, data.valid, data.valid_truth), seed=2)
    assert save_bundle(bundle, tmp_path / "a").digest != save_bundle(other, tmp_path / "b").digest


def test_a_bundle_read_back_predicts_bit_equally(fitted: Fitted, tmp_path: Path) -> None:
    _, data, bundle = fitted
    save_bundle(bundle, tmp_path / "bundle")
    back = load_bundle(tmp_path / "bundle")
    assert np.array_equal(bundle.detector.score(data.valid), back.detector.score(data.valid))
    assert back.calibration == bundle.calibration and back.decision == bundle.decision


@pytest.mark.parametrize("file", ["weights.safetensors", "bundle.json", "card.md"])
def test_a_bundle_with_one_changed_byte_is_not_loaded(fitted: Fitted, tmp_path: Path, file: str) -> None:
    _, _, bundle = fitted
    save_bundle(bundle, tmp_path / "bundle")
    path = tmp_path / "bundle" / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(BrokenBundle, match=file):
        load_bundle(tmp_path / "bundle")


def test_a_window_is_scored_alike_alone_and_in_company(fitted: Fitted) -> None:
    _, data, bundle = fitted
    together = bundle.detector.score(data.valid)
    alone = [bundle.detector.score(data.valid.take(np.array([i])))[0] for i in (0, 17, len(data.valid) - 1)]
    np.testing.assert_allclose(alone, together[[0, 17, -1]], rtol=1e-4, atol=1e-5)


def test_the_future_does_not_change_the_past(fitted: Fitted) -> None:
    _, _, bundle = fitted
    whole = recording(9)
    signal = whole.segments[0].signal.copy()
    signal[:, 80 * 256 :] *= 7
    altered = Recording(whole.channels, whole.rate_hz, (Segment(0.0, signal),), whole.duration_s, age_days=3.0)
    before, after = analyse(whole, bundle).trend, analyse(altered, bundle).trend
    assert before is not None and after is not None
    np.testing.assert_allclose(before[:80], after[:80], rtol=1e-5, atol=1e-6)
    assert not np.allclose(before[85:], after[85:], equal_nan=True)


def test_a_gap_is_not_assessed_and_lowers_the_coverage(fitted: Fitted) -> None:
    _, _, bundle = fitted
    whole = recording(9)
    signal = whole.segments[0].signal
    parts = (Segment(0.0, signal[:, : 60 * 256]), Segment(90.0, signal[:, 60 * 256 :]))
    found = analyse(Recording(whole.channels, 256.0, parts, 150.0, age_days=3.0), bundle)
    assert found.outcome == "completed_with_abstentions"
    assert found.trend is not None and np.isnan(found.trend[62:89]).all()
    assert 0.7 < found.coverage < 0.82


@pytest.mark.parametrize(("age_days", "code"), [(None, "age_unknown"), (4000.0, "age_out_of_scope")])
def test_an_age_it_is_not_meant_for_is_not_evaluable(fitted: Fitted, age_days: float | None, code: str) -> None:
    _, _, bundle = fitted
    made = recording(9)
    found = analyse(Recording(made.channels, made.rate_hz, made.segments, made.duration_s, age_days=age_days), bundle)
    assert (found.outcome, found.code, found.events) == ("not_evaluable", code, None)


def test_it_states_what_it_is(fitted: Fitted) -> None:
    name, _, bundle = fitted
    facts = detectors.facts(name)
    detector = bundle.detector
    assert (facts["task"], facts["modality"]) == (detector.task, detector.modality)
    assert tuple(facts["classes"]) == detector.classes
    assert facts["montage"] == detector.contract.montage


def test_every_preset_builds(fitted: Fitted) -> None:
    for preset in ("demo", "paper"):
        assert detectors.build(fitted[0], preset=preset).window_s > 0
