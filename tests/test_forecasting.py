"""What foreseeing is worth and what it costs: warnings, figures, tasks of a handful of clips, controls and the page."""

import json
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from validation.forecasting import (
    ForecastDossier,
    WarningRule,
    controls,
    draw_tasks,
    evaluate_forecasting,
    few_shot_figures,
    forecast_evidence,
    forecast_page,
    table_of_compositions,
)
from validation.forecasting.charts import draw_operating
from validation.forecasting.composition import COMPOSITIONS
from validation.forecasting.figures import BLIND, clock, elapsed, regime_difference
from validation.forecasting.tasks import Foretold, Redraws, right_of
from validation.forecasting.transfer import claims
from validation.forecasting.warnings import Clips, per_person, warnings_of
from validation.gates import ForecastingPlan, GateSettings, run_gates
from validation.seizure_typing import Answer, table_of

CLASSES = ("interictal", "preictal")
RULE = WarningRule(hop_s=2.5)
PERSONS = tuple(f"p{n:02d}" for n in range(16))


def warned(at: list[float], ahead: list[float] = (), rule: WarningRule = RULE) -> list[tuple[float, float, bool]]:  # type: ignore[assignment]
    """Warnings of a film of 100 s whose clips end every 2.5 s and are called preictal at these times."""
    ends = np.arange(4.0, 100.0, 2.5)
    found = warnings_of(clips(ends, np.isin(ends, at), np.isin(ends, ahead)), rule)
    return list(zip(found.onset_s.tolist(), found.on_s.tolist(), found.true.tolist(), strict=True))


def clips(ends: np.ndarray, warns: np.ndarray, ahead: np.ndarray, film: np.ndarray | None = None) -> Clips:
    """Clips of one film, or of these, all answered."""
    film = np.zeros(len(ends)) if film is None else film
    return Clips(film, ends, np.ones(len(ends), dtype=bool), warns, ahead)


def answers(
    skill: float = 2.0, seed: int = 0, persons: tuple[str, ...] = PERSONS, variant: str = "answer"
) -> pd.DataFrame:
    """Two films of each person, one with a seizure after its last two clips; `skill` parts preictal from interictal."""
    rng = np.random.default_rng(seed)
    rows = []
    for number, person in enumerate(persons):
        for film in range(2):
            for clip in range(12):
                ahead = film == 0 and clip >= 10
                p = 1 / (1 + np.exp(-(skill * (2 * ahead - 1) + rng.standard_normal())))
                rows.append(
                    Answer(
                        f"{person}-{film}", person, person, f"site-{number % 2}", clip, 2.5 * clip, CLASSES[ahead],
                        number % 3, variant, 1, "", (1 - p, p),
                    )
                )  # fmt: skip
    return table_of(rows, CLASSES)


@cache
def result(skill: float = 2.0, seed: int = 0) -> dict[str, Any]:
    frozen = answers(skill / 2, seed + 1, variant="frozen encoder (probe)")
    both = pd.concat([answers(skill, seed), frozen], ignore_index=True)
    dealt = {(str(r), int(e)): int(e) % 5 for r, e in zip(both["recording"], both["event"], strict=True)}
    return evaluate_forecasting(both, CLASSES, {"detector": "x"}, 1, answer="answer", rule=RULE, over_stretches=dealt)


# Warnings.


def test_a_warning_lasts_five_seconds_and_a_further_clip_while_it_lasts_prolongs_it() -> None:
    assert warned([14.0]) == [(14.0, 5.0, False)]
    assert warned([14.0, 16.5]) == [(14.0, 7.5, False)]  # 14 to 16.5 and 5 s more


def test_nothing_new_is_raised_within_the_refractory_time_and_its_gap_is_not_time_in_warning() -> None:
    # 14 + 5 s on + 10 s refractory = 29: a clip at 29 is still refractory, one at 31.5 is not.
    assert warned([14.0, 29.0], ahead=[29.0]) == [(14.0, 5.0, False)]
    assert warned([14.0, 31.5]) == [(14.0, 5.0, False), (31.5, 5.0, False)]


