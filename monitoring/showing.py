"""Evidently's pages over our per-patient tables: distributions to look at, never to decide by.

Its own drift rules alarm at small sites although nothing changed, so none of them is run and its pages say nothing
about drift. An empty column ends its report, so the columns are checked first.
"""

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from monitoring.drift import by_patient
from monitoring.features import FEATURES
from validation.pages import SIMULATED

THEIR_WARNINGS = (
    r"numpy\.core is deprecated",
    r"Call to deprecated function 'Dependency'",
    r"Use of deprecated class 'DependencyKwarg'",
    r"Starting with pandas version 4\.0 all arguments of all will be keyword-only",
)
"""What Evidently 0.7.23 calls in NumPy, Litestar and pandas; anything else that warns is heard."""


def evidently_html(
    reference: pd.DataFrame, current: pd.DataFrame, path: Path, features: Sequence[str] = tuple(FEATURES)
) -> dict[str, str]:
    """Write Evidently's page about one site (rows as `monitoring.features.patient_features`) to `path`.

    Returns the features left out of it, each with the reason: missing, without any value, or not a number.
    Raises ValueError where nothing is left to show.
    """
    left_out = unusable(reference, current, features)
    columns = [name for name in features if name not in left_out]
    if not columns or reference.empty or current.empty:
        raise ValueError(f"nothing to show: {len(reference)} and {len(current)} rows, {len(columns)} usable features")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    with warnings.catch_warnings():
        for message in THEIR_WARNINGS:
            warnings.filterwarnings("ignore", message, DeprecationWarning)
        then, now = (by_patient(table, tuple(columns))[columns] for table in (reference, current))
        _snapshot(then, now).save_html(str(path))
    return left_out


@dataclass(frozen=True)
class SitePage:
    """One page to be written: a site's own rows of two periods, and the name of the file."""

    site: str
    file: str
    reference: pd.DataFrame
    current: pd.DataFrame
    features: tuple[str, ...] = tuple(FEATURES)
    simulated: bool = False


def site_pages(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    features: Sequence[str] = tuple(FEATURES),
    simulated: bool = False,
) -> list[SitePage]:
    """A page for each site of `current`, compared with that site's own reference rows, or with all where it has none;
    sites without a usable feature are left out."""
    pages = []
    for number, site in enumerate(sorted(current["site"].unique()), 1):
        own, now = reference[reference["site"] == site], current[current["site"] == site]
        then = own if len(own) else reference
        if set(unusable(then, now, features)) < set(features):
            pages.append(SitePage(site, f"site-{number}.html", then, now, tuple(features), simulated))
    return pages


def write_site_page(work: tuple[SitePage, Path]) -> None:
    """Write one of them into a folder, under its own file name, with the site's name and the way back to the page about
    all sites above what Evidently shows; ValueError as `evidently_html`. Takes both in one, for worker processes."""
    page, folder = work
    path = folder / page.file
    evidently_html(page.reference, page.current, path, page.features)
    html, site = path.read_text("utf-8"), escape(page.site)
    above = f'<header {_BAND}><p><a href="../index.html">All sites</a></p><h1 {_TITLE}>{site}</h1>'
    above += f"<p><strong>{SIMULATED}</strong></p>" * page.simulated + f"<p>{_SHOWS}</p></header>"
    html = html.replace("<head>", f"<head><title>{site} · Ictal</title>", 1).replace("<body>", f"<body>{above}", 1)
    path.write_text(html, "utf-8")


_BAND = 'style="font: 15px/1.5 system-ui, sans-serif; padding: 12px 24px; border-bottom: 1px solid #d0d4da"'
_TITLE = 'style="font-size: 22px; margin: 0"'
_SHOWS = (
    "Distributions over patients, drawn by Evidently: current beside what the detector was made on. They decide nothing; "
    "which sites changed stands on the page about all sites."
)


def unusable(
    reference: pd.DataFrame, current: pd.DataFrame, features: Sequence[str] = tuple(FEATURES)
) -> dict[str, str]:
    """Features that cannot be shown, with the reason, over both tables."""
    reasons: dict[str, str] = {}
    for name in features:
        for where, table in (("reference", reference), ("current", current)):
            reason = _reason(table, name)
            if reason:
                reasons.setdefault(name, f"{reason} in the {where} table")
    return reasons


def _reason(table: pd.DataFrame, name: str) -> str:
    if name not in table:
        return "missing"
    if not pd.api.types.is_numeric_dtype(table[name]):
        return "not a number"
    return "" if np.isfinite(table[name].to_numpy(dtype=float)).any() else "without any value"


def _snapshot(reference: pd.DataFrame, current: pd.DataFrame) -> Any:
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataSummaryPreset

    definition = DataDefinition(numerical_columns=list(current))
    then, now = (Dataset.from_pandas(table, data_definition=definition) for table in (reference, current))
    return Report([DataSummaryPreset()]).run(now, then)
