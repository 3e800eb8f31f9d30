"""SeizureNet and its floor: what they are given, how they learn, and what stands beside the answer."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch.nn import functional as F

from data.frontend import Prepared
from data.montage import ELECTRODES, TCP_20
from data.outcomes import Refusal
from data.recording import Recording, Segment
from data.seizure_types import TUH_TYPES
from models import training
from models.detector import UNSEEN, Examples, TypingDetector
from models.detectors.band_power import BandPower
from models.detectors.seizurenet import DISTILLED, PLAIN, SeizureNet
from models.detectors.seizurenet.distillation import Learner, Lesson, lesson_loss
from models.detectors.seizurenet.member import Member
from models.logistic import fit_softmax
from models.training import macro_auc

HERE = Path(__file__).parents[1] / "models" / "detectors"
RATE_HZ = 250
FNSZ, GNSZ, CPSZ, ABSZ, TNSZ, TCSZ, SPSZ = range(7)
RHYTHMS = {FNSZ: (6.0, slice(0, 4)), ABSZ: (3.0, slice(0, 20)), TNSZ: (17.0, slice(0, 20))}
"""Types whose spectra cannot be mistaken: frequency in Hz, and the derivations that have it."""

TINY: dict[str, Any] = {
    "window_s": 2.0, "hop_s": 1.0, "shortest_s": 1.0,
    "members": [
        {"f_max_hz": 24, "window_s": 2.0, "overlap": 0.5},
        {"f_max_hz": 24, "window_s": 1.0, "overlap": 0.5},
        {"f_max_hz": 48, "window_s": 1.0, "overlap": 0.0},
    ],
    "dense": {"growth": 4, "layers": [1, 1], "bottleneck": 2, "stem": {"stride": 1, "pool": 2}, "columns": 6},
    "student": {
        "f_max_hz": 24, "window_s": 1.0, "overlap": 0.5, "widths": [4, 8], "stem": {"stride": 1, "pool": 2}, "columns": 3,
    },
    "distillation": {"soft": 1.0, "feature": 1.0, "temperature": 4.0},
    "learning_rate": 0.01, "batch": 16, "epochs": 3, "patience": 2, "windows_per_epoch": 160, "valid_clips": 60,
}  # fmt: skip

QUICK = {**TINY, "epochs": 2, "windows_per_epoch": 32, "valid_clips": 12}
"""For laws that hold however little was learnt."""


def preset(name: str, which: str) -> dict[str, Any]:
    document = yaml.safe_load((HERE / name / "params.yaml").read_text())
    return {**document["common"], **document["presets"][which]}


def seizure(kind: int, seed: int, seconds: float = 8.0) -> Prepared:
    """The prepared signal of one seizure: noise, and the type's rhythm at a frequency and strength of the patient's own."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    signal = 15 * rng.standard_normal((20, len(t)))
    rhythm_hz, derivations = RHYTHMS[kind]
    signal[derivations] += rng.uniform(25, 50) * np.sin(2 * np.pi * rng.uniform(0.95, 1.05) * rhythm_hz * t)
    return Prepared(TCP_20, float(RATE_HZ), (Segment(100.0, signal.astype(np.float32)),), 1000.0, "0" * 64)


def cohort(detector: TypingDetector, *patients: int) -> Examples:
    """Every third patient has the same type; two seizures each."""
    parts = []
    for patient in patients:
        kind = list(RHYTHMS)[patient % 3]
        for number in range(2):
            made = detector.examples(seizure(kind, 10 * patient + number), f"rec-{patient}", f"sub-{patient}")
            parts.append(replace(made, label=np.full(len(made), kind), event=np.full(len(made), number)))
    return Examples.join(parts)


Fitted = tuple[SeizureNet, dict[str, Any]]


def fit(params: Mapping[str, Any] = QUICK, seed: int = 1, **more: Any) -> Fitted:
    detector = SeizureNet(params)
    log = detector.fit(cohort(detector, *range(6)), cohort(detector, 6, 7, 8), seed=seed, **more)
    return detector, log


@cache
def fitted() -> Fitted:
    return fit(TINY)


@cache
def quick() -> Fitted:
    return fit()


def unseen(detector: TypingDetector) -> Examples:
    return cohort(detector, 9, 10, 11)


def same(one: SeizureNet, other: SeizureNet) -> bool:
    a, b = one.state().tensors, other.state().tensors
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


