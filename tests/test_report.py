"""The page of a candidate: verdict first, leaky figures never as evidence, every figure with its scorer and coverage."""

import json
from dataclasses import replace
from functools import cache
from html import unescape

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.events import Annotations, Event
from data.frontend import Prepared
from data.recording import Segment
from lineage.digest import digest_of
from tests.dossiers import GATES, PROVENANCE, PUBLISHED, SPLIT, bare, dossier, result
from validation.gates import Gate
from validation.inflation import Published, absent_regimes, inflation_rows, marks
from validation.outcome import headline
from validation.pages import Table
from validation.peers import Yardstick, Yardsticks
from validation.reading import Estimate, basis, read
from validation.report import Dossier, WorstCase, evaluation_page, report_document, worst_cases
from validation.report.excerpts import signal_between
from validation.report.page import sections
from validation.scoring import Case
from validation.splits import REPORTABLE


def text_of(html: str) -> str:
    return unescape(html).replace("\u00a0", " ")


@pytest.fixture(scope="module")
def page() -> str:
    return text_of(evaluation_page(dossier()))


def tables(of: Dossier) -> list[Table]:
    return [part for section in sections(of) for part in section.parts if isinstance(part, Table)]


@cache
def usual_tables() -> list[Table]:
    return tables(dossier())


def table(caption: str, of: Dossier | None = None) -> Table:
    return next(t for t in (tables(of) if of else usual_tables()) if t.caption.startswith(caption))


def test_an_evaluation_says_first_what_the_gates_decided(page):
    assert "da_stnet may not replace line_length: of 3 gates 1 failed and 1 lacks evidence." in page
    assert page.index("may not replace") < page.index("<svg") and page.index("may not replace") < page.index("<nav")


@pytest.mark.parametrize(
    ("gates", "state", "sentence"),
    [
        (GATES[:1], "pass", "All 1 gates passed: da_stnet may be proposed to replace line_length."),
        (GATES[:2], "unsure", "da_stnet may not replace line_length: of 2 gates 1 lacks evidence."),
        (GATES, "fail", "da_stnet may not replace line_length: of 3 gates 1 failed and 1 lacks evidence."),
        ([], "unsure", "No gates were run: this page decides nothing about da_stnet."),
    ],
)
def test_only_gates_that_all_passed_look_passed(gates: list[Gate], state: str, sentence: str):
    told = headline("da_stnet", "line_length", gates, dossier().main)
    assert (told.state, told.sentence) == (state, sentence)


def test_the_page_states_what_tells_a_gate_that_failed_from_one_that_lacks_evidence(page: str):
    assert "fails where not even its estimate does; where the estimate keeps it and the bound does not" in page


def test_the_page_of_the_floor_names_nothing_in_force_that_it_might_replace():
    told = headline("line_length", "", GATES[1:], dossier().main)
    assert (
        told.sentence
        == "line_length is the floor, which others are compared with: of 2 gates 1 failed and 1 lacks evidence."
    )


def test_a_floor_that_is_compared_with_nobody_lacks_no_evidence_for_that():
    alone = replace(GATES[0], outcome="unknown", reason="not applicable: it is the floor itself")
    told = headline("motion_energy", "", [GATES[0], alone, alone], dossier().main)
    assert told.sentence.endswith("of 3 gates 2 do not apply.") and (told.state, told.label) == ("unsure", "The floor")


def test_the_page_of_the_model_in_force_says_so_and_undoes_nothing_that_was_signed():
    page = text_of(evaluation_page(replace(dossier(), champion="da_stnet 59f4 in force", in_force=True)))
    assert "da_stnet is the model in force: nothing here undoes what was signed for it." in page
    assert "may not replace" not in page and "of 3 gates 1 failed and 1 lacks evidence." in page


def test_all_five_regimes_are_named_and_a_leaky_one_never_looks_like_evidence():
    own = dossier().readings["da_stnet"]
    shown = marks(own, REPORTABLE, dossier().absent, PUBLISHED)
    assert [m.style for m in shown] == [
        "honest", "honest", "absent", "leaky", "leaky", "blind", "blind", "published",
    ]  # fmt: skip
    assert all("non-reportable" in m.label for m in shown if m.style in ("leaky", "blind"))
    assert [m.label for m in shown if m.reportable] == ["patients apart", "sites apart"]
    assert "non-reportable" not in shown[0].label + shown[1].label


