"""What a site is answered: the evaluated model's own numbers, over HTTP as on the command line, each with a receipt."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from data.ages import DAYS
from data.cohorts.bids import Entry
from data.events import Annotations
from flows import deploy
from flows.predict import predict_file
from flows.site_keys import issue_site_key
from flows.stages.files import evaluation_of
from flows.workspace import Workspace
from lineage.keys import platform_public_path
from serving.client import Client
from serving.journal import verify_answer
from tests import SHARED, needs_shared
from tests.commands import ictal
from tests.e2e.conftest import Pipeline
from tests.robustness import FILES, patient_text
from validation.predictions import About, read_predictions

EQUAL = 1e-5


@pytest.fixture(scope="module")
def url(pipeline: Pipeline) -> Iterator[str]:
    """A real service of the workspace on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with deploy.service(pipeline.workspace, port) as running:
        yield running


def asked(pipeline: Pipeline, url: str, entry: Entry) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ICTAL_HOME", str(pipeline.workspace.root))
        key = issue_site_key(entry.site, days=1)
    with Client(url, key) as client:
        return client.detect(entry.path, age(entry))


def age(entry: Entry) -> str:
    assert entry.age_days is not None
    return f"{entry.age_days / DAYS['d']:g}d"


@pytest.fixture(scope="module")
def answers(pipeline: Pipeline, url: str) -> dict[str, dict[str, Any]]:
    return {e.name: asked(pipeline, url, e) for e in pipeline.unseen}


def stored(pipeline: Pipeline, name: str) -> tuple[np.ndarray, Annotations, About]:
    kept = read_predictions(evaluation_of(pipeline.workspace, str(pipeline.proposed["detector"]), "patient"))
    trend = kept.predictions.loc[kept.predictions["recording"] == name, "probability"].to_numpy()
    return trend, kept.hypotheses[name], kept.about[name]


def test_the_service_answers_with_the_very_numbers_that_were_evaluated(
    pipeline: Pipeline, answers: dict[str, dict[str, Any]]
) -> None:
    assert len({e.site for e in pipeline.unseen}) == 3
    for name, said in answers.items():
        trend, called, about = stored(pipeline, name)
        if said["outcome"] == "not_evaluable":
            assert about.outcome == "not_evaluable" and np.isnan(trend).all() and not called.events
            continue
        same_trend(said["trend_1hz"], trend)
        events = [[e["onset_s"], e["duration_s"], e["confidence"]] for e in said["events"]]
        evaluated = [[e.onset_s, e.duration_s, e.confidence] for e in called.events]
        np.testing.assert_allclose(np.array(events), np.array(evaluated), atol=EQUAL, rtol=0)
        assert said["outcome"] == about.outcome and said["model"]["front_end"] == about.front_end
        assert said["model"]["digest"] == pipeline.candidate
    assert any(said["events"] for said in answers.values())


def same_trend(said: list[float | None], kept: np.ndarray) -> None:
    trend = np.array([np.nan if p is None else p for p in said])
    np.testing.assert_allclose(trend, kept, atol=EQUAL, rtol=0, equal_nan=True)
    assert not np.isnan(trend).all()


def test_the_command_line_answers_as_the_service_does(
    at_pipeline: Pipeline, answers: dict[str, dict[str, Any]]
) -> None:
    entry = at_pipeline.unseen[0]
    said = ictal("predict", entry.path, "--age", age(entry), "--site", entry.site, "--json")
    assert said.code == 0, said.err
    here, there = said.json, answers[entry.name]
    own = {"prediction_id", "receipt"}
    assert {k: v for k, v in here.items() if k not in own} == {k: v for k, v in there.items() if k not in own}
    assert verify_answer(here, public_key(at_pipeline)).ok


def public_key(pipeline: Pipeline) -> bytes:
    return platform_public_path(pipeline.workspace.keys).read_bytes()


def test_receipts_verify_offline_and_only_for_their_own_answer(
    pipeline: Pipeline, answers: dict[str, dict[str, Any]]
) -> None:
    for said in answers.values():
        assert verify_answer(said, public_key(pipeline)).ok
        assert not verify_answer({**said, "coverage": 0.5}, public_key(pipeline)).ok


