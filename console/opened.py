"""The recordings that were opened last: their files, what was said of them, and the tiles of their traces."""

import time
from dataclasses import dataclass
from functools import cached_property
from threading import Lock

from starlette.exceptions import HTTPException

from console.acts import Room
from console.display import Montage, Tiles, montages_of
from console.shelf import Recorded
from console.strips import film_length_s
from data.outcomes import Refusal
from data.readers.edf_spans import EdfSpans, open_spans

FRESH_S = 30.0
"""For how long pieces of a page are made from what was found when it was opened."""
KEPT = 8


@dataclass(frozen=True)
class Opened:
    """A recording and its EEG, where it has one that can be read; `refused` says why not. `at` is when it was opened,
    in seconds of `time.monotonic`."""

    recorded: Recorded
    at: float
    spans: EdfSpans | None = None
    refused: str = ""

    @cached_property
    def duration_s(self) -> float:
        """Seconds from start to end of the EEG, else of the film, else as far as anybody said anything."""
        if self.spans:
            return self.spans.duration_s
        ends = [s.end_s for r in self.recorded.readings for s in r.stretches]
        trends = [float(len(r.trend)) for r in self.recorded.readings if r.trend]
        return max([*ends, *trends, *map(film_length_s, self.recorded.views), 1.0])

    @cached_property
    def montages(self) -> dict[str, Montage]:
        """What its channels can be shown in; nothing without an EEG."""
        return montages_of(self.spans.channels) if self.spans else {}


class Desk:
    """The recordings that were opened last, and the tiles of their traces. May be asked from several threads."""

    def __init__(self) -> None:
        self.tiles = Tiles()
        self._opened: dict[tuple[str, str], Opened] = {}
        self._lock = Lock()

    def open(self, room: Room, cohort: str, name: str, *, anew: bool = False) -> Opened:
        """Find a recording. What was found is used again for `FRESH_S` seconds, unless `anew`. Raises HTTPException 404
        where there is none."""
        with self._lock:
            kept = self._opened.get((cohort, name))
        if kept and not anew and time.monotonic() - kept.at < FRESH_S:
            return kept
        recorded = room.acts.recording(cohort, name)
        if recorded is None:
            raise HTTPException(404, "There is no such recording here.")
        opened = _opened(recorded)
        with self._lock:
            self._opened.pop((cohort, name), None)
            self._opened[cohort, name] = opened
            while len(self._opened) > KEPT:
                self._opened.pop(next(iter(self._opened)))
        return opened


def _opened(recorded: Recorded) -> Opened:
    at = time.monotonic()
    if recorded.eeg is None:
        return Opened(recorded, at)
    try:
        return Opened(recorded, at, open_spans(recorded.eeg))
    except Refusal as refusal:
        return Opened(recorded, at, refused=f"{refusal.code}: {refusal.reason}")
    except OSError:
        return Opened(recorded, at, refused="the file cannot be read any more")
