"""A linear probe: what a logistic can read from an encoder that learns nothing more."""

from collections.abc import Mapping

import numpy as np
import torch

from models.detectors.band_power import fit_softmax
from models.training import balanced_weights

PROBE = "frozen encoder (probe)"


class Probe:
    """Logistic with ridge on the features of an encoder kept as it was before any labelled clip."""

    def __init__(self, width: int, ridge: float):
        self.ridge = ridge
        self.centre, self.spread = np.zeros(width), np.ones(width)
        self.weights = np.zeros((width + 1, 2))
        self.encoder: dict[str, torch.Tensor] = {}

    def keep(self, encoder: Mapping[str, torch.Tensor]) -> None:
        """The encoder that features will be made by, as it now is."""
        self.encoder = {name: weight.detach().clone() for name, weight in encoder.items()}

    def fit(self, features: np.ndarray, label: np.ndarray, patient: np.ndarray) -> None:
        """From features (clips, width); every class and patient weighs the same."""
        weight = balanced_weights(patient, label)
        self.centre = weight @ features
        self.spread = np.sqrt(weight @ (features - self.centre) ** 2) + 1e-6
        self.weights = fit_softmax(self._scaled(features), label, weight, 2, self.ridge)

    def logits(self, features: np.ndarray) -> np.ndarray:
        """(clips,): of the second class against the first."""
        said = self._scaled(features) @ self.weights
        return np.asarray(said[:, 1] - said[:, 0])

    def tensors(self) -> dict[str, np.ndarray]:
        return {"probe.centre": self.centre, "probe.spread": self.spread, "probe.weights": self.weights}

    def load(self, tensors: Mapping[str, np.ndarray], encoder: Mapping[str, torch.Tensor]) -> None:
        self.centre, self.spread, self.weights = (
            np.array(tensors[f"probe.{name}"], dtype=float) for name in ("centre", "spread", "weights")
        )
        self.encoder = dict(encoder)

    def _scaled(self, features: np.ndarray) -> np.ndarray:
        return np.concatenate([np.ones((len(features), 1)), (features - self.centre) / self.spread], axis=1)
