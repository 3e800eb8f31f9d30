"""What a stretch was named for: where something was planted it is found, and with other weights something else is told."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from data.pose import JOINTS
from models import detectors
from models.detector import Examples, Stretch, TypingDetector
from models.detectors.gestures import WHOLE
from models.explain import MOST_EVENTS, PEAKS, Attribution, drivers_of_clips, log_odds
from models.probe import Probe
from models.typing import TypingBundle, answer_stretches

WRISTS = tuple(JOINTS.index(name) for name in ("left_wrist", "right_wrist"))
CLIPS = 48


@dataclass(frozen=True)
class Planted:
    """A detector fitted on noise with something in it, clips of the class that has it, and what has to be found."""

    detector: TypingDetector
    clips: Examples
    name: int
    holds: Callable[[Attribution, np.ndarray], bool]
    networks: Callable[[TypingDetector], list[torch.nn.Module]]


def examples(x: np.ndarray, label: np.ndarray, window_s: float) -> Examples:
    n = len(x)
    who = np.array([f"p{number % 12}" for number in range(n)])
    return Examples(
        x.astype(np.float32) if x.dtype != np.uint8 else x, np.zeros(n), who, who, window_s, label.astype(np.int8)
    )


def fitted(name: str, x: np.ndarray, label: np.ndarray, **numbers: Any) -> tuple[TypingDetector, Examples]:
    made = detectors.build(name, {**detectors.params_of(name, "demo"), **numbers})
    assert isinstance(made, TypingDetector)
    clips = examples(x, label, made.window_s)
    made.fit(clips, clips, seed=0)
    return made, clips


def seizurenet() -> Planted:
    """A rhythm of 6 Hz where others have one of 20 Hz. What tells them apart lies in no one place (an image is scaled by what is
    loudest in it), so that it is asked whether what counted most is what the answer rests on."""
    rng, label = np.random.default_rng(0), np.arange(CLIPS) % 2
    x, time_s = rng.normal(0, 10, (CLIPS, 20, 1000)), np.arange(1000) / 250
    for clip, named in zip(x, label, strict=True):
        clip[rng.choice(20, 6, replace=False)] += 60 * np.sin(2 * np.pi * (6 if named else 20) * time_s)
    members = [{"f_max_hz": 24, "window_s": 4.0, "overlap": 0.5}, {"f_max_hz": 48, "window_s": 2.0, "overlap": 0.5}]
    numbers = {"members": members, "epochs": 4, "windows_per_epoch": 256, "valid_clips": 8, "learning_rate": 0.01}
    detector, clips = fitted("seizurenet", x, label, **numbers)
    ours = clips.take(label == 1)
    names = detector.front_end.channels

    def odds_without(clip: np.ndarray, derivations: list[int]) -> float:
        """What is left of the log odds, over members and windows, where some derivations look as on average."""
        left = 0.0
        for member in detector.members.values():  # type: ignore[attr-defined]
            images = member.images(clip[None])[0]
            images[:, :, derivations] = member.network.mean.numpy()
            with torch.inference_mode():
                left += float(log_odds(member.network(torch.from_numpy(images)), 1).sum())
        return left

    def holds(found: Attribution, clip: np.ndarray) -> bool:
        ranked = sorted(range(len(names)), key=lambda d: found.channels[names[d]])
        return odds_without(clip, ranked[-5:]) < odds_without(clip, ranked[:5]) and list(found.bands)[1] == "4–8 Hz"

    return Planted(detector, ours, 1, holds, lambda d: [m.network for m in d.members.values()])  # type: ignore[attr-defined]


@cache
def sta_gunet() -> Planted:
    """Both wrists fly in the fourth second of five."""
    rng, label = np.random.default_rng(0), np.arange(CLIPS) % 2
    x = rng.normal(0, 1, (CLIPS, 6, 125, len(JOINTS)))
    x[np.ix_(label == 1, np.arange(6), np.arange(75, 100), WRISTS)] += 4
    detector, clips = fitted("sta_gunet", x, label, epochs=8, mirror=False)

    def holds(found: Attribution, clip: np.ndarray) -> bool:
        first_two = sorted(found.channels, key=lambda name: -found.channels[name])[:2]
        return {JOINTS.index(name) for name in first_two} == set(WRISTS) and set(np.argsort(found.profile)[-2:]) == {
            6,
            7,
        }

    return Planted(detector, clips.take(label == 1), 1, holds, lambda d: [d.network])  # type: ignore[attr-defined]


def gestures() -> Planted:
    """Two of sixteen moments look different."""
    rng, label = np.random.default_rng(0), np.arange(CLIPS) % 2
    width = detectors.build("gestures", detectors.params_of("gestures", "demo")).stcnn.width  # type: ignore[attr-defined]
    x = rng.normal(0, 1, (CLIPS, 32, 2 * width + 1))
    x[np.ix_(label == 1, np.arange(20, 24), np.arange(8))] += 4
    x[..., -1] = 1
    detector, clips = fitted("gestures", x, label)

    def holds(found: Attribution, clip: np.ndarray) -> bool:
        return set(np.argsort(found.profile)[-2:]) <= set(range(20, 24)) and list(found.channels) == ["small"]

    return Planted(detector, clips.take(label == 1), 1, holds, lambda d: [d.parts[WHOLE]])  # type: ignore[attr-defined]


def forecaster() -> Planted:
    """Something flickers in the last quarter of the clip."""
    rng, label = np.random.default_rng(0), np.arange(CLIPS) % 2
    x = rng.integers(90, 110, (CLIPS, 16, 64, 64))
    flicker = np.array([60, -60, 60, -60])[:, None, None]
    x[np.ix_(label == 1, np.arange(12, 16), np.arange(32, 64), np.arange(32))] += flicker
    detector, clips = fitted("forecaster", x.astype(np.uint8), label, epochs=6)

    def holds(found: Attribution, clip: np.ndarray) -> bool:
        return bool(found.profile[12:].sum() > 0.6 * found.profile.sum()) and not found.channels

    return Planted(detector, clips.take(label == 1), 1, holds, lambda d: [d.network])  # type: ignore[attr-defined]


@pytest.fixture(scope="module", params=[seizurenet, sta_gunet, gestures, forecaster], ids=lambda made: made.__name__)
def planted(request: pytest.FixtureRequest) -> Iterator[Planted]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    made: Planted = request.param()
    yield made
    torch.set_num_threads(before)


def told(planted: Planted, clips: Examples) -> np.ndarray:
    """All shares of some clips on average: of channels, bands and parts."""
    parts = []
    for clip in clips.x:
        found = planted.detector.attributed(clip, planted.name)
        assert found is not None and found.profile.min() >= 0
        rows = [np.array(list(part.values())) for part in (found.channels, found.bands)] + [found.profile]
        parts.append(np.concatenate([row / max(row.sum(), 1e-12) for row in rows]))
    return np.mean(parts, axis=0)


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Of ranks, without what neither looks at; 0 where one of them tells nothing."""
    asked = (one + other > 0) & ((one < 1) | (other < 1))
    return float(spearmanr(one[asked], other[asked]).statistic) if np.ptp(other[asked]) else 0.0


