"""One evaluation on its way to figures, and one detector on its way to a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from data.events import Annotations
from models.detector import TypingDetector
from validation.gates import Gate

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
class Shown:
    """All that a page of one detector is made of; `beside` links other pages, `studies` are results made by command."""

    name: str
    task: str
    results: Mapping[str, Results]
    provenance: Mapping[str, str]
    simulated: bool
    gates: Sequence[Gate]
    floor: str
    inflation: Mapping[str, Any]
    published: Mapping[str, Any]
    undivided: Mapping[str, str]
    beside: Mapping[str, str]
    studies: Mapping[str, Any] = field(default_factory=dict)

    def common(self) -> dict[str, Any]:
        """What every dossier takes."""
        names = ("name", "results", "provenance", "simulated", "gates", "floor", "inflation", "undivided", "beside")
        return {name: getattr(self, name) for name in names}
