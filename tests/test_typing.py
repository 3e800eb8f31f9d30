"""A detector that names types is shown seizures only, answers for each of them, and travels as a bundle."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.events import Annotations, Event
from data.frontend import FrontEnd, Prepared
from data.outcomes import Refusal
from data.recording import Recording, Segment
from data.seizure_types import TUH_TYPES
from data.windows import cut
from models.bundle import BrokenBundle, load_bundle
from models.detector import Examples, InputContract, State, TypingDetector
from models.probe import Probe
from models.typing import (
    ANSWER,
    TypingBundle,
    answer_examples,
    answer_known,
    fit_temperature,
    stretch_examples,
)
from tests.contract.signals import recording
from validation.splits import INNER_VALID, OUT, TEST, TRAIN, Member, Split, draw_split


class Loudness(TypingDetector):
    """Calls a seizure generalized where all derivations are loud, else focal: enough to see who is asked what."""

    name, modality, classes = "loudness", "eeg", ("FNSZ", "GNSZ")
    contract = InputContract(montage="tcp_20", age_days=(0, 1000), min_duration_s=10)
    window_s, hop_s = 2.0, 1.0

    @property
    def front_end(self) -> FrontEnd:
        return FrontEnd(montage="tcp_20")

    def examples(self, prepared: Prepared, recording: str = "", patient: str = "") -> Examples:
        pieces = [cut(s, prepared.rate_hz, self.window_s, self.hop_s) for s in prepared.segments]
        x = np.concatenate([w for w, _ in pieces]) if pieces else np.zeros((0, 20, 256))
        if not len(x):
            raise Refusal("too_short", "a seizure needs at least 2 s: mark all of it")
        onset_s = np.concatenate([o for _, o in pieces])
        return Examples(x, onset_s, np.full(len(x), recording), np.full(len(x), patient), self.window_s)

    def fit(self, train: Examples, valid: Examples, **how: Any) -> dict[str, Any]:
        return {"epochs": 1, "best_epoch": 1, "valid_auc": [0.5]}

    def score(self, examples: Examples) -> np.ndarray:
        quietest = np.abs(examples.x).mean(axis=2).min(axis=1)
        return np.stack([np.zeros(len(examples)), np.log(quietest / 10)], axis=1)

    def variants(self, examples: Examples) -> dict[str, np.ndarray]:
        return {"upside down": -self.score(examples)}

    def state(self) -> State:
        return State({}, {})

    def load_state(self, state: State) -> None:
        pass


BUNDLE = TypingBundle(Loudness({}), 1.0, Probe((1,), "float32", 8.0, ()))


def marked(*events: tuple[float, float, str], duration_s: float = 120.0) -> Annotations:
    return Annotations(tuple(Event(at, long, TUH_TYPES[kind]) for at, long, kind in events), duration_s)


def test_every_typed_seizure_is_answered_and_no_other_event() -> None:
    truth = Annotations((Event(10, 5, "sz"), *marked((30, 8, "FNSZ"), (50, 30, "GNSZ"), (90, 9, "ABSZ")).events), 120.0)
    found = answer_known(recording(1), truth, BUNDLE)
    assert [(one.event, one.truth, one.clips) for one in found] == [(1, "FNSZ", 7), (2, "GNSZ", 29)]
    for one in found:
        assert set(one.probabilities) == {ANSWER, "upside down"}
        assert one.probabilities[ANSWER].sum() == pytest.approx(1)


def test_the_answer_depends_on_the_seizure_alone() -> None:
    """What lies after it, and what experts called it, changes nothing."""
    whole, truth = recording(1), marked((30, 10, "FNSZ"))
    signal = whole.segments[0].signal.copy()
    signal[:, 60 * 256 :] *= 9
    other = replace(whole, segments=(Segment(0.0, signal),))
    first, second = answer_known(whole, truth, BUNDLE)[0], answer_known(other, marked((30, 10, "GNSZ")), BUNDLE)[0]
    assert np.array_equal(first.probabilities[ANSWER], second.probabilities[ANSWER])


def test_a_seizure_too_short_to_look_at_is_told_and_not_left_out() -> None:
    found = answer_known(recording(1), marked((30, 1, "FNSZ"), (50, 8, "FNSZ")), BUNDLE)
    assert [(one.code, one.clips) for one in found] == [("too_short", 0), (None, 7)]
    assert found[0].probabilities == {} and "2 s" in str(found[0].reason)


@pytest.mark.parametrize(
    ("change", "code"), [({"age_days": 9000.0}, "age_out_of_scope"), ({"age_days": None}, "age_unknown")]
)
def test_a_recording_it_is_not_meant_for_has_no_answer_for_any_seizure(change: dict[str, Any], code: str) -> None:
    found = answer_known(replace(recording(1), **change), marked((30, 8, "FNSZ"), (50, 9, "GNSZ")), BUNDLE)
    assert [(one.code, one.truth) for one in found] == [(code, "FNSZ"), (code, "GNSZ")]


def test_clips_know_their_seizure_and_its_type() -> None:
    truth = marked((30, 8, "GNSZ"), (50, 6, "FNSZ"), (70, 1, "FNSZ"))
    made = stretch_examples(Loudness({}), Loudness({}).front_end.prepare(recording(2)), truth, "r", "s")
    assert made is not None and made.label is not None and made.event is not None
    assert sorted(set(zip(made.event.tolist(), made.label.tolist(), strict=True))) == [(0, 1), (1, 0)]
    assert made.onset_s.min() == 30.0 and made.onset_s.max() == 54.0
    joined = Examples.join([made, made.take(np.array([0, 1]))])
    assert joined.event is not None and len(joined.event) == len(made) + 2


def test_clips_of_many_seizures_give_what_each_gives_alone() -> None:
    truth = marked((30, 8, "GNSZ"), (50, 6, "FNSZ"))
    made = stretch_examples(Loudness({}), Loudness({}).front_end.prepare(recording(2)), truth, "r", "s")
    assert made is not None
    together = answer_examples(BUNDLE, made)
    alone = {one.event: one.probabilities[ANSWER] for one in answer_known(recording(2), truth, BUNDLE)}
    assert {key[1]: clips for key, (clips, _) in together.items()} == {0: 7, 1: 5}
    for (_, event), (_, said) in together.items():
        np.testing.assert_allclose(said[ANSWER], alone[event])


def test_a_recording_without_a_typed_seizure_gives_no_clips() -> None:
    prepared = Loudness({}).front_end.prepare(recording(1))
    assert stretch_examples(Loudness({}), prepared, Annotations((Event(10, 5, "sz"),), 120.0)) is None
    assert Loudness({}).stretches(marked((30, 8, "ABSZ"))) == []


def test_the_temperature_makes_overconfident_scores_honest() -> None:
    """Labels drawn from softmax(z) and scores of 3 z: the temperature is 3."""
    rng = np.random.default_rng(0)
    z = rng.normal(0, 2, (20_000, 3))
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    label = (p.cumsum(axis=1) < rng.random((len(p), 1))).sum(axis=1)
    assert fit_temperature(3 * z, label) == pytest.approx(3, rel=0.05)


def test_a_bundle_of_types_cannot_pass_for_a_detection(tmp_path: Path) -> None:
    from models.bundle import write_files

    folder = tmp_path / "bundle"
    from models import detectors

    write_files(folder, detectors.build("line_length"), {"temperature": 1.0, "origin": {}})
    with pytest.raises(BrokenBundle, match="no calibration and no decision"):
        load_bundle(folder)


def members(persons: int, seizures: bool = True) -> list[Member]:
    kinds = ("sz_foc", "sz_gen", "sz_gen_m_tonic")
    return [
        Member(f"rec-{i}", f"sub-{i}", f"p{i}", ("north", "south")[i % 2], seizures, stratum=kinds[i % 3])
        for i in range(persons)
    ]


def test_every_type_is_tested_in_every_fold() -> None:
    split = draw_split("patient", members(18), 3, 0.25, 0)
    stratum = {m.recording: m.stratum for m in members(18)}
    for fold in split.folds:
        assert sorted(stratum[name] for name in fold.test) == sorted(["sz_foc", "sz_gen", "sz_gen_m_tonic"] * 2)


def split_of_five() -> Split:
    return draw_split("seizure", members(6), 5, 0.25, 0)


def test_under_folds_over_seizures_each_is_tested_once_and_its_patient_is_known() -> None:
    split = draw_split("seizure", members(6), 3, 0.25, 0)
    assert not split.reportable
    event = np.repeat(np.arange(4), 5)
    roles = np.stack([split.roles("rec-0", np.arange(20.0), k, 4.0, event) for k in range(3)])
    assert (np.sum(roles == TEST, axis=0) == 1).all()
    for number in range(4):
        assert len({tuple(column) for column in roles[:, event == number].T}) == 1
    for fold in range(3):
        assert {TEST} < set(roles[fold].tolist()) <= {TEST, TRAIN, INNER_VALID}
    assert (split.roles("unknown", np.arange(3.0), 0, 4.0, np.arange(3)) == OUT).all()
    few = np.stack([split_of_five().roles(f"rec-{i}", np.arange(2.0), 3, 4.0, np.arange(2)) for i in range(6)])
    assert (few == TEST).any(), "recordings with fewer seizures than folds leave no fold empty"
    with pytest.raises(ValueError, match="say in which one each window lies"):
        split.roles("rec-0", np.arange(3.0), 0, 4.0)


def test_recordings_have_gaps_that_a_seizure_may_lie_in() -> None:
    whole = recording(1)
    signal = whole.segments[0].signal
    parts = (Segment(0.0, signal[:, : 40 * 256]), Segment(60.0, signal[:, 40 * 256 :]))
    broken = Recording(whole.channels, whole.rate_hz, parts, 140.0, age_days=3.0)
    found = answer_known(broken, marked((42, 10, "FNSZ"), (35, 30, "GNSZ"), duration_s=140.0), BUNDLE)
    assert [(one.truth, one.clips, one.code) for one in found] == [("GNSZ", 8, None), ("FNSZ", 0, "too_short")]
