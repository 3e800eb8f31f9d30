"""A variant of a spasm detector beside the whole one: figures as means over fits, and the difference paired by patient.

As `validation.ablation.paired` does for seizures: intervals redraw patients and know of the fits. The unit is the clip.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import pandas as pd

from data.events import Annotations
from validation.ablation.redraws import Redraws
from validation.scoring.scorer import Scorer, code_digest
from validation.spasms import figures as spasm_figures
from validation.spasms.figures import People
from validation.uncertainty import MIN_DRAWS, difference

MEASURES = {"auroc": "AUROC of clips", "f1": "F1 of clips"}
"""What stands in a result, by how it is called; the first is what variants are compared by."""

Fits = Mapping[int, pd.DataFrame]
"""What each fit of a variant said of every clip (a table of `seizure_typing.table_of`), by the number of its seed."""

Truths = Mapping[str, Annotations]


def figures_of_fits(fits: Fits, truths: Truths, clip_s: float, seed: int, draws: int = MIN_DRAWS) -> dict[str, Any]:
    """Every measure as the mean over the fits, with its interval over patients and fits."""
    people = [_people(table, truths, clip_s, seed, draws) for table in fits.values()]
    redraws = Redraws.of(people[0].sites.tolist(), seed, draws)
    found = {}
    for name in MEASURES:
        values, statistics = zip(*(own.values(name) for own in people), strict=True)
        found[name] = redraws.interval(values, statistics[0], within=(0.0, 1.0))
    return {
        "scorer": scorer(seed, draws).to_json(), "rests_on": people[0].rests_on(), "fits": len(people), **found,
    }  # fmt: skip


def change(own: Fits, whole: Fits, truths: Truths, clip_s: float, seed: int, draws: int = MIN_DRAWS) -> dict[str, Any]:
    """The variant's first measure minus that of the whole detector, paired by patient and seed of the fit.

    Below 0: the detector does worse in this variant. Law: a variant that says the same differs by 0. Refuses fits that
    share no seed.
    """
    seeds = sorted(set(own) & set(whole))
    if not seeds:
        raise ValueError("the variant and the whole detector share no seed: fit both with the same ones")
    look = partial(_people, truths=truths, clip_s=clip_s, seed=seed, draws=draws)
    pairs = [(look(own[s]), look(whole[s])) for s in seeds]
    measure = next(iter(MEASURES))
    values = [(ours.values(measure)[0], theirs.values(measure)[0]) for ours, theirs in pairs]
    redraws = Redraws.of(pairs[0][0].sites.tolist(), seed, draws)
    return redraws.interval(values, difference(pairs[0][0].values(measure)[1]), within=(-1.0, 1.0))


def scorer(seed: int, draws: int) -> Scorer:
    """Who made these figures: paired by person and seed of the fit, how silence counts, by which draws."""
    policy = {
        "unit": "person and fit",
        "strata": "site",
        "paired_by": "person and seed of the fit",
        "fits": "Student's t of their spread",
        "no_answer": "clip counts as wrong in F1 and half in the AUROC",
        "seed": seed,
        "draws": draws,
    }
    return Scorer("spasm_ablation", "2", code_digest([spasm_figures.__file__, __file__]), policy)


def _people(table: pd.DataFrame, truths: Truths, clip_s: float, seed: int, draws: int) -> People:
    return People.of(table, truths=truths, clip_s=clip_s, seed=seed, draws=draws)