def test_what_was_planted_is_what_it_was_named_for(planted: Planted) -> None:
    held = 0
    for clip in planted.clips.x[:8]:
        found = planted.detector.attributed(clip, planted.name)
        assert found is not None
        held += planted.holds(found, clip)
    assert held >= 6


def test_an_explanation_is_the_same_every_time_and_leaves_the_answer_as_it_was(planted: Planted) -> None:
    before = planted.detector.score(planted.clips)
    one, other = (planted.detector.attributed(planted.clips.x[0], planted.name) for _ in range(2))
    assert one is not None and other is not None and np.array_equal(one.profile, other.profile)
    assert (one.channels, one.bands) == (other.channels, other.bands)
    assert np.array_equal(planted.detector.score(planted.clips), before)


def test_other_weights_give_another_explanation(planted: Planted) -> None:
    """Adebayo et al. 2018: an explanation that stays when the weights are drawn anew is none of the network."""
    clips = planted.clips.take(np.arange(len(planted.clips)) < 6)
    learnt = told(planted, clips)
    half = told(planted, clips.take(np.arange(6) < 3))
    kept = [{k: v.clone() for k, v in n.state_dict().items()} for n in planted.networks(planted.detector)]
    alike = []
    for seed in range(4):
        torch.manual_seed(seed)
        for network in planted.networks(planted.detector):
            for module in network.modules():
                if hasattr(module, "reset_parameters"):
                    module.reset_parameters()
        anew = told(planted, clips)
        alike.append(correlation(learnt, anew))
    for network, state in zip(planted.networks(planted.detector), kept, strict=True):
        network.load_state_dict(state)
    assert np.array_equal(told(planted, clips), learnt), "the weights are those that were learnt again"
    same = correlation(learnt, half)
    assert same > 0.7 and np.mean(alike) < same - 0.2, (same, alike)


