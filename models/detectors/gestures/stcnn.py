"""The part that looks at snippets: R(2+1)D, taught what people do when they have no seizure, and then frozen."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from lineage.digest import Digest
from models.detector import Examples, Progress
from models.engines import Network, Session
from models.layers.r2plus1d import SIZES, R2Plus1D
from models.training import Schedule, fit_network, macro_auc

MEAN, SPREAD = (0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989)
"""Of the films on which the published weights were made, per colour; a grey film has the mean of the three."""

MOVED = 20 / 255
"""How much a moving edge changes a pixel, about: what a snippet differs by from its mean is given in these."""


class Stcnn:
    """Snippets → features. `classes` are those of the actions that it learns; their layer is of no use afterwards.

    With `moving_only` it is shown what a snippet differs by from its own mean: not the room, and nobody who lies still.
    """

    def __init__(self, size: str, classes: int, batch: int, *, moving_only: bool, seed: int = 0):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = R2Plus1D(SIZES[size], classes).eval()
        self.network = network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        self.maps, self.batch, self.moving_only = SIZES[size].maps, batch, moving_only

    @property
    def width(self) -> int:
        """Features of one snippet."""
        return self.network.width

    @property
    def digest(self) -> Digest:
        """Of all weights that features depend on."""
        of = hashlib.sha256()
        for name, tensor in sorted(self.tensors().items()):
            of.update(name.encode() + tensor.tobytes())
        return of.hexdigest()

    def exportable(self, frames: int, size_px: int) -> Network:
        """What makes features of one snippet."""
        return Network(_Features(self.network), (self.maps, frames, size_px, size_px))

    def see(self, snippets: np.ndarray, session: Session | None = None) -> np.ndarray:
        """uint8 (snippets, frames, size, size[, 3]) → float32 (snippets, width), always in batches of the same size."""
        if session:
            return session(self._scaled(snippets).numpy())
        with torch.inference_mode():
            network = self.network.eval()
            seen = [network.features(self._scaled(part)).numpy() for part in _parts(snippets, self.batch)]
        return np.concatenate(seen)

    def learn(
        self, snippets: Examples, inner: Examples, schedule: Schedule, seed: int, progress: Progress | None
    ) -> dict[str, Any]:
        """Tell the actions of `snippets` apart; the best epoch is the one that does best on other persons (`inner`)."""

        def loss(network: torch.nn.Module, x: torch.Tensor, label: torch.Tensor, *_: Any) -> torch.Tensor:
            return F.cross_entropy(network(self._scaled(x.numpy())), label)

        def score(examples: Examples) -> np.ndarray:
            with torch.inference_mode():
                return np.concatenate([self.network(self._scaled(p)).numpy() for p in _parts(examples.x, self.batch)])

        return fit_network(
            self.network, loss, score, (snippets, inner), schedule, seed=seed, progress=progress, judge=macro_auc
        ).log  # fmt: skip

    def tensors(self) -> dict[str, np.ndarray]:
        """Its weights by name, each of its own shape, without the layer of the actions."""
        state = self.network.state_dict()
        return {n: t.detach().contiguous().numpy().copy() for n, t in state.items() if _belongs(n)}

    def load(self, tensors: Mapping[str, np.ndarray]) -> None:
        """Take over what `tensors` gave; the layer of the actions stays as it is.

        RuntimeError (PyTorch's) for a weight that is unknown or of another shape.
        """
        taken = {n: torch.from_numpy(np.array(t)) for n, t in tensors.items()}
        self.network.load_state_dict({**self.network.state_dict(), **taken})
        self.network.eval()

    def _scaled(self, snippets: np.ndarray) -> torch.Tensor:
        """float (snippets, maps, frames, size, size), scaled as the published weights expect."""
        x = torch.from_numpy(np.ascontiguousarray(snippets)).float() / 255
        x = x.movedim(-1, 1) if x.ndim == 5 else x.unsqueeze(1)
        if x.shape[1] == 1 and self.maps == 3:
            x = x.expand(-1, 3, -1, -1, -1)
        if self.moving_only:
            moved = (x - x.mean(dim=2, keepdim=True)) / MOVED
            return moved.contiguous(memory_format=torch.channels_last_3d)
        mean, spread = torch.tensor(MEAN), torch.tensor(SPREAD)
        if x.shape[1] == 1:
            mean, spread = mean.mean(0, keepdim=True), spread.mean(0, keepdim=True)
        scaled = (x - mean.view(-1, 1, 1, 1)) / spread.view(-1, 1, 1, 1)
        return scaled.contiguous(memory_format=torch.channels_last_3d)


class _Features(torch.nn.Module):
    """The network without its layer of actions."""

    def __init__(self, network: R2Plus1D):
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network.features(x)


def _belongs(name: str) -> bool:
    return not name.startswith("fc.") and not name.endswith("num_batches_tracked")


def _parts(snippets: np.ndarray, batch: int) -> list[np.ndarray]:
    return [snippets[at : at + batch] for at in range(0, len(snippets), batch)]
