"""What stands behind the model in force leaves the house in one file, and what ran is told in events that others read."""

import json
import subprocess
import sys
from pathlib import Path

from flows.stages.files import development
from lineage import sbom, verify_pack
from lineage.run_events import read_events
from tests.commands import ictal
from tests.e2e.conftest import Pipeline


def test_the_model_in_force_is_packed_and_checked_by_the_file_in_the_pack(
    at_pipeline: Pipeline, tmp_path: Path
) -> None:
    detector = at_pipeline.proposed["detector"]
    packed = tmp_path / "pack.zip"
    made = ictal("audit", "pack", detector, "--out", packed, "--json")
    assert made.code == 0 and made.json["model"] == at_pipeline.candidate, made.err
    items = verify_pack.read(packed)
    (tmp_path / "verify.py").write_bytes(items[verify_pack.VERIFIER])
    command = [
        sys.executable,
        "-I",
        tmp_path / "verify.py",
        packed,
        "--key",
        at_pipeline.workspace.keys / "platform.pub",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    kinds = {node["kind"] for node in json.loads(items[verify_pack.GRAPH])["nodes"]}
    assert {
        "recording",
        "dataset",
        "validation",
        "split",
        "run",
        "model",
        "evaluation",
        "report",
        "candidate",
        "approval",
    } < kinds
    assert len(json.loads(items[verify_pack.DATASET])) == len(development(at_pipeline.workspace))
    assert not sbom.schema_problems(items[verify_pack.SBOM].decode())


def test_a_second_pack_is_the_same(at_pipeline: Pipeline, tmp_path: Path) -> None:
    digests = [
        ictal("audit", "pack", at_pipeline.candidate[:10], "--out", tmp_path / name, "--json").json["sha256"]
        for name in ("one.zip", "two.zip")
    ]
    assert digests[0] == digests[1]


def test_every_flow_was_told_with_what_it_read_and_made(proposed: Pipeline) -> None:
    events = read_events(proposed.workspace.run_events)
    completed = [event for event in events if event.eventType and event.eventType.value == "COMPLETE"]
    ended = {
        event.job.name: event for event in reversed(completed)
    }  # the first of each: later ones found nothing to do
    assert {"ingest", "check all", "train", "evaluate", "promote", "watch"} <= set(ended)
    begun = [event.run.runId for event in events if event.eventType and event.eventType.value == "START"]
    assert len(begun) == len(set(begun)) == len(events) / 2
    outputs = {name: {d.namespace for d in event.outputs} for name, event in ended.items()}
    assert outputs["ingest"] == {"ictal:recording"}
    assert outputs["train"] >= {"ictal:run", "ictal:model", "ictal:split"}
    assert {"ictal:evaluation", "ictal:report"} <= outputs["evaluate"] and "ictal:candidate" in outputs["promote"]
    assert {d.name for d in ended["evaluate"].inputs} >= {proposed.candidate}
    assert "sub-0" not in proposed.workspace.run_events.read_text()
