"""A running service answers with no model that is unsigned, tampered with, expired, revoked or meant for other sites."""

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from lineage.approvals import revoke
from lineage.people import People
from lineage.signing import SIGNATURE
from models.bundle import load_bundle
from serving.auth import issue_key, open_keys
from serving.client import Client
from serving.loader import revocations_folder, write_pointer
from serving.store import pointer_path, read_pointer, stored_bundle
from tests.authenticator import code
from tests.served import (
    PASSPHRASE,
    REVIEWER,
    approve,
    bundle_folder,
    free_port,
    people_and_keys,
    point,
    put_in_force,
    record_for,
    running,
    write_recording,
)

WITHIN_S = 5.0
"""How long a running service may go on with a model that was revoked."""


@dataclass(frozen=True)
class Running:
    """A service in a process of its own, a recording of its site, and the keys of a site inside and one outside."""

    home: Path
    url: str
    recording: Path
    inside: str
    outside: str

    def detect(self, key: str) -> dict[str, Any]:
        with Client(self.url, key) as client:
            return client.detect(self.recording, age="3d")

    def ready(self) -> httpx.Response:
        return httpx.get(f"{self.url}/readyz", trust_env=False)

    def wait_until(self, ready: bool) -> float:
        """Seconds until the service says so; the limit is the design's."""
        start_s = time.monotonic()
        while (self.ready().status_code == 200) != ready:
            assert time.monotonic() - start_s < WITHIN_S, self.ready().text
            time.sleep(0.1)
        return time.monotonic() - start_s

    def point_again(self) -> None:
        """The same pointer, written anew: the service looks at everything again."""
        pointer = read_pointer(self.home)
        write_pointer(
            self.home,
            bundle=pointer.bundle,
            tag=pointer.tag,
            approval=self.home / pointer.approval,
            now=datetime.now(UTC),
        )

    def stored(self) -> Path:
        return stored_bundle(self.home, read_pointer(self.home).tag)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home, now, port = tmp_path_factory.mktemp("running"), datetime.now(UTC), free_port()
    people_and_keys(home, now)
    put_in_force(home, now=now)
    engine = open_keys(home)
    keys = [issue_key(engine, site, ("detect", "models"), now, 1) for site in ("demo-north", "south")]
    engine.dispose()
    recording = write_recording(home / "recording.edf", seconds=40, seizure_s=(10, 30))
    made = Running(home, f"http://127.0.0.1:{port}", recording, *keys)
    with running(home, port), Client(made.url) as client:
        start_s = time.monotonic()
        while not client.ready():
            assert time.monotonic() - start_s < 90, (home / "service.log").read_text()
            time.sleep(0.2)
        yield made


@pytest.fixture
def sound(service: Running) -> Iterator[Running]:
    """The service with its model in force, and once more after what the test did to it."""
    before = {path: path.read_bytes() for path in (pointer_path(service.home), *service.stored().glob("*"))}
    people = (service.home / "keys" / "people.json").read_bytes()
    assert service.detect(service.inside)["outcome"] == "completed"
    yield service
    shutil.rmtree(revocations_folder(service.home), ignore_errors=True)
    (service.home / "keys" / "people.json").write_bytes(people)
    for path, content in before.items():
        path.write_bytes(content)
    service.wait_until(ready=True)


def unsigned(s: Running) -> None:
    (s.stored() / SIGNATURE).unlink()
    s.point_again()


def tampered(s: Running) -> None:
    weights = s.stored() / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    s.point_again()


def expired(s: Running) -> None:
    """Approved for two seconds, which end while the service runs."""
    now, bundle = datetime.now(UTC), load_bundle(bundle_folder(s.home))
    point(s.home, bundle, approve(s.home, record_for(bundle, hours=2 / 3600, now=now), now=now), now=now)
    time.sleep(2)


def revoked(s: Running) -> None:
    folder, keys, now = revocations_folder(s.home), s.home / "keys", datetime.now(UTC)
    components = PASSPHRASE, code(keys, REVIEWER, now)
    revoke(folder, keys, REVIEWER, *components, digest=read_pointer(s.home).bundle, reason="recall", now=now)


def signer_revoked(s: Running) -> None:
    """The file alone: the ledger does not say so, and nobody is trusted of whom the two differ."""
    people = People.read(s.home / "keys")
    people.holding(people.person(REVIEWER).revoked(datetime.now(UTC), "lost")).write(s.home / "keys")


REFUSED: dict[str, tuple[Callable[[Running], None], str]] = {
    "unsigned": (unsigned, "the model in force is not as the platform signed it"),
    "tampered": (tampered, "the model in force is not as the platform signed it"),
    "expired": (expired, "it ended at"),
    "revoked": (revoked, f"revoked by {REVIEWER}"),
    "signer revoked": (signer_revoked, f"the signature of {REVIEWER} is not by a registered person"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_running_service_stops_answering_and_says_why(sound: Running, case: str) -> None:
    change, reason = REFUSED[case]
    change(sound)
    sound.wait_until(ready=False)
    said = sound.detect(sound.inside)
    assert (said["outcome"], said["code"], said["events"], said["model"]) == (
        "not_evaluable", "no_approved_model", None, None,
    )  # fmt: skip
    assert reason in said["reason"]
    problem = sound.ready()
    assert (problem.status_code, problem.headers["content-type"]) == (503, "application/problem+json")
    assert reason in problem.json()["detail"]
    with Client(sound.url, sound.inside) as client:
        listed = client.models()
    assert listed["models"] == [] and reason in listed["reason"], "an empty list says why it is empty"


def test_a_site_outside_the_scope_is_told_so_while_another_is_served(sound: Running) -> None:
    said = sound.detect(sound.outside)
    assert (said["outcome"], said["code"], said["events"]) == ("not_evaluable", "no_approved_model", None)
    assert "the site that asks is not among those that the approval is for" in said["reason"]
    assert sound.detect(sound.inside)["outcome"] == "completed"
