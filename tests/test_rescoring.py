import copy
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.events import Annotations, Event
from validation.evaluation import evaluate
from validation.provenance import Cause, compared, lines_of
from validation.rescoring import SCORERS, RescoringRefused, rescore

SEIZURES = (Event(100.0, 20.0), Event(180.0, 10.0))


def to_events(trend: np.ndarray, threshold: float) -> Annotations:
    return Annotations.from_mask(np.nan_to_num(trend, nan=-1.0) >= threshold, 1.0)


def cohort(persons: int = 6, seconds: int = 400, seed: int = 0):
    """Predictions, hypotheses and references of two sites; detections stand 60 s apart, so that merging matters."""
    rng, rows, hypotheses, references = np.random.default_rng(seed), [], {}, {}
    for i in range(persons):
        name = f"sub-{i:03d}_task-eeg_run-01"
        reference = Annotations(SEIZURES if i % 3 else (), float(seconds))
        labels = reference.to_mask(1.0).astype(int)
        trend = np.clip(rng.random(seconds) * 0.5 + 0.4 * labels * (i != 4), 0, 1)
        trend[250:255], trend[315:320], trend[:3] = 0.95, 0.95, np.nan
        hypotheses[name], references[name] = to_events(trend, 0.7), reference
        facts = {"recording": name, "patient": f"sub-{i:03d}", "person": f"p{i:03d}", "site": "AB"[i % 2]}
        rows.append(pd.DataFrame(facts | {"second": range(seconds), "probability": trend, "label": labels}))
    return pd.concat(rows, ignore_index=True), hypotheses, references


COHORT = cohort()


@pytest.fixture(scope="module")
def stated() -> dict:
    """What an evaluation wrote, read back."""
    made = evaluate(*COHORT, {"detector": "line_length", "regime": "patient"}, seed=1, to_events=to_events)
    return json.loads(json.dumps(made))


def verdicts(made) -> dict[str, str]:
    return {score.name: score.verdict for score in made.scores}


def test_the_same_predictions_by_the_same_scorers_give_the_same_figures(stated):
    made = rescore(*COHORT, earlier=stated, to_events=to_events)
    assert set(verdicts(made)) == {
        "szcore.pooled", "szcore.patient_mean", "szcore.legacy_patient_mean", "clinical", "any_overlap",
        "time_aligned", "operating_curve", "calibration", "agreement", "burden", "baselines.label_oracle", "baselines.id_lookup",
        "worst_decile", "subgroups.site A", "subgroups.site B", "subgroups.age not given", "subgroups.sex not given",
    }  # fmt: skip
    assert set(verdicts(made).values()) == {"same"} and made.broken == ()
    assert made.digests == stated["digests"] and made.of == stated["of"]
    assert all(score.same > 0 and score.because == () for score in made.scores)


def test_the_order_of_rows_changes_nothing(stated):
    shuffled = COHORT[0].sample(frac=1.0, random_state=0)
    made = rescore(shuffled, *COHORT[1:], ["clinical", "szcore"], earlier=stated)
    assert set(verdicts(made).values()) == {"same"}


def test_every_score_names_its_scorer_version_code_and_policy(stated):
    for score in rescore(*COHORT, earlier=stated, to_events=to_events).scores:
        assert {"name", "version", "code_digest", "policy", "policy_digest"} == set(score.scorer)


def test_only_the_scorers_asked_for_are_run(stated):
    assert list(verdicts(rescore(*COHORT, ["any_overlap"], earlier=stated))) == ["any_overlap"]


def test_without_an_earlier_result_all_is_new():
    made = rescore(*COHORT, ["szcore", "clinical"], seed=1)
    assert set(verdicts(made).values()) == {"new"} and made.earlier == {} and made.broken == ()


def test_a_figure_that_moved_under_the_same_code_and_policy_is_a_broken_promise(stated):
    stated = copy.deepcopy(stated)
    f1 = stated["szcore"]["pooled"]["event"]["f1"]
    f1["estimate"] += 0.105
    made = rescore(*COHORT, ["szcore"], earlier=stated)
    assert made.broken == ("szcore.pooled",)
    (change,) = next(s for s in made.scores if s.name == "szcore.pooled").changed
    assert (change.figure, change.old) == ("event.f1.estimate", f1["estimate"])
    assert change.by == pytest.approx(-0.105)
    assert made.lines()[0] == made.lines()[-1] == "BROKEN PROMISE: szcore.pooled moved, and nothing behind it did"
    assert made.to_json()["broken_promises"] == ["szcore.pooled"]


