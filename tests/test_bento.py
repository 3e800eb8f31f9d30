"""What is packed for another machine serves there: from the exported file alone, in an empty home, inside our own door."""

import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import httpx
import pytest

from flows.workspace import ROOT
from lineage.refused import Refused
from serving.asking import answering_code
from serving.auth import issue_key, open_keys
from serving.bento import Ictal, build
from serving.stream import StreamLimits
from tests.commands import ictal
from tests.served import free_port, people_and_keys, put_in_force, write_recording


def test_an_exported_bento_serves_in_an_empty_home(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    now, home = datetime.now(UTC), tmp_path / "workspace"
    people_and_keys(home, now)
    put_in_force(home, now=now)
    engine = open_keys(home)
    key = issue_key(engine, "demo-north", ("detect",), now, 1)
    engine.dispose()
    tag = build(tmp_path / "ictal.bento")
    assert tag.startswith("ictal:")
    with tarfile.open(tmp_path / "ictal.bento") as packed:
        names = packed.getnames()
        packed.extractall(tmp_path / "there", filter="data")
    assert not [
        n for n in names if "/tests/" in n or "/flows/" in n or n.endswith((".safetensors", ".onnx", ".pem", ".db"))
    ]
    source, port = tmp_path / "there" / "src", free_port()
    (tmp_path / "empty").mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ICTAL", "BENTO", "PYTHONPATH"))}
    environment = kept | {"HOME": str(tmp_path / "empty"), "BENTOML_HOME": str(tmp_path / "empty")}
    environment |= {"ICTAL_HOME": str(home), "ICTAL_ALLOW_DEMO": "1"}
    line = [sys.executable, "-m", "uvicorn", "--factory", "serving.service:app_from_environment"]
    line += ["--http", "serving.connections:Connection"]
    line += ["--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(line, cwd=source, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait(port, process, tmp_path / "log")
        recording = write_recording(tmp_path / "night.edf").read_bytes()
        url, headers = f"http://127.0.0.1:{port}/v1/detect", {"Authorization": f"Bearer {key}"}
        files, data = {"recording": ("night.edf", recording)}, {"age": "3d"}
        assert httpx.post(url, files=files, data=data).status_code == 401
        said = httpx.post(url, files=files, data=data, headers=headers, timeout=60).json()
    finally:
        process.terminate()
        process.wait(30)
    assert said["outcome"] == "completed" and len(said["events"]) == 1 and said["receipt"]
    assert said["asked"]["code"] == answering_code(), "the code that answers is all there, and the same"
    where = "import lineage, serving; print(lineage.__file__, serving.__file__)"
    found = subprocess.run([sys.executable, "-c", where], cwd=source, env=environment, capture_output=True, text=True)
    assert all(str(source) in path for path in found.stdout.split()) and found.stdout


def _wait(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail(log.read_text()[-2000:])


def test_bentoml_serve_is_refused_since_it_leaves_out_the_door() -> None:
    with pytest.raises(Refused, match="leaves out keys"):
        Ictal.inner()


def test_the_container_bounds_messages_and_connections_as_the_command_does() -> None:
    said = (ROOT / "Containerfile").read_text()
    assert f'"--ws-max-size", "{StreamLimits().chunk_bytes}"' in said
    assert '"--http", "serving.connections:Connection"' in said


def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine.bento").write_text("mine")
    said = ictal("bento", tmp_path / "mine.bento")
    assert said.code == 2 and "mine.bento is there already" in said.err
    assert (tmp_path / "mine.bento").read_text() == "mine"


def test_the_containerfile_is_accepted_by_a_linter_that_finds_faults(tmp_path: Path) -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    said = subprocess.run([hadolint, ROOT / "Containerfile"], capture_output=True, text=True)
    assert said.returncode == 0, said.stdout
    (tmp_path / "Containerfile").write_text("FROM python\nRUN sudo pip install torch\n")
    faulty = subprocess.run([hadolint, tmp_path / "Containerfile"], capture_output=True, text=True)
    assert faulty.returncode == 1 and "DL3004" in faulty.stdout
