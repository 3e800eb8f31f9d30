"""GESTURES: the name of a filmed seizure from a few of its moments, seen by a network that learnt on other films.

Re-implemented from its description (Pérez-García et al. 2021, arXiv 2106.12014); what is ours stands in params.yaml and
the card.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from data.outcomes import Refusal
from lineage.digest import Digest, digest_of
from models.detector import UNSEEN, Cost, Examples, Lesson, Pretrained, Progress, State
from models.detectors.gestures.aggregation import Aggregator, Kind, Sampling, fit_aggregator
from models.detectors.gestures.stcnn import Stcnn
from models.engines import Network
from models.explain import Attribution, attributions, log_odds
from models.layers.r2plus1d import load_published
from models.semiology import VIEWS, FilmTyping
from models.snippets import blindness, grid_of, snippets_of
from models.training import Schedule, figure_by_halves, macro_auc

WHOLE, MEAN, SHUFFLED, RANDOM = "whole", "mean of moments", "order shuffled", "never taught (random frozen)"
PARTS: dict[str, tuple[str, Kind, bool, bool]] = {
    WHOLE: ("whole", "blstm", False, False),
    MEAN: ("mean", "mean", False, False),
    SHUFFLED: ("shuffled", "blstm", True, False),
    RANDOM: ("random", "blstm", False, True),
}
"""Name → (how its tensors are called, aggregator, moments in any order, looked at by the network that was never taught)."""
PASSES = 3
"""In which its time is taken: the least of them was disturbed least."""
INNER_SHARE = 4
"""Of the persons who give lessons every fourth only says which epoch is best."""


class Gestures(FilmTyping, Pretrained):
    """R(2+1)D, taught other people's actions and frozen; n moments of a seizure; an LSTM in each direction.

    `x` is (views, positions, features): features by the taught network, by a never taught one where `random_beside`, and
    last the place of the view.
    """

    name = "gestures"

    def __init__(self, params: Mapping[str, Any]):
        super().__init__(params)
        self.stcnn = self._stcnn(seed=0)
        self.untaught = self._stcnn(seed=1) if params["random_beside"] else None
        self.taught = False
        self.sampling = Sampling(params["segments"], float(params["gamma"]), params["positions"])
        self.seen = np.ones(len(self.classes))
        self.parts = {name: self._aggregator(name) for name in self._named}

    @property
    def seen_by(self) -> Digest:
        return digest_of([self.params["moving_only"], *(network.digest for network in self._networks.values())])

    def see(self, snippets: np.ndarray) -> np.ndarray:
        seen = [network.see(snippets, self.sessions.get(name)) for name, network in self._networks.items()]
        return np.concatenate(seen, axis=1)

    def networks(self) -> dict[str, Network]:
        """Those that look at snippets; the aggregators behind them cost nothing."""
        frames, size_px = self.grid.frames, self.params["size_px"]
        return {name: network.exportable(frames, size_px) for name, network in self._networks.items()}

    def wanted(self, lessons: Sequence[Lesson]) -> list[Lesson]:
        return [] if self.published else [one for one in lessons if one.content in self.params["lessons"]]

    def pretrain(self, lessons: Sequence[Lesson], *, seed: int, progress: Progress | None = None) -> dict[str, Any]:
        """Tell actions apart in the films of others; with `weights` take published ones instead. Frozen from then on."""
        if path := self.params["weights"]:
            loaded = load_published(self.stcnn.network, Path(path))
            self.taught = True
            return {"published": Path(path).name, "taken": loaded.taken, "left": list(loaded.left)}
        snippets = self._lesson_snippets(self.wanted(lessons))
        if snippets is None:
            return {"taught": False, "why": f"no lesson holds any of {', '.join(self.params['lessons'])}"}
        persons = np.unique(snippets.patient)
        inner = np.isin(snippets.patient, persons[::INNER_SHARE])
        p = self.params["lesson"]
        plan = Schedule(p["epochs"], p["batch"], p["learning_rate"], p["epochs"], p["snippets_per_epoch"])
        log = self.stcnn.learn(snippets.take(~inner), snippets.take(inner), plan, seed, progress)
        self.taught = True
        return {**log, "taught": True, "persons": len(persons), "inner_persons": len(persons[::INNER_SHARE])}

    def pretrained(self) -> State:
        return State({f"stcnn.{n}": t for n, t in self.stcnn.tensors().items()}, {"taught": self.taught})

    def load_pretrained(self, state: State) -> None:
        self.stcnn.load(_own(state.tensors, "stcnn."))
        self.taught = bool(state.settings["taught"])

    def fit(
        self,
        train: Examples,
        valid: Examples,
        *,
        seed: int,
        checkpoint: Path | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        """Fit the aggregators on features that lie ready, one after the other from the same draws; the STCNN stays.

        ValueError where labels are missing.
        """
        if train.label is None or valid.label is None:
            raise ValueError("training needs labelled films")
        logs, said = {}, {}
        for number, name in enumerate(self._named):
            file = None if checkpoint is None else checkpoint.with_suffix(f".{number}.pt")
            torch.manual_seed(seed)
            self.parts[name] = self._aggregator(name)
            own, inner = self._seen_by_part(name, train), self._seen_by_part(name, valid)
            logs[name], said[name] = fit_aggregator(
                self.parts[name], own, inner, schedule_of(self.params),
                seed=seed, checkpoint=file, progress=progress if number == 0 else None,
            )  # fmt: skip
            if file:
                file.unlink(missing_ok=True)
        self.seen = np.isin(np.arange(len(self.classes)), train.label).astype(float)
        reached = macro_auc(self.score(valid), valid.label)
        of_whole = said[WHOLE]
        crossed = None if of_whole is None else self._named_only(of_whole)
        chosen = figure_by_halves(crossed, valid, macro_auc, reached)
        whole = {"epochs": 1, "best_epoch": 1, "valid_auc": [reached], "windows": len(train), "inner_auc": chosen}
        names = [c for c, met in zip(self.classes, self.seen, strict=True) if met]
        return {**whole, "classes_seen": names, "taught": self.taught, "parts": logs}

    def score(self, examples: Examples) -> np.ndarray:
        """Logits (views, classes), of each by itself; the mean of their probabilities is the answer for the seizure."""
        return self._said(WHOLE, examples)

    def attributed(self, clip: np.ndarray, name: int) -> Attribution:
        """Of each of the moments looked at, and of the camera; nothing is what training films show on average.

        `clip` (positions, features), one view.
        """
        part = self.parts[WHOLE].eval()
        (found,) = attributions(
            lambda seen: log_odds(part(seen), name),
            clip[None, :, : self.stcnn.width],
            np.broadcast_to(part.centre.numpy(), (len(clip), self.stcnn.width)),
        )
        profile = np.maximum(found.sum(axis=1), 0)
        return Attribution(profile, {VIEWS[int(clip[0, -1])]: float(profile.sum())})

    def variants(self, examples: Examples) -> dict[str, np.ndarray]:
        """Other aggregators and the never taught network; and each view alone, not a number where it is missing."""
        parts = {name: self._said(name, examples) for name in self._named if name != WHOLE}
        whole = self.score(examples)
        return parts | {f"{view} view alone": _of_view(examples, whole, place) for place, view in enumerate(VIEWS)}

    def costs(self, examples: Examples) -> dict[str, Cost]:
        """Of the whole, with its STCNN: what is trained and frozen, and the least time of some passes over one view."""
        noise = np.random.default_rng(0).integers(
            0, 255, (self.grid.positions, self.grid.frames, *self._shape), np.uint8
        )
        one, spent_ms = examples.take(np.arange(1)), []
        for _ in range(PASSES):
            started = time.process_time()
            self.stcnn.see(noise)
            self.score(one)
            spent_ms.append(1000 * (time.process_time() - started))
        tensors = [*self.stcnn.network.parameters(), *self.parts[WHOLE].parameters()]
        count = sum(t.numel() for t in tensors) - sum(t.numel() for t in self.stcnn.network.fc.parameters())
        return {"answer": Cost(count, 4 * count / 1e6, min(spent_ms))}

    def state(self) -> State:
        tensors = {f"stcnn.{n}": t for n, t in self.stcnn.tensors().items()}
        if self.untaught:
            tensors |= {f"untaught.{n}": t for n, t in self.untaught.tensors().items()}
        for name, part in self.parts.items():
            tensors |= {f"{PARTS[name][0]}.{n}": t.numpy().copy() for n, t in part.state_dict().items()}
        return State({**tensors, "seen": self.seen.copy()}, {"taught": self.taught})

    def load_state(self, state: State) -> None:
        self.load_pretrained(state)
        if self.untaught:
            self.untaught.load(_own(state.tensors, "untaught."))
        for name, part in self.parts.items():
            own = _own(state.tensors, f"{PARTS[name][0]}.")
            part.load_state_dict({n: torch.from_numpy(np.array(t)) for n, t in own.items()})
            part.eval()
        self.seen = np.array(state.tensors["seen"], dtype=float)

    @property
    def _networks(self) -> dict[str, Stcnn]:
        return {"stcnn": self.stcnn, **({"untaught": self.untaught} if self.untaught else {})}

    @property
    def _named(self) -> list[str]:
        return [name for name, (*_, untaught) in PARTS.items() if self.untaught or not untaught]

    @property
    def _shape(self) -> tuple[int, ...]:
        size_px = self.params["size_px"]
        return (size_px, size_px) if self.params["grey"] else (size_px, size_px, 3)

    def _stcnn(self, seed: int) -> Stcnn:
        p = self.params
        return Stcnn(p["stcnn"], len(p["lessons"]), p["batch_snippets"], moving_only=p["moving_only"], seed=seed)

    def _aggregator(self, name: str) -> Aggregator:
        _, kind, shuffled, _ = PARTS[name]
        return Aggregator(kind, self.stcnn.width, self.sampling, len(self.classes), shuffled=shuffled)

    def _seen_by_part(self, name: str, examples: Examples) -> Examples:
        """The same films with the features alone that a part looks at: `x` (views, positions, width)."""
        first = self.stcnn.width if PARTS[name][3] else 0
        return replace(examples, x=examples.x[:, :, first : first + self.stcnn.width])

    def _said(self, name: str, examples: Examples) -> np.ndarray:
        return self._named_only(self.parts[name].logits(self._seen_by_part(name, examples).x))

    def _named_only(self, logits: np.ndarray) -> np.ndarray:
        """`UNSEEN` for classes that no training patient had."""
        return np.where(self.seen > 0, logits, UNSEEN)

    def _lesson_snippets(self, lessons: Sequence[Lesson]) -> Examples | None:
        """Snippets (uint8) of every view that shows something of every lesson of an action, labelled with it; without
        lessons of which too much cannot be decoded."""
        grid = grid_of({**self.params, "positions": self.params["lesson"]["positions"]})
        parts = []
        for lesson in lessons:
            label = self.params["lessons"].index(lesson.content)
            for view in range(lesson.prepared.views):
                try:
                    snippets = snippets_of(lesson.prepared, view, grid)
                except Refusal:
                    continue
                if blindness(snippets):
                    continue
                n = len(snippets)
                recording, person = np.full(n, lesson.recording), np.full(n, lesson.person)
                labels = np.full(n, label, dtype=np.int8)
                parts.append(Examples(snippets, np.zeros(n), recording, person, self.window_s, labels))
        return Examples.join(parts) if parts else None


def schedule_of(p: Mapping[str, Any]) -> Schedule:
    """How long and how fast aggregators learn, by a preset's numbers."""
    return Schedule(
        p["epochs"], p["batch"], p["learning_rate"], p["patience"], p["windows_per_epoch"], p["weight_decay"],
        decoupled=True,
    )  # fmt: skip


def _of_view(examples: Examples, logits: np.ndarray, place: int) -> np.ndarray:
    """What one view said of its seizure, in the rows of all its views; not a number where that view is missing."""
    own = examples.x[:, 0, -1] == place
    events = np.zeros(len(examples)) if examples.event is None else examples.event
    keys = list(zip(examples.recording, events, examples.onset_s, strict=True))
    said = {key: row for key, row, mine in zip(keys, logits, own, strict=True) if mine}
    nothing = np.full(logits.shape[1], np.nan)
    return np.array([said.get(key, nothing) for key in keys])


def _own(tensors: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}


DETECTOR = Gestures
