"""Patient bootstrap of SzCORE's F1 against the best plain loop: counts once per recording, resamples added up one by one."""

import numpy as np

from tests.benchmarks.case import Case
from tests.benchmarks.cases.bootstrap import Data, f1_from, least, make, ours, same
from validation.scoring.szcore import SzcoreCounts, szcore


def theirs(data: Data) -> np.ndarray:
    """F1 of each resample, the counts of the persons drawn added up in a loop."""
    cases, weights = data
    of_person: dict[str, SzcoreCounts] = {}
    for c in cases:
        made = szcore(c.reference, c.hypothesis)
        of_person[c.person] = of_person[c.person] + made if c.person in of_person else made
    people = [of_person[person] for person in sorted(of_person)]
    return np.array([_f1(people, row) for row in weights])


def _f1(people: list[SzcoreCounts], times: np.ndarray) -> float:
    tp = fp = ref = 0
    for counts, n in zip(people, times.tolist(), strict=True):
        tp, fp, ref = tp + n * counts.event_tp, fp + n * counts.event_fp, ref + n * counts.event_ref
    return f1_from(tp, fp, ref)


CASE = Case(
    name="bootstrap_loop",
    claim="2,000 resamples of patients, event F1 of each by SzCORE's rules",
    alternative="counts once per recording, resamples added up in a loop",
    sizes=(25, 100),
    quick_sizes=(2,),
    unit="patients of 4 h",
    make=make,
    ours=ours,
    theirs=theirs,
    same=same,
    least=least,
)
