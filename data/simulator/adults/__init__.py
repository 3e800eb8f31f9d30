"""Simulated adults and older children: seven types of seizure in five patterns, from drawn parameters.

Draw first, render after, as everywhere in `data.simulator`. Of the seven types three (FNSZ, CPSZ, SPSZ) share one
pattern: they differ by awareness or by what the reader knew, not by EEG, and nothing that reaches the signal knows them
apart. Public: ADULT_SITES, AdultParams, AdultSettings, Person, draw_adult, draw_person, render, annotations_of,
params_from, plan_adults, PATTERN_OF.
"""

from data.simulator.adults.cohort import ADULT_SITES, AdultSettings, plan_adults
from data.simulator.adults.patient import (
    AdultParams,
    Person,
    annotations_of,
    draw_adult,
    draw_person,
    params_from,
    render,
)
from data.simulator.adults.seizures import PATTERN_OF

__all__ = [
    "ADULT_SITES",
    "PATTERN_OF",
    "AdultParams",
    "AdultSettings",
    "Person",
    "annotations_of",
    "draw_adult",
    "draw_person",
    "params_from",
    "plan_adults",
    "render",
]
