"""Simulated newborns: their EEG from drawn parameters, so that the truth of every recording is known.

Draw first, render after: `draw_patient(rng, site)` makes all the choices, `render(params)` makes none.
Older patients are in `data.simulator.adults`. May import `data` and numpy/scipy. Public: SITES, Site, draw_patient, render, PatientParams, params_from.
"""

from data.simulator.patient import (
    PatientParams,
    PatientSettings,
    Person,
    annotations_of,
    draw_patient,
    draw_person,
    params_from,
    render,
)
from data.simulator.site import SITES, Site, site_named, with_changed_amplifier

__all__ = [
    "SITES",
    "PatientParams",
    "PatientSettings",
    "Person",
    "Site",
    "annotations_of",
    "draw_patient",
    "draw_person",
    "params_from",
    "render",
    "site_named",
    "with_changed_amplifier",
]
