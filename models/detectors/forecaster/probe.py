"""A linear probe: what a logistic can read from an encoder that learns nothing more."""

from collections.abc import Mapping

import numpy as np
import torch

from models.logistic import Logistic

PROBE = "frozen encoder (probe)"


class Probe:
    """Logistic with ridge on the features of an encoder kept as it was before any labelled clip.

    Weights of the encoder are by name, each of its own shape.
    """

    def __init__(self, width: int, ridge: float):
        self.logistic = Logistic(width, 2, ridge)
        self.encoder: dict[str, torch.Tensor] = {}

    def keep(self, encoder: Mapping[str, torch.Tensor]) -> None:
        """The encoder that features will be made by, as it now is."""
        self.encoder = {name: weight.detach().clone() for name, weight in encoder.items()}

    def fit(self, features: np.ndarray, label: np.ndarray, patient: np.ndarray) -> None:
        """From features (clips, width); every class and patient weighs the same."""
        self.logistic.fit(features, label, patient)

    def logits(self, features: np.ndarray) -> np.ndarray:
        """(clips,): of the second class against the first."""
        said = self.logistic.scores(features)
        return np.asarray(said[:, 1] - said[:, 0])

    def tensors(self) -> dict[str, np.ndarray]:
        """Copies of the logistic's tensors, their names behind `probe.`; the encoder is not among them."""
        return self.logistic.tensors("probe.")

    def load(self, tensors: Mapping[str, np.ndarray], encoder: Mapping[str, torch.Tensor]) -> None:
        """Take over what `tensors` gave, and the weights of the encoder by name."""
        self.logistic.load(tensors, "probe.")
        self.encoder = dict(encoder)
