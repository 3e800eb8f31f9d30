"""Simulated rats in cages, calm or seizing (Racine stages 3–5): what a forecaster of human seizures may learn from first.

May import `data.simulator.scene` and numpy. Public: Animal, Cage, draw_animal, draw_cage, film_cage, seizure_of.
"""

from data.simulator.rodents.animal import Animal, draw_animal, seizure_of
from data.simulator.rodents.cage import Cage, draw_cage, film_cage

__all__ = ["Animal", "Cage", "draw_animal", "draw_cage", "film_cage", "seizure_of"]