def test_a_warning_is_true_where_a_seizure_followed_one_of_its_clips() -> None:
    assert warned([14.0, 16.5], ahead=[16.5, 19.0]) == [(14.0, 7.5, True)]
    assert warned([14.0, 39.0], ahead=[39.0]) == [(14.0, 5.0, False), (39.0, 5.0, True)]


def test_what_never_stops_is_a_warning_every_thirty_seconds_and_true_only_by_its_own_clips() -> None:
    ends = np.arange(4.0, 100.0, 2.5).tolist()
    found = warned(ends, ahead=[ends[-1]])
    assert [onset for onset, _, _ in found] == [4.0, 34.0, 64.0, 94.0]
    assert [true for _, _, true in found] == [False, False, False, True]
    assert sum(on for _, on, _ in found) == 2.5 * len(ends)  # all the time, and none of it twice


def test_signs_in_a_refractory_time_do_not_put_its_end_off() -> None:
    # One sign every 7.5 s: never within the 5 s that a warning lasts, and every second one within the refractory time.
    found = warned([4.0, 11.5, 19.0, 26.5, 34.0, 41.5])
    assert [onset for onset, _, _ in found] == [4.0, 26.5]


def test_film_that_is_missing_or_was_refused_is_no_time_in_warning() -> None:
    ends = np.array([4.0, 6.5, 14.0, 16.5])  # between 9 and 14 s there is no film
    made = clips(ends, np.array([1, 0, 0, 0]) > 0, np.zeros(4) > 0)
    assert warnings_of(made, replace(RULE, lasts_s=8.0)).on_s.tolist() == [5.0]
    refused = replace(made, answered=np.array([1, 0, 1, 1]) > 0)
    assert warnings_of(refused, RULE).on_s.tolist() == [2.5]


@given(st.sets(st.integers(0, 60)), st.sets(st.integers(0, 60)))
def test_warnings_are_made_of_clips_that_warn_and_never_cover_more_than_the_film(
    warns: set[int], ahead: set[int]
) -> None:
    ends = 4.0 + 2.5 * np.arange(61)
    said, true = (np.isin(np.arange(61), list(numbers)) for numbers in (warns, ahead))
    found = warnings_of(clips(ends, said, true), RULE)
    assert found.on_s.sum() <= ends[-1] - ends[0] + RULE.hop_s + 1e-9
    assert (len(found.on_s) == 0) == (not warns) and len(found.on_s) <= len(warns)
    assert not found.true.any() or warns & ahead
    assert said[found.first].all() and (found.on_s > 0).all()


def test_a_warning_never_goes_on_into_the_next_film() -> None:
    film, at_s = np.repeat([0, 1], 3), np.tile([4.0, 6.5, 9.0], 2)
    found = warnings_of(clips(at_s, np.array([0, 0, 1, 1, 0, 0]) > 0, np.zeros(6) > 0, film), RULE)
    assert found.onset_s.tolist() == [9.0, 4.0] and found.on_s.tolist() == [2.5, 5.0] and found.first.tolist() == [2, 3]


def test_persons_are_counted_by_hand() -> None:
    probabilities = [0.9, 0.2, 0.6, float("nan"), 0.7]
    truth = ["interictal", "interictal", "preictal", "preictal", "interictal"]
    rows = [
        Answer("r", "s", "p", "A", n, 20.0 * n, t, 0, "answer", 1, "" if p == p else "corrupt", (1 - p, p) if p == p else ())
        for n, (p, t) in enumerate(zip(probabilities, truth, strict=True))
    ]  # fmt: skip
    table = table_of(rows, CLASSES)
    counted = per_person(table, table["preictal"].to_numpy(), RULE).loc["p"]
    assert counted["ahead"] == 2 and counted["foreseen"] == 1  # the clip without an answer is not foreseen
    assert counted["quiet"] == 3 and counted["silent"] == 1 and counted["judged"] == 4
    assert counted["squared_error"] == pytest.approx(0.9**2 + 0.2**2 + 0.4**2 + 0.7**2)
    assert (
        counted["warnings"] == 3 and counted["false_warnings"] == 2 and counted["warning_s"] == 3 * 2.5
    )  # between these clips there is no film
    assert counted["observed_s"] == 5 * 2.5 and counted["answered_s"] == 4 * 2.5