def test_a_broken_recording_ends_in_a_typed_outcome_over_http(pipeline: Pipeline, url: str) -> None:
    said = asked(pipeline, url, pipeline.broken)
    assert (said["outcome"], said["code"], said["events"]) == ("not_evaluable", "truncated", None)
    assert said["reason"] and verify_answer(said, public_key(pipeline)).ok


def test_a_site_outside_the_approval_is_not_served(at_pipeline: Pipeline, url: str) -> None:
    entry = at_pipeline.unseen[0]
    with Client(url, issue_site_key("hospital-1", days=1)) as client:
        said = client.detect(entry.path, age(entry))
    assert (said["outcome"], said["code"], said["events"]) == ("not_evaluable", "no_approved_model", None)


def test_a_misspelt_detector_is_answered_with_did_you_mean(at_pipeline: Pipeline) -> None:
    said = ictal("predict", at_pipeline.unseen[0].path, "--detector", "da_stnt", "--age", "3d")
    assert said.code == 2 and "did you mean da_stnet?" in said.err


@needs_shared
@pytest.mark.parametrize("name", FILES)
def test_every_file_that_people_may_send_ends_in_a_typed_outcome(at_pipeline: Pipeline, name: str) -> None:
    said = predict_file(SHARED / name, age="3d", detector=None, site=None, url=None, key=None)
    assert said["outcome"] in ("completed", "completed_with_abstentions", "not_evaluable")
    assert (said["code"] is None) == (said["outcome"] == "completed") or said["outcome"] != "not_evaluable"
    if said["outcome"] == "not_evaluable":
        assert said["code"] and said["reason"] and said["events"] is None
    shown = json.dumps(said)
    assert not [text for text in patient_text(SHARED / name) if text in shown]


@needs_shared
def test_a_real_preterm_is_stranger_to_a_model_of_simulated_term_babies_than_any_of_those_it_never_saw(
    at_pipeline: Pipeline,
) -> None:
    """Four babies set a wide limit, so whether it is refused as well depends on them: it is exactly beyond that limit."""
    said = ictal("predict", SHARED / "neonatal_edf" / "eeg_burst_eg.edf", "--age", "3d", "--json").json
    unseen = [ictal("predict", e.path, "--age", age(e), "--json").json["ood"]["score"] for e in at_pipeline.unseen]
    assert said["ood"]["score"] > max(unseen)
    refused = said["ood"]["score"] > said["ood"]["limit"]
    assert refused == (said["code"] == "ood") == (said["events"] is None)
    assert said["duration_s"] == pytest.approx(211, abs=1)


def test_an_answer_says_how_much_was_assessed_and_where_the_model_does_not_commit_itself(
    answers: dict[str, dict[str, Any]],
) -> None:
    completed = [said for said in answers.values() if said["outcome"].startswith("completed")]
    for said in completed:
        assessed = [p for p in said["trend_1hz"] if p is not None]
        assert len(assessed) == said["analysed_s"] == pytest.approx(said["coverage"] * said["duration_s"], abs=1)
        abstained_s = sum(span["duration_s"] for span in said["abstained"])
        assert said["decided_share"] == pytest.approx(1 - abstained_s / said["analysed_s"], abs=1e-6)
        assert said["ood"]["score"] <= said["ood"]["limit"]
    assert completed


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    from flows.workspace import make_workspace

    return make_workspace(tmp_path_factory.mktemp("empty") / "home", "demo")


def test_without_an_approved_model_the_command_says_what_to_do_next(
    empty: Workspace, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ICTAL_HOME", str(empty.root))
    said = ictal("predict", pipeline.unseen[0].path, "--age", "3d")
    assert said.code == 2 and said.out == ""
    assert "no approved model" in said.err and "ictal candidates --propose" in said.err


def test_what_is_needed_first_is_said_where_nothing_was_evaluated(
    empty: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ICTAL_HOME", str(empty.root))
    for command, next_step in (
        (["candidates", "--propose"], "ictal evaluate"), (["evaluate"], "ictal train"), (["drift"], "ictal check"),
    ):  # fmt: skip
        said = ictal(*command)
        assert said.code == 2 and next_step in said.err, command
