"""The split stage: the accepted recordings divided under every regime, from patients apart to random windows."""

from typing import Any

import pandas as pd

from flows.stages.audits import members, write_signals
from flows.stages.files import accepted, development, fresh, holdout, write_json
from flows.workspace import Workspace
from validation.checks.cohort import CohortLimits, cohort_suites
from validation.checks.suites import run as run_suite
from validation.leakage import Leak
from validation.splits import REGIMES, TYPING_REGIMES, CannotSplit, Member, Split, draw_split


def run(workspace: Workspace) -> None:
    """Write the task's `split.json`: one split per regime, or why the cohort cannot be divided so.

    Beside it the fingerprints of every recording, the locked ones and those that detectors learn from beforehand too, by
    which copies under another name are found.
    """
    settings = workspace.params.split.model_dump()
    as_published = {"folds": settings.pop("leaky_folds")}
    listed = members(workspace)
    patient = draw_split("patient", listed, **settings)
    known = REGIMES if workspace.task == "detection" else TYPING_REGIMES
    asked = {regime: settings | (as_published if regime in ("window", "seizure") else {}) for regime in known}
    others = {regime: _drawn(regime, listed, asked[regime]) for regime in known if regime != "patient"}
    write_json(workspace.interim / "split.json", {"patient": patient.to_json(), **others})
    everybody = [*development(workspace), *holdout(workspace), *accepted(workspace, "pretraining")]
    write_signals(workspace, everybody, fresh(workspace.interim / "fingerprints"))
    _check(listed, patient)  # last: Great Expectations starts threads, after which workers cannot be forked


def _drawn(regime: str, listed: list[Member], settings: dict[str, Any]) -> dict[str, Any]:
    try:
        return draw_split(regime, listed, **settings).to_json()
    except CannotSplit as refused:
        return {"refused": str(refused)}


def _check(listed: list[Member], split: Split) -> None:
    """Great Expectations looks as well: no person may be tested in two folds."""
    folds = {name: number for number, fold in enumerate(split.folds) for name in fold.test}
    table = pd.DataFrame([{"recording": m.recording, "person": m.person, "fold": folds[m.recording]} for m in listed])
    table["folds"] = table.groupby("person")["fold"].transform("nunique")
    result = run_suite(cohort_suites(CohortLimits())["split"], table)
    if result.failures:
        raise Leak("same_person", result.failures[0].sentence)