# Figures.


def test_who_foresees_everything_silently_is_perfect_and_who_always_warns_is_at_chance() -> None:
    table = answers()
    perfect = table.assign(
        preictal=(table["truth"] == "preictal") * 1.0, interictal=(table["truth"] != "preictal") * 1.0
    )
    always = table.assign(preictal=1.0, interictal=0.0)
    best, worst = (
        evaluate_forecasting(t, CLASSES, {}, 1, answer="answer", rule=RULE)["answer"] for t in (perfect, always)
    )
    assert best["balanced_accuracy"]["estimate"] == best["roc_auc"]["estimate"] == 1 and best["brier"]["estimate"] == 0
    assert best["false_warnings_per_h"]["estimate"] == 0
    assert worst["balanced_accuracy"]["estimate"] == worst["roc_auc"]["estimate"] == 0.5
    assert worst["foreseen"]["estimate"] == worst["time_in_warning"]["estimate"] == 1


def test_who_warns_all_the_time_warns_falsely_many_times_an_hour_although_each_film_has_a_seizure() -> None:
    table = answers()
    table = table[table["recording"].str.endswith("-0")].assign(preictal=1.0, interictal=0.0)
    found = evaluate_forecasting(table, CLASSES, {}, 1, answer="answer", rule=RULE)["answer"]
    # Every film is 30 s of clips, one warning each, true by its last two clips; cut in two, the first half is false.
    halves = evaluate_forecasting(table, CLASSES, {}, 1, answer="answer", rule=replace(RULE, longest_s=15.0))["answer"]
    assert found["false_warnings_per_h"]["estimate"] == 0 and found["warnings_per_h"]["estimate"] == 120
    assert halves["false_warnings_per_h"]["estimate"] == 120 and halves["time_in_warning"]["estimate"] == 1


def test_fault_refusing_what_is_hard_neither_thins_the_warnings_nor_lifts_the_figures() -> None:
    table = answers(0.5)
    wrong = (table["preictal"] > 0.5) != (table["truth"] == "preictal")
    hidden = table.assign(
        preictal=table["preictal"].mask(wrong), interictal=table["interictal"].mask(wrong),
        code=table["code"].mask(wrong, "corrupt"),
    )  # fmt: skip
    found = evaluate_forecasting(hidden, CLASSES, {}, 1, answer="answer", rule=RULE)
    answer, share = found["answer"], found["counts"]["answered"] / found["counts"]["clips"]
    assert 0.5 < share < 0.9 and answer["roc_auc"]["estimate"] < 1 and answer["brier"]["estimate"] > 0.25 * (1 - share)
    silence = table.assign(preictal=float("nan"), interictal=float("nan"), code="corrupt")
    nothing = evaluate_forecasting(silence, CLASSES, {}, 1, answer="answer", rule=RULE)["answer"]
    assert (nothing["roc_auc"]["estimate"], nothing["brier"]["estimate"]) == (0.5, 0.25)
    assert nothing["false_warnings_per_h"]["estimate"] is None  # no hour was answered: not evaluable, not zero


def test_figures_are_those_of_the_gates_on_the_same_answers() -> None:
    evidence, found = forecast_evidence(answers(), RULE, None, None), result()["answer"]
    table = evidence.table.sum(numeric_only=True)
    expected = (table["foreseen"] / table["ahead"] + table["silent"] / table["quiet"]) / 2
    assert found["balanced_accuracy"]["estimate"] == pytest.approx(expected)
    assert found["balanced_accuracy"]["low"] < expected < found["balanced_accuracy"]["high"]
    assert found["false_warnings_per_h"]["estimate"] == pytest.approx(
        3600 * table["false_warnings"] / table["answered_s"]
    )