def test_a_leaky_regime_is_marked_wherever_its_figures_stand(page):
    side = table("All detectors on the same recordings")
    marked = {row[1]: mark for mark, row in side.marked_rows}
    assert [bool(mark) for split, mark in marked.items() if "non-reportable" in str(split)] == [True] * 4
    assert marked["patients apart"] == marked["sites apart"] == ""
    assert page.count("leaky control: non-reportable") >= 8


def test_a_regime_without_figures_is_named_with_the_reason(page):
    assert (
        "Not evaluable because not run: recordings apart. Run “ictal evaluate da_stnet --regimes all” for all five."
        in page
    )
    why = "leaving one site out needs at least 2 sites, got 1"
    reasons = absent_regimes(["patient"], {"site": why})
    assert reasons["site"] == f"the cohort cannot be divided so: {why}" and reasons["window"] == "not run"
    alone = replace(dossier(), results={"da_stnet": {"patient": dossier().own["patient"]}}, undivided={"site": why})
    assert f"Sites apart: not evaluable, the cohort cannot be divided so: {why}." in text_of(evaluation_page(alone))


def test_what_a_change_of_the_split_is_worth_is_the_labs_figure_with_its_interval():
    step = {
        "auc": {"estimate": 0.131, "low": 0.04, "high": 0.24},
        "event_sensitivity": {"estimate": -0.04, "low": -0.11, "high": 0.03},
    }
    rows = inflation_rows({"window_to_patient": step}, {"site": "not run"})
    assert rows == [
        ("Random windows instead of patients apart", "+0.131 (0.040 to 0.240)", "−4 (−11 to 3)"),
        ("Patients apart instead of sites apart", *["not evaluable: sites apart not run"] * 2),
    ]


def test_a_split_that_flatters_has_a_positive_sign():
    """Random windows were simulated with more skill than patients apart: 6 against 1.5 standard deviations."""
    found = dossier().inflation["window_to_patient"]["auc"]
    honest, leaky = (dossier().own[r]["clinical"]["auc_pooled"]["estimate"] for r in ("patient", "window"))
    assert found["estimate"] == pytest.approx(leaky - honest) and found["low"] > 0
    shown = table("What each change of the split is worth")
    assert [row[3] for row in shown.rows] == ["98.9 %"] * 2
    assert shown.rows[0][1] == f"{found['estimate']:+.3f} ({found['low']:.3f} to {found['high']:.3f})"


def test_the_published_headline_stands_beside_ours_and_is_marked_as_published(page):
    said = "Published headline of da_stnet: AUC 0.9998 and F1 0.9952 (“5-fold CV”, Helsinki; Xu & Zheng 2026)."
    assert said in page and "It was not measured here and cannot be compared with patients apart." in page
    assert "as published" in page and "label of the nearest window" in page


def test_yardsticks_of_the_literature_stand_on_the_operating_curve(page):
    for yard in (
        "three experts, pairwise (72–85 %)",
        "a commercial system (78 %)",
        "best open model, hidden data (37 %)",
    ):
        assert yard in page


def test_what_peers_reach_is_shown_where_their_results_are_given(page):
    best = Yardstick("wolf", 0.59, 8.2, 0.53, 12)
    made = replace(dossier(), peers=[Yardsticks("siena", best, None, {"trained_on_it": 5, "f1:undetected_dropped": 1})])
    with_peers = text_of(evaluation_page(made))
    assert "best open detector on siena (59 %)" in with_peers and "open detector on" not in page
    row = table("What other detectors reach", made).rows[0]
    assert row == ("siena", "best by F1", "59", "8.2", "0.53", 12, "5 trained on it, 1 F1 undetected dropped")


def test_every_table_of_figures_says_how_much_of_the_time_was_assessed():
    without = {
        "Gates declared before the evaluation",
        "Prediction sets by site",
        "Prediction sets of seconds, with 95 % binomial intervals",
        "The recordings that lie farthest away",
    }
    silent = {
        t.caption for t in tables(dossier()) if "Time assessed" not in t.columns and "time assessed" not in t.note
    }
    assert silent <= without
    assert "seconds that it assessed" in text_of(evaluation_page(dossier()))


