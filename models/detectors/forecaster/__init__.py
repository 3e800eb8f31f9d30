"""Seizure forecast from film, learnt across species: a VideoMAE that first watches rodents and other people.

Re-implemented from a description of arXiv 2603.12887; where that is silent the choice is ours and stands in
params.yaml and the card.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from data.film_frontend import PreparedFilm
from lineage.digest import sha256_file
from models.appearance import of_pictures
from models.detector import Examples, Lesson, Pretrained, Progress, State, Stretch
from models.detectors.forecaster.lessons import clips_of_lessons, fill_in
from models.detectors.forecaster.probe import PROBE, Probe
from models.detectors.forecaster.snippets import frames_of_stretch, pixels
from models.engines import Network
from models.explain import Attribution, attributions
from models.forecasting import ForecastingDetector
from models.layers.r2plus1d import WeightsRefused
from models.layers.videomae import (
    ClipClassifier,
    Loaded,
    MaskedAutoencoder,
    Trunk,
    VideoShape,
    load_published,
    weights_file,
)
from models.offset import offset_of
from models.training import Schedule, auc, fit_network

PIECE = 64
"""Clips looked at together: bounds memory, changes no answer."""


class Forecaster(ForecastingDetector, Pretrained):
    """A VideoMAE encoder with a linear head. Beside its answer stands a linear probe on the encoder as pre-trained.

    `pretrain` hides tubes of films of rodents and of other people and learns to fill them in; `fit` keeps the encoder,
    puts a head on it and teaches the whole of it. Without `load_pretrained` it starts from chance.
    """

    name = "forecaster"

    def __init__(self, params: Mapping[str, Any]):
        super().__init__(params)
        self.shape = VideoShape(
            params["size_px"], params["patch_px"], params["frames"], params["tubelet"], 1 if params["grey"] else 3
        )
        self.trunk = Trunk(**params["encoder"])
        self.network = ClipClassifier(self.shape, self.trunk, 1).eval()
        self.probe = Probe(self.trunk.width, params["probe_ridge"])
        self._start: dict[str, torch.Tensor] = {}
        self._learnt: dict[str, Any] = {}
        self.offset = self.probe_offset = 0.0

    def examples(self, prepared: PreparedFilm, recording: str = "", patient: str = "") -> Examples:  # type: ignore[override]
        """Frames (clips, frames, size, size[, 3]) of every view, as shown at times evenly through the stretch."""
        p = self.params
        x, onset_s = frames_of_stretch(prepared, self.window_s, p["frames"], p["step_s"], p["looks"])
        whose = np.full(len(x), recording), np.full(len(x), patient)
        return Examples(x, onset_s, *whose, self.window_s, seen=np.stack([of_pictures(frames[None]) for frames in x]))

    def wanted(self, lessons: Sequence[Lesson]) -> list[Lesson]:
        return [lesson for lesson in lessons if lesson.content in self.params["pretraining"]["contents"]]

    def pretrain(self, lessons: Sequence[Lesson], *, seed: int, progress: Progress | None = None) -> dict[str, Any]:
        """Learn to fill in what was hidden in lessons of `pretraining.contents`; others are not looked at.

        ValueError where no lesson holds any of them.
        """
        p = self.params["pretraining"]
        wanted = self.wanted(lessons)
        if not wanted:
            raise ValueError(f"no lesson holds any of {', '.join(p['contents'])}: nothing to learn from")
        clips, content = clips_of_lessons(wanted, self.params, p["clips_per_lesson"])
        return self.pretrain_on(clips, content, seed=seed, progress=progress)

    def pretrain_on(
        self, clips: np.ndarray, content: np.ndarray, *, seed: int, progress: Progress | None = None
    ) -> dict[str, Any]:
        """The same from frames (clips, frames, size, size[, 3]) whose contents (clips,) are learnt from equally often.

        With `weights` it begins with published ones; the log says what their file lacked and had too much.
        """
        p = self.params["pretraining"]
        self._learnt = {}
        begun = self.start_from(Path(self.params["weights"])) if self.params["weights"] else None
        torch.manual_seed(seed)
        network = MaskedAutoencoder(self.shape, self.trunk, Trunk(**self.params["decoder"]))
        network.load_state_dict({**network.state_dict(), **self._start})
        log = fill_in(network, clips, content, p, self._seen, seed=seed, progress=progress)
        self._start = _encoder_of(network)
        self._learnt |= {key: log[key] for key in ("contents", "clips", "mask_ratio", "steps")}
        return log | ({"begun_with": asdict(begun)} if begun else {})

    def pretrained(self) -> State:
        return State({name: weight.numpy().copy() for name, weight in self._start.items()}, dict(self._learnt))

    def load_pretrained(self, state: State) -> None:
        """Kept as what `fit` and `begin` start from; the network itself changes only then."""
        self._start = {name: torch.from_numpy(np.array(weight)) for name, weight in state.tensors.items()}
        self._learnt = dict(state.settings)

    def start_from(self, path: Path) -> Loaded:
        """Begin with published weights that lie on this machine; says what the file lacked and had too much.

        Refuses (`WeightsRefused`) a file that lacks weights of the encoder: the rest of it would begin by chance. The
        decoder may lack.
        """
        network = MaskedAutoencoder(self.shape, self.trunk, Trunk(**self.params["decoder"]))
        file = weights_file(path)
        loaded, own = load_published(network, file), _encoder_of(network)
        if lacking := [name for name in loaded.missing if name in own]:
            raise WeightsRefused(
                f"{file.name} lacks {len(lacking)} of the {len(own)} weights of the encoder, as {lacking[0]}: give one of VideoMAE"
            )
        self._start = dict(network.state_dict()) if not loaded.missing else own
        self._learnt = {"published": file.name, "published_digest": sha256_file(file)}
        return loaded

    def fit(
        self,
        train: Examples,
        valid: Examples,
        *,
        seed: int,
        checkpoint: Path | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        """Teach the whole network, from what was pre-trained if anything was; the AUC of `valid` says when to stop, and
        the best balanced accuracy of `valid` lies at a probability of ½, of the network and of the probe
        (the log's `offset`).

        ValueError where labels are missing.
        """
        if train.label is None or valid.label is None:
            raise ValueError("training needs labelled clips")
        self.begin(seed)
        self.probe.fit(self.embed(train.x), train.label, train.patient)
        log, _ = fit_network(
            self.network, self._loss, lambda inner: self._logits(inner.x), (train, valid), self._schedule(),
            seed=seed, checkpoint=checkpoint, progress=progress, judge=auc,
        )  # fmt: skip
        self.offset = offset_of(self.task, self._logits(valid.x), valid.label)
        self.probe_offset = offset_of(self.task, self._probed(valid.x), valid.label)
        seen = [self.classes[c] for c in np.unique(train.label)]
        return {**log, "classes_seen": seen, "offset": self.offset, "pretraining": dict(self._learnt)}

    def begin(self, seed: int) -> None:
        """A network as it is before any labelled clip: the pre-trained encoder, or one drawn from `seed`, and a new head."""
        torch.manual_seed(seed)
        self.offset = self.probe_offset = 0.0
        self.network = ClipClassifier(self.shape, self.trunk, 1).eval()
        own = self.network.state_dict()
        self.network.load_state_dict({name: self._start.get(name, weight) for name, weight in own.items()})
        self.probe.keep(self.network.videomae.state_dict())

    def embed(self, x: np.ndarray) -> np.ndarray:
        """Frames (clips, …) → (clips, width): what the encoder makes of them as it now is."""
        return self._through(x, self.network.embed)

    def score(self, examples: Examples) -> np.ndarray:
        """(clips, 2): 0 and the logit of `preictal` with the inner patients' offset, so that the softmax is the sigmoid of
        the paper."""
        return _two(self._logits(examples.x) + self.offset)

    def attributed(self, clip: np.ndarray, name: int) -> Attribution:
        """Of each frame of a clip (frames, size, size[, 3]); nothing is the clip's mean, a scene that stands still."""
        still = np.broadcast_to(clip.mean(axis=0), clip.shape)
        sign, seen, nothing = (1 if name else -1), self._seen(clip[None]).numpy(), self._seen(still[None]).numpy()[0]
        self.network.eval()
        (found,) = attributions(lambda frames: sign * self.network(frames)[:, 0], seen, nothing)
        return Attribution(np.maximum(found.reshape(len(found), -1).sum(axis=1), 0))

    def explained_s(self, onset_s: float, one: Stretch) -> tuple[float, float]:
        """One look, `frames` · `step_s` seconds from its own onset."""
        return onset_s, self.params["frames"] * self.params["step_s"]

    def variants(self, examples: Examples) -> dict[str, np.ndarray]:
        """The probe alone (`PROBE`), (clips, 2): 0 and its logit of `preictal`, by the encoder as pre-trained."""
        return {PROBE: _two(self._probed(examples.x) + self.probe_offset)}

    def state(self) -> State:
        parts = {"network": self.network.state_dict(), "frozen": self.probe.encoder}
        tensors = {f"{part}.{name}": w.numpy().copy() for part, own in parts.items() for name, w in own.items()}
        settings = {"pretraining": dict(self._learnt), "offset": self.offset, "probe_offset": self.probe_offset}
        return State({**tensors, **self.probe.tensors()}, settings)

    def load_state(self, state: State) -> None:
        def of(part: str) -> dict[str, torch.Tensor]:
            mine = {k.removeprefix(f"{part}."): v for k, v in state.tensors.items() if k.startswith(f"{part}.")}
            return {name: torch.from_numpy(np.array(weight)) for name, weight in mine.items()}

        self.network.load_state_dict(of("network"))
        self.probe.load(state.tensors, of("frozen"))
        self._learnt = dict(state.settings["pretraining"])
        self.offset, self.probe_offset = (float(state.settings.get(name, 0.0)) for name in ("offset", "probe_offset"))

    def fine_tune(self, x: np.ndarray, label: np.ndarray, *, steps: int, learning_rate: float) -> None:
        """A few steps on a handful of clips, all of them at every step: few-shot learning, in place.

        `x` (clips, frames, size, size[, 3]), `label` (clips,) 1 for preictal.
        """
        seen, wanted = self._seen(x), torch.from_numpy(label.astype(np.float32))
        optimiser = torch.optim.Adam(self.network.parameters(), lr=learning_rate)
        self.network.train()
        for _ in range(steps):
            optimiser.zero_grad()
            F.binary_cross_entropy_with_logits(self.network(seen)[:, 0], wanted).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        self.network.eval()

    def _seen(self, x: np.ndarray) -> torch.Tensor:
        return pixels(x, self.params["minus_mean"], self.params["spread"])

    def networks(self) -> dict[str, Network]:
        shape = self.shape
        return {"network": Network(self.network, (shape.frames, shape.channels, shape.size_px, shape.size_px))}

    def _logits(self, x: np.ndarray) -> np.ndarray:
        if self.sessions:
            return self.sessions["network"](self._seen(x).numpy())[:, 0].astype(float)
        return self._through(x, self.network)[:, 0]

    def _probed(self, x: np.ndarray) -> np.ndarray:
        frozen = ClipClassifier(self.shape, self.trunk, 1).eval()
        frozen.videomae.load_state_dict(self.probe.encoder)
        return self.probe.logits(self._through(x, frozen.embed))

    def _through(self, x: np.ndarray, look: Any) -> np.ndarray:
        self.network.eval()
        with torch.inference_mode():
            parts = [look(self._seen(x[at : at + PIECE])).numpy() for at in range(0, len(x), PIECE)]
        return np.concatenate(parts).astype(float)

    def _loss(
        self, network: nn.Module, x: torch.Tensor, label: torch.Tensor, patient: torch.Tensor, done: float
    ) -> torch.Tensor:
        flipped = torch.rand(len(x)) < 0.5 if self.params["flip"] else torch.zeros(len(x), dtype=torch.bool)
        seen = self._seen(x.numpy())
        seen = torch.where(flipped[:, None, None, None, None], seen.flip(-1), seen)
        return F.binary_cross_entropy_with_logits(network(seen)[:, 0], label.float())

    def _schedule(self) -> Schedule:
        p = self.params
        return Schedule(p["epochs"], p["batch"], p["learning_rate"], p["patience"], p["windows_per_epoch"])


def _encoder_of(network: MaskedAutoencoder) -> dict[str, torch.Tensor]:
    return {f"videomae.{name}": weight.detach().clone() for name, weight in network.videomae.state_dict().items()}


def _two(logits: np.ndarray) -> np.ndarray:
    return np.stack([np.zeros(len(logits)), logits], axis=1)


DETECTOR = Forecaster