def test_the_gates_can_judge_the_evidence() -> None:
    ours, floor = (forecast_evidence(answers(skill), RULE, None, 1.0) for skill in (3.0, 0.2))
    found = {g.name: g for g in run_gates(ours, None, GateSettings(), floor=floor)}
    assert found["balanced_accuracy"].value is not None and found["balanced_accuracy"].value > 0
    assert found["floor:balanced_accuracy"].outcome == "insufficient_evidence"  # 16 patients, 24 are needed


def test_the_gates_are_told_what_looks_at_no_film_as_the_page_states_it() -> None:
    evidence, found = forecast_evidence(answers(), RULE, None, None), result()["baselines"]
    assert set(evidence.blind) == {BLIND[name] for name in found}
    for name, block in found.items():
        foreseen, ahead, silent, quiet = evidence.blind[BLIND[name]].sum(axis=0)
        assert (foreseen / ahead + silent / quiet) / 2 == pytest.approx(block["balanced_accuracy"]["estimate"])


def test_a_forecaster_that_the_length_of_the_film_outdoes_fails_the_gate_of_baselines() -> None:
    """Time tells these clips apart (balanced accuracy above 0.85, see below); 16 patients suffice here."""
    plan = GateSettings(forecasting=ForecastingPlan(min_patients=5))
    found = {g.name: g for g in run_gates(forecast_evidence(answers(0.5), RULE, None, 1.0), None, plan)}["baselines"]
    assert found.outcome == "fail" and "; how far the film has come reached 0." in found.reason


def test_without_skill_the_interval_holds_chance() -> None:
    block = result(0.0, 7)["answer"]
    for name in ("balanced_accuracy", "roc_auc"):
        assert block[name]["low"] < 0.5 < block[name]["high"]


def test_the_id_knows_nothing_with_patients_apart_and_the_nearest_clip_knows_much_without() -> None:
    found = result()
    apart, dealt = found["baselines"], found["baselines_over_stretches"]
    assert apart["id_lookup"]["balanced_accuracy"]["estimate"] == 0.5
    assert apart["always_interictal"]["balanced_accuracy"]["estimate"] == 0.5
    assert dealt["label_oracle"]["balanced_accuracy"]["estimate"] > 0.7
    assert not any(b["reportable"] for own in (apart, dealt) for b in own.values())


def test_the_clock_warns_as_often_as_the_detector_and_evenly() -> None:
    table = answers()
    said = clock(table, 24)
    assert said.sum() == 24 and set(np.unique(said)) == {0.0, 1.0}
    gaps = np.diff(np.flatnonzero(said[np.lexsort((table["onset_s"], table["recording"]))]))
    assert gaps.min() >= len(table) // 24 - 1 and gaps.max() <= len(table) // 24 + 1
    assert clock(table, 0).sum() == 0 and clock(table, len(table)).sum() == len(table)


def test_how_far_the_film_has_come_tells_clips_apart_where_seizures_end_films() -> None:
    """Ten clips without a seizure ahead, then two before one: time alone ranks them perfectly in films with a seizure, and
    films of the other half have as many late clips."""
    table = answers()
    late = elapsed(table)
    assert set(late[table["event"] < 9]) == {0.0} and (late[table["event"] >= 10] >= 0.5).all()
    found = result()["baselines"]["elapsed"]
    assert found["balanced_accuracy"]["estimate"] > 0.85 and not found["reportable"]


def test_a_film_without_known_ones_beside_it_is_told_nothing_by_its_length() -> None:
    assert (elapsed(answers().assign(fold=0)) == 0).all()


