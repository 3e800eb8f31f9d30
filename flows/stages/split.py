"""The split stage: nested patient-wise folds over the accepted recordings, and the leaky control's random windows."""

import pandas as pd

from data.cohorts.bids import read_cohort
from flows.stages.files import development, write_json
from flows.workspace import Workspace
from lineage.digest import sha256_file
from validation.checks.cohort import CohortLimits, cohort_suites
from validation.checks.suites import run as run_suite
from validation.leakage import Leak
from validation.splits import Member, Split, nested_patient_split, window_split


def run(workspace: Workspace) -> None:
    """Write `data/interim/split.json`, one split per regime."""
    settings = workspace.params.split.model_dump()
    cohort = read_cohort(workspace.cohort)
    members = [
        Member(e.name, e.patient, e.person, e.site, bool(cohort.annotations(e).events), sha256_file(e.path))
        for e in development(workspace)
    ]
    made = (nested_patient_split(members, **settings), window_split(members, **settings))
    _check(members, made[0])
    write_json(workspace.interim / "split.json", {s.regime: s.to_json() for s in made})


def _check(members: list[Member], split: Split) -> None:
    """Great Expectations looks as well: no person may be tested in two folds."""
    folds = {name: number for number, fold in enumerate(split.folds) for name in fold.test}
    table = pd.DataFrame([{"recording": m.recording, "person": m.person, "fold": folds[m.recording]} for m in members])
    table["folds"] = table.groupby("person")["fold"].transform("nunique")
    result = run_suite(cohort_suites(CohortLimits())["split"], table)
    if result.failures:
        raise Leak("same_person", result.failures[0].sentence)
