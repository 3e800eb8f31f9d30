"""The forecaster: what is hidden from it and how it learns, before patients and with them."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data.events import Annotations, Event
from data.film import Film
from data.outcomes import Refusal
from data.readers.video import read_film
from data.readers.video_writer import write_video
from lineage.digest import sha256_file
from models import detectors
from models.detector import Examples, Lesson
from models.detectors.forecaster import Forecaster
from models.detectors.forecaster.lessons import draw
from models.detectors.forecaster.probe import PROBE
from models.detectors.forecaster.snippets import pixels, times_of_stretch
from models.layers.r2plus1d import WeightsRefused
from models.layers.videomae import (
    ClipClassifier,
    MaskedAutoencoder,
    Trunk,
    VideoShape,
    cubes_of,
    load_published,
    tube_masks,
)
from models.offset import offset_of
from models.training import auc
from tests import SHARED, needs_shared

TINY: dict[str, Any] = {
    **detectors.params_of("forecaster", "demo"),
    "size_px": 32, "patch_px": 16, "frames": 8, "tubelet": 4, "step_s": 0.5,
    "encoder": {"width": 24, "layers": 2, "heads": 2, "hidden": 48},
    "decoder": {"width": 16, "layers": 1, "heads": 2, "hidden": 32},
    "pretraining": {
        "contents": ["rodentseizure", "human"], "mask_ratio": 0.3, "clips_per_lesson": 2, "steps": 30, "batch": 8,
        "learning_rate": 0.003,
    },
    "learning_rate": 0.003, "batch": 16, "epochs": 4, "windows_per_epoch": 160,
}  # fmt: skip
SHAPE = VideoShape(32, 16, 8, 4, 1)
TRUNK = Trunk(24, 2, 2, 48)


def clip(fidgets: bool, seed: int, frames: int = 8, size: int = 32) -> np.ndarray:
    """A still person in a noisy room, whose hand moves to and fro, quickly before a seizure and slowly else."""
    rng = np.random.default_rng(seed)
    room = rng.uniform(40, 120, (size, size))
    film = np.repeat(room[None], frames, axis=0) + 5 * rng.standard_normal((frames, size, size))
    row, column = rng.integers(8, size - 12, 2)
    for number in range(frames):
        sway = round(3 * np.sin((3.0 if fidgets else 0.7) * number + seed))
        film[number, row : row + 5, column + sway : column + sway + 5] = 220
    return np.clip(film, 0, 255).astype(np.uint8)


def cohort(*patients: int, clips: int = 12, cue: bool = True) -> Examples:
    x = np.stack([clip(cue and number % 2 == 1, 100 * p + number) for p in patients for number in range(clips)])
    label = np.tile(np.arange(clips) % 2, len(patients)).astype(np.int8)
    who = np.repeat([f"sub-{p}" for p in patients], clips)
    return Examples(x, np.arange(len(x), dtype=float), who, who, 4.0, label, np.tile(np.arange(clips), len(patients)))


def of_lessons(seed: int = 1, **changed: Any) -> tuple[Forecaster, dict[str, Any]]:
    detector = Forecaster({**TINY, "pretraining": {**TINY["pretraining"], **changed}})
    clips = cohort(50, 51, 52).x
    content = np.where(np.arange(len(clips)) % 3, "human", "rodentseizure")
    return detector, detector.pretrain_on(clips, content, seed=seed)


@cache
def fitted() -> tuple[Forecaster, dict[str, Any]]:
    detector, _ = of_lessons()
    return detector, detector.fit(cohort(*range(8)), cohort(8, 9, 10), seed=1)


def same(one: Forecaster, other: Forecaster) -> bool:
    a, b = one.state().tensors, other.state().tensors
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


# Tubes.


@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.3, 0.75, 0.9, 1.0])
def test_a_tube_hides_the_same_places_at_every_moment_and_as_many_in_every_clip(ratio: float) -> None:
    shape = VideoShape(64, 16, 16, 2, 1)
    hidden = tube_masks(5, shape, ratio, np.random.default_rng(0))
    assert hidden.shape == (5, shape.cubes) == (5, 8 * 16) and hidden.dtype == torch.bool
    of_moment = hidden.reshape(5, 8, 16)
    assert (of_moment == of_moment[:, :1]).all()
    assert set(of_moment.sum(dim=2).unique().tolist()) == {min(max(round(ratio * 16), 1), 15)}
    assert len({tuple(row.tolist()) for row in hidden}) > 1


def test_cubes_lie_moment_by_moment_and_row_by_row() -> None:
    shape = VideoShape(32, 16, 4, 2, 1)
    number = torch.arange(8).reshape(2, 1, 1, 2, 1, 2, 1).expand(2, 2, 1, 2, 16, 2, 16).reshape(1, 4, 1, 32, 32)
    assert cubes_of(number, shape)[0].unique(dim=1)[:, 0].tolist() == [0, 1, 2, 3, 4, 5, 6, 7]


def test_a_clip_that_cannot_be_cut_into_cubes_is_refused() -> None:
    with pytest.raises(ValueError, match="must divide into cubes of 16 px"):
        VideoShape(size_px=60)


def test_the_drawing_of_hidden_cubes_does_not_depend_on_what_was_hidden() -> None:
    torch.manual_seed(0)
    network, clips = MaskedAutoencoder(SHAPE, TRUNK, Trunk(16, 1, 2, 32)).eval(), torch.rand(2, 8, 1, 32, 32)
    hidden = tube_masks(2, SHAPE, 0.5, np.random.default_rng(0))
    place = hidden.reshape(2, 2, 2, 1, 2, 1).expand(2, 2, 2, 16, 2, 16).reshape(2, 2, 1, 32, 32)
    covered = torch.where(place.repeat_interleave(4, dim=1), torch.zeros(()), clips)
    assert not torch.equal(covered, clips)
    torch.testing.assert_close(network(covered, hidden), network(clips, hidden))


# What `transformers` says of the same weights.


def theirs(kind: str, **more: Any) -> Any:
    videomae = pytest.importorskip("transformers.models.videomae.modeling_videomae")
    config = videomae.VideoMAEConfig(
        image_size=32, patch_size=16, num_channels=3, num_frames=8, tubelet_size=4, hidden_size=24,
        num_hidden_layers=2, num_attention_heads=2, intermediate_size=48, decoder_hidden_size=16,
        decoder_num_hidden_layers=1, decoder_num_attention_heads=2, decoder_intermediate_size=32, norm_pix_loss=False,
        **more,
    )  # fmt: skip
    return getattr(videomae, kind)(config).eval()


def test_names_hidden_cubes_and_loss_are_those_of_transformers() -> None:
    reference = theirs("VideoMAEForPreTraining")
    shape = replace(SHAPE, channels=3)
    ours = MaskedAutoencoder(shape, TRUNK, Trunk(16, 1, 2, 32))
    ours.load_state_dict(reference.state_dict())
    clips = torch.rand(3, 8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    hidden = tube_masks(3, shape, 0.5, np.random.default_rng(0))
    mean, spread = (torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    scaled = (clips - mean) / spread
    made = reference(scaled, bool_masked_pos=hidden)
    torch.testing.assert_close(ours(scaled, hidden), made.logits)
    wanted = cubes_of(clips, shape)[hidden].reshape(3, -1, shape.pixels)
    torch.testing.assert_close(((made.logits - wanted) ** 2).mean(), made.loss)


def test_a_classifier_answers_as_that_of_transformers_does() -> None:
    reference = theirs("VideoMAEForVideoClassification", num_labels=5)
    shape = replace(SHAPE, channels=3)
    ours = ClipClassifier(shape, TRUNK, 5).eval()
    ours.load_state_dict(reference.state_dict())
    clips = torch.rand(3, 8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(ours(clips), reference(clips).logits)


# Published weights.


@pytest.mark.parametrize("old", [False, True], ids=["today's names", "the old names"])
def test_published_weights_load_under_both_names_of_the_biases(old: bool, tmp_path: Path) -> None:
    torch.manual_seed(3)
    weights = MaskedAutoencoder(SHAPE, TRUNK, Trunk(16, 1, 2, 32)).state_dict()
    names = {".query.bias": ".q_bias", ".value.bias": ".v_bias"} if old else {}
    for today, then in names.items():
        weights = {k.replace(today, then): v for k, v in weights.items()}
    assert any(k.endswith("q_bias") for k in weights) == old
    torch.save({**weights, "surplus.weight": torch.zeros(1)}, tmp_path / "pytorch_model.bin")
    detector = Forecaster(TINY)
    loaded = detector.start_from(tmp_path)
    assert loaded.missing == () and loaded.unexpected == ("surplus.weight",)
    detector.begin(seed=0)
    own = detector.network.state_dict()
    assert torch.equal(own["videomae.embeddings.patch_embeddings.projection.weight"],
                       weights["videomae.embeddings.patch_embeddings.projection.weight"])  # fmt: skip


def test_with_weights_named_in_its_parameters_pre_training_begins_there(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    file = tmp_path / "model.safetensors"
    save_file(MaskedAutoencoder(SHAPE, TRUNK, Trunk(16, 1, 2, 32)).state_dict(), file)
    clips, content = cohort(50).x, np.full(12, "human")
    made = {}
    for weights in ("", str(file)):
        detector = Forecaster({**TINY, "weights": weights, "pretraining": {**TINY["pretraining"], "steps": 1}})
        log, state = detector.pretrain_on(clips, content, seed=1), detector.pretrained()
        made[weights] = log, state.tensors, state.settings
    assert "begun_with" not in made[""][0]
    assert made[str(file)][0]["begun_with"] == {"missing": (), "unexpected": ()}
    settings = made[str(file)][2]
    assert (settings["published"], settings["published_digest"]) == ("model.safetensors", sha256_file(file))
    assert settings["steps"] == 1 and "published" not in made[""][2]
    name = "videomae.embeddings.patch_embeddings.projection.weight"
    assert not np.array_equal(made[""][1][name], made[str(file)][1][name])


def test_fault_weights_that_lack_part_of_the_encoder_are_no_beginning(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    whole = MaskedAutoencoder(SHAPE, TRUNK, Trunk(16, 1, 2, 32)).state_dict()
    encoder = {k: v for k, v in whole.items() if k.startswith("videomae.")}
    save_file(encoder, tmp_path / "encoder.safetensors")
    assert Forecaster(TINY).start_from(tmp_path / "encoder.safetensors").missing
    for name, kept in (("part", dict(list(encoder.items())[1:])), ("other", {"fc.weight": torch.zeros(2)})):
        save_file(kept, file := tmp_path / f"{name}.safetensors")
        lacks = len(encoder) if name == "other" else 1
        with pytest.raises(WeightsRefused, match=f"{name}.safetensors lacks {lacks} of the {len(encoder)} weights"):
            Forecaster(TINY).start_from(file)


def test_a_file_of_weights_says_what_it_lacks_and_one_of_another_size_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    weights = ClipClassifier(SHAPE, TRUNK, 400).state_dict()
    kept = {k: v for k, v in weights.items() if "layer.1" not in k and not k.startswith("classifier")}
    save_file(kept, tmp_path / "model.safetensors")
    loaded = load_published(ClipClassifier(SHAPE, TRUNK, 1), tmp_path / "model.safetensors")
    assert loaded.unexpected == () and {"classifier.bias", "classifier.weight"} < set(loaded.missing)
    with pytest.raises(WeightsRefused, match=r"projection.weight is \(24, .*\) in the file, needed is \(48, "):
        load_published(ClipClassifier(SHAPE, Trunk(48, 2, 2, 48), 1), tmp_path)
    with pytest.raises(WeightsRefused, match=r"give a \.safetensors or \.bin file"):
        load_published(ClipClassifier(SHAPE, TRUNK, 1), tmp_path / "none.bin")


def test_the_paper_preset_is_videomae_base_and_learns_in_one_step() -> None:
    params = detectors.params_of("forecaster", "paper")
    shape, trunk = VideoShape(224, 16, 16, 2, 3), Trunk(**params["encoder"])
    with torch.device("meta"):
        decoder, network = Trunk(**params["decoder"]), ClipClassifier(shape, trunk, 1)
        whole = MaskedAutoencoder(shape, trunk, decoder)
    assert shape.cubes == 8 * 14 * 14 == 1568
    encoder = 768 * 3 * 2 * 16 * 16 + 768 + 12 * layer_of(768, 3072)
    drawing = 768 * 384 + 384 + 4 * layer_of(384, 1536) + 2 * 384 + 385 * 2 * 16 * 16 * 3
    assert count(network.videomae) == encoder == 86_225_664
    assert count(network) == encoder + 2 * 768 + 769 and count(whole) == encoder + drawing == 94_209_408
    # one step of the whole autoencoder of one clip of which all places but one are hidden: quick, and of full size
    torch.manual_seed(0)
    made = MaskedAutoencoder(shape, trunk, decoder)
    loss = made.loss(torch.rand(1, 16, 3, 224, 224), tube_masks(1, shape, 1.0, np.random.default_rng(0)))
    loss.backward()  # type: ignore[no-untyped-call]
    assert torch.isfinite(loss) and all(p.grad is not None for p in made.parameters())


def layer_of(width: int, hidden: int) -> int:
    """Four maps of which the keys' has no bias, two linear layers, two norms."""
    return 4 * width**2 + 3 * width + 2 * width * hidden + hidden + width + 4 * width


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


