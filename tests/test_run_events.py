"""Every flow tells when it began and how it ended, in OpenLineage events that the official client reads back."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openlineage.client.event_v2 import RunEvent

from flows import observing
from flows.observing import observed, run_told
from flows.workspace import Workspace
from lineage.digest import sha256_bytes
from lineage.entries import Software
from lineage.ledger import Actor, Draft, Edge, Ledger, Subject
from lineage.refused import Refused
from lineage.run_events import PRODUCER, read_events

PIPELINE = Actor("pipeline")
RECORDING = Subject("recording", "sub-007_task-eeg_run-01", sha256_bytes(b"a recording"))
DATASET = Subject("dataset", "helsinki", sha256_bytes(b"a dataset"))
MODEL = Subject("model", "da_stnet fold 0", sha256_bytes(b"a model"))
ANSWER = Subject("prediction", "0199", sha256_bytes(b"an answer"))


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace of which flows need no more than its marker and its ledger."""
    (tmp_path / "workspace.json").write_text(json.dumps({"kind": "demo"}))
    made = Workspace(tmp_path)
    Ledger(made.ledger).append_many([Draft("recording.registered", PIPELINE, (RECORDING,))])
    yield made


def freeze(workspace: Workspace) -> None:
    contains = (Edge(DATASET.digest, "contains", RECORDING.digest),)
    Ledger(workspace.ledger).append_many([Draft("dataset.frozen", PIPELINE, (DATASET,), edges=contains)])


def fit(workspace: Workspace) -> None:
    made = (Edge(MODEL.digest, "made_by", DATASET.digest),)
    Ledger(workspace.ledger).append_many([Draft("run.finished", PIPELINE, (MODEL,), edges=made)])


def told(workspace: Workspace) -> list[RunEvent]:
    return read_events(workspace.run_events)


def shown(event: RunEvent) -> tuple[str, str]:
    assert event.eventType
    return event.job.name, event.eventType.value


def things(datasets: Any) -> set[tuple[str, str]]:
    return {(d.namespace, d.name) for d in datasets}


def test_a_run_begins_and_completes_with_what_it_used_and_made_by_digest(workspace: Workspace) -> None:
    with run_told(workspace, "check"):
        freeze(workspace)
    begun, done = told(workspace)
    assert [shown(begun), shown(done)] == [("check", "START"), ("check", "COMPLETE")]
    assert begun.run.runId == done.run.runId and begun.eventTime <= done.eventTime
    assert things(done.inputs) == {("ictal:recording", RECORDING.digest)}
    assert things(done.outputs) == {("ictal:dataset", DATASET.digest)}


def test_a_run_says_from_which_commit_and_environment(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observing, "_software", lambda: Software("a" * 40, "b" * 64, dirty=False))
    with run_told(workspace, "check"):
        pass
    for event in told(workspace):
        tags = {tag["key"]: tag["value"] for tag in event.run.facets["tags"]["tags"]}
        assert (
            tags.items() >= {"git_commit": "a" * 40, "lock_digest": "b" * 64, "changed_since_commit": "false"}.items()
        )
        assert event.producer == PRODUCER


def test_a_refusal_is_told_as_a_failure_with_its_sentence(workspace: Workspace) -> None:
    with pytest.raises(Refused), run_told(workspace, "train"):
        freeze(workspace)
        raise Refused("no patient has a seizure, bring in more")
    _, failed = told(workspace)
    assert shown(failed) == ("train", "FAIL")
    assert failed.run.facets["errorMessage"]["message"] == "no patient has a seizure, bring in more"
    assert things(failed.outputs) == {("ictal:dataset", DATASET.digest)}


def test_an_error_is_told_by_its_kind_alone(workspace: Workspace) -> None:
    """Whatever a library writes into a message may come out of a recording's header."""
    with pytest.raises(ValueError), run_told(workspace, "train"):
        raise ValueError("cannot read 'Jane Doe 1999'")
    assert told(workspace)[-1].run.facets["errorMessage"]["message"] == "ValueError"
    assert "Jane" not in workspace.run_events.read_text()


