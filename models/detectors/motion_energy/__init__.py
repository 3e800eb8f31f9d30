"""The floor of semiology on film: how long, and how much moves when. No deep model may be registered that does not beat it."""

import numpy as np

from data.film_frontend import PreparedFilm
from lineage.digest import Digest, digest_of
from models.logistic import LogisticFloor
from models.semiology import FilmTyping
from models.snippets import motion_energy

PARTS = 4


class MotionEnergy(LogisticFloor, FilmTyping):
    """The seizure's length, the change from frame to frame in each quarter of it, and how uneven that is.

    Features per view: log seconds; log of the mean change, of each quarter's relative to it, and of the largest; the
    spread of the logs. Logistic with ridge on top, in which every class and every patient weighs the same.
    """

    name = "motion_energy"

    FEATURES = PARTS + 4

    @property
    def seen_by(self) -> Digest:
        return digest_of("motion energy, 1")

    def see(self, snippets: np.ndarray) -> np.ndarray:
        return motion_energy(snippets)[:, None].astype(np.float32)

    def clips(self, views: np.ndarray, prepared: PreparedFilm) -> np.ndarray:
        energy = np.log(views[:, :, 0].astype(float) + 0.01)
        mean = energy.mean(axis=1)
        quarters = np.stack([part.mean(axis=1) - mean for part in np.array_split(energy, PARTS, axis=1)], axis=1)
        one = np.stack(
            [np.full(len(mean), np.log(prepared.duration_s)), mean, energy.max(axis=1), energy.std(axis=1)], axis=1
        )
        return np.concatenate([one, quarters], axis=1)


DETECTOR = MotionEnergy