# What it is asked and shown.


def test_a_clip_is_preictal_where_a_seizure_begins_within_the_horizon_of_its_end() -> None:
    detector = detectors.build("forecaster")
    assert isinstance(detector, Forecaster)
    truth = Annotations((Event(40.0, 6.0),), 80.0)
    found = {one.end_s: detector.classes[one.label or 0] for one in detector.stretches(truth)}
    # Clips of 4 s end every 2.5 s from 4 s on. Onset at 40 s, horizon 5 s: ends at 36.5 and 39.
    # Interictal: ends before 25 (15 s apart), and begins after 46 + 15 = 61 s: ends from 66.5 on.
    assert [end for end, label in found.items() if label == "preictal"] == [36.5, 39.0]
    assert [end for end, label in found.items() if label == "interictal"] == [
        4.0, 6.5, 9.0, 11.5, 14.0, 16.5, 19.0, 21.5, 24.0, 66.5, 69.0, 71.5, 74.0, 76.5, 79.0,
    ]  # fmt: skip


def test_blindly_it_is_asked_about_every_clip_of_the_grid_under_the_same_numbers_and_about_the_last() -> None:
    detector = Forecaster(TINY)
    truth = Annotations((Event(40.0, 6.0),), 80.0)
    asked = {one.number: one for one in detector.asked(80.0)}
    assert all(replace(one, label=None) == asked[one.number] for one in detector.stretches(truth))
    assert asked[max(asked)].end_s == 80.0 and [one.end_s for one in detector.asked(9.0)] == [4.0, 6.5, 9.0]
    assert detector.asked(3.9) == [] and len(detector.asked(4.0)) == 1


