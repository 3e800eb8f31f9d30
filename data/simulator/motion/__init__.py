"""Simulated bodies in motion: angles of joints from drawn movements, joints from angles, the same at every frame rate.

Draw first, render after, as everywhere in `data.simulator`: nothing is drawn while a frame is made. What a camera makes
of it is in `data.simulator.scene`. May import `data` and numpy. Public: Body, Part, Person, draw_person, joints_of.
"""

from data.simulator.motion.body import ADULT, DEGREES, INFANT, Body, draw_body, joints_at
from data.simulator.motion.parts import Part, angles_of
from data.simulator.motion.person import Person, angles_at, draw_person, joints_of

__all__ = [
    "ADULT",
    "DEGREES",
    "INFANT",
    "Body",
    "Part",
    "Person",
    "angles_at",
    "angles_of",
    "draw_body",
    "draw_person",
    "joints_at",
    "joints_of",
]
