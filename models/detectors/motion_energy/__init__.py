"""The floor of semiology on film: how long, and how much moves when. No deep model may be registered that does not beat it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from data.film_frontend import PreparedFilm
from lineage.digest import Digest, digest_of
from models.detector import UNSEEN, Examples, Progress, State
from models.detectors.band_power import fit_softmax
from models.semiology import FilmTyping
from models.snippets import motion_energy
from models.training import balanced_weights, macro_auc

PARTS = 4


class MotionEnergy(FilmTyping):
    """The seizure's length, the change from frame to frame in each quarter of it, and how uneven that is.

    Features per view: log seconds; log of the mean change, of each quarter's relative to it, and of the largest; the
    spread of the logs. Logistic with ridge on top, in which every class and every patient weighs the same.
    """

    name = "motion_energy"

    def __init__(self, params: Mapping[str, Any]):
        super().__init__(params)
        features = PARTS + 4
        self.centre, self.spread = np.zeros(features), np.ones(features)
        self.weights = np.zeros((features + 1, len(self.classes)))
        self.seen = np.ones(len(self.classes))

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

    def fit(
        self,
        train: Examples,
        valid: Examples,
        *,
        seed: int,
        checkpoint: Path | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        if train.label is None or valid.label is None:
            raise ValueError("training needs labelled films")
        weight = balanced_weights(train.patient, train.label)
        x = train.x.astype(float)
        self.centre = weight @ x
        self.spread = np.sqrt(weight @ (x - self.centre) ** 2) + 1e-6
        self.seen = np.isin(np.arange(len(self.classes)), train.label).astype(float)
        self.weights = fit_softmax(self._scaled(x), train.label, weight, len(self.classes), self.params["ridge"])
        reached = macro_auc(self.score(valid), valid.label)
        if progress:
            progress(1, 1, reached)
        names = [c for c, met in zip(self.classes, self.seen, strict=True) if met]
        return {"epochs": 1, "best_epoch": 1, "valid_auc": [reached], "windows": len(train), "classes_seen": names}

    def score(self, examples: Examples) -> np.ndarray:
        return np.where(self.seen > 0, self._scaled(examples.x.astype(float)) @ self.weights, UNSEEN)

    def state(self) -> State:
        names = ("centre", "spread", "weights", "seen")
        return State({name: getattr(self, name).copy() for name in names}, {})

    def load_state(self, state: State) -> None:
        for name in ("centre", "spread", "weights", "seen"):
            setattr(self, name, np.array(state.tensors[name], dtype=float))

    def _scaled(self, x: np.ndarray) -> np.ndarray:
        return np.concatenate([np.ones((len(x), 1)), (x - self.centre) / self.spread], axis=1)


DETECTOR = MotionEnergy
