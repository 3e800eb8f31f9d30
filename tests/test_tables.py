"""The watched tables: films, poses and answers in one row per recording, patients as the unit, rules of acquisition."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flows import history, records
from flows.watch import _watch_answers
from flows.watching import answers_of
from lineage.digest import sha256_file
from lineage.store import open_store, session
from monitoring.acquisition import breaches
from monitoring.causes import named
from monitoring.drift import compare_sites
from monitoring.features import FILM_FEATURES, KNOWN, POSE_FEATURES, SERVED_FEATURES, WATCHED
from monitoring.findings import DriftSettings
from monitoring.report import summary_page
from monitoring.showing import site_pages
from monitoring.tables import film_table, models_of, patient_table, periods_of, pose_table, served_table
from serving.facts import FactRow
from tests.patients import PERSON, edf_of, light_workspace


def views(recording: str, **more: float) -> list[dict]:
    row = {"recording": recording, "width": 640, "height": 480, "rate_hz": 29.97, **dict.fromkeys(FILM_FEATURES, 0.1)}
    return [{**row, "view": view, **more} for view in ("a", "b")]


def who(*recordings: str, site: str = "north", period: str = "development") -> dict[str, dict[str, str]]:
    return {r: {"patient": f"p-{r}", "site": site, "period": period} for r in recordings}


def test_a_film_is_one_row_however_many_cameras_saw_it():
    facts = pd.DataFrame([*views("r1", brightness=100.0), *views("r2", infrared_share=1.0)])
    table = film_table(facts, who("r1", "r2"))
    assert table["recording"].tolist() == ["r1", "r2"] and table["patient"].tolist() == ["p-r1", "p-r2"]
    assert table["frames_hz"].tolist() == [30.0, 30.0] and table["resolution"].tolist() == ["640 x 480"] * 2
    assert table["light"].tolist() == ["in colour", "in infrared"] and table["brightness"].tolist() == [100.0, 0.1]
    assert table["views"].tolist() == [2.0, 2.0]


def tracks(recording: str, **more: object) -> dict:
    row = {"recording": recording, "rate_hz": 25.0, "torso": 100.0, "missing_joints": ""}
    return {**row, **{n: 0.1 for n in POSE_FEATURES if n != "log_torso"}, "confidence": 0.9, **more}


def test_a_pose_track_is_one_row_and_its_trunk_a_logarithm():
    facts = pd.DataFrame([tracks("r2", missing_joints="nose", torso=np.nan), tracks("r1")])
    table = pose_table(facts, who("r1", "r2"))
    assert table["recording"].tolist() == ["r1", "r2"]
    assert table["log_torso"].iloc[0] == 2.0 and np.isnan(table["log_torso"].iloc[1])
    assert table["joints"].tolist() == ["all joints", "without nose"]


@pytest.mark.parametrize(
    ("changed", "rule", "cause"),
    [
        ({"rate_hz": 12.0}, "frame rate", "camera"),
        ({"width": 320, "height": 240}, "picture size", "camera"),
        ({"infrared_share": 1.0}, "camera light", "Look at a film"),
        ({"frozen_share": 0.5}, "time with a frozen picture", "camera"),
    ],
)
def test_what_was_changed_at_a_camera_is_a_broken_rule_with_a_cause(changed, rule, cause):
    names = [f"r{n}" for n in range(8)]
    then = film_table(pd.DataFrame([v for n in names for v in views(n)]), who(*names))
    now = film_table(pd.DataFrame([v for n in names for v in views(n, **changed)]), who(*names, period="later"))
    settings = DriftSettings(features=tuple(FILM_FEATURES), draws=199)
    (site,) = compare_sites(then, now, settings, np.random.default_rng(0)).sites
    assert site.state == "alarm" and rule in {b.rule for b in site.breaches}
    assert any(cause in c.advice for c in named(site) if c.name == rule)
    (quiet,) = compare_sites(then, then, settings, np.random.default_rng(0)).sites
    assert quiet.state == "steady"


def test_joints_that_are_seen_less_surely_are_a_broken_rule_and_unsure_answers_are_none():
    names = [f"r{n}" for n in range(3)]
    then, now = (pose_table(pd.DataFrame([tracks(n, confidence=c) for n in names]), who(*names)) for c in (0.9, 0.3))
    (found,) = breaches("north", then, now, tuple(POSE_FEATURES))
    assert found.rule == "confidence of joints" and "was 0.90 in the reference and is 0.30" in found.sentence
    assert breaches("north", then.drop(columns="joints"), now.drop(columns="joints")) == ()


def test_clipping_and_gaps_are_broken_rules_of_an_eeg():
    then = pd.DataFrame({"site": "north", "patient": ["a", "b", "c"], "clipped_share": 0.0, "gap_share": 0.0})
    now = then.assign(clipped_share=[0.3, 0.2, 0.0], gap_share=0.05)
    (found,) = breaches("north", then, now)
    assert found.rule == "clipping" and found.patients == 2
    assert breaches("north", now, now) == ()  # a site that always was so has not changed


def test_every_watched_feature_is_known_by_unit_meaning_and_group():
    assert {name for features in WATCHED.values() for name in features} == set(KNOWN)
    assert all(f.unit and f.meaning and f.group for features in WATCHED.values() for f in features.values())


def test_sites_of_films_have_pages_with_the_features_of_films():
    names = [f"r{n}" for n in range(3)]
    table = film_table(pd.DataFrame([v for n in names for v in views(n)]), who(*names))
    (page,) = site_pages(table, table, tuple(FILM_FEATURES))
    assert page.features == tuple(FILM_FEATURES) and site_pages(table, table) == []


ASKED = "detection by mmmmmmmmmmmm"


def fact(n: int, month: str, site: str, recording: str = "", **more: object) -> FactRow:
    """An answer of a day in a month, about a recording of its own unless given."""
    rng = np.random.default_rng([n, len(month), ord(month[-1])])
    said = {
        "prediction_id": f"{site}-{month}-{n}", "at": f"{month}-{1 + n % 27:02}T00:00:00.000000Z", "site": site,
        "recording": recording or f"{site}-{month}-{n}", "question": "detection", "model": "m" * 64, "outcome": "completed",
        "code": "", "duration_s": 3600.0, "coverage": 0.9 + 0.01 * rng.normal(), "alarms_per_hour": 2 + rng.normal(),
        "acquisition": json.dumps({"rate_hz": 256.0, "mains_hz": None, "channels": "C3 C4"}),
    }  # fmt: skip
    return FactRow(**{**said, **more})


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def written(place: Path, *rows: FactRow) -> pd.DataFrame:
    engine = open_store(place, FactRow)
    with session(engine) as writing:
        writing.add_all(rows)
    table = served_table(engine, {"r-one": "p-one"})
    engine.dispose()
    return table


def test_answers_are_rows_of_recordings_with_numbers_and_facts(place):
    table = written(
        place,
        fact(1, "2026-10", "north", "r-one", verdict="reject"),
        fact(
            2, "2026-11", "north", "r-two", outcome="not_evaluable", code="flat", alarms_per_hour=None, acquisition="{}"
        ),
    )
    assert table["patient"].tolist() == ["p-one", "r-two"] and table["period"].tolist() == ["2026-10", "2026-11"]
    assert table["refused_share"].tolist() == [0.0, 1.0] and table["rate_hz"].iloc[0] == 256.0
    assert table["rejected_share"].iloc[0] == 1.0 and np.isnan(table["rejected_share"].iloc[1])
    assert np.isnan(table["rate_hz"].iloc[1]) and np.isnan(table["mains_hz"].iloc[0])
    assert all(table[name].dtype == float for name in SERVED_FEATURES)


def test_a_recording_that_was_asked_about_twice_counts_once_with_its_last_answer(place):
    table = written(
        place,
        fact(1, "2026-10", "north", "r-one", coverage=0.1),
        fact(2, "2026-10", "north", "r-one", coverage=0.7),
        fact(3, "2026-10", "north", "r-one", question="typing", coverage=0.3),
    )
    assert table[["question", "coverage"]].values.tolist() == [["detection", 0.7], ["typing", 0.3]]
    patients = patient_table(table, ("coverage",))
    assert patients[["patient", "recordings", "coverage"]].values.tolist() == [["p-one", 2, 0.5]]


def test_a_verdict_counts_also_where_the_recording_was_asked_about_again_and_no_other_models_or_sites_does(place):
    judged = {"verdict": "reject", "judged_at": "2026-10-09T00:00:00.000000Z"}
    table = written(
        place,
        fact(1, "2026-10", "north", "r-one", **judged),
        fact(2, "2026-10", "north", "r-one"),
        fact(3, "2026-10", "north", "r-two", **judged),
        fact(4, "2026-10", "north", "r-two", verdict="confirm", judged_at="2026-10-08T00:00:00.000000Z"),
        fact(5, "2026-10", "north", "r-three", **judged),
        fact(6, "2026-10", "north", "r-three", model="n" * 64),
        fact(7, "2026-10", "north", "r-four", **judged),
        fact(8, "2026-10", "south", "r-four"),
    ).set_index(["site", "recording"])
    assert table["rejected_share"].dropna().to_dict() == {("north", "r-one"): 1.0, ("north", "r-two"): 1.0}
    assert table["prediction"].str[-1].tolist() == ["2", "4", "6", "8"]


def test_a_store_without_any_service_gives_an_empty_table(place):
    engine = open_store(place)
    assert served_table(engine).empty and "alarms_per_hour" in served_table(engine)
    engine.dispose()


def test_each_month_is_compared_with_those_before_it(place):
    table = written(place, *(fact(n, m, "north") for m in ("2026-09", "2026-10", "2026-11") for n in range(2)))
    found = {month: (sorted(set(then["period"])), set(now["period"])) for month, then, now in periods_of(table)}
    assert found == {"2026-10": (["2026-09"], {"2026-10"}), "2026-11": (["2026-09", "2026-10"], {"2026-11"})}


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory):
    """A workspace whose service answered for four months; in the last two one site has many more alarms."""
    workspace = light_workspace(tmp_path_factory.mktemp("answered"))
    engine = open_store(workspace.ledger, FactRow)
    months = ("2026-08", "2026-09", "2026-10", "2026-11")
    with session(engine) as writing:
        for month in months:
            for site in ("north", "south"):
                more = 12.0 if site == "south" and month >= "2026-10" else 0.0
                for n in range(10):
                    row = fact(n, month, site)
                    row.alarms_per_hour = (row.alarms_per_hour or 0) + more
                    writing.add(row)
        writing.add(fact(30, "2026-08", "north", sha256_file(edf_of(workspace, "sub-01"))))
    engine.dispose()
    return workspace, _watch_answers(workspace)


def test_a_served_recording_of_a_known_person_is_that_persons(answered):
    workspace, _ = answered
    table = answers_of(records.open_ledger(workspace))
    mine = table[table["recording"] == sha256_file(edf_of(workspace, "sub-01"))]
    assert mine["patient"].tolist() == [PERSON]


def test_a_site_that_is_answered_otherwise_for_two_months_is_confirmed_and_in_the_ledger(answered):
    workspace, found = answered
    assert found["questions"][ASKED]["alarmed"] == ["south"] and found["months"][-1] == "2026-11"
    page = (workspace.reports / "drift" / "answers-detection-mmmmmmmmmmmm.html").read_text()
    assert "the detector&#39;s answers, not the signal" in page or "the detector's answers, not the signal" in page
    assert "since 2026-10, confirmed" in page
    lines = records.open_ledger(workspace).entries("drift.alarm")
    assert [line.reason for line in lines] == [f"at south, 2026-{month}: answers to {ASKED}" for month in (10, 11)]
    assert _watch_answers(workspace)["questions"] == found["questions"]  # asked again, the ledger has no line more
    assert len(records.open_ledger(workspace).entries("drift.alarm")) == 2


def test_a_month_that_is_over_is_compared_again_only_where_something_about_it_is_new(answered, tmp_path, monkeypatch):
    table = answers_of(records.open_ledger(answered[0]))
    workspace, compared = light_workspace(tmp_path), []

    def comparing(then, now, settings, rng, month):
        compared.append(month)
        return compare_sites(then, now, settings, rng, month)

    monkeypatch.setattr(history, "compare_sites", comparing)
    settings = DriftSettings(features=tuple(SERVED_FEATURES), draws=50)

    def judged(rows=table, settings=settings):
        compared.clear()
        reports = history.reports_by_month(workspace, "detection", "m" * 64, rows, settings)
        return compared.copy(), [report.to_json() for report in reports]

    all_months = ["2026-09", "2026-10", "2026-11"]
    first, said = judged()
    assert first == all_months
    assert judged() == (["2026-11"], said) and judged(table.sample(frac=1, random_state=0)) == (["2026-11"], said)
    read = table.copy()
    read.loc[read.index[read["period"] == "2026-10"][0], "alarms_per_hour"] += 5.0  # as a verdict that came later would
    assert judged(read)[0] == ["2026-10", "2026-11"]
    assert judged(read, replace(settings, draws=60))[0] == all_months


def test_the_tables_are_there_as_parquet(answered):
    workspace, found = answered
    folder = workspace.reports / "drift"
    table, patients = (pd.read_parquet(folder / name) for name in ("served.parquet", "served_patients.parquet"))
    assert len(table) == found["recordings"] == 81 and len(patients) == 81 and set(SERVED_FEATURES) <= set(patients)


def test_answers_of_another_model_are_no_drift(answered, tmp_path, monkeypatch):
    """Of the months of an earlier model nothing is compared with those of the present one; that nothing was is said."""
    workspace = light_workspace(tmp_path)
    engine = open_store(workspace.ledger, FactRow)
    with session(engine) as writing:
        for n in range(10):
            writing.add(fact(n, "2026-10", "north", model="a" * 64))
            writing.add(fact(n, "2026-11", "north", model="b" * 64, alarms_per_hour=30.0 + n))
    engine.dispose()
    found = _watch_answers(workspace)
    why = "model bbbbbbbbbbbb has answered in no month before 2026-11"
    assert found["questions"] == {} and found["uncompared"] == {"detection": {"north": why}}


def test_while_a_canary_answers_one_site_the_others_are_watched_and_its_own_is_named(tmp_path):
    """North is answered by the model in force, with many more alarms than before; south, last of all, by the canary."""
    workspace = light_workspace(tmp_path)
    engine = open_store(workspace.ledger, FactRow)
    with session(engine) as writing:
        for month in ("2026-09", "2026-10", "2026-11"):
            for n in range(10):
                more, canary = (12.0, "c" * 64) if month == "2026-11" else (0.0, "m" * 64)
                writing.add(fact(n, month, "north", alarms_per_hour=2.0 + 0.1 * n + more))
                writing.add(fact(n + 1, month, "south", model=canary))
    engine.dispose()
    found = _watch_answers(workspace)
    assert {asked: one["alarmed"] for asked, one in found["questions"].items()} == {ASKED: ["north"]}
    assert list(found["uncompared"]["detection"]) == ["south"]
    page = (workspace.reports / "drift" / "answers-detection-mmmmmmmmmmmm.html").read_text()
    assert "south is not compared: model cccccccccccc has answered in no month before 2026-11." in page


def test_an_answer_without_a_model_is_of_the_one_that_answers_its_site(place):
    rows = [
        fact(1, "2026-10", "north", model="a"), fact(2, "2026-10", "north", model=""),
        fact(3, "2026-10", "south", model=""), fact(4, "2026-10", "south", model="b"),
        fact(5, "2026-10", "east", model=""), fact(6, "2026-11", "north", model="c"),
    ]  # fmt: skip
    found = {model: own["prediction"].str[-1].tolist() for model, own in models_of(written(place, *rows))}
    assert found == {"a": ["1", "2"], "b": ["3", "4"], "c": ["5", "6"]}
    nobody = written(place.with_name("other.db"), fact(1, "2026-10", "north", model=""))
    assert [model for model, _ in models_of(nobody)] == [""]


def test_the_page_of_a_month_of_films_names_its_features():
    names = [f"r{n}" for n in range(8)]
    rng = np.random.default_rng(0)
    then, now = (
        film_table(pd.DataFrame([v for n in names for v in views(n, brightness=level + rng.normal())]), who(*names))
        for level in (90.0, 20.0)
    )
    report = compare_sites(then, now, DriftSettings(features=tuple(FILM_FEATURES), draws=199), rng, "2026-11")
    assert [s.feature for s in report.sites[0].alarms] == ["brightness"]
    assert "another light" in summary_page([report], simulated=True)


def test_poses_are_watched_from_what_the_checks_measured_without_reading_them_again(tmp_path):
    from data.cohorts.bids import Entry
    from flows.watching import features_of_checks

    workspace = light_workspace(tmp_path).of("spasms")
    checks = workspace.interim / "checks"
    checks.mkdir(parents=True)
    pd.DataFrame([tracks("r1"), tracks("r2"), tracks("r3")]).to_parquet(checks / "facts.parquet")
    nowhere = tmp_path / "not-there.parquet"
    entries = [Entry(n, nowhere, f"p-{n}", "", "north", None, "", "later", None, None, "pose") for n in ("r1", "r3")]
    table = features_of_checks(workspace, entries)
    assert table["recording"].tolist() == ["r1", "r3"] and set(table["period"]) == {"later"}
    assert table["confidence"].tolist() == [0.9, 0.9] and table["patient"].tolist() == ["p-r1", "p-r3"]