def test_a_figure_that_moved_by_a_corrected_scorer_says_so(stated):
    stated = copy.deepcopy(stated)
    block = stated["szcore"]["pooled"]
    block["scorer"]["version"], block["scorer"]["code_digest"] = "0.0.6", "0" * 64
    block["event"]["f1"]["estimate"] = 0.428
    made = rescore(*COHORT, ["szcore"], earlier=stated)
    score = next(s for s in made.scores if s.name == "szcore.pooled")
    assert score.verdict == "changed" and made.broken == ()
    assert [(c.what, c.old) for c in score.because] == [("version", "0.0.6"), ("code", "0" * 64)]
    assert any("because of version (0.0.6 → 0.0.7)" in line for line in made.lines())


def test_other_code_with_the_same_figures_is_the_same_and_says_that_the_code_changed(stated):
    stated = copy.deepcopy(stated)
    stated["clinical"]["scorer"]["code_digest"] = "0" * 64
    made = rescore(*COHORT, ["clinical"], earlier=stated)
    assert made.scores[0].verdict == "same" and [c.what for c in made.scores[0].because] == ["code"]
    assert "same" in made.lines()[0] and "although code (000000000000" in made.lines()[0]


def test_other_predictions_are_named_as_the_cause(stated):
    changed = COHORT[0].copy()
    changed["probability"] = changed["probability"] ** 2
    made = rescore(changed, *COHORT[1:], ["calibration"], earlier=stated)
    assert made.scores[0].verdict == "changed" and [c.what for c in made.scores[0].because] == ["predictions"]
    assert made.digests["predictions"] != made.earlier["predictions"]


def test_another_seed_moves_bounds_and_is_named_as_the_cause(stated):
    made = rescore(*COHORT, ["clinical"], earlier=stated, seed=2)
    score = made.scores[0]
    assert [c.what for c in score.because] == ["seed"] and score.changed
    assert not any(change.figure.endswith("estimate") for change in score.changed)


def test_figures_that_appeared_or_went_are_said(stated):
    stated = copy.deepcopy(stated)
    del stated["clinical"]["auc_pooled"]
    stated["clinical"]["an_old_figure"] = 1.0
    score = rescore(*COHORT, ["clinical"], earlier=stated).scores[0]
    assert "auc_pooled.estimate" in score.new and score.gone == ("an_old_figure",)
    assert score.is_broken_promise  # the same code cannot make other figures


def test_a_scorer_that_the_earlier_result_did_not_know_is_new(stated):
    stated = {key: value for key, value in stated.items() if key != "overlap"}
    assert verdicts(rescore(*COHORT, ["time_aligned"], earlier=stated)) == {"time_aligned": "new"}


def test_szcore_with_other_settings_is_never_called_szcore(stated):
    made = rescore(*COHORT, ["szcore"], earlier=stated, policies={"szcore": {"merge_gap_s": 0}})
    assert set(verdicts(made)) == {"timescoring.pooled", "timescoring.patient_mean", "timescoring.legacy_patient_mean"}
    pooled = made.scores[0]
    assert pooled.scorer["name"] == "timescoring" and pooled.scorer["policy"]["merge_gap_s"] == 0
    assert {c.what for c in pooled.because} == {"scorer", "policy"} and not made.broken
    assert any("policy (merge_gap_s 90.0 → 0.0)" in line for line in made.lines())


def test_detections_that_are_not_merged_are_more_false_alarms(stated):
    """Two false detections of each person stand 60 s apart: one alarm at 90 s, two without merging."""

    def alarms(made) -> float:
        return made.scores[0].figures["event"]["alarms_per_24h"]["estimate"]

    merged = rescore(*COHORT, ["szcore"], earlier=stated)
    apart = rescore(*COHORT, ["szcore"], earlier=stated, policies={"szcore": {"merge_gap_s": 0}})
    assert alarms(apart) > alarms(merged)


