"""An auditor's questions of a small workspace: which predictions, what differs, what rests on it."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flows import audit_impact
from flows.audit_blast import blast
from flows.audit_diff import diff, flat, split_of
from flows.audit_predictions import moment, predictions
from flows.workspace import Workspace, checkout_state, home
from lineage.circumstances import pins
from lineage.digest import digest_of, sha256_file
from lineage.ledger import Actor, Draft, Edge, Ledger, Subject
from lineage.refused import Refused
from tests.commands import ictal
from tests.ledgers import alter, recording
from tests.patients import MODEL, PERSON, UNSEEN, edf_of, light_workspace, name_of


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return light_workspace(tmp_path_factory.mktemp("questions"))


@pytest.fixture(autouse=True)
def here(made: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("ICTAL_HOME", str(made.root))
    return made


def test_a_model_tells_all_that_it_predicted_by_site_and_since() -> None:
    found = predictions(MODEL[:12])
    assert (found["count"], found["predictions"][0]["id"], found["types"]) == (
        1,
        "prediction-1",
        {"prediction.issued": 1},
    )
    assert predictions(MODEL, site="north")["count"] == 1
    assert predictions(MODEL, site="south")["count"] == predictions(MODEL, since="2100-01-01")["count"] == 0
    assert predictions(UNSEEN)["count"] == 0


@pytest.fixture
def asked_often(here: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A copy of the workspace with sixty more answers about one recording, to a site in the east."""
    home = tmp_path / "home"
    shutil.copytree(here.root, home)
    monkeypatch.setenv("ICTAL_HOME", str(home))
    seen = sha256_file(edf_of(here, "sub-01"))
    Ledger(home / "ledger" / "ledger.db").append_many(
        Draft(
            "prediction.issued",
            Actor("site-key:2", role="site", site="east"),
            (Subject("prediction", f"more-{i:02}", digest_of({"more": i})),),
            edges=(Edge(digest_of({"more": i}), "made_by", MODEL), Edge(digest_of({"more": i}), "analyses", seen)),
        )
        for i in range(60)
    )
    return seen


