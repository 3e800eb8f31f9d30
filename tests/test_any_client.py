"""The service as any program that speaks HTTP meets it: methods, and headers that contradict each other."""

import pytest

from serving.limits import DECIDING, READS, ROUTES
from tests.services import Served, problem

pytest_plugins = ["tests.one_service"]

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}
BOTH = {"/v1/jobs/{id}": "DELETE, GET, HEAD", "/v1/predictions/{id}/verdict": "GET, HEAD, POST"}
"""Addresses with more than one route."""


@pytest.mark.parametrize("route", ROUTES)
def test_an_address_names_all_its_methods_and_answers_each_of_them(served: Served, route: str) -> None:
    path = route.replace("{id}", "a")
    allowed = served.client.options(path, headers=served.headers)
    problem(allowed, 405)
    named = set(allowed.headers["allow"].split(", "))
    assert allowed.headers["allow"] == BOTH.get(route, allowed.headers["allow"])
    for method in METHODS:
        answered = served.client.request(method, path, headers=served.headers)
        assert (answered.status_code == 405) == (method not in named), method


@pytest.mark.parametrize(
    "path", ["/", "/readyz", "/metrics", "/openapi.json", "/v1/models", "/v1/jobs/a", "/elsewhere"]
)
def test_what_is_said_of_an_address_without_its_content_is_what_is_said_with_it(served: Served, path: str) -> None:
    got, said = (served.client.request(method, path, headers=served.headers) for method in ("GET", "HEAD"))
    assert (said.status_code, said.headers["content-type"]) == (got.status_code, got.headers["content-type"])


@pytest.mark.parametrize("name", DECIDING)
def test_a_header_that_decides_is_given_once(served: Served, name: str) -> None:
    """The service would go by the first, and a proxy before it, or whoever sent it, by the second."""
    twice = [*served.headers.items(), (name, "a"), (name, "b")]
    sent = served.client.post("/v1/detect", headers=twice, content=b"--a--")
    assert f"{name} is given twice" in problem(sent, 400)


@pytest.mark.parametrize("path", ["/v1/detect", "/v1/windows"])
def test_a_body_in_another_transfer_coding_is_refused_and_not_read_as_it_comes(served: Served, path: str) -> None:
    kind = {"Content-Type": READS.get(path, "multipart/form-data; boundary=x"), "Transfer-Encoding": "gzip, chunked"}
    sent = served.client.post(path, headers=served.headers | kind, content=bytes(76))
    assert "send it uncompressed" in problem(sent, 415)