def test_szcores_own_settings_given_by_hand_are_szcore(stated):
    own = {"merge_gap_s": 90, "max_event_s": 300, "tolerance_before_s": 30, "tolerance_after_s": 60}
    made = rescore(*COHORT, ["szcore"], earlier=stated, policies={"szcore": own})
    assert set(verdicts(made).values()) == {"same"} and made.scores[0].name == "szcore.pooled"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scorers": ["szcor"]}, r"no scorer szcor \(did you mean szcore\?\)"),
        ({"scorers": []}, "no scorer was named"),
        ({"policies": {"szcore": {"merge_gap": 3}}}, r"no setting merge_gap \(did you mean merge_gap_s\?\)"),
        ({"policies": {"szcore": {"merge_gap_s": -1}}}, "merge_gap_s must be a number ≥ 0, got -1"),
        ({"policies": {"szcore": {"merge_gap_s": float("nan")}}}, "must be a number"),
        ({"policies": {"szcore": {"merge_gap_s": float("inf")}}}, "must be a number"),
        ({"policies": {"szcore": {"merge_gap_s": True}}}, "must be a number ≥ 0, got True"),
        ({"policies": {"szcore": {"merge_gap_s": "90"}}}, "must be a number ≥ 0, got 90"),
        ({"policies": {"szcore": {"max_event_s": 0}}}, "max_event_s must be ≥ 1 s"),
        ({"policies": {"szcor": {}}}, "no scorer szcor"),
        ({"scorers": ["abstention"]}, "abstention needs prediction sets"),
        ({"policies": {"clinical": {"alarm_s": 60}}}, "clinical has no settings of its own"),
        ({"scorers": ["operating_curve"]}, "give the detector's rule from trend to events"),
        ({"scorers": ["clinical"], "seed": None}, "there is no seed to follow"),
        ({"scorers": ["clinical"], "earlier": {"schema": "ictal.leakage/1"}}, "no evaluation but ictal.leakage/1"),
    ],
)
def test_what_cannot_be_scored_is_refused_with_the_next_step(arguments, message):
    with pytest.raises(RescoringRefused, match=message):
        rescore(*COHORT, **{"seed": 1} | arguments)


def test_the_result_is_plain_json_and_its_summary_holds_no_figures(stated):
    made = rescore(*COHORT, earlier=stated, to_events=to_events)
    assert json.loads(json.dumps(made.to_json(), allow_nan=False))["schema"] == "ictal.rescored/1"
    (row, *_), summary = made.summary()["scores"], json.dumps(made.summary(), allow_nan=False)
    assert (row["name"], row["verdict"], row["changed"], row["broken_promise"]) == ("szcore.pooled", "same", 0, False)
    assert "estimate" not in summary and made.digests["predictions"] in summary


def test_every_scorer_of_an_evaluation_can_be_run_again(stated):
    """A block of figures that no rule reaches could move unseen."""
    reached = {rule.place[0] for rule in SCORERS.values()}
    other = {"schema", "of", "digests", "uncertainty", "counts", "per_patient", "worst_decile", "subgroups",
             "szcore_per_person"}  # fmt: skip
    assert set(stated) - other <= reached


def block(figure: object, **scorer: str) -> dict:
    named = {"name": "s", "version": "1", "code_digest": "c" * 64, "policy": {}, "policy_digest": "p"}
    return {"scorer": named | scorer, "rests_on": {"persons": 3}, "figure": figure}


figures = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.floats(-1, 1), st.text("ab", max_size=2))


@settings(max_examples=60)
@given(
    st.recursive(figures, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("xy", max_size=2), inner))
)
def test_a_block_compared_with_itself_is_the_same(value):
    assert compared("s", block(value), block(json.loads(json.dumps(value)))).verdict == "same"


@pytest.mark.parametrize(
    ("old", "new", "by"),
    [(0.428, 0.323, -0.105), (None, 0.3, None), (0.3, None, None), ("p1", "p2", None), (1.0, 1.0 + 3e-12, 3e-12)],
)
def test_a_figure_that_differs_is_a_change_with_its_size(old, new, by):
    (change,) = compared("s", block(new), block(old)).changed
    assert (change.old, change.new) == (old, new)
    assert change.by == (None if by is None else pytest.approx(by, rel=1e-3))


def test_a_difference_in_the_last_bits_is_none():
    assert compared("s", block(0.3), block(0.1 + 0.2)).verdict == "same"
    assert compared("s", block(1e9), block(1e9 + 1e-4)).verdict == "same"


def test_a_line_shows_what_moved_most_first():
    old, new = (
        {"a": {"estimate": 0.5, "low": 0.1}, "b": {"estimate": 0.428}},
        {"a": {"estimate": 0.51, "low": 0.9}, "b": {"estimate": 0.323}},
    )
    lines = lines_of(compared("s", block(new), block(old), (Cause("seed", 1, 2),)))
    assert lines == [
        "s (s 1, code cccccccccccc): 3 changed; because of seed (1 → 2)",
        "  figure.b 0.428 → 0.323 (−0.105)",
        "  figure.a 0.5 → 0.51 (+0.01)",
        "  figure.a.low 0.1 → 0.9 (+0.8)",
    ]
