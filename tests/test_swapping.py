"""The real service under load while the model in force changes: nothing is dropped, and each answer names its model."""

import io
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from lineage.onetime import STEP_S
from serving.auth import issue_key, open_keys
from serving.client import Client
from serving.jobs import Jobs
from serving.store import read_pointer
from tests.authenticator import code
from tests.commands import ictal
from tests.proposals import FIRST, PASSPHRASE, SITE, Office, held_office
from tests.served import free_port, running, write_recording

CLIENTS = 4
OBEYED_S = 5.0
"""A revocation, or a stop, is obeyed by then: a promise of the interface, not a speed of this machine."""


@dataclass
class Load:
    """A closed loop of clients: each asks again as soon as it has its answer."""

    url: str
    key: str
    recording: bytes
    heard: list[tuple[float, int, Any]] = field(default_factory=list)
    """When each request was sent, its status and its answer; status 0 where there was none."""
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def ask(self, client: httpx.Client) -> None:
        sent = time.monotonic()
        try:
            said = client.post("/v1/detect", files={"recording": ("a.edf", self.recording)}, data={"age": "3d"})
            self.heard.append((sent, said.status_code, said.json()))
        except httpx.HTTPError as error:
            self.heard.append((sent, 0, type(error).__name__))

    def _loop(self) -> None:
        with httpx.Client(base_url=self.url, headers=self.headers, timeout=60, trust_env=False) as client:
            while not self.over.is_set():
                self.ask(client)

    @contextmanager
    def going(self) -> Iterator["Load"]:
        clients = [threading.Thread(target=self._loop) for _ in range(CLIENTS)]
        for one in clients:
            one.start()
        try:
            yield self
        finally:
            self.over.set()
            for one in clients:
                one.join()

    def until(self, holds: Callable[[dict[str, Any]], bool], since_s: float = 0.0) -> None:
        """Until such an answer has come to what was sent since then."""
        end_s = time.monotonic() + 60
        while not any(sent_s > since_s and status == 200 and holds(said) for sent_s, status, said in list(self.heard)):
            assert time.monotonic() < end_s, self.heard[-3:]
            time.sleep(0.02)


def model_of(said: dict[str, Any]) -> str:
    return str((said["model"] or {}).get("digest", ""))


@dataclass(frozen=True)
class Site:
    """A site with a key, the people behind the service, and the service's process."""

    office: Office
    service: "subprocess.Popen[bytes]"
    load: Load


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home, port = tmp_path_factory.mktemp("office") / "home", free_port()
    office = held_office(home, now=datetime.now(UTC) - timedelta(minutes=10))
    engine = open_keys(home)
    key = issue_key(engine, SITE, ("detect",), datetime.now(UTC), 1)
    engine.dispose()
    recording = write_recording(home / "a.edf", 30, (10, 20)).read_bytes()
    load = Load(f"http://127.0.0.1:{port}", key, recording)
    with pytest.MonkeyPatch.context() as patch, running(home, port) as service, Client(load.url) as client:
        patch.setenv("ICTAL_HOME", str(home))
        while not client.ready():
            assert service.poll() is None, (home / "service.log").read_text()
            time.sleep(0.05)
        yield Site(office, service, load)


@pytest.fixture
def load(site: Site) -> Load:
    return Load(site.load.url, site.load.key, site.load.recording)


def test_a_swap_and_a_revocation_under_load_drop_nothing_and_every_answer_names_its_model(
    site: Site, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    office, old = site.office, read_pointer(site.office.home).bundle
    with load.going():
        load.until(lambda said: model_of(said) == old)
        done("deploy", "promote", office.candidate[:12])
        load.until(lambda said: model_of(said) == office.candidate)
        type_as(office, FIRST, monkeypatch)
        done("revoke", office.candidate[:12], "--as", FIRST, "--reason", "misses seizures")
        revoked_s = time.monotonic()
        load.until(lambda said: said.get("code") == "no_approved_model")
        done("deploy", "rollback", "--reason", "it was revoked")
        back_s = time.monotonic()
        load.until(lambda said: model_of(said) == old, since_s=back_s)
    assert {status for _, status, _ in load.heard} == {200}, "dropped"
    refused = [said for _, _, said in load.heard if said["code"] == "no_approved_model"]
    named = [model_of(said) for _, _, said in load.heard]
    assert set(named) == {old, office.candidate, ""} and named.count("") == len(refused)
    late = [sent_s - revoked_s for sent_s, _, said in load.heard if model_of(said) == office.candidate]
    assert max(late) <= OBEYED_S


def test_a_site_is_stopped_and_resumed_by_commands_while_the_service_runs(
    site: Site, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    done("deploy", "stop", "--site", SITE, "--reason", "electrodes are being changed")
    assert "electrodes are being changed" in asked_until(load, 503)["detail"]
    type_as(site.office, FIRST, monkeypatch)
    done("deploy", "resume", "--site", SITE, "--as", FIRST, "--reason", "checked")
    assert "outcome" in asked_until(load, 200)


def test_an_orderly_stop_answers_what_is_open_and_leaves_the_jobs(site: Site, load: Load, tmp_path: Path) -> None:
    home = site.office.home
    long = write_recording(tmp_path / "long.edf", 1200)
    with Client(load.url, load.key) as client:
        jobs = [client.submit(long, age="3d")["job_id"] for _ in range(3)]  # one of a site is worked on at once
    asking = threading.Thread(target=lambda: load.heard.append((0.0, 200, detect(load, long))))
    asking.start()
    end_s = time.monotonic() + 30
    while not any((home / "jobs" / "uploads").iterdir()):
        assert time.monotonic() < end_s and asking.is_alive()
        time.sleep(0.002)
    site.service.send_signal(signal.SIGTERM)
    asking.join()
    assert load.heard[0][2]["duration_s"] == 1200
    ended = site.service.wait(30)  # uvicorn ends itself by the same signal, once all is closed
    assert ended in (0, -signal.SIGTERM), (home / "service.log").read_text()
    queue = Jobs(home / "ledger" / "ledger.db")
    states = [(row.state, row.attempts) for id in jobs if (row := queue.of_site(id, SITE)) is not None]
    queue.engine.dispose()
    assert len(states) == 3 and states[-1] == ("queued", 0)
    assert {state for state, _ in states} <= {"queued", "done"}, "nothing stays half done"
    assert "Traceback" not in (home / "service.log").read_text()


def detect(load: Load, file: Path) -> Any:
    with Client(load.url, load.key) as client:
        return client.detect(file, age="3d")


def done(*arguments: str) -> None:
    said = ictal(*arguments)
    assert said.code == 0, said.err


def asked_until(load: Load, status: int) -> Any:
    """What is said with this status, which has to come within the time that was promised."""
    begun_s = time.monotonic()
    with httpx.Client(base_url=load.url, headers=load.headers, timeout=60, trust_env=False) as client:
        while not load.heard or load.heard[-1][1] != status:
            assert time.monotonic() - begun_s < OBEYED_S, load.heard[-1]
            load.ask(client)
    return load.heard[-1][2]


def type_as(office: Office, person: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What somebody types where a command asks for passphrase and code."""
    shown = code(office.workspace.keys, person, datetime.now(UTC) + timedelta(seconds=STEP_S))  # good until it is read
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{PASSPHRASE}\n{shown}\n"))