def test_forecaster_and_floor_ask_about_the_same_clips() -> None:
    truth = Annotations((Event(40.0, 6.0),), 80.0)
    for preset in ("demo", "paper"):
        ours, floor = (detectors.build(name, preset=preset) for name in ("forecaster", "recent_motion"))
        assert ours.stretches(truth) == floor.stretches(truth) != []  # type: ignore[attr-defined]


def test_looks_lie_evenly_in_a_clip_and_never_outside_of_it() -> None:
    whole = times_of_stretch(10.0, 14.0, 16, 0.25, 1)
    assert whole.shape == (1, 16) and whole[0, 0] == 10.125 and whole[0, -1] == 13.875
    looks = times_of_stretch(10.0, 15.0, 16, 1 / 15, 3)
    assert looks.shape == (3, 16) and looks[0, 0] > 10 and looks[-1, -1] < 15
    np.testing.assert_allclose(np.diff(looks[:, 0]), (5 - 16 / 15) / 2)


def test_of_a_scene_that_stands_still_nothing_is_left() -> None:
    still = np.repeat(clip(True, 0)[:1], 8, axis=0)[None]
    assert pixels(still, True, 0.1).shape == (1, 8, 1, 32, 32) and float(pixels(still, True, 0.1).abs().max()) < 1e-5
    assert pixels(np.repeat(still[..., None], 3, axis=-1), False, 1.0).shape == (1, 8, 3, 32, 32)


