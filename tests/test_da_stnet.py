"""DA-STNet's `paper` preset number by number (shared/design/detectors.md §1), and what is left when a part is taken away."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from data.montage import NEONATAL_18
from models import detectors
from models.bundle import load_bundle, save_bundle
from models.detector import Examples
from models.detectors.da_stnet import DaStNet, DaStNetwork, NoAttention, _loss
from models.fitting import FoldData, fit_fold, label
from models.layers.reversal import schedule
from models.look import look
from models.training import Fitted, Schedule, balanced_order
from tests.contract.signals import recording

PAPER = detectors.params_of("da_stnet", "paper")
TINY = {**detectors.params_of("da_stnet", "demo"), "epochs": 2, "windows_per_epoch": 200, "patience": 5}


def network(domains: int = 0, **changed: object) -> DaStNetwork:
    torch.manual_seed(0)
    return DaStNet({**PAPER, **changed})._build(domains)


def numbers(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def windows(count: int = 5, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((count, 18, 15, 13)).astype(np.float32))


def test_the_paper_preset_holds_every_number_of_the_table() -> None:
    assert {k: PAPER[k] for k in ("window_s", "n_fft", "stft_hop", "band_hz")} == {
        "window_s": 2.0, "n_fft": 64, "stft_hop": 16, "band_hz": [0.5, 30.0],
    }  # fmt: skip
    assert (PAPER["cnn"], PAPER["lstm"], PAPER["reversal"]) == ([16, 32, 64], 64, True)
    assert (PAPER["learning_rate"], PAPER["batch"], PAPER["epochs"]) == (1e-3, 64, 50)
    front_end = DaStNet(PAPER).front_end
    assert (front_end.rate_hz, front_end.band_hz, front_end.channels) == (128.0, (0.5, 30.0), NEONATAL_18)
    assert " ".join(NEONATAL_18) == (
        "Fp2-F4 F4-C4 C4-P4 P4-O2 Fp1-F3 F3-C3 C3-P3 P3-O1 Fp2-F8 F8-T4 T4-T6 T6-O2 Fp1-F7 F7-T3 T3-T5 T5-O1 Fz-Cz Cz-Pz"
    )


def test_a_window_of_2_s_becomes_18_spectrograms_of_15_bins_and_13_frames() -> None:
    detector = DaStNet(PAPER)
    made = detector.examples(detector.front_end.prepare(recording(0, 20, None)))
    frames = (2 * 128 - 64) // 16 + 1  # 13
    bins = sum(0.5 <= k * 128 / 64 <= 30 for k in range(33))  # 2, 4 … 30 Hz: 15
    assert made.x.shape[1:] == (18, bins, frames) == (18, 15, 13)
    assert np.diff(made.onset_s).tolist() == [1.0] * (len(made) - 1)


def test_the_shape_at_each_stage_of_the_paper_preset() -> None:
    net, x = network(domains=12), windows(5)
    maps = x.reshape(5 * 18, 1, 15, 13)
    shapes = []
    for block in net.cnn:
        maps = block(maps)
        shapes.append(tuple(maps.shape[1:]))
        assert [type(layer) for layer in block] == [nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d, nn.ReLU]
        assert block[0].kernel_size == (3, 3)
    assert shapes == [(16, 7, 6), (32, 3, 3), (64, 1, 1)]
    assert net.described(x).shape == (5, 18, 64)
    assert net.per_channel(x).shape == (5, 18, 2 * 64)
    assert net.pool.weights(net.per_channel(x)).shape == (5, 18)  # type: ignore[union-attr]
    assert net.features(x).shape == (5, 128)
    assert net(x).shape == (5,) and net.baby is not None and net.baby(net.features(x)).shape == (5, 12)


def test_pooling_before_the_relu_is_the_tables_relu_before_pooling() -> None:
    block = network().cnn[0].eval()
    x = torch.randn(3, 1, 15, 13)
    as_in_the_table = block[2](block[3](block[1](block[0](x))))
    assert torch.equal(block(x), as_in_the_table)


def test_the_paper_preset_has_98529_numbers_and_a_baby_classifier_of_its_own() -> None:
    def convolution(inputs: int, outputs: int) -> int:
        return outputs * (inputs * 3 * 3 + 1) + 2 * outputs  # kernels and bias, batch norm

    cnn = convolution(1, 16) + convolution(16, 32) + convolution(32, 64)
    lstm = 2 * 4 * 64 * (64 + 64 + 2)  # directions, gates, units, (inputs + state + two biases)
    attention = 64 * (128 + 1) + 64  # W and its bias, v
    classifier = 128 + 1
    assert (cnn, lstm, attention, classifier) == (23520, 66560, 8320, 129)
    net = network(domains=12)
    assert [numbers(m) for m in (net.cnn, net.lstm, net.pool, net.classifier)] == [cnn, lstm, attention, classifier]  # type: ignore[arg-type]
    assert numbers(network()) == cnn + lstm + attention + classifier == 98529
    assert net.baby is not None and numbers(net.baby) == 128 * (128 + 1) + 12 * (128 + 1)


def test_one_step_of_the_paper_preset_moves_every_number_and_lowers_the_loss() -> None:
    net, x = network(domains=3), windows(8)
    label, baby = torch.arange(8) % 2, torch.arange(8) % 3
    before = {k: v.clone() for k, v in net.named_parameters()}
    optimiser = torch.optim.Adam(net.parameters(), lr=PAPER["learning_rate"])
    losses = []
    for _ in range(4):
        optimiser.zero_grad()
        loss = _loss(net, x, label, baby, 0.5)
        loss.backward()
        optimiser.step()
        losses.append(F.binary_cross_entropy_with_logits(net(x), label.float()).item())
    assert all(not torch.equal(before[k], v) for k, v in net.named_parameters())
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("progress", [0.0, 0.1, 0.5, 1.0])
def test_features_learn_the_seizure_minus_lambda_times_the_baby(progress: float) -> None:
    """λ(p) = 2 / (1 + e^(−10 p)) − 1; the classifier of babies itself learns to name them, unreversed."""
    net, x = network(domains=3).eval(), windows(12)
    label, baby = torch.arange(12) % 2, torch.arange(12) % 3
    own, shared = net.baby, net.lstm.weight_ih_l0  # type: ignore[union-attr]
    assert own is not None

    def gradient(loss: torch.Tensor, of: torch.Tensor) -> torch.Tensor:
        return torch.autograd.grad(loss, of)[0]

    seizure = gradient(F.binary_cross_entropy_with_logits(net(x), label.float()), shared)
    naming = F.cross_entropy(own(net.features(x)), baby)
    expected = seizure - (2 / (1 + np.exp(-10 * progress)) - 1) * gradient(naming, shared)
    assert torch.allclose(gradient(_loss(net, x, label, baby, progress), shared), expected, atol=1e-7)
    unreversed = gradient(F.cross_entropy(own(net.features(x)), baby), own[0].weight)
    assert torch.allclose(gradient(_loss(net, x, label, baby, progress), own[0].weight), unreversed, atol=1e-7)


def test_lambda_rises_from_0_to_1_over_the_training() -> None:
    assert schedule(0.0) == 0
    assert schedule(0.1) == pytest.approx(2 / (1 + 0.36788) - 1, abs=1e-4)  # e^−1
    assert schedule(0.5) == pytest.approx(0.98661, abs=1e-5)
    assert 0.9999 < schedule(1.0) < 1


def examples(*seeds: int, patient: str = "") -> Examples:
    detector = DaStNet(TINY)
    parts = []
    for seed in seeds:
        made = recording(seed, 60, (20.0, 25.0))
        assert made.annotations
        open_ = detector.examples(detector.front_end.prepare(made), f"rec-{seed}", patient or f"sub-{seed}")
        parts.append(label(open_, made.annotations))
    return Examples.join(parts)


@pytest.fixture(scope="module")
def data() -> FoldData:
    front_end = DaStNet(TINY).front_end
    truth = {f"rec-{s}": recording(s, 60, (20.0, 25.0)).annotations for s in range(5)}
    looks = {f"rec-{s}": look(front_end.prepare(recording(s, 60, (20.0, 25.0)))) for s in range(3)}
    return FoldData(examples(0, 1, 2), examples(3, 4), truth, looks)  # type: ignore[arg-type]


def fitted(data: FoldData, **changed: object) -> DaStNet:
    detector = DaStNet({**TINY, **changed})
    detector.fit(data.train, data.valid, seed=3)
    return detector


@pytest.fixture(scope="module")
def whole(data: FoldData) -> DaStNet:
    return fitted(data)


def test_there_is_one_domain_per_training_baby_and_none_for_an_inner_one(whole: DaStNet) -> None:
    baby = whole.network.baby
    assert baby is not None and baby[-1].out_features == 3  # sub-0 to sub-2; sub-3 and sub-4 only stop the training


def test_a_baby_with_two_recordings_is_one_domain(data: FoldData) -> None:
    twice = Examples.join([examples(0, 1, patient="sub-0"), examples(2)])
    baby = fitted(FoldData(twice, data.valid, data.truth, data.looks)).network.baby
    assert baby is not None and baby[-1].out_features == 2


def test_windows_are_drawn_by_class_then_by_baby() -> None:
    patient, label = np.array(["a"] * 90 + ["b"] * 10), np.array([1] * 5 + [0] * 85 + [1] * 5 + [0] * 5)
    order = balanced_order(patient, label, 4000, np.random.default_rng(0))
    cells = [np.mean((patient[order] == p) & (label[order] == c)) for p in "ab" for c in (0, 1)]
    assert cells == pytest.approx([0.25] * 4, abs=0.03)


def test_a_reversal_of_no_strength_learns_bit_equally_to_no_reversal(
    data: FoldData, whole: DaStNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same first weights, same windows in the same order: what the two variants differ by is the reversed gradient."""
    without = fitted(data, reversal=False).state().tensors
    real = whole.state().tensors
    monkeypatch.setattr("models.detectors.da_stnet.schedule", lambda progress: 0.0)
    powerless = fitted(data).state().tensors
    assert all(np.array_equal(without[k], powerless[k]) for k in without)
    assert any(not np.array_equal(without[k], real[k]) for k in without)


