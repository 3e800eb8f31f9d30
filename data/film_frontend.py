"""The front end of film: frames by presentation time, square and small, the same for training, serving and drift."""

from dataclasses import asdict, dataclass, field, replace

import numpy as np

from data.film import Film
from data.readers.video import frames_and_lost, refuse_lost
from lineage.digest import Digest, digest_of


@dataclass(frozen=True)
class FilmFrontEnd:
    """Frames letterboxed to a square and scaled; settings change results, so they travel in the bundle."""

    size_px: int = 64
    grey: bool = True
    version: int = 1

    @property
    def digest(self) -> Digest:
        """Digest of all settings, `version` among them."""
        return digest_of(asdict(self))

    def prepare(self, film: Film) -> "PreparedFilm":
        """Nothing is decoded before frames are asked for."""
        return PreparedFilm(film, self, 0.0, film.duration_s)


@dataclass(frozen=True)
class PreparedFilm:
    """The part of a film from `onset_s` to `end_s` (seconds of the recording), read when it is looked at.

    `lost` holds, of each look at this part so far, how many of the frames asked for could not be decoded, `after_lost` how
    many came after one that could not, before the next key frame.
    """

    film: Film
    front_end: FilmFrontEnd
    onset_s: float
    end_s: float
    lost: list[int] = field(default_factory=list, compare=False, kw_only=True)
    after_lost: list[int] = field(default_factory=list, compare=False, kw_only=True)

    @property
    def duration_s(self) -> float:
        """Seconds from `onset_s` to `end_s`."""
        return self.end_s - self.onset_s

    @property
    def views(self) -> int:
        """How many cameras the film has; `frames` counts them from 0."""
        return len(self.film.views)

    @property
    def digest(self) -> Digest:
        """Digest of the whole film's files, the same for every part of it and every front end."""
        return self.film.digest

    def between(self, onset_s: float, end_s: float) -> "PreparedFilm":
        """The part of it from `onset_s` to `end_s`, times unchanged."""
        return replace(self, onset_s=max(self.onset_s, onset_s), end_s=min(self.end_s, end_s), lost=[], after_lost=[])

    def frames(self, view: int, times_s: np.ndarray) -> np.ndarray:
        """The frames shown at these times (ascending seconds of the recording): uint8 (times, size, size[, 3]).

        Refuses (`corrupt`) where more than 10 % of them cannot be decoded, or more than half come after one that cannot.
        """
        seen, own = self.film.views[view], self.front_end
        pictures, lost, after_lost = frames_and_lost(seen, np.asarray(times_s), own.size_px, own.grey)
        refuse_lost(lost, after_lost, f"view {view + 1} of {self.views}: " if self.views > 1 else "")
        self.lost.append(int(lost.sum()))
        self.after_lost.append(int(after_lost.sum()))
        return pictures
