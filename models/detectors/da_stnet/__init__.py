"""DA-STNet: neonatal seizure detection by a network that is trained not to know which baby it looks at.

Re-implemented from its description (Xu & Zheng, Sensors 2026, 26(3):938); where the paper is silent the choice is
ours and stands in params.yaml and the card.
"""

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from data.spectra import stft_log_power
from data.windows import samples
from lineage.refused import Refused
from models.detector import Examples, InputContract, Progress, State, WindowDetector, WindowsToX
from models.engines import Network
from models.explain import integrated_gradients
from models.layers.attention import AttentionPool, MeanPool
from models.layers.reversal import reverse_gradient, schedule
from models.training import Schedule, fit_network

PREDICT_BATCH = 16
"""Windows scored at a time: few enough that their maps stay in cache, which takes a third off the `paper` preset."""


class NoAttention(Refused):
    """Attention weights were asked of a network that has none."""


class DaStNetwork(nn.Module):
    """Spectrograms (batch, channels, bins, frames) → seizure logit (batch,).

    Channel-independent CNN (weights shared over channels) → bidirectional LSTM along the channel axis → attention
    pooling over channels → linear classifier; behind a gradient reversal, a classifier of the training babies.

    Parts can be taken away. Without `cnn` (empty) the spectrogram of a channel goes on flattened, so that the next
    layer's own weights are its linear projection; without `lstm` (0) every channel is described by itself alone;
    without `attention` (0) all channels weigh the same; without `domains` (0) nothing knows the babies apart.
    """

    def __init__(self, cnn: tuple[int, ...], lstm: int, attention: int, spectrogram: tuple[int, int], domains: int = 0):
        super().__init__()
        bins, frames = spectrogram
        widths = (1, *cnn)
        # Channels last halves the time of these small maps on a processor; the numbers are the same.
        self.cnn = nn.Sequential(*(_block(a, b) for a, b in itertools.pairwise(widths)))
        self.cnn.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        described = widths[-1] if cnn else bins * frames
        self.lstm = nn.LSTM(described, lstm, batch_first=True, bidirectional=True) if lstm else None
        width = 2 * lstm or described
        self.pool: AttentionPool | MeanPool = AttentionPool(width, attention) if attention else MeanPool()
        self.classifier = nn.Linear(width, 1)
        self.baby = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, domains)) if domains else None
        # Per-bin mean and spread of the training babies' log power: they belong to the network and travel with it.
        self.register_buffer("mean", torch.zeros(bins))
        self.register_buffer("spread", torch.ones(bins))

    def described(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, channels, bins, frames) → (batch, channels, features), each channel by itself."""
        batch, channels = x.shape[:2]
        scaled = (x - self.mean[:, None]) / self.spread[:, None]  # type: ignore[index]
        if not len(self.cnn):
            return scaled.flatten(2)
        maps = self.cnn(scaled.reshape(batch * channels, 1, *x.shape[2:]).contiguous(memory_format=torch.channels_last))
        features: torch.Tensor = maps.mean(dim=(2, 3)).reshape(batch, channels, -1)
        return features

    def per_channel(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, channels, bins, frames) → (batch, channels, features), each channel beside its neighbours."""
        described = self.described(x)
        if self.lstm is None:
            return described
        features: torch.Tensor = self.lstm(described)[0]
        return features

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, channels, bins, frames) → (batch, 2 · lstm or the channel's own): what both classifiers read."""
        pooled: torch.Tensor = self.pool(self.per_channel(x))
        return pooled

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, channels, bins, frames) → seizure logit (batch,); the classifier of babies has no part in it."""
        logit: torch.Tensor = self.classifier(self.features(x)).squeeze(-1)
        return logit


def _block(inputs: int, outputs: int) -> nn.Sequential:
    """Pooling before the ReLU gives the same maps at a quarter of the work."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.MaxPool2d(2), nn.ReLU())