def test_a_run_inside_a_run_names_its_parent_and_the_root(workspace: Workspace) -> None:
    with run_told(workspace, "retrain") as outer, run_told(workspace, "train") as middle:
        with run_told(workspace, "check") as inner:
            freeze(workspace)
        fit(workspace)
    with run_told(workspace, "watch"):
        pass
    of = {(event.job.name, event.eventType.value): event for event in told(workspace) if event.eventType}
    assert "parent" not in of["retrain", "COMPLETE"].run.facets and "parent" not in of["watch", "START"].run.facets
    for job, parent in {
        ("check", "START"): middle,
        ("check", "COMPLETE"): middle,
        ("train", "COMPLETE"): outer,
    }.items():
        stated = of[job].run.facets["parent"]
        assert (stated["run"]["runId"], stated["job"]["name"]) == (parent.id, parent.job)
        assert stated["root"]["run"]["runId"] == outer.id
    assert of["check", "START"].run.runId == inner.id
    assert things(of["train", "COMPLETE"].outputs) == {
        ("ictal:dataset", DATASET.digest),
        ("ictal:model", MODEL.digest),
    }


def test_recordings_go_by_their_digest_and_people_are_not_told_of(workspace: Workspace) -> None:
    person = Subject("patient", "sub-007", sha256_bytes(b"a person"))
    with run_told(workspace, "ingest"):
        Ledger(workspace.ledger).append_many([Draft("consent.granted", PIPELINE, (person, RECORDING))])
    assert things(told(workspace)[-1].outputs) == {("ictal:recording", RECORDING.digest)}
    assert "sub-007" not in workspace.run_events.read_text()


def test_what_a_service_answers_meanwhile_is_no_work_of_the_flow(workspace: Workspace) -> None:
    with run_told(workspace, "train"):
        analyses = (Edge(ANSWER.digest, "analyses", RECORDING.digest),)
        Ledger(workspace.ledger).append_many(
            [Draft("prediction.issued", Actor("demo-north"), (ANSWER, RECORDING), edges=analyses)]
        )
    assert not told(workspace)[-1].outputs and not told(workspace)[-1].inputs


def test_a_flow_runs_on_where_its_events_cannot_be_written(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    workspace.run_events.mkdir(parents=True)
    with run_told(workspace, "check"):
        freeze(workspace)
    assert Ledger(workspace.ledger).entries("dataset.frozen")
    assert "was not told as an OpenLineage event" in caplog.text


def test_a_flow_without_a_ledger_makes_none(tmp_path: Path) -> None:
    """An empty ledger that was made on the way would verify, where one that was taken away must not."""
    with run_told(Workspace(tmp_path), "check"):
        pass
    assert [shown(e)[1] for e in told(Workspace(tmp_path))] == ["START", "COMPLETE"]
    assert not Workspace(tmp_path).ledger.exists()


def test_events_stay_in_the_file_whatever_address_the_environment_names(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", "http://127.0.0.1:9")
    with run_told(workspace, "check"):
        pass
    assert len(told(workspace)) == 2
    assert "sourceCodeLocation" not in workspace.run_events.read_text()


def test_every_flow_of_the_house_is_told(workspace: Workspace) -> None:
    """The one decorator wraps the body; what is wrapped keeps the name by which deployments find it."""
    from flows.check import check
    from flows.retrain import retrain
    from flows.train import train

    for flow in (check, retrain, train):
        assert flow.fn.__wrapped__.__module__ == flow.fn.__module__ == f"flows.{flow.fn.__name__}"
    seen = observed("train", lambda home: home)
    assert seen(home=str(workspace.root)) == seen(str(workspace.root)) == str(workspace.root)
    assert [shown(e) for e in told(workspace)] == [("train", "START"), ("train", "COMPLETE")] * 2


def test_what_is_no_event_is_refused(workspace: Workspace) -> None:
    with run_told(workspace, "check"):
        pass
    for broken in ({"eventTime": "yesterday"}, {"run": {"runId": "7"}}, {"schemaURL": "urn:other"}, {"eventType": "?"}):
        values = {**json.loads(workspace.run_events.read_text().splitlines()[0]), **broken}
        (workspace.root / "broken.ndjson").write_text(json.dumps(values) + "\n")
        with pytest.raises(ValueError):
            read_events(workspace.root / "broken.ndjson")
