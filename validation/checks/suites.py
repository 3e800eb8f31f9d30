"""Expectations written down as data, and Great Expectations judging a table by them.

Great Expectations takes seconds to import and changes the process's warning filters while it does, so it is imported
here only, when a suite is run, and what it changed is put back.
"""

import logging
import threading
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import ModuleType
from typing import Any, Literal

import numpy as np
import pandas as pd

from lineage.digest import Digest, digest_of

Severity = Literal["critical", "warning"]

_ONE_AT_A_TIME = threading.Lock()
"""Every table passes through the same unnamed asset of the library's context."""


class CheckBroken(Exception):
    """A check that could not be carried out: a missing column or an error inside the library. Never a pass."""


@dataclass(frozen=True)
class Expectation:
    """One thing that must be true of every row (or of the table).

    `key` names it, `requirement` is its id in the record, `sentence` says it plainly. `rule` and `parameters` are a
    Great Expectations class and its arguments. `code` goes with a failure (an outcome code of `data.outcomes` where
    one fits). `column` holds the judged value, `limit` is its limit in words, and `complaint` tells of one failing
    row; it may use that row's columns, `value`, `percent` (of a share), `down` (to hundredths, never up to a limit) and `limit` in braces.
    """

    key: str
    requirement: str
    severity: Severity
    code: str
    sentence: str
    rule: str
    parameters: Mapping[str, Any]
    column: str
    limit: str
    complaint: str


def share_at_most(
    key: str, requirement: str, severity: Severity, code: str, sentence: str, column: str, limit: float, complaint: str
) -> Expectation:
    """That a share (0–1) in each row stays at or below its limit."""
    parameters = {"column": column, "max_value": limit}
    words = f"≤ {100 * limit:g} %"
    return Expectation(
        key,
        requirement,
        severity,
        code,
        sentence,
        "ExpectColumnValuesToBeBetween",
        parameters,
        column,
        words,
        complaint,
    )


def at_least(
    key: str, requirement: str, code: str, sentence: str, column: str, limit: float, unit: str, complaint: str
) -> Expectation:
    """That a number in each row reaches its limit; without it the recording is put aside."""
    parameters = {"column": column, "min_value": limit}
    words = f"≥ {limit:g}{unit}"
    return Expectation(
        key,
        requirement,
        "critical",
        code,
        sentence,
        "ExpectColumnValuesToBeBetween",
        parameters,
        column,
        words,
        complaint,
    )


@dataclass(frozen=True)
class Suite:
    """Expectations of one table; `index` are the columns that identify a row in results."""

    name: str
    index: tuple[str, ...]
    expectations: tuple[Expectation, ...]


@dataclass(frozen=True)
class Failure:
    """One expectation that one row (or the whole table: `row` is empty) does not meet."""

    expectation: Expectation
    row: Mapping[str, Any]
    value: Any

    @property
    def sentence(self) -> str:
        """The expectation's complaint with this row's values in it; KeyError for a column that the row lacks."""
        own = {"value": written(self.value), "percent": _percent(self.value), "down": _down(self.value)}
        own |= {"limit": self.expectation.limit}
        return self.expectation.complaint.format_map({k: written(v) for k, v in self.row.items()} | own)


@dataclass(frozen=True)
class SuiteResult:
    """What Great Expectations found: `raw` is its result as JSON, `counts` failing rows per expectation key."""

    suite: Suite
    rows: int
    failures: tuple[Failure, ...]
    counts: Mapping[str, int]
    raw: Mapping[str, Any] = field(repr=False)

    @property
    def digest(self) -> Digest:
        """SHA-256 of the raw result in its canonical form; it names the record."""
        return digest_of(self.raw)


def run(suite: Suite, table: pd.DataFrame) -> SuiteResult:
    """Judge `table` by `suite`. An empty table meets every expectation about rows.

    Raises `CheckBroken` when a check could not be carried out, for example for want of a column.
    """
    _columns_there(suite, table)
    table = table.reset_index(drop=True)  # rows are looked up by index, and tables put together repeat theirs
    by_key = {e.key: e for e in suite.expectations}
    raw = _validate(suite, table)
    outcomes = {r["expectation_config"]["meta"]["key"]: r for r in raw["results"]}
    failures = [f for key, r in outcomes.items() if not r["success"] for f in _failures(by_key[key], r, suite, table)]
    order = {key: place for place, key in enumerate(by_key)}
    failures.sort(key=lambda f: order[f.expectation.key])
    counts = {key: sum(f.expectation.key == key for f in failures) for key in by_key}
    return SuiteResult(suite, len(table), tuple(failures), counts, raw)


