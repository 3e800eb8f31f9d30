"""The service inside the test's own process, with a key and a recording of a site."""

import json
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from data.montage import ELECTRODES
from serving.auth import issue_key, open_keys
from serving.limits import HEADERS
from serving.service import create_app
from tests.served import NOW, RATE_HZ, people_and_keys, put_in_force

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the test client asks for another version of the HTTP library
    from starlette.testclient import TestClient
    from starlette.testclient import WebSocketDenialResponse as WebSocketDenialResponse

MARK = "NAME-OF-NOBODY"
PART = b'--x\r\nContent-Disposition: form-data; name="recording"; filename="a"\r\n\r\n'
"""How a file begins in a multipart body with the boundary x."""
HELLO = {"type": "hello", "channels": list(ELECTRODES), "rate_hz": RATE_HZ, "unit": "uV", "age": "3d"}
"""With which a stream begins."""


@dataclass(frozen=True)
class Served:
    """A service of a workspace, with a key and a recording of its site."""

    home: Path
    client: TestClient
    key: str
    recording: bytes

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def detect(self, content: bytes | None = None, age: str | None = "3d", **fields: str) -> httpx.Response:
        data = fields | ({"age": age} if age else {})
        files = {"recording": (f"{MARK}.edf", self.recording if content is None else content)}
        return self.client.post("/v1/detect", headers=self.headers, files=files, data=data)


@contextmanager
def serving(home: Path, recording: bytes, **settings: Any) -> Iterator[Served]:
    engine = open_keys(home)
    key = issue_key(engine, "demo-north", ("detect", "models", "verdict"), NOW, 30)
    engine.dispose()
    app = create_app(home, allow_demo=True, clock=lambda: NOW, **settings)
    with TestClient(app) as client:
        yield Served(home, client, key, recording)


def said(response: httpx.Response) -> dict[str, Any]:
    """The JSON of an answer, which knows neither NaN nor Infinity."""
    found: dict[str, Any] = json.loads(response.text, parse_constant=lambda c: pytest.fail(f"{c} in JSON"))
    return found


def leave(
    served: Served, content: bytes | None = None, headers: dict[str, str] | None = None, **fields: str
) -> httpx.Response:
    """A job with a recording, as its site or another's key leaves it."""
    files = {"recording": (f"{MARK}.edf", served.recording if content is None else content)}
    return served.client.post(
        "/v1/jobs", headers={**served.headers, **(headers or {})}, files=files, data={"age": "3d", **fields}
    )


def ended(served: Served, place: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
    """A job when nothing more is to be waited for."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        body = said(served.client.get(place, headers=headers or served.headers))
        if body["state"] in ("done", "failed", "cancelled"):
            return body
        time.sleep(0.05)
    pytest.fail(f"still {body['state']}")


def problem(response: httpx.Response, status: int) -> str:
    """The detail of a problem that has the one shape (RFC 9457)."""
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    body = said(response)
    assert set(body) == {"type", "title", "status", "detail", "instance"}
    assert body["instance"] == f"urn:uuid:{response.headers['x-request-id']}"
    assert body["status"] == status
    assert {name: response.headers[name] for name in HEADERS} == HEADERS
    assert "Traceback" not in response.text
    return str(body["detail"])


def served_home(home: Path) -> Path:
    """A workspace whose model is in force."""
    people_and_keys(home)
    put_in_force(home)
    return home


def home_with_key(home: Path, *scopes: str) -> str:
    """Make a workspace whose model is in force now, for a service that runs by the clock; its site's key."""
    now = datetime.now(UTC)
    people_and_keys(home, now)
    put_in_force(home, now=now)
    engine = open_keys(home)
    key = issue_key(engine, "demo-north", scopes or ("detect", "verdict"), now, 1)
    engine.dispose()
    return key


def key_of(home: Path, site: str, *scopes: str) -> dict[str, str]:
    """The headers of another key."""
    engine = open_keys(home)
    key = issue_key(engine, site, scopes or ("detect", "models", "verdict"), NOW, 30)
    engine.dispose()
    return {"Authorization": f"Bearer {key}"}


def without_instance(response: httpx.Response) -> tuple[int, dict[str, Any]]:
    """A problem as it is said of any request."""
    return response.status_code, {name: value for name, value in response.json().items() if name != "instance"}
