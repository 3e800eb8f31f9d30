"""Naming a seizure on film: what the detectors of semiology share, from the question to the usable views."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np

from data.events import Annotations
from data.film_frontend import FilmFrontEnd, PreparedFilm
from data.outcomes import Refusal
from data.seizure_types import semiology_type
from lineage.digest import Digest, digest_of
from models.appearance import PICTURES, of_pictures
from models.detector import Examples, InputContract, Stretch, TypingDetector
from models.features_cache import kept
from models.snippets import blindness, grid_of, snippets_of

VIEWS = ("large", "small")
"""The cameras of a monitoring unit, as the views of a film are named: the room, and the one on the patient."""


class SeenView(NamedTuple):
    """A view that shows something: `seen` (positions, features + 1) by the detector, the last the view's place in `VIEWS`;
    and what it `looks` like (`models.appearance.PICTURES`), the middle of its snippets."""

    seen: np.ndarray
    looks: np.ndarray


class FilmTyping(TypingDetector):
    """A detector that says of a filmed seizure whether it stays focal (FOS) or becomes bilateral tonic-clonic (FBTCS).

    Each view that shows something makes one clip, and the mean of their probabilities is the answer. A view that is
    black or frozen is left out, as one that is missing: the answer then rests on one clip, and says so.
    """

    task, modality = "semiology", "video"
    classes = ("FOS", "FBTCS")
    contract = InputContract(montage="film", age_days=(365, 43830), min_duration_s=5)

    def __init__(self, params: Mapping[str, Any]):
        super().__init__(params)
        self.grid = grid_of(params)
        self.window_s = self.hop_s = params["window_s"]

    @property
    def front_end(self) -> FilmFrontEnd:  # type: ignore[override]
        return FilmFrontEnd(self.params["size_px"], self.params["grey"])

    @property
    def rate_hz(self) -> float:
        return self.grid.rate_hz

    @abstractmethod
    def see(self, snippets: np.ndarray) -> np.ndarray:
        """What is kept of one view's snippets, (positions, frames, size, size[, 3]): float32 (positions, features)."""

    @property
    @abstractmethod
    def seen_by(self) -> Digest:
        """Names everything but the film that `see` depends on."""

    def stretches(self, truth: Annotations) -> list[Stretch]:
        """The marked seizures that are FOS or FBTCS; a seizure of another type is not asked about."""
        codes = [semiology_type(event.type) for event in truth.events]
        return [
            Stretch(number, event.onset_s, event.end_s, self.classes.index(code))
            for number, (event, code) in enumerate(zip(truth.events, codes, strict=True))
            if code is not None
        ]

    def examples(self, prepared: PreparedFilm, recording: str = "", patient: str = "") -> Examples:  # type: ignore[override]
        """One clip per usable view; refuses a stretch that is too short, and a film of which no view shows anything."""
        usable, why_not = self.views_of(prepared)
        if not usable:
            raise Refusal("view_lost", f"no view shows anything: {', '.join(why_not)} of {prepared.views} needed is 1")
        count = len(usable)
        x = np.array([view.seen for view in usable], dtype=np.float32)
        whose = np.full(count, recording), np.full(count, patient)
        looks = np.array([view.looks for view in usable])
        return Examples(self.clips(x, prepared), np.full(count, prepared.onset_s), *whose, self.window_s, seen=looks)

    def explained_s(self, onset_s: float, one: Stretch) -> tuple[float, float]:
        """All of the stretch: its moments lie evenly in it."""
        return one.onset_s, one.end_s - one.onset_s

    def views_of(self, prepared: PreparedFilm) -> tuple[list[SeenView], list[str]]:
        """The usable views, and why others are not.

        Refuses (`too_short`) a stretch of less than `shortest_s`.
        """
        if prepared.duration_s < (shortest_s := self.params["shortest_s"]):
            raise Refusal(
                "too_short", f"the seizure has {prepared.duration_s:.1f} s on film, needed are {shortest_s:g} s"
            )
        looked = [self._look(prepared, view) for view in range(prepared.views)]
        places = [_place(prepared, view) for view in range(prepared.views)]
        usable = [
            SeenView(np.pad(own["seen"], ((0, 0), (0, 1)), constant_values=place), own["looks"])
            for own, place in zip(looked, places, strict=True)
            if not str(own["blind"])
        ]
        reasons = [f"{VIEWS[p]} {own['blind']}" for own, p in zip(looked, places, strict=True) if str(own["blind"])]
        return usable, reasons

    def clips(self, views: np.ndarray, prepared: PreparedFilm) -> np.ndarray:
        """`x` (views, …) of the clips, one per usable view, from (views, positions, features + 1) as of `SeenView`."""
        return views

    def _look(self, prepared: PreparedFilm, view: int) -> Mapping[str, np.ndarray]:
        """What was seen in a view, and whether it is blind; read from where it was kept if it was."""
        depends_on = {
            "view": prepared.film.views[view].digest,
            "part_us": [round(1e6 * prepared.onset_s), round(1e6 * prepared.end_s)],
            "front_end": self.front_end.digest,
            "grid": asdict(self.grid),
            "seen_by": self.seen_by,
            "looks": list(PICTURES),
        }

        def make() -> Mapping[str, np.ndarray]:
            snippets = snippets_of(prepared, view, self.grid)
            looks = of_pictures(snippets)
            return {"seen": self.see(snippets), "blind": np.array(blindness(snippets)), "looks": looks}

        return kept(digest_of(depends_on), make)


def _place(prepared: PreparedFilm, view: int) -> int:
    name = prepared.film.views[view].name
    return VIEWS.index(name) if name in VIEWS else min(view, len(VIEWS) - 1)