def clip(*profile: float, **channels: float) -> Attribution:
    return Attribution(np.array(profile), channels)


def test_moments_are_the_parts_that_counted_most_and_those_that_touch_are_one() -> None:
    found = drivers_of_clips([(10.0, 4.0, clip(1, 5, 0, 2, a=1, b=0)), (20.0, 4.0, clip(0, 1, 4, 0, a=1, b=2))])
    assert found is not None and found.moments == ((11.0, 1.0), (22.0, 1.0))
    assert found.channels == (("a", 0.5), ("b", 0.5))
    touching = drivers_of_clips([(0.0, 2.0, clip(3, 4))])
    assert touching is not None and touching.moments == ((0.0, 2.0),) and touching.channels == ()
    assert drivers_of_clips([(0.0, 2.0, clip(0, 0, a=0))]) is None and drivers_of_clips([]) is None
    assert PEAKS == 2


class _All:
    """A prepared recording of which every stretch is the whole."""

    def between(self, onset_s: float, end_s: float) -> "_All":
        return self


def test_an_answer_tells_it_of_the_names_that_mean_something_and_of_no_more_than_it_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = sta_gunet()
    detector, asked = made.detector, []
    monkeypatch.setattr("models.typing.admit", lambda source, by: None)
    monkeypatch.setattr(detector, "prepare", lambda source: _All())
    first = made.clips.take(np.arange(len(made.clips)) == 0)
    spasm = replace(first, recording=np.array([""]))
    none = replace(spasm, x=np.zeros_like(spasm.x))
    monkeypatch.setattr(detector, "examples", lambda prepared: asked.append(1) or (spasm if len(asked) % 2 else none))
    bundle = TypingBundle(detector, 1.0, Probe((), "float32", 5.0, ()))
    stretches = [Stretch(number, 5.0 * number, 5.0 * number + 4.6) for number in range(100)]
    found = answer_stretches(None, stretches, bundle, variants=False, explained=True)  # type: ignore[arg-type]
    names = ["spasm" if number % 2 == 0 else "other" for number in range(100)]
    assert [detector.classes[int(one.probabilities["answer"].argmax())] for one in found] == names
    explained = [one.event for one in found if one.drivers is not None]
    assert explained == list(range(0, 2 * MOST_EVENTS, 2))
    plain = answer_stretches(None, stretches[:2], bundle, variants=False)  # type: ignore[arg-type]
    assert all(one.drivers is None for one in plain)


def test_no_moment_lies_behind_its_stretch() -> None:
    from models.typing import _inside

    one = Stretch(0, 10.0, 11.5)
    assert _inside([(10.0, 1.0), (11.0, 1.0), (12.0, 1.0)], one) == ((10.0, 1.0), (11.0, 0.5))


def test_a_floor_tells_nothing() -> None:
    floor = detectors.build("joint_speed", detectors.params_of("joint_speed", "demo"))
    assert isinstance(floor, TypingDetector) and floor.attributed(np.zeros((6, 125, 18)), 1) is None