# What it is given.


def test_clips_are_microvolts_of_the_twenty_derivations_with_their_times() -> None:
    made = SeizureNet(TINY).examples(seizure(ABSZ, 0), "rec", "sub")
    assert made.x.shape == (7, 20, 500) and made.x.dtype == np.float32  # (8 s − 2 s) / 1 s + 1
    assert made.onset_s.tolist() == [100.0 + s for s in range(7)] and made.window_s == 2.0
    np.testing.assert_array_equal(made.x[3], seizure(ABSZ, 0).segments[0].signal[:, 750:1250])


@pytest.mark.parametrize("detector", [SeizureNet(TINY), BandPower(preset("band_power", "demo"))], ids=lambda d: d.name)
def test_a_seizure_shorter_than_a_clip_gives_one_and_one_below_the_limit_is_refused(detector: TypingDetector) -> None:
    assert len(detector.examples(seizure(ABSZ, 0, seconds=1.2))) == 1
    with pytest.raises(Refusal, match=r"longest gapless part of the seizure has 0\.9 s, needed are 1 s") as found:
        detector.examples(seizure(ABSZ, 0, seconds=0.9))
    assert found.value.code == "too_short"
    with pytest.raises(Refusal, match=r"has 0\.0 s"):
        detector.examples(replace(seizure(ABSZ, 0), segments=()))


def test_a_short_seizure_is_mirrored_at_its_end_so_that_its_rhythm_goes_on() -> None:
    short = seizure(ABSZ, 0, seconds=1.2)
    (clip,) = SeizureNet(TINY).examples(short).x
    signal = short.segments[0].signal
    np.testing.assert_array_equal(clip, np.concatenate([signal, signal[:, :-201:-1]], axis=1))


def test_a_clip_never_crosses_a_gap_and_parts_shorter_than_a_clip_are_left_out() -> None:
    signal = seizure(ABSZ, 0).segments[0].signal
    parts = (Segment(100.0, signal[:, :800]), Segment(110.0, signal[:, 800:1000]), Segment(120.0, signal[:, 1000:]))
    made = SeizureNet(TINY).examples(replace(seizure(ABSZ, 0), segments=parts))
    assert made.onset_s.tolist() == [100.0, 101.0, 120.0, 121.0, 122.0]


@pytest.mark.parametrize("rate_hz", [200.0, 250.0, 256.0, 512.0])
def test_a_recording_of_any_usual_rate_gives_the_same_microvolts(rate_hz: float) -> None:
    """10 µV of 60 Hz at one electrode are 10 µV in its derivation, also where half the rate is 100 Hz."""
    detector, t = SeizureNet(TINY), np.arange(round(12 * rate_hz)) / rate_hz
    signal = np.zeros((19, len(t)))
    signal[ELECTRODES.index("T3")] = 10 * np.sin(2 * np.pi * 60 * t)
    prepared = detector.front_end.prepare(Recording(ELECTRODES, rate_hz, (Segment(0.0, signal),), 12.0))
    made = detector.examples(prepared.between(5.0, 11.0), "rec", "sub")
    assert made.x.shape == (5, 20, 500)
    assert made.x[:, TCP_20.index("F7-T3")].std(axis=1) * np.sqrt(2) == pytest.approx(10, rel=0.02)


def test_floor_and_network_share_one_front_end() -> None:
    assert SeizureNet(TINY).front_end == BandPower(preset("band_power", "demo")).front_end


def test_a_recording_too_slow_for_the_band_is_refused() -> None:
    recording = Recording(ELECTRODES, 128.0, (Segment(0.0, np.zeros((19, 1280))),), 10.0)
    with pytest.raises(Refusal, match=r"signals up to 97 Hz are needed, .* above 194 Hz, got 128") as found:
        SeizureNet(TINY).front_end.prepare(recording)
    assert found.value.code == "rate_too_low"


# How it learns.


def test_it_names_the_types_of_patients_it_has_never_seen() -> None:
    detector, _ = fitted()
    data = unseen(detector)
    scores = {"ensemble": detector.score(data), **detector.variants(data)}
    assert list(scores) == [
        "ensemble", "member 1 (24 Hz, 2 s)", "member 2 (24 Hz, 1 s)", "member 3 (48 Hz, 1 s)", DISTILLED, PLAIN,
    ]  # fmt: skip
    right = {name: float(np.mean(score.argmax(axis=1) == data.label)) for name, score in scores.items()}
    assert right["ensemble"] > 0.8 and min(right.values()) > 0.5, right


