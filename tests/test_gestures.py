"""GESTURES and its floor: what is looked at, what is learnt before, what stands beside the answer, and what is kept."""

import multiprocessing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from data.events import Annotations, Event
from data.film_frontend import FilmFrontEnd
from data.outcomes import Refusal
from data.seizure_types import semiology_type
from models import detectors
from models.detector import UNSEEN, Examples, Lesson
from models.detectors import gestures
from models.detectors.gestures import MEAN, RANDOM, SHUFFLED, WHOLE, Gestures
from models.detectors.gestures.aggregation import Aggregator, Sampling, likelihood, orders_of
from models.detectors.motion_energy import MotionEnergy
from models.features_cache import FOLDER, kept
from models.probe import Probe
from models.semiology import FilmTyping
from models.snippets import Grid, blindness, motion_energy
from models.typing import ANSWER, TypingBundle, clip_probabilities, load_typing, save_typing
from tests.drawn_films import DrawnFilm, drawn, drifting, film, shaking

FOS, FBTCS = 0, 1
SECONDS = 20.0
TINY = {
    **detectors.params_of("gestures", "demo"), "size_px": 32, "positions": 12, "segments": 4, "batch_snippets": 12,
    "epochs": 25, "lesson": {"positions": 3, "epochs": 2, "batch": 16, "learning_rate": 0.003, "snippets_per_epoch": 48},
}  # fmt: skip
UNASKED = Probe((1,), "float32", 1.0, ())
"""These bundles are not served, so nobody asks them."""
FLOOR = {**detectors.params_of("motion_energy", "demo"), "size_px": 32, "positions": 12}
ACTIONS = {"walk": (0.3, 0.0, 0.3), "wave": (0.1, 0.0, 3.0), "pat": (0.0, 0.1, 3.0), "turn": (0.0, 0.2, 0.4)}


def lessons(front_end: FilmFrontEnd, persons: int = 4) -> list[Lesson]:
    return [
        Lesson(
            film(front_end, drifting(*how), seed=100 + who, seconds=8.0), content, f"{content}-{who}", f"other-{who}"
        )
        for who in range(persons)
        for content, how in ACTIONS.items()
    ]


def seizure(detector: FilmTyping, kind: int, seed: int, **more: Any) -> DrawnFilm:
    """The same movement in both, for the same time: early where it stays focal, late where it becomes bilateral."""
    half = SECONDS / 2
    moving = shaking(0, half) if kind == FOS else shaking(half, SECONDS)
    return film(detector.front_end, moving, seed=seed, seconds=SECONDS, **more)


def cohort(detector: FilmTyping, *patients: int) -> Examples:
    parts = []
    for patient in patients:
        for kind in (FOS, FBTCS):
            made = detector.examples(
                seizure(detector, kind, 2 * patient + kind), f"rec-{patient}-{kind}", f"sub-{patient}"
            )
            n = len(made)
            parts.append(replace(made, label=np.full(n, kind, dtype=np.int8), event=np.zeros(n, dtype=int)))
    return Examples.join(parts)


@pytest.fixture(scope="module")
def taught() -> Gestures:
    detector = Gestures(TINY)
    log = detector.pretrain(lessons(detector.front_end), seed=3)
    assert detector.taught and log["persons"] == 4 and log["inner_persons"] == 1
    return detector


@pytest.fixture(scope="module")
def data(taught: Gestures) -> tuple[Examples, Examples]:
    return cohort(taught, 0, 1, 2, 3, 4, 5), cohort(taught, 6, 7)


@pytest.fixture(scope="module")
def fitted(taught: Gestures, data: tuple[Examples, Examples]) -> tuple[Gestures, dict[str, Any]]:
    detector = Gestures(TINY)
    detector.load_pretrained(taught.pretrained())
    return detector, detector.fit(*data, seed=1)


# What is asked.


def test_focal_seizures_are_told_apart_by_whether_they_become_bilateral() -> None:
    names = (
        "sz_foc",
        "sz_foc_ia_automatisms",
        "sz_foc_f2b",
        "sz_foc_f2b_m_tonicClonic",
        "sz_gen_m_tonic",
        "sz",
        "sz_uo",
    )
    assert [semiology_type(n) for n in names] == ["FOS", "FOS", "FBTCS", "FBTCS", None, None, None]