def test_training_stops_early_on_babies_that_were_held_out(data: FoldData, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(
        "models.detectors.da_stnet.fit_network",
        lambda network, loss, score, parts, plan, **rest: asked.append((parts, plan)) or Fitted({}, None),
    )
    DaStNet(PAPER).fit(data.train, data.valid, seed=0)
    (train, inner), plan = asked[0]
    assert set(np.unique(inner.patient)) == {"sub-3", "sub-4"} and not set(inner.patient) & set(train.patient)
    assert plan == Schedule(50, 64, 1e-3, PAPER["patience"], PAPER["windows_per_epoch"])


LEFT = {
    "no_attention": ({"attention": 0}, "pool.", (5, 128)),
    "no_lstm": ({"lstm": 0}, "lstm.", (5, 64)),
    "no_cnn": ({"cnn": []}, "cnn.", (5, 128)),
}


@pytest.mark.parametrize("part", LEFT)
def test_without_a_part_the_rest_is_in_its_place_and_learns(part: str) -> None:
    changed, gone, features = LEFT[part]
    whole, net = network(domains=3), network(domains=3, **changed)
    names, kept = set(whole.state_dict()), set(net.state_dict())
    assert kept == {n for n in names if not n.startswith(gone)}
    assert net.features(windows()).shape == features
    _loss(net, windows(6), torch.arange(6) % 2, torch.arange(6) % 3, 0.5).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


def test_the_declared_variants_are_these_and_reversal() -> None:
    declared = {v.name: dict(v.changed) for v in detectors.ablations_of("da_stnet", "paper").variants if v.changed}
    assert declared == {"no_reversal": {"reversal": False}} | {name: changed for name, (changed, _, _) in LEFT.items()}


def test_without_attention_the_features_are_the_mean_over_derivations() -> None:
    net, x = network(attention=0).eval(), windows()
    assert torch.allclose(net.features(x), net.per_channel(x).mean(dim=1))


def test_without_the_cnn_the_lstm_reads_the_spectrogram_itself() -> None:
    net, x = network(cnn=[]).eval(), windows()
    assert torch.equal(net.described(x), x.reshape(5, 18, 15 * 13))  # the scale is 0 and 1 before training
    assert net.lstm is not None and net.lstm.input_size == 15 * 13


def test_without_the_lstm_no_derivation_knows_its_neighbour() -> None:
    x = windows()
    other = x.clone()
    other[:, 4] += 1
    for changed, knows in (({}, True), ({"lstm": 0}, False)):
        net = network(**changed).eval()  # type: ignore[arg-type]
        moved = (net.per_channel(x) - net.per_channel(other)).abs().sum(dim=(0, 2)) > 0
        assert bool(moved[4]) and bool(moved[[0, 17]].any()) is knows


@pytest.mark.parametrize("changed", [changed for changed, _, _ in LEFT.values()])
def test_a_bundle_without_a_part_is_read_back_bit_equally(data: FoldData, tmp_path, changed: dict) -> None:
    bundle, _ = fit_fold("da_stnet", {**TINY, **changed}, data, seed=1)
    save_bundle(bundle, tmp_path / "bundle")
    back = load_bundle(tmp_path / "bundle")
    assert np.array_equal(bundle.detector.score(data.valid), back.detector.score(data.valid))


def test_the_whole_networks_state_has_the_names_that_bundles_were_saved_with() -> None:
    names = set(DaStNet(PAPER).state().tensors)
    assert {n.split(".")[0] for n in names} == {"mean", "spread", "cnn", "lstm", "pool", "classifier"}
    assert {"pool.project.weight", "pool.rank.weight", "lstm.weight_hh_l0_reverse", "cnn.2.1.running_var"} <= names


def test_attention_is_one_weight_per_derivation_that_sum_to_one(data: FoldData, whole: DaStNet) -> None:
    weights = whole.attention(data.valid)
    assert weights.shape == (len(data.valid), 18) and (weights > 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)
    alone = whole.attention(data.valid.take(np.array([7])))
    np.testing.assert_allclose(alone[0], weights[7], rtol=1e-4)


def test_the_features_that_are_probed_are_those_that_are_scored(data: FoldData, whole: DaStNet) -> None:
    head = whole.network.classifier
    with torch.inference_mode():
        again = head(torch.from_numpy(whole.features(data.valid))).squeeze(-1).numpy()
    np.testing.assert_allclose(whole.score(data.valid), again, rtol=1e-4, atol=1e-5)


def test_attention_is_refused_where_there_is_none(data: FoldData) -> None:
    with pytest.raises(NoAttention, match="attention: 0"):
        DaStNet({**TINY, "attention": 0}).attention(data.valid)
