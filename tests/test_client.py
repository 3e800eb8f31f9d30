"""A site's own program (`serving.client`), against a running service and where there is none."""

import json
import time
from pathlib import Path

import httpx
import numpy as np
import pytest

from data.montage import ELECTRODES
from data.readers.edf import read_edf
from lineage.keys import platform_public_path
from serving.client import Client, ServiceRefused
from serving.journal import verify_answer
from tests.served import free_port, running
from tests.services import MARK, PART, home_with_key, problem

pytest_plugins = ["tests.one_service"]


def test_a_site_sends_a_file_to_a_running_service(tmp_path: Path, recording: bytes) -> None:
    key = home_with_key(tmp_path, "detect", "models")
    file = tmp_path / f"{MARK}.edf"
    file.write_bytes(recording)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with running(tmp_path, port), Client(url, key) as client, Client(url) as stranger:
        start_s = time.monotonic()
        while not client.ready():
            assert time.monotonic() - start_s < 90, (tmp_path / "service.log").read_text()
            time.sleep(0.2)
        found = client.detect(file, age="3d")
        assert (found["outcome"], len(found["events"])) == ("completed", 1)
        assert verify_answer(found, platform_public_path(tmp_path / "keys").read_bytes()).ok
        assert client.models()["models"][0]["name"] == "line_length"
        signal = read_edf(file).segments[0].signal[:, : 4 * 256]
        windows = client.windows(signal, ELECTRODES, 256.0, age="3d")
        assert windows["onset_s"] == [0.0, 1.0, 2.0] and all(p < 0.5 for p in windows["probability"])
        with pytest.raises(ServiceRefused, match="no key was sent") as caught:
            stranger.detect(file)
        assert (caught.value.status, caught.value.instance[:9]) == (401, "urn:uuid:")
        form = {"Authorization": f"Bearer {key}", "Content-Type": "multipart/form-data; boundary=x"}
        parts = (PART if i == 0 else bytes(1 << 20) for i in range(140))
        for content, status in ((parts, 413), (b"--y", 400)):
            sent = httpx.post(f"{url}/v1/detect", headers=form, content=content, trust_env=False)
            problem(sent, status)
    log = (tmp_path / "service.log").read_text()
    assert all(json.loads(line)["event"] in ("model", "request") for line in log.splitlines())
    assert MARK not in log


@pytest.mark.parametrize(
    ("content", "key", "words"),
    [
        (b"<html></html>", "k", "not this service's"),
        (b"", "k", "not this service's"),
        (b"{}", "k\N{HORIZONTAL ELLIPSIS}", "plain ASCII"),
    ],
)
def test_an_answer_that_is_none_and_a_key_that_cannot_be_one_are_said_in_a_sentence(
    content: bytes, key: str, words: str
) -> None:
    with pytest.raises(ServiceRefused, match=words), Client("http://127.0.0.1:1", key) as client:
        answering = httpx.MockTransport(lambda _: httpx.Response(200, content=content))
        client._http = httpx.Client(transport=answering, base_url="http://a")
        client.models()


def test_a_channel_that_no_header_can_name_is_said_in_a_sentence() -> None:
    with pytest.raises(ServiceRefused, match="rename the channel"), Client("http://127.0.0.1:1", "k") as client:
        client.windows(np.zeros((1, 256)), ["\N{GREEK SMALL LETTER PHI}"], 256.0)


@pytest.mark.parametrize("number", [0, 3])
def test_a_client_leaves_no_file_out_without_a_word(tmp_path: Path, number: int) -> None:
    files = [tmp_path / str(view) for view in range(number)]
    for file in files:
        file.write_bytes(b"0")
    with Client(f"http://127.0.0.1:{free_port()}", "key") as client:
        for ask in (lambda: client.submit(*files), lambda: client.name("semiology", files)):
            with pytest.raises(ServiceRefused, match=f"got {number} files"):
                ask()


def test_a_client_without_a_service_says_so(tmp_path: Path) -> None:
    path = tmp_path / "recording.edf"
    path.write_bytes(b"0")
    with Client(f"http://127.0.0.1:{free_port()}", "key") as client:
        assert not client.ready()
        with pytest.raises(ServiceRefused, match="is it running") as caught:
            client.detect(path)
    assert caught.value.status == 0


def test_a_client_sends_no_file_of_another_recording_as_a_second_view(tmp_path: Path) -> None:
    files = [tmp_path / f"sub-01_run-{run}_view-{view}_video.mp4" for run, view in ((1, "large"), (2, "small"))]
    for file in files:
        file.write_bytes(b"0")
    with Client(f"http://127.0.0.1:{free_port()}", "key") as client:
        for ask in (lambda: client.submit(*files, question="semiology"), lambda: client.name("semiology", files)):
            with pytest.raises(ServiceRefused, match="differ in run"):
                ask()
