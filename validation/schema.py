"""What a candidate's report may look like as data: a figure without its scorer, or a leaky split called evidence, is no report.

The schema (JSON Schema, draft 2020-12) stands in `schemas/report.schema.json`, so that others can check as well.
"""

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from validation.leakage import BrokenPromise

SCHEMA = Path(__file__).parent / "schemas" / "report.schema.json"


class InvalidReport(BrokenPromise):
    """A report that breaks its schema: names the place and what is wrong there."""


def report_schema() -> dict[str, Any]:
    """The JSON Schema of `validation.report.report_document`."""
    schema: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return schema


def validate_report(document: Mapping[str, Any]) -> None:
    """Raise `InvalidReport` for the most telling place at which a report breaks its schema."""
    from jsonschema.exceptions import best_match

    found = best_match(_validator().iter_errors(document))
    if found is not None:
        raise InvalidReport(f"{_place(found.absolute_path)}: {found.message[:300]}")


@lru_cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(report_schema())


def _place(path: Iterable[str | int]) -> str:
    return ".".join(str(part) for part in path) or "the report"
