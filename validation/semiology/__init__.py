"""Seizures named by film, beyond what every typing is asked: views that are missing, and the grid of the paper.

`views` (what a missing view does), `published` (the paper's grid), `grid` (every cell with patients apart and not),
`page`. May import `data` and `lineage`.
"""

from validation.semiology.grid import grid_result
from validation.semiology.page import grid_page, lines
from validation.semiology.views import views_block

__all__ = ["grid_page", "grid_result", "lines", "views_block"]
