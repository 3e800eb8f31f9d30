"""Training is seeded, balanced and resumable; calibration and decisions follow from what they were shown."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch.nn import functional as F

from data.events import Annotations, Event
from models import detectors, training
from models.calibration import Calibration, NotCalibrated, fit_logistic
from models.decisions import BySecond, Decision, EventFinder, Smoother, choose_threshold, raw_trend
from models.detector import Examples
from models.layers.attention import AttentionPool
from models.layers.reversal import reverse_gradient, schedule
from models.training import (
    Schedule,
    auc,
    balanced_order,
    balanced_weights,
    figure_by_halves,
    fit_network,
    macro_auc,
)


def toy(seed: int = 0, n: int = 400) -> Examples:
    rng = np.random.default_rng(seed)
    label = (rng.random(n) < 0.3).astype(np.int8)
    x = rng.standard_normal((n, 4)).astype(np.float32) + label[:, None]
    patient = rng.choice(["a", "b", "c"], n)
    return Examples(x, np.arange(n, dtype=float), patient, patient, 2.0, label)


def fit(epochs: int, checkpoint: Path | None = None) -> dict[str, torch.Tensor]:
    return fitted(epochs, checkpoint)[0].state_dict()


def fit_log(epochs: int, checkpoint: Path | None) -> tuple[dict[str, Any], np.ndarray]:
    _, log, crossed = fitted(epochs, checkpoint)
    assert crossed is not None
    return log, crossed


def fitted(epochs: int, checkpoint: Path | None) -> tuple[torch.nn.Module, dict[str, Any], np.ndarray | None]:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(0.2), torch.nn.ReLU(), torch.nn.Linear(8, 1))

    def loss(net, x, label, domain, progress):
        return F.binary_cross_entropy_with_logits(net(x).squeeze(-1), label.float())

    def score(examples: Examples) -> np.ndarray:
        with torch.inference_mode():
            return network(torch.from_numpy(examples.x)).squeeze(-1).numpy()

    plan = Schedule(epochs, 32, 1e-2, 100, 320)
    log, crossed = fit_network(network, loss, score, (toy(), toy(1)), plan, seed=5, checkpoint=checkpoint)
    return network, log, crossed


def test_short_epochs_are_not_written_down_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fit(3, tmp_path / "run.pt")
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(training, "SAVE_EVERY_S", 0.0)
    fit(3, tmp_path / "run.pt")
    assert torch.load(tmp_path / "run.pt", weights_only=True)["epoch"] == 3


def test_training_resumed_from_a_checkpoint_ends_bit_equal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "SAVE_EVERY_S", 0.0)
    whole = fit(6)
    fit(3, tmp_path / "run.pt")
    resumed = fit(6, tmp_path / "run.pt")
    assert all(torch.equal(whole[k], resumed[k]) for k in whole)
    assert any(not torch.equal(whole[k], v) for k, v in fit(3).items())


def test_evenly_spaced_windows_of_inner_patients_say_which_epoch_was_best() -> None:
    seen: list[Examples] = []

    def score(examples: Examples) -> np.ndarray:
        seen.append(examples)
        return examples.x[:, 0]

    network = torch.nn.Linear(4, 1)
    lose = lambda net, x, label, domain, progress: net(x).square().mean()  # noqa: E731
    for inner, expected in ((5, [0, 100, 200, 299, 399]), (0, list(range(400))), (400, list(range(400)))):
        fit_network(network, lose, score, (toy(), toy(1)), Schedule(1, 32, 1e-2, 1, 32, inner=inner), seed=5)
        assert seen[-1].onset_s.tolist() == expected


def test_no_baby_and_no_class_outweighs_another_in_training() -> None:
    patient = np.array(["long"] * 9000 + ["short"] * 100)
    label = np.array([1] * 50 + [0] * 8950 + [1] * 50 + [0] * 50)
    order = balanced_order(patient, label, 20_000, np.random.default_rng(0))
    assert abs(label[order].mean() - 0.5) < 0.02
    assert abs((patient[order] == "short").mean() - 0.5) < 0.02


def test_many_classes_are_drawn_alike_however_rare_and_each_window_as_often_as_stated() -> None:
    """Class 5 has one patient and one window; a patient may have more than one class."""
    patient = np.array(["a"] * 60 + ["b"] * 20 + ["c"] + ["a"] * 10)
    label = np.array([0] * 60 + [0] * 20 + [5] + [2] * 10)
    drawn = np.bincount(balanced_order(patient, label, 60_000, np.random.default_rng(0)), minlength=len(label)) / 60_000
    weights = balanced_weights(patient, label)
    assert weights.sum() == pytest.approx(1) and weights[80] == pytest.approx(1 / 3)
    assert weights[0] == pytest.approx(1 / (3 * 2 * 60)) and weights[60] == pytest.approx(1 / (3 * 2 * 20))
    np.testing.assert_allclose(drawn, weights, atol=5 * np.sqrt(weights.max() / 60_000))


def test_the_judge_says_which_epoch_is_best() -> None:
    """One that likes only the second epoch leaves the weights of the second epoch."""
    torch.manual_seed(0)
    network, seen = torch.nn.Linear(4, 1), []

    def loss(net, x, label, domain, progress):
        return F.binary_cross_entropy_with_logits(net(x).squeeze(-1), label.float())

    def judge(score: np.ndarray, label: np.ndarray) -> float:
        if len(label) < len(toy(1)):
            return 0.0  # of half of the patients
        seen.append(network.weight.detach().clone())
        return float(len(seen) == 2)

    plan = Schedule(4, 32, 1e-2, 100, 320)
    log, _ = fit_network(network, loss, lambda e: np.zeros(len(e)), (toy(), toy(1)), plan, seed=5, judge=judge)
    assert log["valid_auc"] == [0.0, 1.0, 0.0, 0.0] and log["best_epoch"] == 2
    assert torch.equal(network.weight, seen[1]) and not torch.equal(seen[1], seen[3])


@pytest.mark.parametrize(
    ("judged", "best"),
    [((np.nan,) * 4, 4), ((np.nan, 0.4, 0.9, 0.3), 3), ((0.7, np.nan, 0.6, np.nan), 1)],
)
def test_where_no_epoch_can_be_judged_the_last_is_kept_and_not_the_first(judged: tuple[float, ...], best: int) -> None:
    network, reached = torch.nn.Linear(4, 1), iter(judged)
    lose = lambda net, x, label, domain, progress: net(x).square().mean()  # noqa: E731
    plan = Schedule(4, 32, 1e-2, 100, 320)
    judge = lambda _, label: next(reached) if len(label) == len(toy(1)) else np.nan  # noqa: E731
    log, _ = fit_network(network, lose, lambda e: np.zeros(len(e)), (toy(), toy(1)), plan, seed=5, judge=judge)
    assert (log["epochs"], log["best_epoch"]) == (4, best)


def test_windows_are_drawn_by_class_then_patient_then_window() -> None:
    """Three classes; a patient without a class has no part in it: each window's chance is 1/3 · 1/patients · 1/windows."""
    patient = np.array(["a", "b", "a", "b", "a", "c", "c", "b"])
    label = np.array([0, 0, 0, 1, 1, 1, 5, 5])
    chance = np.array([1 / 4, 1 / 2, 1 / 4, 1 / 3, 1 / 3, 1 / 3, 1 / 2, 1 / 2]) / 3
    drawn = np.bincount(balanced_order(patient, label, 60_000, np.random.default_rng(1)), minlength=8)
    chi2 = float(((drawn - 60_000 * chance) ** 2 / (60_000 * chance)).sum())
    assert chi2 < 24.3  # 99.9th percentile at 7 degrees of freedom


