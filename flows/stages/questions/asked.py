"""One evaluation on its way to figures, and one detector on its way to a page."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import pandas as pd

from data.events import Annotations
from models.detector import TypingDetector
from validation.stretch_page import StretchDossier

Results = Mapping[str, Mapping[str, Any]]
"""Regime → result."""


@dataclass(frozen=True)
class Asked:
    """The answers (a table of `seizure_typing.table_of`) to all stretches, and what they are scored with.

    `dealt` says which fold tests a (recording, stretch) where stretches are dealt out. `external` holds the same table of
    recordings that were only ever tested on; None where there are none.
    """

    table: pd.DataFrame
    truths: Mapping[str, Annotations]
    meta: Mapping[str, Any]
    seed: int
    draws: int
    detector: TypingDetector
    dealt: Mapping[tuple[str, int], int]
    external: pd.DataFrame | None = None


@dataclass(frozen=True)
class Shown(StretchDossier):
    """All that a page of one detector is made of; `studies` are results made by command."""

    task: str = ""
    studies: Mapping[str, Any] = field(default_factory=dict)

    def common(self) -> dict[str, Any]:
        """What every dossier takes."""
        return {field.name: getattr(self, field.name) for field in fields(StretchDossier)}