@pytest.mark.parametrize("name", ["gestures", "motion_energy"])
def test_it_is_asked_about_marked_focal_seizures_or_the_whole_film(name: str) -> None:
    detector = detectors.build(name)
    assert isinstance(detector, FilmTyping)
    truth = Annotations((Event(3, 20, "sz_foc_f2b"), Event(30, 9, "sz_gen"), Event(50, 9, "sz_foc_ia")), 60)
    assert [(s.number, s.onset_s, s.end_s, s.label) for s in detector.stretches(truth)] == [
        (0, 3, 23, 1),
        (2, 50, 59, 0),
    ]
    assert [(s.onset_s, s.end_s) for s in detector.asked(60)] == [(0, 60)]


def test_a_snippet_lies_in_the_middle_of_its_part_and_never_outside_the_seizure() -> None:
    """30 s in 3 parts: middles at 15, 25, 35 s after 10 s; 8 frames at 16 per second begin 0.25 s before."""
    times_s = Grid(3, 8, 16.0).times_s(10.0, 40.0)
    np.testing.assert_allclose(times_s[:, 0], [15 - 0.25, 25 - 0.25, 35 - 0.25])
    np.testing.assert_allclose(np.diff(times_s, axis=1), 1 / 16)
    crowded = Grid(9, 8, 16.0).times_s(10.0, 11.0)
    assert crowded.min() >= 10 and crowded.max() + 1 / 16 <= 11.0 + 1e-9


def test_each_usable_view_is_a_clip_and_a_short_seizure_is_refused(taught: Gestures) -> None:
    width = 2 * taught.stcnn.width + 1
    both = taught.examples(seizure(taught, FOS, 0))
    assert both.x.shape == (2, 12, width) and both.x.dtype == np.float32 and list(both.x[:, 0, -1]) == [0, 1]
    with pytest.raises(Refusal, match="too_short"):
        taught.examples(seizure(taught, FOS, 0).between(0, 4))


@pytest.mark.parametrize("name", ["gestures", "motion_energy"])
def test_a_blind_view_is_left_out_as_a_missing_one_is(name: str) -> None:
    detector = Gestures(TINY) if name == "gestures" else MotionEnergy(FLOOR)
    whole = detector.examples(seizure(detector, FOS, 0))
    for gone, (left, place) in {"large": ("small", 1), "small": ("large", 0)}.items():
        blind = detector.examples(seizure(detector, FOS, 0, blind=(gone,)))
        missing = detector.examples(seizure(detector, FOS, 0, views=(left,)))
        assert len(blind) == len(missing) == 1 < len(whole)
        if name == "gestures":
            assert blind.x[0, 0, -1] == missing.x[0, 0, -1] == place
    with pytest.raises(Refusal, match="large black, small frozen"):
        detector.examples(seizure(detector, FOS, 0, blind=("large", "small")))


def test_black_and_frozen_are_told_from_a_quiet_room() -> None:
    rng = np.random.default_rng(0)
    scene = np.tile(rng.integers(0, 200, (32, 32)), (4, 8, 1, 1))
    noise = rng.normal(0, 2, scene.shape)
    assert blindness(np.clip(scene + noise, 0, 255).astype(np.uint8)) == ""
    assert blindness(np.clip(5 + noise, 0, 255).astype(np.uint8)) == "black"
    assert blindness(scene.astype(np.uint8)) == "frozen"
    assert blindness(np.repeat(scene.astype(np.uint8)[..., None], 3, axis=4)) == "frozen"


# Which moments are looked at.


def test_the_middle_of_each_segment_is_looked_at_when_it_counts() -> None:
    assert Sampling(4, 2.0, 12).middle().tolist() == [1, 4, 7, 10]
    assert Sampling(2, 2.0, 12).middle().tolist() == [3, 9]
    with pytest.raises(ValueError, match="12 positions"):
        Sampling(5, 2.0, 12)