def test_one_class_alone_is_drawn_from_all_its_patients() -> None:
    order = balanced_order(np.array([7, 7, 9]), np.zeros(3, dtype=int), 1000, np.random.default_rng(0))
    assert abs((order == 2).mean() - 0.5) < 0.06


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_auc_equals_the_share_of_pairs_in_the_right_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    score = rng.integers(0, 5, 30).astype(float)
    label = rng.integers(0, 2, 30)
    label[:2] = [0, 1]
    pairs = [(p > n) + 0.5 * (p == n) for p in score[label == 1] for n in score[label == 0]]
    assert auc(score, label) == pytest.approx(np.mean(pairs))


def test_auc_of_one_class_is_not_a_number() -> None:
    assert np.isnan(auc(np.arange(3.0), np.zeros(3)))


def test_the_reversal_gives_back_the_gradient_with_its_sign_turned() -> None:
    x = torch.ones(3, requires_grad=True)
    (reverse_gradient(x, 0.25) * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert x.grad is not None and x.grad.tolist() == [-0.25, -0.5, -0.75]
    assert schedule(0.0) == 0 and schedule(1.0) > 0.999


def test_attention_weights_sum_to_one_and_pick_what_they_weigh() -> None:
    pool = AttentionPool(5, 3)
    x = torch.randn(2, 7, 5)
    weights = pool.weights(x)
    assert torch.allclose(weights.sum(dim=1), torch.ones(2))
    assert torch.allclose(pool(x)[0], (weights[0, :, None] * x[0]).sum(0), atol=1e-6)


def test_logistic_regression_finds_the_coefficients_that_made_the_labels() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((20_000, 2))
    p = 1 / (1 + np.exp(-(-1.0 + 2.0 * x[:, 0] - 0.5 * x[:, 1])))
    found = fit_logistic(x, (rng.random(len(p)) < p).astype(float))
    np.testing.assert_allclose(found, [-1.0, 2.0, -0.5], atol=0.1)


def test_the_same_windows_twice_are_calibrated_alike_and_classes_apart_get_no_endless_slope() -> None:
    x, label = np.linspace(-1, 1, 20)[:, None], np.repeat([0.0, 1.0], 10)
    once, twice = fit_logistic(x, label), fit_logistic(np.tile(x, (9, 1)), np.tile(label, 9))
    np.testing.assert_allclose(twice, once, rtol=1e-6, atol=1e-9)
    assert 0 < once[1] < 100


def test_a_score_that_points_the_wrong_way_is_not_turned_round() -> None:
    label = np.array([0, 1] * 50)
    flat = Calibration.fit(-label.astype(float), label)
    assert flat.slope == 0 and flat(np.array([3.0]))[0] == pytest.approx(0.5)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_score_that_is_no_number_is_not_calibrated(bad: float) -> None:
    score, label = np.arange(100.0), np.array([0, 1] * 50)
    score[[3, 50]] = bad
    with pytest.raises(NotCalibrated, match="2 of 100 scores"):
        Calibration.fit(score, label)


def test_calibrated_probabilities_have_the_observed_mean() -> None:
    rng = np.random.default_rng(3)
    label = (rng.random(5000) < 0.12).astype(int)
    score = label + rng.standard_normal(5000)
    assert Calibration.fit(score, label)(score).mean() == pytest.approx(label.mean(), abs=0.005)


def test_second_k_holds_the_last_window_that_ended_by_k_plus_one() -> None:
    trend = raw_trend(np.arange(0.0, 9.0), np.arange(9) / 10, window_s=2.0, duration_s=10.0)
    assert np.isnan(trend[0])
    np.testing.assert_allclose(trend[1:], np.arange(9) / 10)


def test_an_event_shorter_than_ten_seconds_is_no_electrographic_seizure() -> None:
    decide = Decision(threshold=0.5, smooth_s=1)
    trend = np.zeros(100)
    trend[20:29] = 1
    assert decide.events(trend).events == ()
    trend[20:30] = 1
    (event,) = decide.events(trend).events
    assert event.duration_s == 10.0 and abs(event.onset_s - 20) <= 0.5


def test_an_event_never_spans_a_stretch_that_was_not_assessed() -> None:
    trend = np.ones(60)
    trend[30:35] = np.nan
    found = Decision(smooth_s=1).events(trend).events
    assert [e.onset_s < 30 for e in found] == [True, False]
    assert all(e.end_s <= 30.5 or e.onset_s >= 34.5 for e in found)


@given(arrays(float, st.integers(1, 80), elements=st.floats(0, 1)), st.integers(1, 15), st.integers(0, 79))
@settings(max_examples=60, deadline=None)
def test_smoothing_equals_the_mean_of_the_past_and_starts_anew_after_a_gap(raw, smooth_s, gap) -> None:
    raw = raw.copy()
    raw[gap % len(raw)] = np.nan
    got = Decision(smooth_s=smooth_s).smoothed(raw)
    for k in range(len(raw)):
        past = raw[max(0, k - smooth_s + 1) : k + 1]
        since_gap = past[np.flatnonzero(np.isnan(past))[-1] + 1 :] if np.isnan(past).any() else past
        expected = np.nan if np.isnan(raw[k]) else since_gap.mean()
        assert got[k] == pytest.approx(expected, nan_ok=True)


def test_a_strange_second_enters_no_mean_and_breaks_no_event_in_two() -> None:
    raw, outside = np.full(60, 0.8), np.zeros(60, dtype=bool)
    raw[[30, 33]], outside[[30, 33]] = 0.0, True
    decide = Decision(threshold=0.5)
    assert decide.smoothed(raw, outside) == pytest.approx(np.full(60, 0.8))
    assert len(decide.events(decide.smoothed(raw, outside)).events) == 1


def test_where_most_of_the_past_seconds_are_strange_nothing_is_said() -> None:
    """Of 20 strange seconds from 20 on the sixth is the first with 6 of 10 strange; 5 after the last, 5 of 10 remain."""
    outside = np.zeros(60, dtype=bool)
    outside[20:40] = True
    got = Decision(smooth_s=10).smoothed(np.full(60, 0.8), outside)
    assert np.flatnonzero(np.isnan(got)).tolist() == list(range(25, 44))


@given(st.integers(0, 1000), st.integers(1, 12), st.integers(1, 39))
@settings(max_examples=40, deadline=None)
def test_leaving_strange_seconds_out_never_looks_ahead(seed: int, smooth_s: int, until: int) -> None:
    rng = np.random.default_rng(seed)
    raw, outside = rng.random(40), rng.random(40) < 0.4
    whole = Decision(smooth_s=smooth_s).smoothed(raw, outside)
    assert np.array_equal(
        Decision(smooth_s=smooth_s).smoothed(raw[:until], outside[:until]), whole[:until], equal_nan=True
    )


Cuts = st.lists(st.integers(0, 80), max_size=6).map(sorted)


@given(arrays(float, 80, elements=st.sampled_from([0.1, 0.3, 0.6, 0.9, np.nan])), st.integers(0, 99), Cuts)
@settings(max_examples=60, deadline=None)
def test_seconds_in_chunks_are_smoothed_and_become_events_as_all_at_once(raw, seed, cuts) -> None:
    decision = Decision(threshold=0.4, smooth_s=4, min_duration_s=3.0)
    outside = np.random.default_rng(seed).random(80) < 0.2
    trend = decision.smoothed(raw, outside)
    smooth, find, events, parts = Smoother(4), EventFinder(decision), [], []
    for part, strange in zip(np.split(raw, cuts), np.split(outside, cuts), strict=True):
        parts.append(smooth(part, strange))
        events += find(parts[-1])
    assert np.concatenate(parts).tobytes() == trend.tobytes()
    assert (*events, *find.ongoing(79.8)) == decision.events(trend, 79.8).events


@given(Cuts)
@settings(max_examples=30, deadline=None)
def test_windows_that_arrive_in_groups_give_the_trend_of_all(cuts) -> None:
    onset_s, value = 0.3 + np.arange(80) * 0.7, np.arange(80) / 80
    seconds, parts = BySecond(2.0), []
    for onsets, values in zip(np.split(onset_s, cuts), np.split(value, cuts), strict=True):
        seconds.add(onsets, values)
        parts.append(seconds.until(int(onsets[-1] + 1) if len(onsets) else 0))
    whole = raw_trend(onset_s, value, 2.0, 60.0)
    assert np.concatenate([*parts, seconds.until(60)]).tobytes() == whole.tobytes()


def test_the_threshold_is_the_one_that_serves_the_inner_recordings() -> None:
    trend = np.full(200, 0.2)
    trend[50:100] = 0.6
    trend[120:150] = 0.4
    truth = Annotations((Event(50, 50),), 200.0)
    chosen = choose_threshold(Decision(smooth_s=1), [trend], [truth])
    assert 0.4 < chosen.threshold <= 0.6


def inner_of(labels: list[int]) -> Examples:
    """Two windows of each of two patients."""
    patient = np.array(["a", "a", "b", "b"])
    x = np.zeros((4, 4), dtype=np.float32)
    return Examples(x, np.arange(4.0), patient, patient, 2.0, np.array(labels, dtype=np.int8))


def scripted(said: list[list[float]], inner: Examples) -> tuple[dict[str, Any], np.ndarray | None]:
    """A training in which this was said of the inner windows after each epoch."""
    answers = iter(np.array(said))
    plan = Schedule(epochs=len(said), batch=32, learning_rate=1e-3, patience=len(said), windows_per_epoch=32)
    return fit_network(torch.nn.Linear(4, 1), lose, lambda _: next(answers), (toy(), inner), plan, seed=0)


def lose(net: Any, x: Any, label: Any, domain: Any, progress: float) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(net(x).squeeze(-1), label.float())


def test_what_detectors_are_chosen_by_is_each_half_at_the_epoch_that_the_other_calls_best() -> None:
    """Of `a` the second epoch ranks rightly and the first wrongly, of `b` the first rightly and the second not at all: the AUC
    of `a` is that of the first, 0, and of `b` that of the second, 0.5."""
    inner = inner_of([0, 1, 0, 1])
    log, crossed = scripted([[0.9, 0.1, 0.1, 0.9], [0.1, 0.9, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5]], inner)
    assert crossed is not None and crossed.tolist() == [0.9, 0.1, 0.5, 0.5]
    assert log["inner_auc"] == (0 + 0.5) / 2 < max(log["valid_auc"])
    assert figure_by_halves(crossed, inner, auc, 0.85) == log["inner_auc"]


@pytest.mark.parametrize(
    ("name", "width", "kinds", "judge"), [("line_length", 2, 1, auc), ("band_power", 11, 2, macro_auc)]
)
def test_a_floor_is_chosen_by_the_mean_of_the_same_halves(name: str, width: int, kinds: int, judge: Any) -> None:
    """Where a half shows fewer types than all, the mean over halves is another figure, and so it has to be one for floors too."""
    rng = np.random.default_rng(3)
    patient = np.repeat(["a", "b", "c", "d"], 30)
    label = np.arange(120) % 2 * np.repeat([1, kinds, 1, kinds], 30)
    x = (rng.standard_normal((120, width)) + label[:, None]).astype(np.float32)
    data = Examples(x, np.arange(120.0), patient, patient, 2.0, label.astype(np.int8))
    floor = detectors.build(name, dict(detectors.params_of(name, "demo")))
    log, score = floor.fit(data, data, seed=0), floor.score(data)
    halves = [np.isin(patient, own) for own in (["a", "c"], ["b", "d"])]
    assert log["inner_auc"] == pytest.approx(np.mean([judge(score[half], label[half]) for half in halves]))
    assert log["inner_auc"] != log["valid_auc"][0] == pytest.approx(judge(score, label))


def test_where_a_half_shows_one_class_all_inner_patients_together_have_to_do() -> None:
    log, crossed = scripted([[0.9, 0.1, 0.2, 0.3], [0.1, 0.9, 0.2, 0.3]], inner_of([0, 1, 0, 0]))
    assert crossed is None and log["inner_auc"] == max(log["valid_auc"]) == 1


def test_what_was_said_at_the_epochs_of_either_half_outlasts_a_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "SAVE_EVERY_S", 0.0)
    whole, stopped, resumed = (
        fit_log(epochs, file) for epochs, file in ((6, None), (3, tmp_path / "run.pt"), (6, tmp_path / "run.pt"))
    )
    assert whole[0] == resumed[0] != stopped[0] and np.array_equal(whole[1], resumed[1])