def filmed(folder: Path, seconds: float = 6.0, views: int = 1) -> Film:
    paths = [folder / f"sub-1_task-rest_view-{v}_video.mp4" for v in range(views)]
    for number, path in enumerate(paths):
        write_video(path, clip(True, number, round(8 * seconds)), rate_hz=8.0)
    return read_film(paths, age_days=9000.0)


def test_every_view_of_a_film_makes_a_clip_and_a_stretch_that_holds_none_is_refused(tmp_path: Path) -> None:
    detector = Forecaster(TINY)
    prepared = detector.front_end.prepare(filmed(tmp_path, views=2))
    made = detector.examples(prepared.between(1.0, 5.0), "rec", "sub")
    assert made.x.shape == (2, 8, 32, 32) and made.x.dtype == np.uint8 and made.onset_s.tolist() == [1.0, 1.0]
    with pytest.raises(Refusal, match=r"the clip has 3\.9 s, needed are 4 s") as found:
        detector.examples(prepared.between(1.0, 4.9))
    assert found.value.code == "too_short"


# Learning before patients.


def test_pre_training_lowers_the_loss_where_what_is_seen_tells_of_what_is_hidden() -> None:
    """A light that comes and goes over the whole picture."""
    rng = np.random.default_rng(0)
    light = np.sin(rng.uniform(0, 6, (48, 1)) + rng.uniform(0.5, 3, (48, 1)) * np.arange(8))
    clips = (120 + 80 * light[:, :, None, None] * np.ones((32, 32))).astype(np.uint8)
    detector = Forecaster({**TINY, "pretraining": {**TINY["pretraining"], "steps": 250}})
    log = detector.pretrain_on(clips, np.array(["human"] * 48), seed=1)
    assert log["loss"][-1] < 0.75 * log["loss"][0]


