"""A whole evaluation from 10 to 1,000 hours, beside a loop that pools and scores the patients of each resample."""

from typing import Any

import numpy as np

from tests.benchmarks.case import Case
from tests.benchmarks.cases.bootstrap import f1_of
from tests.benchmarks.cohorts import Simulated, simulated, to_events
from validation.evaluation import evaluate, gather
from validation.scoring import Case as Scored
from validation.scoring import clinical
from validation.uncertainty import patient_draws

SEED = 1


def ours(made: Simulated) -> dict[str, Any]:
    """Every figure of a report; what the alternative computes as well is the answer that is compared."""
    result = evaluate(made.predictions, made.hypotheses, made.references, made.meta, SEED, to_events=to_events)
    intervals = {"auc": result["clinical"]["auc_pooled"], "f1": result["szcore"]["pooled"]["event"]["f1"]}
    return {name: [i["estimate"], i["low"], i["high"]] for name, i in intervals.items()}


def make(recordings: int) -> Simulated:
    """Recordings of an hour; of five minutes where there are too few to time anything."""
    return simulated(recordings, seconds=3600 if recordings >= 10 else 300)


def theirs(made: Simulated) -> dict[str, Any]:
    """Two of the figures only: AUC with scikit-learn and F1 with timescoring, every resample pooled anew."""
    cases = gather(made.predictions, made.hypotheses, made.references)
    people = list(clinical.people(cases).values())
    weights = patient_draws([group[0].site for group in people], np.random.default_rng(SEED))
    rows = [np.ones(len(people), dtype=int), *weights]
    resamples = ([c for group, n in zip(people, row, strict=True) for c in group * int(n)] for row in rows)
    figures = np.array([(_auc(drawn), f1_of(drawn)) for drawn in resamples])
    low, high = np.nanquantile(figures[1:], [0.025, 0.975], axis=0)
    return {name: [float(figures[0, i]), float(low[i]), float(high[i])] for i, name in enumerate(("auc", "f1"))}


def same(our: dict[str, Any], their: dict[str, Any]) -> str:
    off = {name: np.abs(np.array(our[name]) - their[name]).max() for name in their}
    return "" if max(off.values()) < 1e-9 else f"estimate or interval differ by {off}"


def _auc(cases: list[Scored]) -> float:
    from sklearn.metrics import roc_auc_score

    labels, trend = np.concatenate([c.labels for c in cases]), np.concatenate([c.trend for c in cases])
    labels, trend = labels[np.isfinite(trend)], trend[np.isfinite(trend)]
    return float(roc_auc_score(labels, trend)) if 0 < labels.sum() < len(labels) else float("nan")


CASE = Case(
    name="evaluation",
    claim="every figure of a report with 2,000 resamples of patients, recordings of 1 h",
    alternative="AUC and F1 only, the patients of each resample pooled and scored anew",
    sizes=(10, 100, 1000),
    quick_sizes=(2, 12),
    rounds=3,
    make=make,
    ours=ours,
    theirs=theirs,
    theirs_up_to=10,
    same=same,
    target={"cpu_seconds": 60, "peak_mib": 1024, "excess_over_n_log_n": 0},
)
