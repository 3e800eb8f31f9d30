"""Patient bootstrap of SzCORE's F1: counts once per recording and one matrix product, or every resample scored anew."""

import numpy as np
from timescoring.annotations import Annotation
from timescoring.scoring import EventScoring

from data.events import Annotations
from tests.benchmarks.case import Case, Work
from tests.benchmarks.cohorts import PER_PERSON, simulated
from validation.evaluation import gather
from validation.scoring import Case as Scored
from validation.scoring import clinical, spans
from validation.scoring.szcore import per_patient, statistic, szcore
from validation.uncertainty import patient_draws

SCORED_ANEW = 4
"""Resamples that the alternative scores; all 2,000 would take minutes."""

Data = tuple[list[Scored], np.ndarray]


def make(persons: int) -> Data:
    made = simulated(persons * PER_PERSON)
    cases = gather(made.predictions, made.hypotheses, made.references)
    sites = [group[0].site for group in clinical.people(cases).values()]
    return cases, patient_draws(sites, np.random.default_rng(0))


def ours(data: Data) -> np.ndarray:
    """F1 of each resample."""
    cases, weights = data
    counts = {c.recording: szcore(c.reference, c.hypothesis) for c in cases}
    return statistic("f1", "pooled", "event")(weights, per_patient(counts, {c.recording: c.person for c in cases}))


def theirs(data: Data) -> np.ndarray:
    """F1 of the first resamples: every recording of every person drawn goes through the library again."""
    cases, weights = data
    people = list(clinical.people(cases).values())
    drawn = ([c for group, n in zip(people, row, strict=True) for c in group * n] for row in weights[:SCORED_ANEW])
    return np.array([f1_of(resample) for resample in drawn])


def same(our: np.ndarray, their: np.ndarray) -> str:
    close = np.isclose(our[: len(their)], their, rtol=0, atol=1e-12, equal_nan=True)
    return "" if close.all() else f"F1 of {int((~close).sum())} of {len(their)} resamples differs"


def least(data: Data) -> Work:
    """The weights read once, and their product with three counts per person."""
    _, weights = data
    return Work(weights.nbytes, 2 * 3 * weights.size)


def f1_of(cases: list[Scored]) -> float:
    """Event F1 of recordings together, straight from the library."""
    made = [EventScoring(_ten_hz(c.reference), _ten_hz(c.hypothesis)) for c in cases]
    return f1_from(*(sum(getattr(m, name) for m in made) for name in ("tp", "fp", "refTrue")))


def f1_from(tp: int, fp: int, ref: int) -> float:
    return 2 * tp / (tp + fp + ref) if tp + fp + ref else float("nan")


def _ten_hz(annotations: Annotations) -> Annotation:
    return Annotation(spans(annotations), 10, round(annotations.duration_s * 10))


CASE = Case(
    name="bootstrap",
    claim="2,000 resamples of patients, event F1 of each by SzCORE's rules",
    alternative="every recording of every resample scored anew with timescoring",
    sizes=(25, 100),
    quick_sizes=(2,),
    unit="patients of 4 h",
    make=make,
    ours=ours,
    theirs=theirs,
    theirs_share=lambda size: SCORED_ANEW / 2000,
    same=same,
    least=least,
    target={"ratio": 50, "cpu_seconds": 2},
)
