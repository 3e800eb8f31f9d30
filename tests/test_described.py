"""`/openapi.json` and what every answer carries: the service as it describes itself."""

import pytest

from models import detectors
from serving.limits import SCOPES_FOR
from serving.naming import QUESTIONS
from serving.schema import EXAMPLE, Answer
from tests.services import Served, problem

pytest_plugins = ["tests.one_service"]


def test_every_response_carries_the_headers_that_keep_browsers_out(served: Served) -> None:
    for response in (served.client.get("/"), served.client.get("/elsewhere"), served.detect()):
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["content-security-policy"].startswith("default-src 'none'")
        assert response.headers["x-content-type-options"] == "nosniff"
    assert "http" not in served.client.get("/").text


def test_the_interface_announces_no_status_that_is_never_sent(served: Served) -> None:
    text = served.client.get("/openapi.json").text
    assert '"422"' not in text and "HTTPValidationError" not in text and '"default"' in text


def test_the_interface_is_described_with_an_example_that_is_an_answer(served: Served) -> None:
    document = served.client.get("/openapi.json").json()
    questions = {f"/v1/{question}" for question in QUESTIONS}
    assert set(document["paths"]) == set(SCOPES_FOR) and questions < set(SCOPES_FOR)
    content = document["paths"]["/v1/detect"]["post"]["responses"]["200"]["content"]["application/json"]
    assert Answer.model_validate(content["example"]) == Answer.model_validate(EXAMPLE)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_second_view_is_offered_where_film_is_looked_at_and_refused_elsewhere(served: Served, question: str) -> None:
    looks_at_film = {detectors.facts(name)["modality"] for name in detectors.names(question)} == {"video"}
    document = served.client.get("/openapi.json").json()
    form = document["paths"][f"/v1/{question}"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    fields = document["components"]["schemas"][form["$ref"].rpartition("/")[2]]["properties"]
    assert ("second_view" in fields) == looks_at_film
    if not looks_at_film:
        files = {part: (part, served.recording) for part in ("recording", "second_view")}
        for path, data in ((f"/v1/{question}", {}), ("/v1/jobs", {"question": question})):
            said = problem(served.client.post(path, headers=served.headers, files=files, data=data), 400)
            assert "second_view" in said


def test_every_route_is_described_with_an_example_of_what_it_answers(served: Served) -> None:
    document = served.client.get("/openapi.json").json()
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            answers = {status: shown for status, shown in route["responses"].items() if status < "300"}
            if path == "/v1/stream":
                assert "welcome" in answers["101"]["description"]
                continue
            for status, shown in answers.items():
                example = shown.get("content", {}).get("application/json", {}).get("example")
                assert example or (status == "202" and method == "delete"), (method, path, status)
            assert route["description"]
            assert "404" in route["responses"] or "{id}" not in path