class DaStNet(WindowDetector):
    """The detector around the network: 2-s windows, log-power STFT per derivation, one logit per window."""

    name, task, modality, classes = "da_stnet", "detection", "eeg", ("background", "seizure")
    contract = InputContract(montage="neonatal_18", age_days=(0, 28), min_duration_s=30)

    def __init__(self, params: Mapping[str, Any]):
        super().__init__(params)
        self.window_s, self.hop_s = params["window_s"], params["hop_s"]
        self.network = self._build(0)

    def to_x(self, rate_hz: float) -> WindowsToX:
        """Log power of each window by itself, (windows, derivations, bins, frames)."""
        p = self.params
        return lambda windows: stft_log_power(windows, rate_hz, p["n_fft"], p["stft_hop"], tuple(p["band_hz"]))

    def fit(
        self,
        train: Examples,
        valid: Examples,
        *,
        seed: int,
        checkpoint: Path | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        """Learn seizures, and with `reversal` unlearn whose windows they are.

        Every second window of `valid` is looked at. ValueError where labels are missing.
        """
        torch.manual_seed(seed)
        babies = len(np.unique(train.patient))
        self.network = self._build(babies if self.params["reversal"] else 0)
        self._fit_scale(train)
        p = self.params
        plan = Schedule(
            p["epochs"], p["batch"], p["learning_rate"], p["patience"], p["windows_per_epoch"], inner=p["inner_windows"]
        )
        inner = valid.take(np.arange(0, len(valid), 2))  # neighbouring windows share half of their signal
        return fit_network(
            self.network, _loss, self.score, (train, inner), plan, seed=seed, checkpoint=checkpoint, progress=progress
        ).log

    def score(self, examples: Examples) -> np.ndarray:
        if self.sessions:
            return self.sessions["network"](examples.x).astype(float)
        return self._read(self.network, examples).astype(float)

    def networks(self) -> dict[str, Network]:
        bins, frames = self._spectrogram
        mean, spread = (part.numpy()[:, None] for part in (self.network.mean, self.network.spread))  # type: ignore[operator]
        return {"network": Network(self.network, (len(self.front_end.channels), bins, frames), mean, spread)}

    def features(self, examples: Examples) -> np.ndarray:
        """What the seizure classifier reads of each window, (windows, features): what a probe looks into."""
        return self._read(self.network.features, examples)

    def attention(self, examples: Examples) -> np.ndarray:
        """How much each derivation weighs in each window, (windows, derivations), rows of sum 1.

        Refused (`NoAttention`) where attention was taken away: equal weights would pass for an explanation.
        """
        pool = self.network.pool
        if not isinstance(pool, AttentionPool):
            raise NoAttention("this network has no attention (`attention: 0`): all its derivations weigh the same")
        return self._read(lambda x: pool.weights(self.network.per_channel(x)), examples)

    def shares(self, x: np.ndarray) -> np.ndarray:
        """Of each derivation in what raised a window of x above the training babies' mean, (windows, derivations).

        Not the attention: the LSTM has mixed the derivations before it, and its weights hardly differ.
        """
        mean = np.broadcast_to(self.network.mean.numpy()[:, None], x.shape[1:])  # type: ignore[operator]
        return integrated_gradients(self.network, x, mean)

    def _read(self, what: Callable[[torch.Tensor], torch.Tensor], examples: Examples) -> np.ndarray:
        """`what` of every window, in blocks of one size, filled up with zeros: then it is the same bits in any company."""
        self.network.eval()
        parts = [np.zeros(0, dtype=np.float32)]
        block = np.zeros((PREDICT_BATCH, *examples.x.shape[1:]), dtype=np.float32)
        with torch.inference_mode():
            for start in range(0, len(examples), PREDICT_BATCH):
                x = examples.x[start : start + PREDICT_BATCH]
                block[: len(x)] = x
                parts.append(what(torch.from_numpy(block))[: len(x)].numpy().copy())
        return np.concatenate(parts[1:] or parts)

    def state(self) -> State:
        """Without the baby classifier: it is of no use at the bedside and tells who was trained on."""
        tensors = {k: v.numpy().copy() for k, v in self.network.state_dict().items() if not k.startswith("baby.")}
        return State(tensors, {})

    def load_state(self, state: State) -> None:
        self.network = self._build(0)
        self.network.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in state.tensors.items()})
        self.network.eval()

    def _build(self, domains: int) -> DaStNetwork:
        p = self.params
        return DaStNetwork(tuple(p["cnn"]), p["lstm"], p["attention"], self._spectrogram, domains)

    @property
    def _spectrogram(self) -> tuple[int, int]:
        """Bins and frames of a window."""
        p, rate_hz = self.params, self.front_end.rate_hz
        bins = int(p["band_hz"][1] * p["n_fft"] / rate_hz)
        return bins, (samples(self.window_s, rate_hz) - p["n_fft"]) // p["stft_hop"] + 1

    def _fit_scale(self, train_set: Examples) -> None:
        sample = train_set.x[:: max(1, len(train_set) // 2000)]
        self.network.mean.copy_(torch.from_numpy(sample.mean(axis=(0, 1, 3))))  # type: ignore[operator]
        self.network.spread.copy_(torch.from_numpy(sample.std(axis=(0, 1, 3)) + 1e-6))  # type: ignore[operator]


def _loss(
    network: nn.Module, x: torch.Tensor, label: torch.Tensor, baby: torch.Tensor, progress: float
) -> torch.Tensor:
    assert isinstance(network, DaStNetwork)
    features = network.features(x)
    loss = F.binary_cross_entropy_with_logits(network.classifier(features).squeeze(-1), label.float())
    if network.baby is not None:
        loss = loss + F.cross_entropy(network.baby(reverse_gradient(features, schedule(progress))), baby)
    return loss


DETECTOR = DaStNet
