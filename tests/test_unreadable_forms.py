"""Forms that are refused, each with the field that is wrong, and leave nothing behind."""

import socket
from typing import Any

import pytest

from lineage.ledger import Ledger
from tests.services import MARK, PART, Served, problem

pytest_plugins = ["tests.one_service"]


def test_a_file_field_with_an_address_is_refused_and_never_fetched(served: Served) -> None:
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.settimeout(0.2)
        url = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/recording.edf"
        response = served.client.post("/v1/detect", headers=served.headers, files={"recording": (None, url)})
        assert "addresses are not fetched" in problem(response, 400)
        with pytest.raises(TimeoutError):
            elsewhere.accept()


FORMS_OF_TOO_MUCH: dict[str, dict[str, Any]] = {
    "many files": {"files": [(f"recording{n}", ("a", b"")) for n in range(9)]},
    "many fields": {"files": {"recording": ("a", b"")}, "data": {f"age{n}": "3d" for n in range(99)}},
    "a long field": {"files": {"recording": ("a", b"")}, "data": {"age": "3d" * 9999}},
}


@pytest.mark.parametrize("route", ["detect", "jobs", "typing"])
@pytest.mark.parametrize("what", FORMS_OF_TOO_MUCH)
def test_a_form_of_more_than_any_has_is_refused_while_it_arrives(served: Served, what: str, route: str) -> None:
    """Each file would be open, and each field in memory, until the last had come."""
    sent = served.client.post(f"/v1/{route}", headers=served.headers, **FORMS_OF_TOO_MUCH[what])
    assert "at most 4 files and 16 fields of 4096 bytes" in problem(sent, 400)


@pytest.mark.parametrize("span", [("inf", "5"), ("1", "inf"), ("1e400", "1"), ("1e308", "1e308")])
@pytest.mark.parametrize("question", ["typing", "jobs"])
def test_a_stretch_without_end_is_refused(served: Served, question: str, span: tuple[str, str]) -> None:
    fields = {"age": "3d", "onset_s": span[0], "duration_s": span[1]} | (
        {"question": "typing"} if question == "jobs" else {}
    )
    files = {"recording": ("a.edf", served.recording)}
    sent = served.client.post(f"/v1/{question}", headers=served.headers, files=files, data=fields)
    assert "neither is infinite" in problem(sent, 400)


@pytest.mark.parametrize("charset", ["undefined", "punycode", "idna", "hex", "nonsense"])
def test_a_form_in_whatever_charset_is_read_or_refused(served: Served, charset: str) -> None:
    kind = {"Content-Type": f"multipart/form-data; boundary=x; charset={charset}"}
    body = b'--x\r\nContent-Disposition: form-data; name="age"\r\n\r\n\xff\r\n' + PART + b"0\r\n--x--\r\n"
    problem(served.client.post("/v1/detect", headers=served.headers | kind, content=body), 400)


def test_requests_that_cannot_be_read_are_told_which_field_is_wrong(served: Served) -> None:
    post = served.client.post
    assert "recording" in problem(post("/v1/detect", headers=served.headers), 400)
    assert "recording" in problem(post("/v1/detect", headers=served.headers, files={"file": ("a.edf", b"0")}), 400)
    assert "write days, weeks, months or years" in problem(served.detect(age="three days"), 400)
    assert "SHA-256" in problem(served.detect(sha256="0" * 64), 400)
    assert "no field Age: the form fields are age, " in problem(served.detect(Age="3d"), 400)
    assert MARK not in problem(served.detect(**{f"{MARK} {MARK}": "3d"}), 400)
    twice = [("recording", ("a.edf", served.recording)), ("recording", ("b.edf", b""))]
    assert "at most once" in problem(post("/v1/detect", headers=served.headers, files=twice), 400)
    broken = {**served.headers, "Content-Type": "multipart/form-data; boundary=x"}
    problem(post("/v1/detect", headers=broken, content=b"--y"), 400)


def test_a_refused_upload_leaves_no_line_in_the_ledger(served: Served) -> None:
    ledger = Ledger(served.home / "ledger" / "ledger.db")
    before = ledger.head().size
    problem(served.detect(sha256="0" * 64), 400)
    problem(served.detect(age="three days"), 400)
    assert ledger.head().size == before