def test_the_floor_names_them_too() -> None:
    floor = BandPower(preset("band_power", "demo"))
    log = floor.fit(cohort(floor, *range(6)), cohort(floor, 6, 7, 8), seed=1)
    data = unseen(floor)
    assert log["valid_auc"][log["best_epoch"] - 1] > 0.95 and log["classes_seen"] == ["FNSZ", "ABSZ", "TNSZ"]
    assert np.mean(floor.score(data).argmax(axis=1) == data.label) > 0.9
    back = BandPower(floor.params)
    back.load_state(floor.state())
    assert np.array_equal(back.score(data), floor.score(data))


@pytest.mark.parametrize("make", [lambda: fitted()[0], lambda: _fitted_floor()], ids=["seizurenet", "band_power"])
def test_a_type_that_no_training_patient_had_is_never_named(make: Any) -> None:
    detector = make()
    score = detector.score(unseen(detector))
    assert np.allclose(score[:, [GNSZ, CPSZ, TCSZ, SPSZ]], UNSEEN)
    assert (score[:, [FNSZ, ABSZ, TNSZ]] > UNSEEN).all()


def _fitted_floor() -> BandPower:
    floor = BandPower(preset("band_power", "demo"))
    floor.fit(cohort(floor, *range(6)), cohort(floor, 6, 7, 8), seed=1)
    return floor


def test_the_log_says_what_was_learnt_from_and_how_far_each_network_came() -> None:
    detector, log = fitted()
    assert log["classes_seen"] == ["FNSZ", "ABSZ", "TNSZ"]
    assert 0.5 < log["valid_auc"][log["best_epoch"] - 1] <= 1
    assert list(log["parts"]) == [*detector.variants(unseen(detector))]
    for part in log["parts"].values():
        assert len(part["valid_auc"]) == part["epochs"] and 1 <= part["best_epoch"] <= part["epochs"]
        assert all(0 <= reached <= 1 for reached in part["valid_auc"])


