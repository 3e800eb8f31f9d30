"""One network of the ensemble: the spectral setting under which it sees a clip, and what it makes of it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from scipy.special import softmax
from torch import nn
from torch.nn import functional as F

from data.saliency import MAPS, SpectralSetting
from models.detector import UNSEEN, Examples, Progress
from models.explain import attributions, log_odds
from models.layers.dense import DenseNet
from models.layers.residual import ResidualNet
from models.training import Fitted, Schedule, fit_network, macro_auc

ClipLoss = Callable[[np.ndarray, torch.Tensor, torch.Tensor], torch.Tensor]
"""loss(numbers of the clips, their images, their types) → scalar."""

OF_FREQUENCY = [0, 2]
"""The maps whose columns are frequencies; those of the spectral residual are moments of the window (`data.saliency`)."""
PREDICT_IMAGES = 128
SCALE_CLIPS = 400


class TypeNetwork(nn.Module):
    """Saliency images (batch, 3, derivations, bins) → a logit per seizure type (batch, types).

    Its buffers say what it knows of its training patients: mean and spread per map and bin, and which types they had.
    """

    def __init__(self, trunk: DenseNet | ResidualNet, types: int, bins: int):
        super().__init__()
        self.trunk, self.classifier = trunk, nn.Linear(trunk.features, types)
        self.register_buffer("mean", torch.zeros(MAPS, 1, bins))
        self.register_buffer("spread", torch.ones(MAPS, 1, bins))
        self.register_buffer("seen", torch.ones(types))

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        """(batch, 3, derivations, bins) → (batch, features): what the classifier reads, and what a student may learn."""
        features: torch.Tensor = self.trunk((images - self.mean) / self.spread)  # type: ignore[operator]
        return features

    def classify(self, features: torch.Tensor) -> torch.Tensor:
        """(batch, features) → logits (batch, types); `UNSEEN` for a type that no training patient had."""
        logits: torch.Tensor = self.classifier(features).masked_fill(self.seen == 0, UNSEEN)
        return logits

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(batch, 3, derivations, bins) → logits (batch, types)."""
        return self.classify(self.embed(images))