def test_figures_name_the_scorer_that_made_them_with_its_code_and_policy(page):
    scorer = dossier().own["patient"]["clinical"]["scorer"]
    named = f"Scored by clinical {scorer['version']} (code {scorer['code_digest'][:12]}, policy {scorer['policy_digest'][:12]})."
    assert basis({"scorer": scorer}) == named and page.count(named) >= 4
    for name in ("reliability", "agreement", "burden", "abstention", "szcore", "operating_curve", "subgroups"):
        assert f"Scored by {name} " in page, name
    assert "subgroups 2 " in page[page.index("<footer") :]


def test_calibration_is_shown_for_every_site():
    shown = table("Calibration over all and by site")
    assert [row[0] for row in shown.rows] == ["all", "demo-e", "demo-n", "demo-s"]
    ece = dossier().own["patient"]["calibration"]["sites"]["demo-s"]["ece"]
    assert shown.rows[3][2] == f"{ece['estimate']:.3f} ({ece['low']:.3f} to {ece['high']:.3f})"


def test_groups_too_small_for_a_figure_say_so_with_the_reason(page):
    row = next(r for r in table("Figures by site").rows if r[0] == "age: 1–11 years")
    assert row[3:6] == ("not evaluable",) * 3
    assert "age 1–11 years (1 persons with seizures, at least 5 are needed)" in page


def test_latency_says_of_how_many_seizures_it_is_and_how_many_were_early():
    shown, patients = table("Burden, latency"), dossier().own["patient"]["per_patient"]
    found, early = (sum(row[name] for row in patients) for name in ("detected", "early"))
    rows = dict(shown.rows)
    assert f"Latency to detection of the {found} seizures found, seconds (mean over patients)" in rows
    assert rows[f"Alarm on before the onset, % of the {found} seizures found"].startswith(
        f"{100 * early / found:.0f} ("
    )
    assert "begins anew every 300 s" in shown.note and "Scored by clinical 3" in shown.note


def test_burden_and_agreement_are_those_of_experts_who_mark_as_the_reference_does():
    """Both experts mark what the reference marks: they agree with κ = 1, and differ from the detector alike."""
    agreement = {row[0]: row for row in table("Agreement beyond chance").rows}
    assert (
        agreement["A – B"][1] == "1.00 (1.00 to 1.00)" and agreement["all experts (Fleiss)"][1] == "1.00 (1.00 to 1.00)"
    )
    assert agreement["detector – A"][1:3] == agreement["detector – reference"][1:3]
    burden = {row[0]: row for row in table("How far two raters").rows}
    assert burden["A – B"][1].startswith("0.0 (0.0 to 0.0)\nlimits 0.0 to 0.0")
    assert burden["detector – A"] == ("detector – A", *burden["detector – reference"][1:])
    assert "Rhythms shorter than 10 s are left out" in table("Agreement beyond chance").note


def test_delta_kappa_is_said_with_its_half_width_and_whether_it_passes(page):
    found = dossier().own["patient"]["agreement"]["delta_kappa"]
    assert not found["passes"] and found["low"] > 0
    assert f"its interval lies above 0; half width {found['half_width']:.3f}." in page


def test_abstaining_is_never_shown_without_the_share_that_was_decided(page):
    found = dossier().own["patient"]["abstention"]
    assert f"commits itself in {100 * found['decided_share']:.1f} % of the seconds that it assessed" in page
    held = found["coverage"]["seizure"]
    [row] = [r for r in table("Prediction sets of seconds").rows if r[0] == "seizure"]
    between = f"({100 * held['low']:.0f} to {100 * held['high']:.0f})"
    assert row[1] == f"{100 * held['estimate']:.0f} {between}\n{held['persons']} patients"
    assert "1 of 9 recordings were refused as unlike the patients that the model learnt from." in page


def test_all_three_ways_to_average_patients_stand_side_by_side_with_whether_the_order_depends_on_them(page):
    shown = table("The same predictions by SzCORE")
    assert len(shown.columns) == 4 and len(shown.rows) == 8
    recorded, assessed = "False alarms per 24 h recorded,\nas SzCORE counts", "False alarms per 24 h assessed"
    assert [row[0] for row in shown.rows[3:5]] == [recorded, assessed]
    f1 = [dossier().own["patient"]["szcore"][p]["event"]["f1"]["estimate"] for p in ("pooled", "legacy_patient_mean")]
    row = next(r for r in shown.rows if r[0] == "F1 of events")
    assert (row[1][:4], row[3][:4]) == tuple(f"{value:.2f}" for value in f1)
    assert dossier().averaging.sentence in page


