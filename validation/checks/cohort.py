"""What must be true of a cohort: enough patients and hours, seizures in some, and nobody on both sides of a split."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from validation.checks.suites import Expectation, Suite

COLUMNS = ("recording", "patient", "person", "site", "age_days", "sex", "hours", "seizures", "digest")
"""What `cohort_tables` needs of each recording; `digest` is the SHA-256 of its raw bytes, `seizures` a count."""


@dataclass(frozen=True)
class CohortLimits:
    """The smallest cohort worth training on, and the smallest site worth a figure of its own. Shares are 0–1.

    All patients may have seizures, as in most published cohorts: what is no seizure is learnt from the rest of their time.
    """

    min_patients: int = 6
    min_hours: float = 0.5
    min_seizing_share: float = 0.05
    warn_site_patients: int = 5
    warn_site_seizing: int = 1


@dataclass(frozen=True)
class CohortTables:
    """The same cohort seen by recording, by site and as a whole; `split` only where somebody has split it."""

    recordings: pd.DataFrame
    split: pd.DataFrame | None
    sites: pd.DataFrame
    whole: pd.DataFrame


def cohort_tables(cohort: pd.DataFrame, folds: Mapping[str, int] | None = None) -> CohortTables:
    """Tables for the suites from one row per recording (`COLUMNS`); `folds` says in which fold each is tested.

    Patients are counted by person: one human being at two sites counts once in all, and once at each.
    """
    known = cohort.assign(
        copies=cohort.groupby("digest")["recording"].transform("size").where(cohort["digest"] != "", 1),
        names=cohort.groupby("recording")["recording"].transform("size"),
        age_days=cohort["age_days"].astype(float),
    )
    sites = [_summary(str(site), rows) for site, rows in known.groupby("site", sort=True)]
    whole = pd.DataFrame([_summary("all", known)])
    return CohortTables(known, _split(cohort, folds), pd.DataFrame(sites, columns=list(_SUMMARY)), whole)


def cohort_suites(limits: CohortLimits) -> dict[str, Suite]:
    """Suite per table of `CohortTables`, by the table's name."""
    return {
        "recordings": Suite("cohort recordings", ("recording",), _identity() + _described()),
        "split": Suite("split", ("recording",), _apart()),
        "sites": Suite("cohort sites", ("site",), _of_sites(limits)),
        "whole": Suite("cohort", ("site",), _of_the_whole(limits)),
    }


_SUMMARY = ("site", "patients", "recordings", "hours", "seizures", "seizing", "seizing_share")


def _split(cohort: pd.DataFrame, folds: Mapping[str, int] | None) -> pd.DataFrame | None:
    if folds is None:
        return None
    table = cohort[["recording", "person"]].assign(fold=cohort["recording"].map(folds.get))
    return table.assign(folds=table.groupby("person")["fold"].transform("nunique"))


def _summary(site: str, rows: pd.DataFrame) -> dict[str, object]:
    patients = rows["person"].nunique()
    seizing = rows.loc[rows["seizures"] > 0, "person"].nunique()
    share = seizing / patients if patients else float("nan")
    hours, seizures = float(rows["hours"].sum()), int(rows["seizures"].sum())
    return dict(zip(_SUMMARY, (site, patients, len(rows), hours, seizures, seizing, share), strict=True))


def _identity() -> tuple[Expectation, ...]:
    return (
        Expectation(
            "recording_once", "DQ-COH-01", "critical", "recording_twice",
            "Every recording has a name of its own.",
            "ExpectColumnValuesToBeBetween", {"column": "names", "max_value": 1}, "names", "1",
            "{value} recordings bear this name.",
        ),
        Expectation(
            "bytes_once", "DQ-COH-02", "critical", "same_bytes_twice",
            "No two recordings consist of the same bytes.",
            "ExpectColumnValuesToBeBetween", {"column": "copies", "max_value": 1}, "copies", "1",
            "{value} recordings of the cohort consist of the same bytes: whose they are is not certain.",
        ),
    )  # fmt: skip


