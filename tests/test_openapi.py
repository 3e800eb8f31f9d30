"""The service keeps to its own description: generated requests of every route end in what it announces, never in a 5xx."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from serving.limits import SCOPES_FOR, Limits
from serving.quotas import Quotas
from serving.service import document
from tests.faults import sound
from tests.services import Served, served_home, serving


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home: Path = served_home(tmp_path_factory.mktemp("openapi"))
    with serving(home, sound(), limits=Limits(quotas=Quotas(burst=10**6, wrong_keys=10**6))) as ready:
        yield ready


def begun(app: Any) -> Any:
    """The application as those see it who would start it for each request: it was started before."""

    async def passing(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})

    return passing


NOT_ASKED = [positive_data_acceptance]
"""A recording, a verdict or a form may be refused for reasons that no schema can tell (DECISIONS 4)."""


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fitting", "unfitting"])
@pytest.mark.parametrize("path", sorted(set(SCOPES_FOR) - {"/v1/stream"}))
def test_generated_requests_end_as_the_document_announces_and_never_in_5xx(
    served: Served, path: str, mode: GenerationMode
) -> None:
    schema = schemathesis.openapi.from_asgi("/openapi.json", begun(served.client.app))
    for operation in schema[path].values():

        @settings(max_examples=6, suppress_health_check=list(HealthCheck), database=None, derandomize=True)
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: schemathesis.Case) -> None:
            answer = case.call(headers=served.headers)
            assert answer.status_code < 500
            case.validate_response(answer, excluded_checks=NOT_ASKED)

        ask()


def test_the_document_of_the_documentation_is_the_one_that_a_service_gives(served: Served) -> None:
    given = served.client.get("/openapi.json")
    assert given.status_code == 200 and given.json() == json.loads(json.dumps(document()))
