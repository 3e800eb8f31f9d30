"""DA-STNet: neonatal seizure detection by a network that is trained not to know which baby it looks at.

Re-implemented from its description (Xu & Zheng, Sensors 2026, 26(3):938); where the paper is silent the choice is
ours and stands in params.yaml and the card.
"""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from data.spectra import stft_log_power
from models.detector import Examples, InputContract, Progress, State, WindowDetector, WindowsToX
from models.layers.attention import AttentionPool
from models.layers.reversal import reverse_gradient, schedule
from models.training import Schedule, fit_network

PREDICT_BATCH = 16
"""Windows scored at a time: few enough that their maps stay in cache, which takes a third off the `paper` preset."""


class DaStNetwork(nn.Module):
    """Spectrograms (batch, channels, bins, frames) → seizure logit (batch,).

    Channel-independent CNN (weights shared over channels) → bidirectional LSTM along the channel axis → attention
    pooling over channels → linear classifier; behind a gradient reversal, a classifier of the training babies.
    """

    def __init__(self, cnn: tuple[int, ...], lstm: int, attention: int, bins: int, domains: int = 0):
        super().__init__()
        widths = (1, *cnn)
        # Channels last halves the time of these small maps on a processor; the numbers are the same.
        self.cnn = nn.Sequential(*(_block(a, b) for a, b in itertools.pairwise(widths)))
        self.cnn.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.lstm = nn.LSTM(widths[-1], lstm, batch_first=True, bidirectional=True)
        self.pool = AttentionPool(2 * lstm, attention)
        self.classifier = nn.Linear(2 * lstm, 1)
        self.baby = (
            nn.Sequential(nn.Linear(2 * lstm, 2 * lstm), nn.ReLU(), nn.Linear(2 * lstm, domains)) if domains else None
        )
        # Per-bin mean and spread of the training babies' log power: they belong to the network and travel with it.
        self.register_buffer("mean", torch.zeros(bins))
        self.register_buffer("spread", torch.ones(bins))

    def per_channel(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, channels, bins, frames) → (batch, channels, features)."""
        batch, channels = x.shape[:2]
        scaled = (x - self.mean[:, None]) / self.spread[:, None]  # type: ignore[index]
        maps = self.cnn(scaled.reshape(batch * channels, 1, *x.shape[2:]).contiguous(memory_format=torch.channels_last))
        features: torch.Tensor = self.lstm(maps.mean(dim=(2, 3)).reshape(batch, channels, -1))[0]
        return features

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, channels, bins, frames) → (batch, 2 · lstm): what both classifiers read."""
        pooled: torch.Tensor = self.pool(self.per_channel(x))
        return pooled

    def forward(self, x: torch.Tensor) -> torch.Tensor:
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
        torch.manual_seed(seed)
        babies = len(np.unique(train.patient))
        self.network = self._build(babies if self.params["reversal"] else 0)
        self._fit_scale(train)
        p = self.params
        plan = Schedule(p["epochs"], p["batch"], p["learning_rate"], p["patience"], p["windows_per_epoch"])
        inner = valid.take(np.arange(0, len(valid), 2))  # neighbouring windows share half of their signal
        return fit_network(
            self.network, _loss, self.score, (train, inner), plan, seed=seed, checkpoint=checkpoint, progress=progress
        )

    def score(self, examples: Examples) -> np.ndarray:
        """In blocks of one size, filled up with zeros: then a window's score is the same bits in any company."""
        self.network.eval()
        out = np.empty(len(examples))
        block = torch.zeros(PREDICT_BATCH, *examples.x.shape[1:])
        with torch.inference_mode():
            for start in range(0, len(examples), PREDICT_BATCH):
                x = torch.from_numpy(np.ascontiguousarray(examples.x[start : start + PREDICT_BATCH]))
                block[: len(x)] = x
                out[start : start + PREDICT_BATCH] = self.network(block)[: len(x)].double().numpy()
        return out

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
        bins = int(p["band_hz"][1] * p["n_fft"] / self.front_end.rate_hz)
        return DaStNetwork(tuple(p["cnn"]), p["lstm"], p["attention"], bins, domains)

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