@pytest.fixture
def copied(here: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy that may be tampered with."""
    shutil.copytree(here.root, tmp_path / "home")
    monkeypatch.setenv("ICTAL_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_a_list_of_predictions_says_how_many_it_leaves_out(asked_often: str) -> None:
    for question in (("predictions", "--model", MODEL), ("blast", "--recording", asked_often)):
        said = ictal("audit", *question)
        assert "and 11 older ones" in said.out and said.out.count("  more-") == 50
        assert said.out.index("more-59") < said.out.index("more-10")
        shown = ictal("audit", *question, "--limit", 3, "--json").json
        assert (shown["count"], shown["shown"], shown["predictions"][0]["id"]) == (61, 3, "more-59")
    said = ictal("audit", "impact", "--patient", PERSON)
    assert "61 predictions are about" in said.out and "and 11 older ones" in said.out


def test_all_predictions_are_told_one_by_one_in_words_and_in_json(asked_often: str) -> None:
    for question in (("predictions", "--model", MODEL), ("blast", "--recording", asked_often)):
        said = ictal("audit", *question, "--all")
        assert "older ones" not in said.out and said.out.count("  more-") == 60
        told = ictal("audit", *question, "--all", "--json").json
        few = ictal("audit", *question, "--limit", 70, "--json").json
        assert told["predictions"] == few["predictions"] and told["shown"] == told["count"] == 61
        assert told.keys() >= few.keys() - {"types"}
    told = ictal("audit", "impact", "--patient", PERSON, "--all", "--json").json
    assert len(told["predictions_about"]) == told["predictions_about_count"] == 61


def test_of_something_without_predictions_all_and_a_page_say_the_same(asked_often: str) -> None:
    ledger = Ledger(home() / "ledger" / "ledger.db")
    ledger.append_many([recording(1)])
    (alone,) = recording(1).subjects
    for question in (("predictions", "--model", UNSEEN), ("blast", "--recording", alone.digest)):
        page, everything = ictal("audit", *question), ictal("audit", *question, "--all")
        assert everything.code == page.code == 0 and everything.out == page.out
        told = ictal("audit", *question, "--all", "--json").json
        assert (told["count"], told["shown"], told["predictions"]) == (0, 0, [])
    assert everything.out.endswith(
        " rest\n  windows answered: none in 0 answers\n  0 × prediction\nin force now: none of these\n"
    )


def test_answered_windows_that_rest_on_a_recording_are_counted_and_none_is_told_alone(copied: Path) -> None:
    drafts = [
        Draft(
            "windows.answered",
            Actor("site-key:2", role="site", site=site),
            (Subject("windows", label, digest_of({"at": i})),),
            edges=(Edge(digest_of({"at": i}), "made_by", MODEL),),
        )
        for i, (site, label) in enumerate(
            [("east", "5 in 1 answer")] * 3 + [("west", "none in 2 answers"), ("east", "12 in 3 answers")]
        )
    ]
    ledger = Ledger(copied / "ledger" / "ledger.db")
    seen, before = sha256_file(edf_of(Workspace(copied), "sub-01")), datetime(2030, 1, 1, tzinfo=UTC)
    for minute, draft in enumerate(drafts):
        ledger.append_many([draft], now=before + timedelta(minutes=minute))
    at = [f"2030-01-01T00:0{minute}:00.000000Z" for minute in range(5)]
    east = {"site": "east", "windows": 3 * 5 + 12, "answers": 3 + 3, "first": at[0], "last": at[4]}
    west = {"site": "west", "windows": 0, "answers": 2, "first": at[3], "last": at[3]}
    told = ictal("audit", "blast", "--recording", seen, "--json").json
    assert told["windows"] == {"count": 27, "answers": 8, "sites": [east, west]} and told["kinds"]["windows"] == 27
    assert "windows" not in {s["kind"] for s in (*told["rests"], *told["steps"])}
    said = ictal("audit", "blast", "--recording", seen).out
    assert said.count("window") == 1 and "  windows answered: 27 in 8 answers\n" in said
    assert "    2030-01-01T00:00:00 to 2030-01-01T00:04:00  east           27 in 6 answers\n" in said
    assert ictal("audit", "blast", "--recording", seen, "--all", "--json").json["windows"] == told["windows"]
    by_model = predictions(MODEL)
    assert by_model["windows"] == told["windows"] and by_model["text"].startswith("windows answered: 27 in 8 ")
    assert predictions(MODEL, site="west")["windows"] == {"count": 0, "answers": 2, "sites": [west]}
    assert predictions(MODEL, since="2030-01-02")["windows"]["answers"] == 0
    every = ("audit", "predictions", "--model", MODEL, "--all")
    assert ictal(*every, "--json").json["windows"] == told["windows"] and "27 in 8 answers" in ictal(*every).out
    trained = {m["digest"]: m["windows"]["count"] for m in audit_impact.impact(PERSON)["models"]}
    assert trained.pop(MODEL) == 27 and not any(trained.values())
    assert "  windows answered: 27 in 8 answers\n" in ictal("audit", "impact", "--patient", PERSON).out


def test_a_date_begins_in_utc_and_nonsense_is_refused() -> None:
    assert str(moment("2026-11-01")) == "2026-11-01 00:00:00+00:00"
    with pytest.raises(Refused, match="a date reads"):
        moment("yesterday")


def test_an_unknown_model_is_refused_with_exit_code_2() -> None:
    said = ictal("audit", "predictions", "--model", "no-such")
    assert said.code == 2 and "no model in the ledger is called 'no-such'" in said.err


@pytest.mark.parametrize("name", [UNSEEN, UNSEEN[:12], UNSEEN[:4], "line_length fold 1"])
def test_a_model_that_nobody_proposed_is_found_by_digest_its_beginning_or_its_label(name: str) -> None:
    assert diff(MODEL, name)["models"][1]["digest"] == UNSEEN


def test_of_a_name_that_means_several_models_each_is_told_with_its_digest() -> None:
    with pytest.raises(
        Refused, match=r"2 models are called 'line_length'.*fold 0 111111111111, line_length fold 1 2222"
    ):
        diff("line_length", MODEL)


def test_a_model_is_found_by_its_approval(here: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(here.root, tmp_path / "home")
    monkeypatch.setenv("ICTAL_HOME", str(tmp_path / "home"))
    record = digest_of("a record")
    line = Draft(
        "approval.signed", Actor("reviewer-1"), (Subject("approval", "line_length fold-1", record),), "review",
        edges=(Edge(record, "approves", UNSEEN),),
    )  # fmt: skip
    Ledger(tmp_path / "home" / "ledger" / "ledger.db").append_many([line])
    assert diff(MODEL, record[:10])["models"][1]["digest"] == UNSEEN


def test_why_says_what_was_answered_and_ends_well_where_all_is_as_it_was_written() -> None:
    said = ictal("audit", "why", "prediction-1")
    assert said.code == 0 and "  answered: completed, 1 event, to north, " in said.out
    assert "matches data/raw/tiny/sub-01" in said.out


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE payload SET content = CAST(replace(content, '\"onset_s\":1.5', '\"onset_s\":2.5') AS BLOB)", "payload "),
        ("UPDATE entry SET envelope = CAST(replace(envelope, '\"north\"', '\"south\"') AS BLOB)", "has been changed"),
        ("UPDATE entry SET envelope = '{' WHERE type LIKE 'prediction.%'", "cannot be read"),
    ],
)  # fmt: skip
def test_why_of_an_answer_that_was_altered_says_so_before_all_else_and_is_no_success(
    copied: Path, statement: str, told: str
) -> None:
    alter(copied / "ledger" / "ledger.db", statement)
    said = ictal("audit", "why", "prediction-1")
    first, second = said.out.splitlines()[:2]
    assert said.code == 1 and first.startswith("THE LEDGER DOES NOT HOLD WHAT WAS WRITTEN") and told in second
    assert "answered:" not in said.out, "what was altered is not handed on"


def test_a_site_s_upload_exchanged_bytes_and_missing_bytes_are_three_statements(copied: Path) -> None:
    upload, asked = digest_of({"sent": 1}), digest_of({"answered": 1})
    Ledger(copied / "ledger" / "ledger.db").append_many([
        Draft("prediction.issued", Actor("site-key:1", role="site", site="north"),
              (Subject("prediction", "of-an-upload", asked), Subject("recording", "night", upload)), payload={"outcome": "completed"},
              edges=(Edge(asked, "made_by", MODEL), Edge(asked, "analyses", upload))),
    ])  # fmt: skip
    said = ictal("audit", "why", "of-an-upload", "--json")
    states = said.json["raw_bytes"]
    assert said.code == 0 and states.pop(upload).startswith("not kept, as intended")
    assert {state.split()[0] for state in states.values()} == {"matches"}
    first, second = (edf_of(Workspace(copied), patient) for patient in ("sub-01", "sub-02"))
    digests = [sha256_file(path) for path in (first, second)]
    second.unlink()
    first.write_bytes(edf_of(Workspace(copied), "sub-03").read_bytes())
    said = ictal("audit", "why", "of-an-upload", "--json")
    states = said.json["raw_bytes"]
    assert said.code == 1 and states[upload].startswith("not kept, as intended")
    assert states[digests[0]] == f"other bytes than were registered stand at {first.relative_to(copied)}"
    assert states[digests[1]] == "missing: no file here has these bytes"


def test_a_checkpoint_that_is_not_there_or_is_none_is_named(tmp_path: Path) -> None:
    gone, other = tmp_path / "gone.json", tmp_path / "other.json"
    other.write_text("no checkpoint")
    for file, said in ((gone, f"there is no checkpoint {gone}"), (other, f"{other} cannot be read as a checkpoint")):
        answered = ictal("audit", "verify", "--against", file)
        assert answered.code == 2 and said in answered.err and "Traceback" not in answered.err


def test_two_folds_of_one_run_differ_in_their_split_alone() -> None:
    found = diff(MODEL, UNSEEN)
    assert set(found["differences"]) == {"split"} and "data" in found["same"] and "parameters" in found["same"]
    assert found["differences"]["split"]["fold"] == [0, 1]
    assert found["differences"]["split"]["train"] == [f"{name_of('sub-01')}, {name_of('sub-02')}", name_of("sub-03")]
    assert diff(MODEL, MODEL)["differences"] == {}


def test_nested_settings_are_compared_one_by_one() -> None:
    assert flat({"a": {"b": 1, "c": {"d": 2}}, "e": [3]}) == {"a.b": 1, "a.c.d": 2, "e": [3]}


def test_on_a_recording_rest_data_models_and_predictions(here: Workspace) -> None:
    found = blast(recording=sha256_file(edf_of(here, "sub-01")))
    assert found["kinds"] == {"dataset": 1, "split": 1, "run": 1, "model": 2, "prediction": 1, "windows": 0}
    assert found["in_force"] == []


def test_on_a_version_of_a_library_rests_what_ran_with_it_and_another_version_is_refused() -> None:
    found = blast(library=f"NumPy=={pins()['numpy']}")
    assert found["starts"][0]["kind"] == "environment" and found["kinds"] == {
        "run": 1,
        "model": 2,
        "prediction": 1,
        "windows": 0,
    }
    with pytest.raises(Refused, match=f"known versions of it are {pins()['numpy']}"):
        blast(library="numpy==0.1")
    with pytest.raises(Refused, match="with its version"):
        blast(library="numpy")


def test_on_a_commit_rests_what_its_code_made() -> None:
    found = blast(commit=checkout_state()["commit"][:10])
    assert found["starts"][0]["kind"] == "code" and found["kinds"]["model"] == 2
    with pytest.raises(Refused, match="0 commits"):
        blast(commit="0000000")


@pytest.mark.parametrize("asked", [{}, {"recording": "a", "commit": "b"}])
def test_one_thing_is_asked_about(asked: dict[str, str]) -> None:
    with pytest.raises(Refused, match="one thing"):
        blast(**asked)


def test_a_workspace_without_a_ledger_answers_nothing(
    here: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "workspace.json").write_text('{"kind": "real"}')
    monkeypatch.setenv("ICTAL_HOME", str(tmp_path))
    with pytest.raises(Refused, match="no ledger"):
        predictions(MODEL)


def test_a_split_that_many_runs_share_is_read_once_to_say_what_came_of_a_patient(
    here: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand trainings have one split of ten thousand recordings: reading both for each took ten seconds."""
    home = tmp_path / "home"
    shutil.copytree(here.root, home)
    monkeypatch.setenv("ICTAL_HOME", str(home))
    before = audit_impact.impact(PERSON)["models"]
    ledger = Ledger(home / "ledger" / "ledger.db")
    logs = [log for e in ledger.entries("run.finished") if "split" in (log := ledger.payload(e.payload_digest) or {})]
    again = [{**logs[0], "again": number, "runs": []} for number in range(5)]
    ledger.append_many(
        Draft("run.finished", Actor("pipeline"), (Subject("run", "again", digest_of(log)),), payload=log)
        for log in again
    )
    read: list[str] = []
    monkeypatch.setattr(audit_impact, "split_of", lambda of, digest: read.append(digest) or split_of(of, digest))
    assert audit_impact.impact(PERSON)["models"] == before and read == [logs[0]["split"]]