def _apart() -> tuple[Expectation, ...]:
    return (
        Expectation(
            "person_in_one_fold", "DQ-COH-03", "critical", "person_in_two_folds",
            "Nobody is tested in two folds.",
            "ExpectColumnValuesToBeBetween", {"column": "folds", "max_value": 1}, "folds", "1",
            "The person recorded here stands in {value} folds (limit {limit}): split again by person.",
        ),
    )  # fmt: skip


def _described() -> tuple[Expectation, ...]:
    return (
        Expectation(
            "age_known", "DQ-COH-04", "warning", "age_unknown",
            "The age at recording is known.",
            "ExpectColumnValuesToNotBeNull", {"column": "age_days"}, "age_days", "known",
            "The age at recording is not known.",
        ),
        Expectation(
            "age_possible", "DQ-COH-05", "critical", "age_out_of_scope",
            "Ages lie between birth and 120 years.",
            "ExpectColumnValuesToBeBetween", {"column": "age_days", "min_value": 0.0, "max_value": 43830.0},
            "age_days", "0 to 43830 days",
            "The age is {value} days, possible are {limit}.",
        ),
        Expectation(
            "sex_known", "DQ-COH-06", "warning", "sex_unknown",
            "The sex is given as F or M.",
            "ExpectColumnValuesToBeInSet", {"column": "sex", "value_set": ["F", "M"]}, "sex", "F or M",
            "The sex is not given as {limit}.",
        ),
    )  # fmt: skip


def _of_sites(limits: CohortLimits) -> tuple[Expectation, ...]:
    return (
        Expectation(
            "site_large_enough", "DQ-COH-07", "warning", "site_small",
            f"Every site has at least {limits.warn_site_patients} patients.",
            "ExpectColumnValuesToBeBetween", {"column": "patients", "min_value": limits.warn_site_patients},
            "patients", f"≥ {limits.warn_site_patients}",
            "Site {site} has {value} patients (expected {limit}): figures of this site alone will be uncertain.",
        ),
        Expectation(
            "site_seizing", "DQ-COH-08", "warning", "site_without_seizures",
            "Every site has patients with seizures.",
            "ExpectColumnValuesToBeBetween", {"column": "seizing", "min_value": limits.warn_site_seizing},
            "seizing", f"≥ {limits.warn_site_seizing}",
            "At site {site} {value} patients have seizures (expected {limit}): sensitivity cannot be judged there.",
        ),
    )  # fmt: skip


def _of_the_whole(limits: CohortLimits) -> tuple[Expectation, ...]:
    least = limits.min_seizing_share
    return (
        Expectation(
            "patients_enough", "DQ-COH-09", "critical", "cohort_small",
            f"The cohort has at least {limits.min_patients} patients.",
            "ExpectColumnValuesToBeBetween", {"column": "patients", "min_value": limits.min_patients},
            "patients", f"≥ {limits.min_patients}", "Patients in the cohort: {value}, needed are {limit}.",
        ),
        Expectation(
            "hours_enough", "DQ-COH-10", "critical", "cohort_short",
            f"The cohort has at least {limits.min_hours:g} hours.",
            "ExpectColumnValuesToBeBetween", {"column": "hours", "min_value": limits.min_hours},
            "hours", f"≥ {limits.min_hours:g} h", "Hours recorded in the cohort: {down}, needed are {limit}.",
        ),
        Expectation(
            "prevalence_usable", "DQ-COH-11", "critical", "cohort_one_sided",
            f"At least {100 * least:g} % of the patients have seizures.",
            "ExpectColumnValuesToBeBetween", {"column": "seizing_share", "min_value": least},
            "seizing_share", f"≥ {100 * least:g} %", "{percent} of the patients have seizures, needed are {limit}.",
        ),
    )  # fmt: skip
