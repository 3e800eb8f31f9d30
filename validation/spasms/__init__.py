"""How well infantile spasms are found: clip by clip as papers count, and spasm by spasm and hour by hour as a ward does.

`watched` (what was said of a recording, clip after clip, and what it amounts to), `figures` (every figure with its
interval and scorer), `charts` and `page`. May import `data` and `lineage`.
"""

from validation.spasms.figures import PUBLISHED, evaluate_spasms, regime_difference
from validation.spasms.page import SpasmDossier, spasm_page

__all__ = ["PUBLISHED", "SpasmDossier", "evaluate_spasms", "regime_difference", "spasm_page"]