def test_pre_training_says_what_it_learnt_from() -> None:
    _, log = of_lessons(steps=20)
    assert log["contents"] == ["human", "rodentseizure"] and log["clips"] == {"human": 24, "rodentseizure": 12}
    assert log["mask_ratio"] == 0.3 and log["steps"] == 20 and len(log["loss"]) == 10


def test_pre_training_with_one_seed_is_the_same_and_with_another_is_not() -> None:
    one, again, other = (of_lessons(seed, steps=3)[0].pretrained().tensors for seed in (1, 1, 2))
    assert all(np.array_equal(one[k], again[k]) for k in one)
    assert not all(np.array_equal(one[k], other[k]) for k in one)


def test_a_content_with_fewer_clips_is_learnt_from_as_often() -> None:
    content = np.array(["human"] * 90 + ["rodentseizure"] * 10)
    drawn = content[draw(content, 2000, np.random.default_rng(0))]
    assert abs((drawn == "human").mean() - 0.5) < 0.05


def test_only_lessons_of_the_stated_contents_are_looked_at(tmp_path: Path) -> None:
    detector = Forecaster(TINY)
    prepared = detector.front_end.prepare(filmed(tmp_path))
    lessons = [Lesson(prepared, content, f"rec-{content}", "r1") for content in ("rodentseizure", "walk")]
    assert detector.pretrain(lessons, seed=1)["clips"] == {"rodentseizure": 2}
    with pytest.raises(ValueError, match="no lesson holds any of rodentseizure, human"):
        detector.pretrain(lessons[1:], seed=1)


@needs_shared
def test_a_real_mouse_goes_through_pre_training() -> None:
    detector = Forecaster({**TINY, "pretraining": {**TINY["pretraining"], "steps": 6, "contents": ["rodentnormal"]}})
    film = read_film([SHARED / "rodent_video" / "m3v1mp4.mp4"])
    log = detector.pretrain([Lesson(detector.front_end.prepare(film), "rodentnormal", "m3v1", "mouse")], seed=1)
    assert log["clips"] == {"rodentnormal": 2} and np.isfinite(log["loss"]).all()


