"""Whatever is sent, the answer is typed: an outcome with its code or a problem, never a failure, a path or a name."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from data.outcomes import CODES
from lineage.ledger import Ledger
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