def written(value: Any) -> str:
    """A value in a sentence: at most four significant digits, “missing” for none."""
    if value is None or (isinstance(value, float | np.floating) and np.isnan(value)):
        return "missing"
    return f"{float(value):.4g}" if isinstance(value, float | np.floating) else str(value)


def _percent(value: Any) -> str:
    return f"{100 * value:.3g} %" if isinstance(value, float | int | np.number) else written(value)


def _down(value: Any) -> str:
    return f"{np.floor(100 * value) / 100:g}" if isinstance(value, float | np.floating) else written(value)


def _columns_there(suite: Suite, table: pd.DataFrame) -> None:
    needed = {e.column for e in suite.expectations} | set(suite.index)
    missing = sorted(needed - set(table.columns))
    if missing:
        raise CheckBroken(f"suite {suite.name!r} needs the columns {', '.join(missing)}: the table does not have them")


def _validate(suite: Suite, table: pd.DataFrame) -> dict[str, Any]:
    gx = _library()
    asked = gx.ExpectationSuite(name=suite.name, expectations=[_as_gx(gx, e) for e in suite.expectations])
    result_format = {"result_format": "COMPLETE", "unexpected_index_column_names": list(suite.index)}
    with _ONE_AT_A_TIME:
        batch = _context().data_sources.pandas_default.read_dataframe(table)
        raw = plain(batch.validate(asked, result_format=result_format).to_json_dict())
    _nothing_raised(suite, raw)
    return dict(raw)


def _as_gx(gx: ModuleType, expectation: Expectation) -> Any:
    rule = getattr(gx.expectations, expectation.rule)
    meta = {"key": expectation.key, "requirement": expectation.requirement, "sentence": expectation.sentence}
    return rule(**expectation.parameters, severity=expectation.severity, meta=meta)


def _failures(expectation: Expectation, outcome: dict[str, Any], suite: Suite, table: pd.DataFrame) -> list[Failure]:
    rows = outcome["result"].get("unexpected_index_list")
    if rows is None:  # judged as a whole: the table fails, no row does
        return [Failure(expectation, {}, outcome["result"].get("observed_value"))]
    names = list(zip(*(table[name].tolist() for name in suite.index), strict=True))
    first = dict(zip(reversed(names), reversed(range(len(table))), strict=True))
    return [_row_failure(expectation, table, first[tuple(row[name] for name in suite.index)]) for row in rows]


def _row_failure(expectation: Expectation, table: pd.DataFrame, place: int) -> Failure:
    """The whole row is looked up in our own table: results hold the judged column and the index only."""
    row = dict(zip(table.columns, table.iloc[place], strict=True))
    return Failure(expectation, row, row[expectation.column])


def _nothing_raised(suite: Suite, raw: dict[str, Any]) -> None:
    for outcome in raw["results"]:
        info = outcome["exception_info"]
        raised = info.get("raised_exception", True)  # several errors come as a mapping without this name
        if raised:
            key = outcome["expectation_config"]["meta"]["key"]
            raise CheckBroken(f"expectation {key!r} of suite {suite.name!r} could not be carried out")


def plain(value: Any) -> Any:
    """JSON without NaN, infinities or NumPy scalars: what does not exist is null."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, str | bool | int | None):
        return value
    if isinstance(value, Sequence | np.ndarray):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return str(value)


@lru_cache
def _context() -> Any:
    """A context in memory, without telemetry or progress bars; one for the process, because making one is slow."""
    context = _library().get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    return context


@lru_cache
def _library() -> ModuleType:
    showing = warnings.showwarning
    with warnings.catch_warnings():
        # its own regular-expression helpers import two modules that Python deprecates
        warnings.filterwarnings("ignore", r"module 'sre_(constants|parse)' is deprecated", DeprecationWarning)
        import great_expectations
        import great_expectations.expectations

        if warnings.showwarning is not showing:
            logging.captureWarnings(False)  # it redirects all warnings of the process to a log; put that back
    return great_expectations