def test_an_order_of_one_detector_is_not_evaluable_and_says_why():
    alone = replace(dossier(), results={"da_stnet": dict(dossier().own)})
    assert "not evaluable, an order needs at least two detectors, got 1" in text_of(evaluation_page(alone))


def test_the_figures_on_the_page_are_those_of_the_result(page):
    auc = dossier().own["patient"]["clinical"]["auc_pooled"]
    assert f"AUC {auc['estimate']:.2f} ({auc['low']:.2f} to {auc['high']:.2f})" in page
    footer = page[page.index("<footer") :]
    assert dossier().own["patient"]["digests"]["predictions"] in footer and digest_of(SPLIT) in footer
    assert all(digest in footer for digest in PROVENANCE.values())
    assert "regime patient, seed 7, 3 folds" in footer and "2,000 resamples of patients within sites" in footer


def test_misses_and_false_alarms_are_shown_apart_with_their_traces(page):
    cases = page[page.index('id="worst-cases"') :]
    places = [cases.index(x) for x in ("Missed seizures", "Missed: sub-004", "False alarms", "False alarm: sub-005")]
    assert places == sorted(places) and "marked by experts" in cases and "data:image/png;base64," in cases


def test_worst_cases_without_traces_are_told_and_nothing_to_tell_is_said_too():
    told = text_of(evaluation_page(replace(dossier(), excerpts=())))
    assert next(c for c in dossier().worst or () if c.kind == "false alarm").sentence in told
    nothing = text_of(evaluation_page(replace(dossier(), excerpts=(), worst=())))
    assert "No seizure was missed." in nothing and "There was no false alarm." in nothing
    assert "nobody looked for them" in text_of(evaluation_page(replace(dossier(), excerpts=(), worst=None)))


def case(person: str, reference: list[tuple], hypothesis: list[tuple], level: float, seconds: int = 400) -> Case:
    trend = np.full(seconds, level)
    marked, called = (Annotations(tuple(Event(*e) for e in events), seconds) for events in (reference, hypothesis))
    labels = marked.to_mask(1.0).astype(np.int8)
    return Case(f"rec-{person}", person, person, "here", trend, labels, marked, called)


def test_the_longest_misses_and_the_surest_longest_alarms_come_first():
    """Person c's alarm lasts 60 s at 0.9, weighing 54; b's 100 s at 0.5 weigh 50; a's second miss of 30 s is not shown."""
    cases = [
        case("a", [(10, 40), (200, 30)], [], 0.1),
        case("b", [(10, 20), (300, 50)], [(100, 100), (310, 20)], 0.5),
        case("c", [], [(100, 60)], 0.9),
    ]
    assert [(w.kind, w.person, w.onset_s, w.duration_s) for w in worst_cases(cases)] == [
        ("missed seizure", "a", 10, 40), ("missed seizure", "b", 10, 20),
        ("false alarm", "c", 100, 60), ("false alarm", "b", 100, 100),
    ]  # fmt: skip
    assert [w.kind for w in worst_cases(cases, each=1)] == ["missed seizure", "false alarm"]


def test_a_miss_in_which_no_second_was_assessed_says_so():
    [worst] = worst_cases([case("a", [(10, 40)], [], float("nan"))])
    assert worst.highest_probability is None
    assert worst.sentence == "Missed: 40 s from second 10 of rec-a (here), no second of it was assessed"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.integers(5, 60)), min_size=1, max_size=8))
@settings(max_examples=30, deadline=None)
def test_worst_cases_are_of_different_patients_and_the_worst_of_theirs(drawn):
    cases = [
        replace(case(p, [(50, d)], [(50, d)] if found else [(200, d)], 0.5), recording=f"rec-{n}")
        for n, (p, found, d) in enumerate(drawn)
    ]
    for kind in ("missed seizure", "false alarm"):
        worst = [w for w in worst_cases(cases, each=2) if w.kind == kind]
        assert len({w.person for w in worst}) == len(worst) == min(2, len({p for p, found, _ in drawn if not found}))
        for w in worst:
            assert w.duration_s == max(d for p, found, d in drawn if p == w.person and not found)