def test_what_looks_at_no_film_has_a_cross_of_its_own_beside_the_curves() -> None:
    main = result()
    blind = {BLIND[name]: main["baselines"][name] for name in ("always_interictal", "clock", "elapsed")}
    figure = draw_operating({"forecaster": main["operating_curve"]["points"]}, 0.5, blind)
    for axes in figure.axes:
        crosses = {line.get_label(): line.get_color() for line in axes.lines if line.get_marker() == "x"}
        assert set(crosses) == set(blind) and len(set(crosses.values())) == 3


def test_the_operating_curve_pays_for_what_it_foresees() -> None:
    points = result()["operating_curve"]["points"]
    foreseen, on = ([p[key] for p in points] for key in ("foreseen", "time_in_warning"))
    assert len(points) == 19 and foreseen == sorted(foreseen, reverse=True) and on == sorted(on, reverse=True)


def test_a_figure_is_plain_json_and_knows_who_made_it() -> None:
    found = result()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["answer"]["scorer"]["policy"]["warnings"] == RULE.to_json()
    with pytest.raises(ValueError, match="a forecast tells interictal from preictal, got spasm, other"):
        evaluate_forecasting(answers(), ("spasm", "other"), {}, 1, answer="answer", rule=RULE)


def test_what_a_split_is_worth_is_measured_on_the_same_clips() -> None:
    table = answers()
    silent = table.copy()
    silent.loc[::3, ["interictal", "preictal"]] = np.nan
    for other in (table, silent):  # to refuse is no other split
        same = regime_difference(table, other, RULE, 1)["balanced_accuracy"]
        assert same["estimate"] == same["low"] == same["high"] == 0
    with pytest.raises(ValueError, match="on the same stretches"):
        regime_difference(table, table.iloc[1:], RULE, 1)


# A handful of clips.


