"""What every detector of seizures promises, asked of every one in the index."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.outcomes import Refusal
from data.recording import Recording, Segment
from lineage.digest import Manifest
from models import detectors
from models.analysis import analyse
from models.bundle import UNSIGNED, BrokenBundle, Bundle, load_bundle, save_bundle
from models.detector import Detector, Examples
from models.fitting import FoldData, OneClass, fit_fold, fit_ood, label
from models.live import LiveAnalysis
from models.look import look
from models.ood import CEILING
from tests.contract.signals import recording
from tests.contract.streams import GAP_AT_S, heard, is_the_same, kept_bytes, streamed, with_a_gap
from tests.references.analysis import trend_and_events

TINY = {"epochs": 2, "windows_per_epoch": 400, "patience": 5}
UNSEEN = 8


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
    looks = {f"rec-{s}": look(detector.front_end.prepare(recording(s))) for s in range(3)}
    return FoldData(examples(detector, 0, 1, 2), examples(detector, 3, 4), truth, looks)  # type: ignore[arg-type]


@pytest.fixture(scope="module", params=detectors.names("detection"))
def fitted(request: pytest.FixtureRequest) -> tuple[str, FoldData, Bundle]:
    name = request.param
    data = fold(name)
    bundle, _ = fit_fold(name, params(name), data, seed=1)
    return name, data, bundle


Fitted = tuple[str, FoldData, Bundle]


def any_recording(bundle: Bundle) -> Bundle:
    """The same bundle refusing no whole recording as strange: that refusal looks at all of it, as the door does."""
    return replace(bundle, ood=replace(bundle.ood, recording_limit=CEILING))


def test_it_tells_an_obvious_seizure_from_background(fitted: Fitted) -> None:
    _, _, bundle = fitted
    unseen = recording(UNSEEN)
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
    other, _ = fit_fold(name, params(name), FoldData(flipped, data.valid, data.truth, data.looks), seed=2)
    assert save_bundle(bundle, tmp_path / "a").digest != save_bundle(other, tmp_path / "b").digest


@pytest.mark.parametrize(("part", "who"), [("train", "3 training"), ("valid", "2 inner")])
@pytest.mark.parametrize("every", [0, 1])
def test_a_fold_that_shows_one_class_only_is_refused_and_no_bundle_comes_of_it(
    fitted: Fitted, part: str, who: str, every: int
) -> None:
    name, data, _ = fitted
    shown = getattr(data, part)
    only = replace(shown, label=np.full(len(shown), every, dtype=np.int8))
    with pytest.raises(OneClass, match=f"{every * len(shown)} of {len(shown)} windows of {who} patients"):
        fit_fold(name, params(name), replace(data, **{part: only}), seed=1)


def test_the_null_control_is_fitted_although_nobody_inside_seizes(fitted: Fitted) -> None:
    name, data, _ = fitted
    quiet = replace(data.valid, label=np.zeros(len(data.valid), dtype=np.int8))
    bundle, _ = fit_fold(name, params(name), replace(data, valid=quiet), seed=1, null_control=True)
    assert np.isfinite(bundle.calibration(bundle.detector.score(data.valid))).all()


def test_a_bundle_read_back_predicts_bit_equally(fitted: Fitted, tmp_path: Path) -> None:
    _, data, bundle = fitted
    save_bundle(bundle, tmp_path / "bundle")
    back = load_bundle(tmp_path / "bundle")
    assert np.array_equal(bundle.detector.score(data.valid), back.detector.score(data.valid))
    assert back.calibration == bundle.calibration and back.decision == bundle.decision
    assert back.conformal == bundle.conformal and back.ood == bundle.ood
    before, after = analyse(recording(UNSEEN), bundle), analyse(recording(UNSEEN), back)
    assert np.array_equal(before.trend, after.trend, equal_nan=True)  # type: ignore[arg-type]
    assert np.array_equal(before.prediction_set, after.prediction_set)  # type: ignore[arg-type]
    assert before.ood == after.ood and before.abstained == after.abstained


@pytest.mark.parametrize("part", ["conformal", "ood"])
def test_a_bundle_without_a_part_that_lets_it_abstain_is_not_loaded(fitted: Fitted, tmp_path: Path, part: str) -> None:
    _, _, bundle = fitted
    folder = tmp_path / "bundle"
    save_bundle(bundle, folder)
    description = json.loads((folder / "bundle.json").read_text())
    del description[part]
    (folder / "bundle.json").write_text(json.dumps(description))
    Manifest.of(folder, UNSIGNED).write(folder / "manifest.json")
    with pytest.raises(BrokenBundle, match=f"has no {part}: it was made before"):
        load_bundle(folder)


def test_each_fitted_part_names_the_recordings_it_has_seen(fitted: Fitted) -> None:
    _, _, bundle = fitted
    train, inner = ["rec-0", "rec-1", "rec-2"], ["rec-3", "rec-4"]
    assert bundle.origin["fitted_on"] == {
        "normaliser": train, "network": train, "ood": train,
        "early_stopping": inner, "calibration": inner, "threshold": inner, "conformal": inner,
    }  # fmt: skip


def test_events_and_trend_do_not_depend_on_what_is_abstained_from(fitted: Fitted) -> None:
    _, _, bundle = fitted
    never_sure = replace(bundle, conformal=replace(bundle.conformal, background_to=1.0, seizure_from=0.0))
    usual, unsure = analyse(recording(UNSEEN), bundle), analyse(recording(UNSEEN), never_sure)
    assert np.array_equal(usual.trend, unsure.trend, equal_nan=True)  # type: ignore[arg-type]
    assert usual.events == unsure.events and usual.not_assessed == unsure.not_assessed
    assert (unsure.outcome, unsure.decided_share) == ("completed_with_abstentions", 0.0)
    assert sum(length for _, length in unsure.abstained) == unsure.analysed_s


def test_noise_where_eeg_should_be_is_refused_with_value_and_limit(fitted: Fitted) -> None:
    _, _, bundle = fitted
    made = recording(UNSEEN)
    noise = np.random.default_rng(0).normal(0, 30, made.segments[0].signal.shape).astype(np.float32)
    found = analyse(replace(made, segments=(Segment(0.0, noise),)), bundle)
    assert (found.outcome, found.code, found.events, found.trend) == ("not_evaluable", "ood", None, None)
    assert found.ood and found.ood.score > found.ood.limit and f"limit {found.ood.limit:.2f}" in str(found.reason)


def test_a_stretch_unlike_all_training_is_not_assessed_and_the_rest_is(fitted: Fitted) -> None:
    _, _, bundle = fitted
    made = recording(UNSEEN)
    signal = made.segments[0].signal.copy()
    signal[:, 10 * 256 : 30 * 256] = np.random.default_rng(0).normal(0, 200, (19, 20 * 256))
    found = analyse(replace(made, segments=(Segment(0.0, signal),)), any_recording(bundle))
    assert found.outcome == "completed_with_abstentions" and found.trend is not None and found.ood
    assert np.isnan(found.trend[17:30]).all() and np.isfinite(found.trend[40:]).mean() > 0.9
    assert found.ood.share_outside > 18 / 119


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


def test_of_a_gap_there_are_no_windows_and_nothing_is_said(fitted: Fitted) -> None:
    _, data, bundle = fitted
    prepared = bundle.front_end.prepare(recording(UNSEEN))
    nothing = bundle.detector.examples(prepared.between(prepared.duration_s, prepared.duration_s + 60))
    assert len(nothing) == 0 and nothing.x.shape[1:] == data.valid.x.shape[1:]
    assert bundle.detector.score(nothing).shape == (0,)


def test_the_future_does_not_change_the_past(fitted: Fitted) -> None:
    _, _, bundle = fitted
    whole = recording(UNSEEN)
    signal = whole.segments[0].signal.copy()
    signal[:, 80 * 256 :] *= 7
    altered = Recording(whole.channels, whole.rate_hz, (Segment(0.0, signal),), whole.duration_s, age_days=3.0)
    before, after = (analyse(r, any_recording(bundle)).trend for r in (whole, altered))
    assert before is not None and after is not None
    np.testing.assert_allclose(before[:80], after[:80], rtol=1e-5, atol=1e-6)
    assert not np.allclose(before[85:], after[85:], equal_nan=True)


def test_a_gap_is_not_assessed_and_lowers_the_coverage(fitted: Fitted) -> None:
    _, _, bundle = fitted
    whole = recording(UNSEEN)
    signal = whole.segments[0].signal
    parts = (Segment(0.0, signal[:, : 60 * 256]), Segment(90.0, signal[:, 60 * 256 :]))
    found = analyse(Recording(whole.channels, 256.0, parts, 150.0, age_days=3.0), bundle)
    assert found.outcome == "completed_with_abstentions"
    assert found.trend is not None and np.isnan(found.trend[62:89]).all()
    assert 0.7 < found.coverage < 0.82


def willing(bundle: Bundle) -> Bundle:
    """The same bundle refusing no whole recording, with a few strange seconds and some events in the minute with a gap."""
    made, bundle = with_a_gap(UNSEEN), any_recording(bundle)
    limit = float(np.nanquantile(trend_and_events(made, bundle)[1], 0.9))
    bundle = replace(bundle, ood=replace(bundle.ood, window_limit=limit))
    threshold = float(np.nanmedian(trend_and_events(made, bundle)[0]))
    return replace(bundle, decision=replace(bundle.decision, threshold=threshold, min_duration_s=4.0))


def test_a_recording_heard_in_chunks_is_analysed_as_in_one_go(fitted: Fitted) -> None:
    bundle, made = willing(fitted[2]), with_a_gap(UNSEEN)
    trend, ood_trend, events = trend_and_events(made, bundle)
    for found in (analyse(made, bundle), streamed(made, bundle, [1000, 1001])):
        assert found.trend is not None and found.ood_trend is not None and found.events and found.events.events
        np.testing.assert_allclose(found.trend, trend, rtol=0, atol=1e-5)
        np.testing.assert_array_equal(found.ood_trend, ood_trend)
        assert found.events == events


@settings(max_examples=4, deadline=None)
@given(st.lists(st.integers(0, GAP_AT_S * 256), max_size=25))
def test_any_chunks_of_a_recording_give_its_analysis_bit_by_bit(fitted: Fitted, cuts: list[int]) -> None:
    bundle = willing(fitted[2])
    assert is_the_same(streamed(with_a_gap(UNSEEN), bundle, cuts), analyse(with_a_gap(UNSEEN), bundle))


@pytest.mark.parametrize(
    "cuts",
    [
        [],
        range(400, 560),  # sample by sample, about the end of the first window
        range(0, 60 * 256, 256),  # by whole seconds, which starts with nothing at all
        [512, 512, 512],  # with nothing in between
        [7, 60 * 256],  # nothing more in the end
    ],
    ids=["at once", "samples", "seconds", "nothing", "end"],
)
def test_awkward_chunks_of_a_recording_give_its_analysis_bit_by_bit(fitted: Fitted, cuts: list[int]) -> None:
    bundle = willing(fitted[2])
    assert is_the_same(streamed(with_a_gap(UNSEEN), bundle, cuts), analyse(with_a_gap(UNSEEN), bundle))


def test_another_recording_gives_another_analysis(fitted: Fitted) -> None:
    """The tests above could not fail if everything were the same."""
    bundle = willing(fitted[2])
    assert not is_the_same(streamed(with_a_gap(UNSEEN + 1), bundle), analyse(with_a_gap(UNSEEN), bundle))


def test_what_was_heard_is_never_changed_by_what_comes_later(fitted: Fitted) -> None:
    bundle, made = willing(fitted[2]), with_a_gap(UNSEEN)
    before, after = made.segments
    other = replace(made, segments=(before, replace(after, signal=after.signal * 9 + 50)))
    cuts = range(0, 60 * 256, 200)
    (given, live), (given_too, _) = (heard(r, bundle, cuts) for r in (made, other))
    of_the_past = len(cuts) + 1  # chunks of the first segment
    for one, two in zip(given[:of_the_past], given_too[:of_the_past], strict=True):
        assert is_the_same(one, two)
    assert not all(is_the_same(one, two) for one, two in zip(given, given_too, strict=True))
    said, found = np.concatenate([h.trend for h in given]), live.finish(made.duration_s)
    assert found.trend is not None and found.events
    np.testing.assert_array_equal(said, found.trend[: len(said)])
    assert {e for h in given for e in h.events} <= set(found.events.events)


def test_a_second_is_given_at_its_end_and_an_event_with_the_first_second_after_it(fitted: Fitted) -> None:
    bundle, made = willing(fitted[2]), with_a_gap(UNSEEN)
    given, live = heard(made, bundle, range(0, 60 * 256, 64))
    quarters = np.arange(4 * GAP_AT_S + 1)  # of a second, from none on
    assert np.cumsum([len(h.trend) for h in given])[quarters].tolist() == (quarters // 4).tolist()
    found = live.finish(made.duration_s)
    assert found.trend is not None
    above = np.nan_to_num(found.trend) >= bundle.decision.threshold
    ended = [h for h in given if h.events]
    assert ended and all(above[h.first_s - 1] and not above[h.first_s] for h in ended if h.first_s < GAP_AT_S)


def test_a_live_analysis_keeps_little_of_what_it_heard(fitted: Fitted) -> None:
    _, _, bundle = fitted
    live = LiveAnalysis(bundle, recording(UNSEEN).channels, 256.0, age_days=3.0)
    kept, minute = [], recording(UNSEEN).segments[0].signal[:, : 60 * 256]
    for _ in range(8):
        live(minute)
        kept.append(kept_bytes(live, bundle))
    assert 10_000 < kept[0] < minute.nbytes / 4
    assert (kept[-1] - kept[0]) / (7 * 60) < 800  # room that doubles is up to twice what is in it


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda signal: signal[:, : 20 * 256], "too_short"),
        (lambda signal: signal * 1e4, "unit_suspect"),
        (lambda signal: signal * 0, "flat"),
        (lambda signal: np.clip(signal, -3, 3), "clipped"),
        (lambda signal: np.random.default_rng(0).normal(0, 30, signal.shape).astype(np.float32), "ood"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_recording_that_is_refused_as_a_whole_is_refused_alike_in_chunks(fitted: Fitted, change, code: str) -> None:
    _, _, bundle = fitted
    made = recording(UNSEEN, 60, (12.0, 25.0))
    signal = change(made.segments[0].signal)
    bad = replace(made, segments=(Segment(0.0, signal),), duration_s=signal.shape[1] / 256)
    found, (given, live) = analyse(bad, bundle), heard(bad, bundle, [100, 5000])
    assert is_the_same(live.finish(), found) and found.code == code
    verdict = live.verdict()
    assert verdict is not None and (verdict.code, verdict.reason) == (found.code, found.reason)
    assert sum(len(h.trend) for h in given) == int(bad.duration_s)  # given, and withdrawn as a whole


def test_who_it_is_not_meant_for_is_refused_before_the_first_sample(fitted: Fitted) -> None:
    _, _, bundle = fitted
    made = recording(UNSEEN)
    for changed, code in (
        (replace(made, age_days=None), "age_unknown"),
        (replace(made, rate_hz=64.0, duration_s=480.0), "rate_too_low"),
        (replace(made, channels=("ECG", *made.channels[1:])), "montage_missing"),
    ):
        with pytest.raises(Refusal, match=code):
            LiveAnalysis(bundle, changed.channels, changed.rate_hz, age_days=changed.age_days)
        assert analyse(changed, bundle).code == code


def test_a_gap_that_does_not_last_and_a_wrong_number_of_channels_are_errors(fitted: Fitted) -> None:
    live = LiveAnalysis(fitted[2], recording(UNSEEN).channels, 256.0, age_days=3.0)
    with pytest.raises(ValueError, match="longer than 0 s"):
        live.gap(0.0)
    with pytest.raises(ValueError, match="does not fit 19 channels"):
        live(np.zeros((18, 10), dtype=np.float32))


@pytest.mark.parametrize(("age_days", "code"), [(None, "age_unknown"), (4000.0, "age_out_of_scope")])
def test_an_age_it_is_not_meant_for_is_not_evaluable(fitted: Fitted, age_days: float | None, code: str) -> None:
    _, _, bundle = fitted
    made = recording(UNSEEN)
    found = analyse(Recording(made.channels, made.rate_hz, made.segments, made.duration_s, age_days=age_days), bundle)
    assert (found.outcome, found.code, found.events) == ("not_evaluable", code, None)


def test_it_states_what_it_is(fitted: Fitted) -> None:
    name, _, bundle = fitted
    facts = detectors.facts(name)
    detector = bundle.detector
    assert (facts["task"], facts["modality"]) == (detector.task, detector.modality)
    assert tuple(facts["classes"]) == detector.classes
    assert facts["montage"] == detector.contract.montage


def test_a_training_recording_that_was_not_looked_at_is_no_silent_default(fitted: Fitted) -> None:
    _, data, _ = fitted
    looks = {recording: seen for recording, seen in data.looks.items() if recording != "rec-1"}
    with pytest.raises(ValueError, match="1 training recordings were not looked at, rec-1"):
        fit_ood(replace(data, looks=looks))


def test_the_level_of_strangeness_knows_training_patients_only(fitted: Fitted) -> None:
    _, data, bundle = fitted
    others = {**data.looks, "rec-3": replace(data.looks["rec-0"], x=data.looks["rec-0"].x + 5)}
    assert fit_ood(replace(data, looks=others)) == bundle.ood
    changed = {**data.looks, "rec-1": replace(data.looks["rec-1"], x=data.looks["rec-1"].x + 5)}
    assert fit_ood(replace(data, looks=changed)) != bundle.ood


def test_every_preset_builds(fitted: Fitted) -> None:
    for preset in ("demo", "paper"):
        assert detectors.build(fitted[0], preset=preset).window_s > 0