def test_an_excerpt_over_a_gap_shows_nothing_where_nothing_was_recorded():
    """Two segments of 10 s at 4 Hz, from 0 s and from 15 s; seconds 5 to 20 are asked for."""
    parts = tuple(Segment(onset, np.full((1, 40), onset + 1, np.float32)) for onset in (0.0, 15.0))
    signal = signal_between(Prepared(("C3-P3",), 4.0, parts, 25.0, ""), 5.0, 20.0)[0]
    assert (
        (signal[:20] == 1).all() and np.isnan(signal[20:40]).all() and (signal[40:] == 16).all() and len(signal) == 60
    )


def test_blocks_that_nobody_measured_read_as_not_evaluable():
    html = text_of(evaluation_page(bare()))
    assert "AUC not evaluable" in html and "No gates were run" in html
    for said in (
        "κ with experts, Fleiss' κ and Δκ: not evaluable, not measured.",
        "Conformal coverage and error where decided: not evaluable, not measured.",
        "Out of distribution: not evaluable, not measured.",
        "Not evaluable because not run: sites apart, recordings apart, windows with a gap, random windows.",
    ):
        assert said in html, said


def test_a_block_that_says_why_it_is_empty_is_quoted():
    own = dict(dossier().own["patient"]) | {"agreement": {"not_evaluable": "one expert: the reference"}}
    said = text_of(evaluation_page(replace(dossier(), results={"da_stnet": {"patient": own}})))
    assert "κ with experts, Fleiss' κ and Δκ: not evaluable, one expert: the reference." in said


def test_the_same_evaluation_gives_the_same_page_and_the_same_data():
    again = replace(dossier())
    assert evaluation_page(again) == evaluation_page(dossier())
    assert json.dumps(report_document(again)) == json.dumps(report_document(dossier()))


def test_an_evaluation_without_patients_apart_is_refused():
    with pytest.raises(ValueError, match="patients apart"):
        bare(results={"da_stnet": {"window": result(6.0, "da_stnet", "window")}})


def test_the_data_say_what_the_page_says():
    document = report_document(dossier())
    assert document["verdict"]["state"] == "fail" and document["simulated"] is True
    assert [regime for regime, one in document["regimes"].items() if one["reportable"]] == ["patient", "site"]
    assert document["regimes"]["recording"] == {"reportable": False, "not_evaluable": "not run"}
    assert document["regimes"]["patient"]["result"]["clinical"] == json.loads(
        json.dumps(dossier().own["patient"]["clinical"])
    )
    assert document["published"]["reportable"] is False and len(document["gates"]) == 3
    assert document["worst_cases"][0] == vars((dossier().worst or ())[0])


def test_a_figure_that_does_not_exist_is_null_in_the_data():
    lost = Yardsticks("siena", Yardstick("median", 0.5, 9.0, float("nan"), 3), None, {})
    assert report_document(replace(dossier(), peers=[lost]))["yardsticks"]["peers"][0]["best"]["f1"] is None


def test_estimates_are_written_with_their_interval():
    assert Estimate(0.834, 0.71, 0.9).written() == "0.83 (0.71 to 0.90)"
    assert Estimate(0.834, 0.71, 0.9).percent() == "83 (71 to 90)"
    assert Estimate(868.3, 603.0, 1133.9).rate() == "868 (603 to 1134)"
    assert Estimate(1.25, 0.5, 2.0).rate() == "1.2 (0.5 to 2.0)"
    assert Estimate(-0.001, -0.2, 0.1).written(1, sign=True) == "+0.0 (−0.2 to 0.1)"
    assert Estimate(0.5).written() == "0.50" and Estimate().written() == "not evaluable"


def test_a_page_with_six_minutes_of_traces_stays_small_enough_to_send():
    """Two montages' worth of traces are drawn; six excerpts of 18 channels made 1.4 MB when last looked at."""
    assert len(evaluation_page(dossier())) < 1_500_000


def test_what_was_published_may_lack_an_f1():
    said = text_of(evaluation_page(replace(dossier(), published=Published(0.98, "hidden test", "Somebody 2025"))))
    assert "AUC 0.98 (hidden test; Somebody 2025)" in said


def test_a_worst_case_is_plain_data():
    assert json.dumps(vars(WorstCase("false alarm", "rec", "p", "here", 1.0, 2.0, None)))


def test_reading_a_result_does_not_need_all_of_it():
    assert read({}).auc == Estimate() and basis({}) == ""