LABEL = np.tile(np.arange(10) // 7, len(PERSONS))
WHO = np.repeat(np.array(PERSONS), 10)


@given(st.integers(1, 5), st.integers(0, 2**31))
def test_support_and_query_of_a_task_share_no_person(shots: int, seed: int) -> None:
    (task,) = draw_tasks(LABEL, WHO, shots, 1, np.random.default_rng(seed))
    assert not set(WHO[task.support]) & set(WHO[task.query])
    assert np.bincount(LABEL[task.support]).tolist() == [shots, shots] and len(set(task.support)) == 2 * shots
    assert len(set(WHO[task.support])) == shots and set(WHO[task.support]) | set(WHO[task.query]) == set(PERSONS)


def test_tasks_differ_and_one_seed_draws_the_same() -> None:
    one, again = (
        [t.support.tolist() for t in draw_tasks(LABEL, WHO, 2, 100, np.random.default_rng(3))] for _ in range(2)
    )
    assert one == again and len({tuple(s) for s in one}) > 90


def test_a_cohort_too_small_for_a_task_is_refused() -> None:
    few = np.isin(WHO, PERSONS[:2])
    with pytest.raises(ValueError, match="2 persons are too few for 2 shots: nobody is left"):
        draw_tasks(LABEL[few], WHO[few], 2, 1, np.random.default_rng(0))


@cache
def tasks_right(skill: float, shots: int, count: int = 100, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng([seed, int(100 * skill)])
    found = []
    for task in draw_tasks(LABEL, WHO, shots, count, np.random.default_rng(shots)):
        right = rng.random(len(task.query)) < skill
        found.append(right_of(task.query, np.where(right, LABEL[task.query] == 1, LABEL[task.query] == 0), LABEL, WHO, PERSONS))  # fmt: skip
    return np.array(found)


SITES = [f"site-{n % 2}" for n in range(len(PERSONS))]


@cache
def shots() -> dict[str, Any]:
    methods = {"fine-tuned from scratch": 0.6, "fine-tuned": 0.75, "another from scratch": 0.6}
    right = {name: {k: tasks_right(skill, k, seed=len(name)) for k in (2, 3, 4)} for name, skill in methods.items()}
    pairs = [(name, "fine-tuned from scratch") for name in ("fine-tuned", "another from scratch")]
    return few_shot_figures(right, SITES, 1, pairs=pairs)


def test_a_gain_is_claimed_only_where_its_interval_excludes_scratch() -> None:
    better, same = ([*one["shots"].values()] for one in shots()["differences"])
    assert all(own["claimed"] for own in better)
    for own in same:
        assert not own["claimed"] or own["balanced_accuracy"]["low"] > 0
    assert not all(own["claimed"] for own in same)
    assert "a gain may be claimed" in claims(shots())[0]


def test_an_interval_of_tasks_is_as_wide_as_the_patients_make_it() -> None:
    """A hundred tasks from sixteen people are not a hundred times sixteen people."""
    uneven = np.zeros((100, 16, 4))
    uneven[:, :, [1, 3]] = 5
    uneven[:, ::2, [0, 2]] = 5  # half of the people are always right, the others never
    found = Redraws.of(SITES, 1).mean(uneven)
    assert found.estimate == 0.5 and found.high - found.low < 1e-9  # by site the halves never mix …
    mixed = Redraws.of(["one"] * 16, 1).mean(uneven)
    assert mixed.high - mixed.low > 0.3  # … but where anybody may be drawn they do


def test_a_gain_over_itself_is_nothing() -> None:
    right = tasks_right(0.7, 2)
    found = Redraws.of(SITES, 1).gain(right, right)
    assert found.estimate == found.low == found.high == 0


# Compositions and controls.


@cache
def table() -> dict[str, Any]:
    cells = {
        (name, ratio): tasks_right(0.6 + 0.02 * number, 2, 20, seed=number)
        for number, name in enumerate(COMPOSITIONS)
        for ratio in (0.3, 0.75)
    }
    return table_of_compositions(
        cells, tasks_right(0.6, 2, 20, seed=99), SITES, 1, measured="A probe on frozen encoders."
    )


def test_every_composition_stands_beside_scratch_with_what_was_published() -> None:
    cells = table()["cells"]
    assert len(cells) == 10 and {c["composition"] for c in cells} == set(COMPOSITIONS)
    assert cells[-1]["published"] == 0.723 and all(c["gain"]["tasks"] == 20 for c in cells)
    assert json.loads(json.dumps(table(), allow_nan=False)) == table()


def foretold(skill: float, shift: float = 0.0) -> Foretold:
    """Scores of all clips by three folds, each on a scale of its own, of which a share `skill` lies on the right side."""
    rng = np.random.default_rng([3, int(100 * skill)])
    fold = np.array([PERSONS.index(p) % 3 for p in WHO])
    side = np.where(rng.random(len(LABEL)) < skill, 1, -1) * np.where(LABEL == 1, 1, -1)
    return Foretold.of(10.0**fold * side * rng.uniform(0.5, 1, len(side)) + shift, fold, LABEL, WHO, PERSONS)


def doses(null: Foretold | None = None) -> dict[str, Any]:
    strengths = {0.0: null or foretold(0.5), 0.5: foretold(0.65), 1.0: foretold(0.9)}
    return controls({cue: {"forecaster": said} for cue, said in strengths.items()}, SITES, 1)


def test_without_a_cue_chance_must_lie_in_the_interval_and_a_control_that_fails_says_so() -> None:
    assert doses()["null"]["forecaster"]["holds"] and not doses(foretold(0.8))["null"]["forecaster"]["holds"]
    assert doses()["response"]["forecaster"]["claimed"]
    estimates = [p["methods"]["forecaster"]["estimate"] for p in doses()["points"]]
    assert estimates == sorted(estimates)
    only = controls({1.0: {"forecaster": foretold(0.9)}}, SITES, 1)
    assert "null" not in only and "no cohort without a cue" in only["not_evaluable"]


def test_fault_a_leak_that_never_warns_does_not_pass_the_null_control() -> None:
    """Every preictal clip is ranked above every other, and none of them warns: balanced accuracy is 0.5, the AUC 1."""
    leak = doses(foretold(1.0, shift=-1000.0))["null"]["forecaster"]
    assert leak["estimate"] == leak["low"] == leak["high"] == 0.5 and leak["auc"]["estimate"] == 1
    assert not leak["holds"]


def test_who_scores_every_clip_alike_shows_nothing_by_a_null_control() -> None:
    alike = Foretold.of(np.zeros(len(LABEL)), np.zeros(len(LABEL)), LABEL, WHO, PERSONS)
    null = doses(alike)["null"]["forecaster"]
    assert not null["holds"] and null["not_evaluable"] == "it scores every clip alike"
    page = forecast_page(dossier(controls=doses(alike)))
    assert "not evaluable, it scores every clip alike" in page


def test_scores_of_different_folds_are_not_compared() -> None:
    score = np.where(LABEL == 1, 1.0, 0.0)
    fold = (LABEL == 1).astype(int)  # as if one fold had scored all preictal clips, another all others
    assert Foretold.of(score, fold, LABEL, WHO, PERSONS).pairs.sum() == 0


def test_a_gain_that_one_comparison_may_claim_is_not_claimed_among_ten() -> None:
    ours, theirs = tasks_right(0.66, 2, 20, seed=6), tasks_right(0.6, 2, 20, seed=5)
    alone = few_shot_figures({"a": {2: ours}, "b": {2: theirs}}, SITES, 1, pairs=[("a", "b")])
    among = few_shot_figures({"a": {2: ours}, "b": {2: theirs}}, SITES, 1, pairs=[("a", "b")] * 10)
    one, ten = (made["differences"][0]["shots"]["2"] for made in (alone, among))
    assert one["claimed"] and not ten["claimed"] and one["balanced_accuracy"] == ten["balanced_accuracy"]
    assert (alone["comparisons"], among["comparisons"]) == (1, 10)


# The page.


def dossier(**more: Any) -> ForecastDossier:
    published = {
        "balanced_accuracy": 0.723, "balanced_accuracy_by_shots": [0.739, 0.718, 0.713], "roc_auc": 0.756,
        "human_only_balanced_accuracy": 0.715, "rodent_only_balanced_accuracy": 0.697, "right": [369, 365, 510],
        "protocol": "few shots", "source": "arXiv",
    }  # fmt: skip
    results = {"forecaster": {"patient": result(), "seizure": result(3.0)}, "recent_motion": {"patient": result(0.5)}}
    made = ForecastDossier(
        "forecaster", results, {"dataset (SHA-256)": "0" * 64}, simulated=True, floor="recent_motion",
        inflation=regime_difference(answers(3.0), answers(), RULE, 1), published=published, few_shot=shots(),
        compositions=table(), controls=doses(), undivided={"site": "one site only"}, unjudged={"patient": "one class only"},
    )  # fmt: skip
    return replace(made, **more)


def test_the_page_says_what_is_foreseen_and_what_it_costs_in_one_breath() -> None:
    page = forecast_page(dossier())
    for said in (
        "false warnings per hour of answered film", "balanced accuracy", "369 of 510 decisions", "4 decisions", "no gain may be claimed",
        "as it must be", "Simulated data", "leaky control", "not evaluable, one site only",
        "AUC of inner patients: not evaluable, one class only.", "s of its end nothing is raised",
    ):  # fmt: skip
        assert said in page.replace("\u00a0", " "), said
    assert "<script" not in page and "src=" not in page


def test_the_page_says_which_studies_were_not_made() -> None:
    page = forecast_page(dossier(few_shot={}, compositions={}, controls={}, published={}, inflation={}))
    assert "the study of transfer was not run" in page and "they were not run" in page
    with pytest.raises(ValueError, match="evaluate it under `patient` first"):
        dossier(name="other")