def test_what_was_pre_trained_is_where_every_fold_begins() -> None:
    taught, _ = of_lessons(steps=3)
    fold, blank = Forecaster(TINY), Forecaster(TINY)
    fold.load_pretrained(taught.pretrained())
    for one in (fold, blank):
        one.begin(seed=5)
    learnt = taught.pretrained().tensors
    assert all(np.array_equal(fold.network.state_dict()[k].numpy(), learnt[k]) for k in learnt)
    assert not all(np.array_equal(blank.network.state_dict()[k].numpy(), learnt[k]) for k in learnt)
    assert torch.equal(fold.network.classifier.weight, blank.network.classifier.weight)


# Learning from patients.


def test_it_foresees_in_patients_it_has_never_seen() -> None:
    detector, log = fitted()
    unseen = cohort(20, 21, 22, 23)
    assert unseen.label is not None
    assert auc(detector.score(unseen)[:, 1], unseen.label) > 0.8
    assert log["classes_seen"] == ["interictal", "preictal"] and log["pretraining"]["mask_ratio"] == 0.3


def test_without_a_cue_nothing_is_foreseen() -> None:
    detector = Forecaster({**TINY, "epochs": 2})
    detector.fit(cohort(*range(6), cue=False), cohort(6, 7, cue=False), seed=1)
    unseen = cohort(*range(20, 28), clips=20, cue=False)
    assert unseen.label is not None
    assert abs(auc(detector.score(unseen)[:, 1], unseen.label) - 0.5) < 0.15  # 80 against 80: SD 0.046


def test_it_warns_at_its_best_whatever_the_network_holds_likely() -> None:
    """A bias of the head moves every logit; the inner patients' threshold moves with it, so what is foretold stays."""
    detector, inner = fitted()[0], cohort(8, 9, 10)
    assert inner.label is not None
    foretold = detector.score(inner)[:, 1] > 0
    assert detector.offset != 0 and 0 < foretold.mean() < 1
    margin = detector.score(inner)[:, 1] - detector.offset
    for bias in (-5.0, 5.0):
        assert ((margin + bias + offset_of("forecasting", margin + bias, inner.label) > 0) == foretold).all()


def test_two_fits_with_one_seed_are_the_same() -> None:
    quick = {**TINY, "epochs": 1, "windows_per_epoch": 32}

    def fit(seed: int) -> Forecaster:
        detector = Forecaster(quick)
        detector.fit(cohort(0, 1), cohort(2), seed=seed)
        return detector

    one, again, other = fit(1), fit(1), fit(2)
    assert same(one, again) and not same(one, other)


def test_a_rebuilt_forecaster_scores_bit_equally_and_its_probe_too() -> None:
    detector, _ = fitted()
    back = Forecaster(TINY)
    back.load_state(detector.state())
    data = cohort(30, 31)
    assert same(detector, back) and np.array_equal(detector.score(data), back.score(data))
    assert list(detector.variants(data)) == [PROBE]
    assert np.array_equal(detector.variants(data)[PROBE], back.variants(data)[PROBE])
    assert back.state().settings == detector.state().settings


def test_a_clip_is_scored_alike_alone_and_in_company() -> None:
    detector, _ = fitted()
    data = cohort(30, 31, 32, 33, 34, 35)
    for score in (detector.score, lambda e: detector.variants(e)[PROBE]):
        together = score(data)
        for at in (0, len(data) - 1):
            np.testing.assert_allclose(score(data.take(np.array([at])))[0], together[at], atol=1e-5)


def test_a_handful_of_clips_changes_all_of_the_network() -> None:
    detector, few = Forecaster(TINY), cohort(1, clips=4)
    assert few.label is not None
    detector.begin(seed=0)
    before = {k: v.clone() for k, v in detector.network.state_dict().items()}
    detector.fine_tune(few.x, few.label, steps=3, learning_rate=0.001)
    after = detector.network.state_dict()
    assert not any(torch.equal(before[k], after[k]) for k in ("classifier.weight", next(iter(before))))
