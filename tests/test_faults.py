"""Whatever is sent, the answer is typed: an outcome with its code or a problem, never a failure, a path or a name."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from data.outcomes import CODES
from lineage.ledger import Ledger
from serving.limits import HEADERS, METHODS, ROUTES
from serving.schema import Answer, NamedAnswer
from tests import SHARED
from tests.faults import FAULTS, MARK, Fault, real, sound
from tests.robustness import patient_text
from tests.served import NOW
from tests.served_poses import put_spasms_in_force
from tests.services import Served, problem, said, served_home, serving

REAL = sorted(p for folder in ("edf_robustness", "video_files") for p in (SHARED / folder).rglob("*") if p.is_file())


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = served_home(tmp_path_factory.mktemp("faults"))
    put_spasms_in_force(home, NOW)
    with serving(home, sound()) as ready:
        yield ready


def send(served: Served, fault: Fault) -> httpx.Response:
    files, data = {"recording": (fault.name, fault.content())}, {"age": fault.age} if fault.age else {}
    return served.client.post(f"/v1/{fault.route}", headers=served.headers, files=files, data=data)


def typed(served: Served, response: httpx.Response) -> str | int:
    """How the answer ends; fails where that is in no typed way, or where the upload is kept."""
    assert list((served.home / "jobs" / "uploads").iterdir()) == []
    assert {name: response.headers[name] for name in HEADERS} == HEADERS
    if response.status_code != 200:
        assert response.status_code < 500
        problem(response, response.status_code)
        return response.status_code
    body = said(response)
    (Answer if "events" in body else NamedAnswer).model_validate(body)
    if body["outcome"] == "not_evaluable":
        assert body["code"] in CODES and body["reason"]
        assert body.get("events") is None and not body.get("stretches")
        return str(body["code"])
    return str(body["outcome"])


def tells(text: str, untold: list[str]) -> list[str]:
    """What a text holds that nobody may be shown."""
    return [word for word in (*untold, MARK, "Traceback", 'File "', "site-packages", "/tmp/") if word in text]


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_ends_in_a_typed_answer_that_tells_nothing(
    served: Served, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        response = send(served, FAULTS[case])
    assert typed(served, response) == FAULTS[case].ends, response.text
    assert tells(response.text + str(response.headers) + caplog.text, [str(served.home)]) == []


@pytest.mark.skipif(not REAL, reason="the folder of real recordings is not beside the checkout")
@pytest.mark.parametrize("path", REAL, ids=lambda path: path.relative_to(SHARED).as_posix())
def test_a_fault_of_a_real_file_ends_in_a_typed_answer_that_tells_nothing(
    served: Served, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        response = send(served, real(path))
    assert typed(served, response) in (*CODES, "completed", "completed_with_abstentions")
    assert tells(response.text + caplog.text, [str(served.home), *patient_text(path)]) == []


def test_what_is_no_fault_is_answered_and_a_fault_leaves_one_line_in_the_ledger(served: Served) -> None:
    assert typed(served, send(served, Fault(sound, ""))) == "completed"
    ledger = Ledger(served.home / "ledger" / "ledger.db")
    before = ledger.head().size
    send(served, FAULTS["an empty file"])
    assert ledger.head().size == before + 1 and ledger.verify().ok
    kept = json.dumps([ledger.payload(e.payload_digest) for e in ledger.entries("prediction.not_evaluable")])
    assert tells(kept, [str(served.home)]) == []
    ledger.engine.dispose()


ANNOUNCED = {
    "5 GB": ("5000000000", 413),
    "more than any number": ("9" * 400, 400),
    "less than nothing": ("-1", 400),
    "no number": ("many", 400),
    "another alphabet's number": ("\u0665", 400),
}


@pytest.mark.parametrize("case", ANNOUNCED)
def test_a_fault_in_what_is_announced_is_refused_before_anything_is_read(served: Served, case: str) -> None:
    announced, status = ANNOUNCED[case]
    headers = [(name.encode(), value.encode()) for name, value in served.headers.items()]
    headers += [(b"Content-Type", b"multipart/form-data; boundary=x"), (b"Content-Length", announced.encode())]
    for route in ("detect", "jobs", "spasms"):
        response = served.client.post(f"/v1/{route}", headers=headers, content=b"--x--")  # type: ignore[arg-type]
        assert typed(served, response) == status


BODIES = {
    "no boundary": ("multipart/form-data", b"--x\r\n"),
    "an endless part": ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=" + b"a" * 10**6),
    "a million parts": (
        "multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 20_000,
    ),
    "a compressed body": ("multipart/form-data; boundary=x", b"\x1f\x8b" + bytes(1000)),
    "a recording that is a text": (
        "multipart/form-data; boundary=x",
        f'--x\r\nContent-Disposition: form-data; name="recording"\r\n\r\n{MARK}\r\n--x--'.encode(),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BODIES)
def test_a_fault_in_a_form_is_a_problem_that_tells_nothing(
    served: Served, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    kind, content = BODIES[case]
    with caplog.at_level(logging.DEBUG, "ictal.serving"):
        for route in ("detect", "jobs", "semiology"):
            headers = {**served.headers, "Content-Type": kind}
            response = served.client.post(f"/v1/{route}", headers=headers, content=content)
            assert typed(served, response) == 400
            assert tells(response.text + caplog.text, [str(served.home)]) == []


FRAMEWORKS = ("/predict", "/detect", "/docs", "/docs.json", "/redoc", "/schema.json", "/static_content/index.html")
PICKLES = ("application/vnd.bentoml+pickle", "application/x-pickle", "application/python-pickle", "text/pickle")


@pytest.mark.parametrize("path", [*ROUTES, *FRAMEWORKS])
def test_a_fault_of_a_pickle_is_refused_on_every_route_of_ours_and_of_the_frameworks(served: Served, path: str) -> None:
    for kind in PICKLES:
        for method in set(METHODS) - {"HEAD"}:
            headers = {**served.headers, "Content-Type": kind}
            response = served.client.request(method, path, headers=headers, content=b"\x80\x04N.")
            assert typed(served, response) == 415
    if path in FRAMEWORKS:
        assert typed(served, served.client.get(path, headers=served.headers)) == 404
