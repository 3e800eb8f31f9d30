"""A bundle carries a question with its answer: changed weights answer otherwise, and nobody's recording is in it."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from models import detectors
from models.detector import Examples, State
from models.pretrained import load_pretrained, save_pretrained
from models.probe import Probe


def examples(seed: int) -> Examples:
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, (60, 5)).astype(np.float32)
    label = (x[:, 0] > 0).astype(np.int8)
    names = np.array([f"rec-{i % 6}" for i in range(60)])
    return Examples(x, np.arange(60.0), names, names, 4.0, label, np.arange(60))


def fitted() -> tuple[object, Probe]:
    detector = detectors.build("recent_motion")
    detector.fit(examples(0), examples(1), seed=0)
    return detector, Probe.asked(detector, examples(1))


def test_the_detector_that_was_asked_still_gives_its_answer() -> None:
    detector, probe = fitted()
    assert probe.holds(detector)  # type: ignore[arg-type]
    assert Probe.from_json({**vars(probe), "logits": [list(row) for row in probe.logits]}) == probe


def test_changed_weights_do_not() -> None:
    detector, probe = fitted()
    state = detector.state()  # type: ignore[attr-defined]
    changed = {name: value + 0.5 for name, value in state.tensors.items()}
    detector.load_state(State(changed, state.settings))  # type: ignore[attr-defined]
    assert not probe.holds(detector)  # type: ignore[arg-type]


def test_the_question_is_noise_of_the_clips_form_and_depends_on_no_clip() -> None:
    detector, probe = fitted()
    other = Probe.asked(detector, replace(examples(1), x=examples(5).x * 100))  # type: ignore[arg-type]
    assert other == probe and probe.shape == (5,)


def test_what_was_learnt_beforehand_comes_back_as_it_was(tmp_path: Path) -> None:
    state = State({"b": np.arange(3.0), "a": np.ones((2, 2), np.float32)}, {"names": ["x"]})
    save_pretrained(tmp_path / "kept", state, {"pretrained_on": []})
    found = load_pretrained(tmp_path / "kept")
    assert found is not None and dict(found.settings) == {"names": ["x"]}
    assert all(np.array_equal(found.tensors[n], state.tensors[n]) for n in ("a", "b"))
    assert load_pretrained(tmp_path / "nothing") is None