@pytest.mark.parametrize("missing", [False, True])
def test_the_ensemble_is_chosen_by_epochs_that_other_inner_patients_call_best(
    missing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of every second inner patient the members said the truth at those epochs (macro AUC 1), of the others the same of every
    clip (0.5). Where one member cannot tell, all inner patients together have to do."""
    number = iter(range(9))

    def fit_member(self: Member, train: Examples, valid: Examples, *_: Any, **__: Any) -> Any:
        assert valid.label is not None
        every_second = np.unique(valid.patient, return_inverse=True)[1] % 2 == 0
        said = np.where(every_second[:, None], np.eye(7)[valid.label], 1 / 7)
        return {"epochs": 1}, None if missing and next(number) == 1 else np.log(np.maximum(said, 1e-9))

    monkeypatch.setattr(Member, "fit", fit_member)
    detector = SeizureNet(QUICK)
    log = detector.fit(cohort(detector, *range(6)), cohort(detector, *range(6, 12)), seed=1)
    assert log["inner_auc"] == (log["valid_auc"][0] if missing else 0.75)


def test_two_fits_with_one_seed_are_the_same_and_another_seed_is_not() -> None:
    assert same(quick()[0], fit()[0])
    assert not same(quick()[0], fit(seed=2)[0])


class Stopped(Exception):
    pass


@pytest.mark.parametrize("after", [1, 5, 7])
def test_training_stopped_in_any_network_and_resumed_ends_bit_equal(
    after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With two epochs each: in the first member, in the third, and in the distilled student."""
    monkeypatch.setattr(training, "SAVE_EVERY_S", 0.0)
    calls = []

    def stop(epoch: int, epochs: int, reached: float) -> None:
        calls.append((epoch, epochs))
        if len(calls) == after:
            raise Stopped

    with pytest.raises(Stopped):
        fit(checkpoint=tmp_path / "run.pt", progress=stop)
    assert calls == [(n, 10) for n in range(1, after + 1)] and list(tmp_path.iterdir())
    calls.clear()
    resumed, log = fit(checkpoint=tmp_path / "run.pt", progress=lambda *a: calls.append(a[:2]))
    assert calls == [(n, 10) for n in range(after + 1, 11)]
    whole, log_of_whole = quick()
    assert same(resumed, whole) and log == log_of_whole
    assert list(tmp_path.iterdir()) == [tmp_path / "run.pt"]
    calls.clear()
    again, log = fit(checkpoint=tmp_path / "run.pt", progress=lambda *a: calls.append(a[:2]))
    assert same(again, whole) and log == log_of_whole and not calls


# What stands beside the answer.


def test_the_ensemble_answers_with_the_mean_of_its_members_probabilities() -> None:
    detector, _ = quick()
    data = unseen(detector)
    members = [score for name, score in detector.variants(data).items() if name.startswith("member")]
    np.testing.assert_allclose(np.exp(detector.score(data)), np.mean(np.exp(members), axis=0), atol=1e-12)
    np.testing.assert_allclose(np.exp(detector.score(data)).sum(axis=1), 1, atol=1e-9)


def test_a_member_answers_with_the_mean_over_the_windows_of_a_clip() -> None:
    detector, _ = quick()
    clips, member = unseen(detector).x[:5], detector.members["member 2 (24 Hz, 1 s)"]
    features, log = member.look(clips)
    parts = [member.look(np.ascontiguousarray(clips[:, :, start : start + 250])) for start in (0, 125, 250)]
    np.testing.assert_allclose(np.exp(log), np.mean([np.exp(part[1]) for part in parts], axis=0), atol=1e-6)
    np.testing.assert_allclose(features, np.mean([part[0] for part in parts], axis=0), atol=1e-5)


def test_a_clip_is_scored_alike_alone_and_in_company() -> None:
    detector, _ = quick()
    data = unseen(detector)
    together = {"ensemble": detector.score(data), **detector.variants(data)}
    for index in (0, len(data) - 1):
        one = data.take(np.array([index]))
        for name, score in {"ensemble": detector.score(one), **detector.variants(one)}.items():
            np.testing.assert_allclose(score[0], together[name][index], atol=1e-4)


def test_a_rebuilt_detector_scores_bit_equally() -> None:
    detector, _ = quick()
    data, back = unseen(detector), SeizureNet(QUICK)
    assert not same(detector, back)
    back.load_state(detector.state())
    assert same(detector, back)
    for name, score in {"ensemble": detector.score(data), **detector.variants(data)}.items():
        assert np.array_equal(score, {"ensemble": back.score(data), **back.variants(data)}[name])


def test_both_students_are_of_one_size_and_cost_less_than_the_ensemble() -> None:
    detector, _ = quick()
    costs = detector.costs(unseen(detector), repeats=1)
    distilled, plain, whole = costs[DISTILLED], costs[PLAIN], costs["answer"]
    assert (distilled.parameters, distilled.megabytes) == (plain.parameters, plain.megabytes)
    assert whole.parameters == sum(c.parameters for name, c in costs.items() if name.startswith("member"))
    assert distilled.parameters < whole.parameters and distilled.ms_per_clip > 0


# Distillation.


def test_distillation_without_weight_is_plain_teaching_bit_for_bit() -> None:
    detector, log = fit({**QUICK, "distillation": {"soft": 0.0, "feature": 0.0, "temperature": 4.0}})
    state = detector.state().tensors
    for key in (k for k in state if k.startswith("student.")):
        assert np.array_equal(state[key], state[key.replace("student.", "student_plain.")]), key
    assert log["parts"][DISTILLED] == log["parts"][PLAIN]


@pytest.mark.parametrize("weights", [{"soft": 1.0, "feature": 0.0}, {"soft": 0.0, "feature": 1.0}])
def test_each_part_of_the_lesson_changes_the_student_and_nothing_else(weights: dict[str, float]) -> None:
    taught, log = fit({**QUICK, "distillation": {**weights, "temperature": 4.0}})
    mine, whole = taught.state().tensors, quick()[0].state().tensors
    assert all(np.array_equal(mine[k], whole[k]) for k in mine if not k.startswith("student."))
    assert any(
        not np.array_equal(mine[k], mine[k.replace("student.", "student_plain.")])
        for k in mine
        if k.startswith("student.")
    )
    assert log["parts"][DISTILLED]["epochs"] == log["parts"][PLAIN]["epochs"] == QUICK["epochs"]


def lesson_of(soft: float, feature: float, log_probability: torch.Tensor, temperature: float = 2.0) -> float:
    """What a lesson adds to the cross-entropy of a student of two clips."""
    torch.manual_seed(0)
    network = SeizureNet(TINY).students[PLAIN].network
    learner, images, label = Learner(network, 3), torch.rand(2, 3, 20, 24), torch.tensor([FNSZ, ABSZ])
    teacher = np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
    loss = lesson_loss(learner, Lesson(soft, feature, temperature), teacher, log_probability.numpy())
    plain = F.cross_entropy(network(images), label)
    return float((loss(np.array([0, 1]), images, label) - plain).detach())


def test_a_teacher_of_the_students_own_mind_adds_nothing_and_another_its_divergence() -> None:
    torch.manual_seed(0)
    network = SeizureNet(TINY).students[PLAIN].network
    Learner(network, 3)
    logits = network(torch.rand(2, 3, 20, 24)).detach().double()
    assert lesson_of(1.0, 0.0, torch.log_softmax(logits, dim=1)) == pytest.approx(0, abs=1e-5)
    even = torch.full((2, 7), -np.log(7))
    softened = torch.softmax(logits / 2, dim=1)
    expected = 2**2 * float((1 / 7 * (np.log(1 / 7) - softened.log())).sum(dim=1).mean())  # T² · KL(teacher ‖ student)
    assert lesson_of(1.0, 0.0, even) == pytest.approx(expected, rel=1e-3)
    assert lesson_of(2.0, 0.0, even) == pytest.approx(2 * expected, rel=1e-3)


def test_features_are_matched_in_units_of_their_own_spread() -> None:
    """Standardised, the teacher's features are −1 0 1 and 1 0 −1: their mean square is 2/3, and a student at 0 is that far."""
    torch.manual_seed(0)
    network = SeizureNet(TINY).students[PLAIN].network
    learner = Learner(network, 3)
    for parameter in learner.translate.parameters():
        torch.nn.init.zeros_(parameter)
    teacher = np.array([[10.0, 5.0, 300.0], [30.0, 5.0, 100.0]])
    images, label = torch.rand(2, 3, 20, 24), torch.tensor([FNSZ, ABSZ])
    loss = lesson_loss(learner, Lesson(0.0, 1.0, 2.0), teacher, np.full((2, 7), -np.log(7)))
    plain = F.cross_entropy(network(images), label)
    assert float((loss(np.array([0, 1]), images, label) - plain).detach()) == pytest.approx(2 / 3, rel=1e-4)


# What the presets and the cards state.


def dense_parameters(growth: int, layers: list[int], bottleneck: int, columns: int, types: int = 7) -> int:
    width, total = 2 * growth, 3 * 9 * 2 * growth  # stem: 3 maps, 3 × 3
    for number, depth in enumerate(layers):
        if number:
            total += 2 * width + width * (width // 2)  # transition: scale and shift, 1 × 1
            width //= 2
        for _ in range(depth):
            inner = bottleneck * growth
            total += 2 * width + width * inner + 2 * inner + inner * 9 * growth
            width += growth
    return total + 2 * width + width * columns * types + types


def residual_parameters(widths: list[int], columns: int, types: int = 7) -> int:
    total = 3 * 9 * widths[0] + 2 * widths[0]
    for before, width in zip([widths[0], *widths[:-1]], widths, strict=True):
        total += before * 9 * width + 2 * width + width * 9 * width + 2 * width
        total += before * width + 2 * width if before != width else 0
    return total + widths[-1] * columns * types + types


def test_the_paper_preset_has_the_size_that_its_numbers_give_and_every_weight_learns() -> None:
    p = preset("seizurenet", "paper")
    detector = SeizureNet(p)
    clips = 20 * np.random.default_rng(0).standard_normal((2, 20, 2000)).astype(np.float32)
    assert dense_parameters(24, [4, 6, 8], 4, 1) == 676_195 and residual_parameters([16, 32, 64], 1) == 77_847
    for name, member in {**detector.members, DISTILLED: detector.students[DISTILLED]}.items():
        network = member.network.train()
        wanted = 77_847 if name == DISTILLED else 676_195
        assert sum(q.numel() for q in network.parameters()) == wanted, name
        images = member.draw(clips)
        assert images.shape == (2, 3, 20, 192)  # 24 Hz · 8 s = 48 Hz · 4 s = 96 Hz · 2 s
        assert network.embed(images).shape == (2, 64 if name == DISTILLED else 300)
        F.cross_entropy(network(images), torch.tensor([FNSZ, SPSZ])).backward()
        assert all(q.grad is not None and q.grad.abs().sum() > 0 for q in network.parameters()), name


def test_the_demo_preset_builds_and_scores() -> None:
    p = preset("seizurenet", "demo")
    detector = SeizureNet(p)
    counts = {name: sum(q.numel() for q in m.network.parameters()) for name, m in detector.members.items()}
    dense = {k: p["dense"][k] for k in ("growth", "layers", "bottleneck", "columns")}
    assert set(counts.values()) == {dense_parameters(**dense)}
    made = detector.examples(seizure(ABSZ, 0))
    assert detector.score(made).shape == (len(made), 7)


@pytest.mark.parametrize("which", ["demo", "paper"])
def test_no_member_needs_a_longer_clip_or_a_higher_band_than_there_is(which: str) -> None:
    p = preset("seizurenet", which)
    settings = [*p["members"], p["student"]]
    assert len(p["members"]) == 3 and len({(m["f_max_hz"], m["window_s"]) for m in p["members"]}) == 3
    assert all(s["window_s"] <= p["window_s"] and s["f_max_hz"] in (24, 48, 64, 96) for s in settings)
    assert max(s["f_max_hz"] for s in settings) <= SeizureNet(p).front_end.band_hz[1]


@pytest.mark.parametrize("kind", [SeizureNet, BandPower])
def test_the_card_states_what_the_detector_is(kind: type[TypingDetector]) -> None:
    header = yaml.safe_load((HERE / kind.name / "card.md").read_text().split("---")[1])
    assert (header["task"], header["modality"], header["montage"]) == (kind.task, kind.modality, kind.contract.montage)
    assert tuple(header["classes"]) == kind.classes and set(kind.classes) <= set(TUH_TYPES)


def test_softmax_regression_finds_the_weights_that_made_the_labels() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([np.ones((20_000, 1)), rng.standard_normal((20_000, 2))], axis=1)
    true = np.array([[0.0, 0.5, -0.5], [1.0, -1.0, 0.0], [0.0, 0.5, -0.5]])
    chance = np.exp(x @ true)
    chance /= chance.sum(axis=1, keepdims=True)
    label = (rng.random((20_000, 1)) > chance.cumsum(axis=1)).sum(axis=1)
    found = fit_softmax(x, label, np.full(20_000, 1 / 20_000), 3, ridge=1e-6)
    np.testing.assert_allclose(found - found.mean(axis=1, keepdims=True), true, atol=0.06)


def test_a_heavier_ridge_makes_smaller_weights() -> None:
    x = np.array([[1.0, 1.0], [1.0, -1.0]])
    weak, strong = (fit_softmax(x, np.array([0, 1]), np.full(2, 0.5), 2, ridge) for ridge in (0.01, 1.0))
    assert abs(strong[1]).max() < abs(weak[1]).max()


def test_macro_auc_is_the_mean_over_the_classes_that_are_there() -> None:
    """Class 0 against the rest: 2 of 2 pairs in order; class 2 against the rest: 1 of 2."""
    score = np.array([[0.9, 0.0, 0.1], [0.2, 0.0, 0.1], [0.1, 0.0, 0.1]])
    label = np.array([0, 2, 2])
    assert macro_auc(score, label) == pytest.approx((1.0 + 0.5) / 2)
    assert np.isnan(macro_auc(score, np.zeros(3, dtype=int)))


def test_a_member_draws_every_window_of_a_clip() -> None:
    member: Member = SeizureNet(TINY).members["member 2 (24 Hz, 1 s)"]
    clips = np.repeat(seizure(ABSZ, 0, 2.0).segments[0].signal[None], 60, axis=0)
    torch.manual_seed(0)
    drawn = member.draw(clips).numpy()
    (windows,) = member.images(clips[:1])
    which = [int(np.abs(windows - image).sum(axis=(1, 2, 3)).argmin()) for image in drawn]
    assert set(which) == {0, 1, 2}
    for image, number in zip(drawn, which, strict=True):
        np.testing.assert_allclose(image, windows[number], atol=1e-6)