@pytest.mark.parametrize(("gamma", "share"), [(1.0, 1 / 3), (2.0, 13 / 27), (float("inf"), 1.0)])
def test_moments_are_drawn_by_beta_within_their_segment(gamma: float, share: float) -> None:
    """P(1/3 < u < 2/3) is 1/3 for Beta(1, 1); for Beta(2, 2) it is F(2/3) − F(1/3) with F = 3u² − 2u³: 20/27 − 7/27."""
    sampling = Sampling(4, gamma, 12)
    torch.manual_seed(0)
    drawn_at = sampling.draw(5000)
    assert torch.equal(drawn_at // 3, torch.arange(4).expand(5000, -1))
    assert float((drawn_at % 3 == 1).float().mean()) == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize(("kind", "parameters"), [("mean", 1026), ("lstm", 148_098), ("blstm", 296_194)])
def test_aggregators_have_the_papers_size(kind: Any, parameters: int) -> None:
    """LSTM: 4·64·(512 + 64) + 2·4·64 = 147,968, and 64·2 + 2; in both directions 2·147,968 + 128·2 + 2."""
    network = Aggregator(kind, 512, Sampling(16, 2.0, 80), 2)
    assert sum(p.numel() for p in network.parameters()) == parameters


def test_order_changes_what_the_blstm_says_and_not_what_the_mean_says() -> None:
    torch.manual_seed(0)
    x, order = torch.randn(3, 4, 6), [2, 0, 3, 1]
    for kind, moves in (("blstm", True), ("lstm", True), ("mean", False)):
        network = Aggregator(kind, 6, Sampling(4, 2.0, 4), 2).eval()  # type: ignore[arg-type]
        with torch.inference_mode():
            assert moves == (not torch.allclose(network(x), network(x[:, order]), atol=1e-5)), kind


@pytest.mark.parametrize("segments", [1, 2, 3, 8, 16])
def test_the_control_says_the_same_of_moments_that_are_turned_or_reversed(segments: int) -> None:
    torch.manual_seed(0)
    orders = orders_of(segments)
    assert (np.sort(orders, axis=1) == np.arange(segments)).all()
    assert all((np.bincount(place, minlength=segments) == 2).all() for place in orders.T)
    network = Aggregator("blstm", 6, Sampling(segments, 2.0, segments), 2, shuffled=True).eval()
    x = torch.randn(3, segments, 6)
    with torch.inference_mode():
        for other in (x.flip(1), x.roll(1, dims=1)):
            assert torch.allclose(network(x), network(other), atol=1e-5)
        assert not torch.allclose(network(x), network(x + 1), atol=1e-3)


# What is learnt.


def test_order_is_what_tells_these_seizures_apart(
    fitted: tuple[Gestures, dict[str, Any]], data: tuple[Examples, Examples]
) -> None:
    """Both kinds move alike and as long, one early and one late: only who looks at the order can know."""
    detector, log = fitted
    assert (
        log["classes_seen"] == ["FOS", "FBTCS"]
        and log["taught"]
        and set(log["parts"]) == {WHOLE, MEAN, SHUFFLED, RANDOM}
    )
    test = cohort(detector, *range(8, 20))
    scores = {WHOLE: detector.score(test), **detector.variants(test)}
    right = {name: float((logits.argmax(axis=1) == test.label).mean()) for name, logits in scores.items()}
    assert right[WHOLE] >= 0.9 and right["large view alone"] >= 0.8
    assert right[MEAN] <= 0.75 and right[SHUFFLED] <= 0.75


def test_lessons_of_others_change_what_is_seen_and_other_films_teach_nothing(taught: Gestures) -> None:
    snippets = np.random.default_rng(0).integers(0, 255, (3, 8, 32, 32), np.uint8)
    fresh = Gestures(TINY)
    assert not np.allclose(fresh.see(snippets), taught.see(snippets))
    other = [replace(lesson, content="rodentseizure") for lesson in lessons(fresh.front_end, 1)]
    assert fresh.pretrain(other, seed=3)["taught"] is False and not fresh.taught


def test_the_stcnn_is_frozen_while_seizures_are_learnt(
    taught: Gestures, fitted: tuple[Gestures, dict[str, Any]]
) -> None:
    assert taught.stcnn.digest == fitted[0].stcnn.digest


def test_lessons_taken_twice_leave_the_same_state(taught: Gestures) -> None:
    again = Gestures(TINY)
    again.pretrain(lessons(again.front_end), seed=3)
    assert again.stcnn.digest == taught.stcnn.digest


def test_published_weights_take_the_place_of_lessons(taught: Gestures, tmp_path: Path) -> None:
    torch.save({"state_dict": taught.stcnn.network.state_dict()}, tmp_path / "published.pth")
    detector = Gestures({**TINY, "weights": str(tmp_path / "published.pth")})
    log = detector.pretrain([], seed=0)
    assert log["published"] == "published.pth" and detector.stcnn.digest == taught.stcnn.digest


@pytest.mark.parametrize("missing", [False, True])
def test_it_is_chosen_by_epochs_that_other_inner_patients_call_best(
    missing: bool, taught: Gestures, data: tuple[Examples, Examples], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of every second inner patient the truth was said at those epochs (macro AUC 1), of the others the contrary (0)."""

    def fit(network: Any, train: Examples, inner: Examples, *_: Any, **__: Any) -> Any:
        assert inner.label is not None
        every_second = np.unique(inner.patient, return_inverse=True)[1] % 2 == 0
        return {}, None if missing else np.eye(2)[np.where(every_second, inner.label, 1 - inner.label)]

    monkeypatch.setattr(gestures, "fit_aggregator", fit)
    detector = Gestures(TINY)
    detector.load_pretrained(taught.pretrained())
    log = detector.fit(*data, seed=1)
    assert log["inner_auc"] == (log["valid_auc"][0] if missing else 0.5)


def test_two_fits_with_one_seed_are_the_same_and_a_bundle_read_back_answers_bit_equally(
    fitted: tuple[Gestures, dict[str, Any]], data: tuple[Examples, Examples], taught: Gestures, tmp_path: Path
) -> None:
    detector, _ = fitted
    again = Gestures(TINY)
    again.load_pretrained(taught.pretrained())
    again.fit(*data, seed=1, checkpoint=tmp_path / "resume.pt")
    digests = [
        save_typing(TypingBundle(d, 1.0, UNASKED), tmp_path / str(i)).digest for i, d in enumerate((detector, again))
    ]
    assert digests[0] == digests[1] and not list(tmp_path.glob("resume*"))
    back = load_typing(tmp_path / "0").detector
    made = seizure(detector, FBTCS, 77)
    clips, read = detector.examples(made), back.examples(made)
    assert np.array_equal(clips.x, read.x) and np.array_equal(detector.score(clips), back.score(read))
    before, after = detector.variants(clips), back.variants(read)  # type: ignore[attr-defined]
    assert list(before) == list(after) and all(np.array_equal(before[v], after[v]) for v in before)


def test_a_film_is_scored_alike_alone_and_in_company(
    fitted: tuple[Gestures, dict[str, Any]], data: tuple[Examples, Examples]
) -> None:
    detector, valid = fitted[0], data[1]
    together = detector.score(valid)
    for at in range(len(valid)):
        alone = detector.score(valid.take(np.array([at])))[0]
        np.testing.assert_allclose(alone, together[at], rtol=1e-4, atol=1e-5)


def answered(bundle: TypingBundle, clips: Examples) -> dict[str, np.ndarray]:
    return {name: said.mean(axis=0) for name, said in clip_probabilities(bundle, clips).items()}


def test_the_answer_is_the_mean_of_the_views_and_a_blind_one_leaves_the_other(
    fitted: tuple[Gestures, dict[str, Any]],
) -> None:
    detector, bundle = fitted[0], TypingBundle(fitted[0], 1.0, UNASKED)
    whole = answered(bundle, detector.examples(seizure(detector, FBTCS, 50)))
    alone = [whole["large view alone"], whole["small view alone"]]
    np.testing.assert_allclose(whole[ANSWER], (alone[0] + alone[1]) / 2, atol=1e-6)
    half = answered(bundle, detector.examples(seizure(detector, FBTCS, 50, blind=("small",))))
    np.testing.assert_allclose(half[ANSWER], half["large view alone"])
    assert half[ANSWER].argmax() == FBTCS and np.isnan(half["small view alone"]).all()


def test_a_class_that_nobody_had_is_never_said(taught: Gestures, data: tuple[Examples, Examples]) -> None:
    train, valid = data
    assert train.label is not None
    detector = Gestures({**TINY, "epochs": 1})
    detector.fit(train.take(train.label == FOS), valid, seed=0)
    assert (detector.score(valid)[:, FBTCS] == UNSEEN).all()


def test_likelihood_is_the_geometric_mean_of_what_was_right() -> None:
    """Probabilities of the right class 0.5 and 0.8: √(0.5 · 0.8)."""
    score = np.log(np.array([[0.5, 0.5], [0.2, 0.8]]))
    assert likelihood(score, np.array([0, 1])) == pytest.approx(np.sqrt(0.5 * 0.8))


# What is kept.


def test_a_film_seen_before_is_not_decoded_again(
    taught: Gestures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    made = seizure(taught, FOS, 0)
    drawn.clear()
    first = taught.examples(made, "rec-1", "sub-1")
    assert len(drawn) == 2
    again = taught.examples(made, "another name", "another fold")
    assert len(drawn) == 2 and np.array_equal(first.x, again.x)


def test_features_are_kept_by_content_and_weights_and_part_of_the_film(
    taught: Gestures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    made = seizure(taught, FOS, 0)
    taught.examples(made)
    for other, what in (
        (taught, made.between(1, 15)),
        (Gestures(TINY), made),
        (Gestures({**TINY, "positions": 8}), made),
        (MotionEnergy(FLOOR), made),
        (taught, seizure(taught, FOS, 1)),
    ):
        drawn.clear()
        other.examples(what)
        assert len(drawn) == 2


def _keep(number: int) -> float:
    return float(kept("0" * 64, lambda: {"seen": np.full(100_000, 7.0)})["seen"].sum())


def test_two_processes_may_keep_the_same_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(_keep, range(8)) == [700_000.0] * 8
    assert [p.name for p in tmp_path.rglob("*.npz")] == [f"{'0' * 64}.npz"]


# The floor.


def test_motion_energy_is_the_mean_change_from_frame_to_frame() -> None:
    """Frames of 0, 10, 30: changes of 10 and 20, mean 15."""
    frames = np.array([0, 10, 30], dtype=np.uint8)[None, :, None, None] * np.ones((1, 1, 8, 8), dtype=np.uint8)
    assert motion_energy(frames) == pytest.approx(15.0)


def test_the_floor_knows_when_it_moves_and_comes_back_bit_equally(tmp_path: Path) -> None:
    detector = MotionEnergy(FLOOR)
    log = detector.fit(cohort(detector, 0, 1, 2, 3), cohort(detector, 4, 5), seed=0)
    test = cohort(detector, 6, 7, 8)
    assert log["classes_seen"] == ["FOS", "FBTCS"] and (detector.score(test).argmax(axis=1) == test.label).mean() >= 0.9
    save_typing(TypingBundle(detector, 1.0, UNASKED), tmp_path / "bundle")
    assert np.array_equal(load_typing(tmp_path / "bundle").detector.score(test), detector.score(test))


# What presets and cards state.


@pytest.mark.parametrize("name", ["gestures", "motion_energy"])
def test_the_card_states_what_the_detector_is(name: str) -> None:
    facts, detector = detectors.facts(name), detectors.build(name)
    assert (facts["task"], facts["modality"]) == (detector.task, detector.modality) == ("semiology", "video")
    assert tuple(facts["classes"]) == detector.classes
    assert name in detectors.names("semiology") and detectors.task_of(name) == "semiology"


def test_the_paper_preset_reads_moments_of_112_pixels_in_colour() -> None:
    p = detectors.params_of("gestures", "paper")
    assert (p["stcnn"], p["segments"], p["epochs"], p["batch"], p["frames"], p["rate_hz"]) == ("34", 16, 400, 64, 8, 15)
    assert Sampling(p["segments"], p["gamma"], p["positions"]).each == 5
    assert FilmFrontEnd(p["size_px"], p["grey"]) == FilmFrontEnd(112, False)
    network = Aggregator("blstm", 512, Sampling(p["segments"], p["gamma"], p["positions"]), 2)
    F.cross_entropy(network(torch.randn(4, 80, 512)), torch.tensor([0, 1, 0, 1])).backward()
    assert all(q.grad is not None and q.grad.abs().sum() > 0 for q in network.parameters())