def test_chance_in_several_networks_does_not_flatter_what_they_say_together() -> None:
    """As below; the answer is the mean of three networks that stop by the same inner patients."""
    rng, found, best = np.random.default_rng(1), [], []
    for trial in range(20):
        inner = toy(200 + trial)
        label = inner.label
        assert label is not None
        said = rng.random((3, 30, len(inner)))
        members = [scripted(list(own), inner)[1] for own in said]
        together = np.mean([own for own in members if own is not None], axis=0)
        at_best = np.mean([own[np.argmax([auc(one, label) for one in own])] for own in said], axis=0)
        best.append(auc(at_best, label))
        found.append(figure_by_halves(together, inner, auc, 1.0))
    assert abs(np.mean(found) - 0.5) < 3 * np.std(found) / np.sqrt(len(found)) < np.mean(best) - 0.5


def test_many_epochs_of_chance_do_not_flatter_a_network_by_its_best() -> None:
    """Labels mean nothing to these scores, another draw each epoch: the best of thirty is far above a half, this is not."""
    rng, found, best = np.random.default_rng(0), [], []
    for trial in range(20):
        data = toy(trial)
        plan = Schedule(epochs=30, batch=32, learning_rate=1e-3, patience=30, windows_per_epoch=32)
        network = torch.nn.Linear(data.x.shape[1], 1)

        def loss(net, x, label, domain, progress):
            return F.binary_cross_entropy_with_logits(net(x).squeeze(-1), label.float())

        log, _ = fit_network(
            network, loss, lambda examples: rng.random(len(examples)), (data, toy(100 + trial)), plan, seed=trial
        )
        found.append(log["inner_auc"])
        best.append(max(log["valid_auc"]))
    assert abs(np.mean(found) - 0.5) < 3 * np.std(found) / np.sqrt(len(found)) < np.mean(best) - 0.5