class Member:
    """A network with its spectral setting.

    Where its windows are shorter than a clip it sees several of them and answers with the mean of their probabilities
    (multi-decision); in training it sees one of them, drawn anew each time.
    """

    def __init__(self, setting: SpectralSetting, network: TypeNetwork, rate_hz: float):
        self.setting, self.network, self.rate_hz = setting, network.eval(), rate_hz

    def look(self, clips: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Clips (clips, derivations, samples) → features (clips, features) and log probabilities (clips, types)."""
        made = [
            self.judge(self.images(piece))
            for piece in _pieces(clips, self.setting.count(clips.shape[-1], self.rate_hz))
        ]
        return np.concatenate([features for features, _ in made]), np.concatenate([log for _, log in made])

    def images(self, clips: np.ndarray) -> np.ndarray:
        """(clips, derivations, samples) → (clips, windows, 3, derivations, bins)."""
        windows = self.setting.windows(clips, self.rate_hz)
        made = self.setting.images(windows.reshape(-1, *windows.shape[2:]))
        return made.reshape(*windows.shape[:2], *made.shape[1:])

    def judge(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same as `look`, from `images` (clips, windows, 3, derivations, bins)."""
        clips, windows = images.shape[:2]
        self.network.eval()
        with torch.inference_mode():
            seen = self.network.embed(torch.from_numpy(images.reshape(-1, *images.shape[2:])))
            features = seen.reshape(clips, windows, -1).mean(dim=1)
            probability = torch.softmax(self.network.classify(seen).double(), dim=-1).reshape(clips, windows, -1)
        return features.numpy(), mean_log(probability.mean(dim=1).numpy())

    def ask(self, clips: np.ndarray, network: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """The log probabilities (clips, types) of `look`, by another engine's `network`, images → logits."""
        made = [np.zeros((0, len(self.network.classifier.bias)))]
        for piece in _pieces(clips, self.setting.count(clips.shape[-1], self.rate_hz)):
            images = self.images(piece)
            logits = network(images.reshape(-1, *images.shape[2:])).astype(float)
            made.append(mean_log(softmax(logits, axis=-1).reshape(*images.shape[:2], -1).mean(axis=1)))
        return np.concatenate(made)

    def attributed(self, clip: np.ndarray, name: int) -> tuple[np.ndarray, np.ndarray]:
        """How much of a clip (derivations, samples) spoke for a type, above what training patients' spectra do on average:
        by derivation and bin (derivations, bins), from the maps whose columns are frequencies, and along the clip (samples,)
        from all maps. The windows' shares are summed, each spread evenly over its window."""
        images = self.images(clip[None])[0]
        nothing = np.broadcast_to(self.network.mean.numpy(), images.shape[1:])  # type: ignore[operator]
        self.network.eval()
        found = attributions(lambda seen: log_odds(self.network(seen), name), images, nothing)
        size, hop = self.setting.size_and_hop(self.rate_hz)
        along = np.zeros(clip.shape[-1])
        for number, window in enumerate(found):
            along[number * hop : number * hop + size] += window.sum() / size
        return found[:, OF_FREQUENCY].sum(axis=(0, 1)), along

    def draw(self, clips: np.ndarray) -> torch.Tensor:
        """Images (clips, 3, derivations, bins) of one window of each clip, drawn from torch's generator."""
        windows = self.setting.windows(clips, self.rate_hz)
        which = torch.randint(windows.shape[1], (len(clips),)).numpy()
        return torch.from_numpy(self.setting.images(windows[np.arange(len(clips)), which]))

    def prepare(self, train: Examples) -> None:
        """Learn the scale of the images from the training patients, and which types they had."""
        assert train.label is not None
        clips = train.x[:: max(1, len(train) // SCALE_CLIPS)]
        images = self.setting.images(self.setting.windows(clips, self.rate_hz)[:, 0])
        network = self.network
        network.mean.copy_(torch.from_numpy(images.mean(axis=(0, 2))[:, None]))  # type: ignore[operator]
        network.spread.copy_(torch.from_numpy(images.std(axis=(0, 2))[:, None] + 1e-3))  # type: ignore[operator]
        types = np.arange(len(network.classifier.bias))
        network.seen.copy_(torch.from_numpy(np.isin(types, train.label)))  # type: ignore[operator]

    def fit(
        self,
        train: Examples,
        valid: Examples,
        schedule: Schedule,
        *,
        seed: int,
        checkpoint: Path | None = None,
        progress: Progress | None = None,
        loss: ClipLoss | None = None,
        learner: nn.Module | None = None,
    ) -> Fitted:
        """Learn from one drawn window of each drawn clip; the macro AUC of the clips of `valid` says which epoch is best,
        of which the log probabilities (clips, types) are what is `crossed`.

        A student is given its own `loss`, and a `learner` that holds its network and whatever else learns.
        """

        def of_batch(
            _: nn.Module, index: torch.Tensor, label: torch.Tensor, patient: torch.Tensor, done: float
        ) -> torch.Tensor:
            return (loss or self.cross_entropy)(index.numpy(), self.draw(train.x[index.numpy()]), label)

        def score(inner: Examples) -> np.ndarray:
            return np.concatenate([self.judge(piece)[1] for piece in _pieces(inner.x, inner.x.shape[1])])

        # The loop is given the clips' numbers, so that a loss can look up what a teacher said of them.
        numbered = replace(train, x=np.arange(len(train)))
        inner = replace(valid, x=np.concatenate([self.images(piece) for piece in _pieces(valid.x)]))
        return fit_network(
            learner or self.network, of_batch, score, (numbered, inner), schedule,
            seed=seed, checkpoint=checkpoint, progress=progress, judge=macro_auc,
        )  # fmt: skip

    def cross_entropy(self, _: np.ndarray, images: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """The loss by the labels alone (`ClipLoss`): images (clips, 3, derivations, bins), types (clips,)."""
        return F.cross_entropy(self.network(images), label)


def mean_log(probability: np.ndarray) -> np.ndarray:
    """Log of mean probabilities (clips, types), not below `UNSEEN`."""
    return np.log(np.maximum(probability, np.exp(UNSEEN)))


def _pieces(clips: np.ndarray, windows: int = 1) -> Iterator[np.ndarray]:
    """Clips in pieces of about `PREDICT_IMAGES` images, of which each clip has `windows`."""
    size = max(1, PREDICT_IMAGES // windows)
    return (clips[start : start + size] for start in range(0, len(clips), size))
