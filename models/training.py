"""The training loop: seeded, balanced over patients and classes, stopped early on inner patients, resumable."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from models.detector import Examples, Progress

Loss = Callable[[nn.Module, torch.Tensor, torch.Tensor, torch.Tensor, float], torch.Tensor]
"""loss(network, x, label, domain, progress in 0–1) → scalar; `domain` numbers the training patients."""

SAVE_EVERY_S = 5.0
"""How much of a training may be lost: epochs that are shorter than this are not written down one by one."""

Judge = Callable[[np.ndarray, np.ndarray], float]
"""judge(score, label) → a figure from 0 to 1 that is higher for a better network; NaN where the labels allow none."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to learn; `decoupled` weight decay is held apart from the gradient (AdamW, not Adam).

    After each epoch `inner` windows of inner patients are looked at, evenly spaced (0: all), since neighbours say the same.
    Training ends after `patience` epochs without a better one.
    """

    epochs: int
    batch: int
    learning_rate: float
    patience: int
    windows_per_epoch: int
    weight_decay: float = 0.0
    decoupled: bool = False
    inner: int = 0


class Fitted(NamedTuple):
    """What a training leaves beside the weights. `log` is plain JSON; its `inner_auc` is what detectors are chosen by
    (`figure_by_halves`).

    `crossed` is the score of each inner window (windows, …) at the epoch that the other half of the inner patients calls
    best, for who makes one answer of several networks; None where a half cannot be judged.
    """

    log: dict[str, Any]
    crossed: np.ndarray | None


def fit_network(
    network: nn.Module,
    loss: Loss,
    score: Callable[[Examples], np.ndarray],
    data: tuple[Examples, Examples],
    schedule: Schedule,
    *,
    seed: int,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
    judge: Judge | None = None,
) -> Fitted:
    """Fit `network` in place and leave it with the weights of its best epoch on `data[1]` (inner patients).

    `judge` says which epoch is best: the AUC of two classes unless told; where it can judge none, the last is kept. Every
    epoch is seeded by (seed, epoch), so training resumed from `checkpoint` ends bit-equal to one never stopped.
    """
    run = _Run(network, schedule, seed, checkpoint)
    run.resume()
    train_set, valid_set = data[0], _spaced(data[1], schedule.inner)
    domains = np.unique(train_set.patient, return_inverse=True)[1]
    own, halves, label = judge or auc, _halves(valid_set), _labels(valid_set)
    while run.epoch < schedule.epochs and run.since_best < schedule.patience:
        _epoch(run, loss, train_set, domains)
        said = score(valid_set)
        reached = [own(said[half], label[half]) if half.any() else np.nan for half in halves]
        run.finish_epoch(own(said, label), reached, said)
        if progress:
            progress(run.epoch, schedule.epochs, run.history[-1])
    run.restore_best()
    crossed, best = run.crossed(halves), run.history[run.best_epoch - 1]
    log = {
        "epochs": run.epoch, "best_epoch": run.best_epoch, "valid_auc": run.history, "windows": len(train_set),
        "inner_auc": figure_by_halves(crossed, valid_set, own, best),
    }  # fmt: skip
    return Fitted(log, crossed)


def figure_by_halves(crossed: np.ndarray | None, inner: Examples, judge: Judge, best: float) -> float:
    """What is reached at epochs that others chose: the mean over both halves of the inner patients, from the scores that
    `fit_network` gives as `crossed` (windows, …).

    The best of many epochs flatters on those who chose it. Of a floor, whose one epoch nobody chose, the scores are given
    as they are: half of the patients show fewer types, of which a mean is another figure than of all. `best`, that of all
    together, where a half shows one class only.
    """
    if crossed is None:
        return best
    label = _labels(inner)
    figures = [judge(crossed[half], label[half]) if half.any() else np.nan for half in _halves(inner)]
    return float(np.mean(figures)) if np.isfinite(figures).all() else best


def auc(score: np.ndarray, label: np.ndarray) -> float:
    """Area under the ROC curve by ranks (ties count half), both (windows,); NaN where only one class is present."""
    from scipy.stats import rankdata

    positives = int(label.sum())
    negatives = len(label) - positives
    if positives == 0 or negatives == 0:
        return float("nan")
    ranks = rankdata(score)
    return float((ranks[label > 0].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def macro_auc(score: np.ndarray, label: np.ndarray) -> float:
    """Mean over the classes present of the AUC of each against the rest, from scores (windows, classes).

    NaN where fewer than two classes are present.
    """
    return float(np.mean([auc(score[:, c], label == c) for c in np.unique(label)]))


def balanced_order(patient: np.ndarray, label: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Window indices (count,): class at random, then a patient who has that class, then a window of theirs.

    `patient` and `label` (windows,). So neither a long recording nor a patient with many seizures outweighs the others.
    """
    order = np.lexsort((patient, label))
    (by_label, by_patient), ordinal = (label[order], patient[order]), np.arange(len(order))
    new_class = np.append(True, by_label[1:] != by_label[:-1])
    cell_at = ordinal[new_class | np.append(True, by_patient[1:] != by_patient[:-1])]  # where (class, patient) begins
    windows = np.diff(np.append(cell_at, len(order)))
    class_at = np.flatnonzero(new_class[cell_at])
    patients = np.diff(np.append(class_at, len(cell_at)))
    which = rng.integers(len(class_at), size=count)
    cell = class_at[which] + rng.integers(patients[which])
    return np.asarray(order[cell_at[cell] + rng.integers(windows[cell])])


def balanced_weights(patient: np.ndarray, label: np.ndarray) -> np.ndarray:
    """How often `balanced_order` draws each window, as a share of all draws: (windows,), sums to 1."""
    weights = np.zeros(len(label))
    classes = np.unique(label)
    for c in classes:
        patients = np.unique(patient[label == c])
        for p in patients:
            cell = (patient == p) & (label == c)
            weights[cell] = 1 / (len(classes) * len(patients) * cell.sum())
    return weights


def _epoch(run: "_Run", loss: Loss, examples: Examples, domains: np.ndarray) -> None:
    run.network.train()
    for batch in batches(examples, domains, run.schedule, run.seed, run.epoch):
        step(run.network, run.optimiser, loss, batch)
    run.network.eval()


Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor, float]
"""x, label, domain, and how far the training has come, 0–1."""


def batches(examples: Examples, domains: np.ndarray, plan: Schedule, seed: int, epoch: int) -> Iterator[Batch]:
    """The batches of one epoch, drawn from (seed, epoch) alone; sets torch's seed for what the network draws."""
    rng = np.random.default_rng([seed, epoch])
    torch.manual_seed(int(rng.integers(2**31)))
    labels = _labels(examples)
    order = balanced_order(domains, labels, plan.windows_per_epoch, rng)
    parts = np.array_split(order, max(1, len(order) // plan.batch))
    for number, index in enumerate(parts):
        x = torch.from_numpy(np.ascontiguousarray(examples.x[index]))
        label = torch.from_numpy(labels[index].astype(np.int64))
        yield x, label, torch.from_numpy(domains[index]), (epoch + number / len(parts)) / plan.epochs


def step(network: nn.Module, optimiser: torch.optim.Optimizer, loss: Loss, batch: Batch) -> None:
    """One step down the gradient of the loss on a batch; the network's weights change in place."""
    optimiser.zero_grad()
    loss(network, *batch).backward()  # type: ignore[no-untyped-call]
    optimiser.step()


def _spaced(examples: Examples, count: int) -> Examples:
    if not 0 < count < len(examples):
        return examples
    return examples.take(np.unique(np.linspace(0, len(examples) - 1, count).round().astype(int)))


def _halves(examples: Examples) -> list[np.ndarray]:
    """Which windows are of every second patient, and which of the others: two arrays of bool (windows,)."""
    number = np.unique(examples.patient, return_inverse=True)[1]
    return [number % 2 == half for half in (0, 1)]


def _labels(examples: Examples) -> np.ndarray:
    if examples.label is None:
        raise ValueError("training needs labelled windows")
    return examples.label


class _Run:
    """Where a training stands; what a checkpoint keeps."""

    def __init__(self, network: nn.Module, schedule: Schedule, seed: int, checkpoint: Path | None):
        self.network, self.schedule, self.seed, self.checkpoint = network, schedule, seed, checkpoint
        kind = torch.optim.AdamW if schedule.decoupled else torch.optim.Adam
        self.optimiser = kind(network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay)
        self.epoch, self.best_epoch, self.history = 0, 0, list[float]()
        self.halves: list[tuple[float, np.ndarray] | None] = [None, None]
        """The best figure of each half of the inner patients, and what was said of all inner windows then."""
        self.saved_s = time.monotonic()
        self.best = self._weights()

    @property
    def since_best(self) -> int:
        return self.epoch - self.best_epoch

    def finish_epoch(self, reached: float, halves: list[float], said: np.ndarray) -> None:
        self.epoch += 1
        self.history.append(reached)
        for number, (known, own) in enumerate(zip(self.halves, halves, strict=True)):
            if np.isfinite(own) and (known is None or own > known[0]):
                self.halves[number] = (own, said)
        best = self.history[self.best_epoch - 1] if self.best_epoch else np.nan
        if np.isnan(best) or reached > best:  # as long as nothing could be judged, the last epoch is the best known
            self.best_epoch, self.best = self.epoch, self._weights()
        if self.checkpoint and time.monotonic() - self.saved_s >= SAVE_EVERY_S:
            self._save(self.checkpoint)
            self.saved_s = time.monotonic()

    def crossed(self, halves: list[np.ndarray]) -> np.ndarray | None:
        """What was said of each half (bool (windows,), together all of them) at the epoch that the other calls best."""
        first, second = self.halves
        if first is None or second is None:
            return None
        said = np.array(first[1])
        said[halves[0]] = second[1][halves[0]]
        return said

    def restore_best(self) -> None:
        self.network.load_state_dict(self.best)
        self.network.eval()

    def resume(self) -> None:
        if self.checkpoint is None or not self.checkpoint.exists():
            return
        saved = torch.load(self.checkpoint, weights_only=True)
        self.network.load_state_dict(saved["network"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.best, self.best_epoch = saved["best"], saved["best_epoch"]
        self.epoch, self.history = saved["epoch"], saved["history"]
        self.halves = [known and (known[0], known[1].numpy()) for known in saved["halves"]]

    def _weights(self) -> dict[str, torch.Tensor]:
        return {k: v.detach().clone() for k, v in self.network.state_dict().items()}

    def _save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        torch.save(
            {
                "network": self._weights(), "optimiser": self.optimiser.state_dict(), "best": self.best,
                "best_epoch": self.best_epoch, "epoch": self.epoch, "history": self.history,
                "halves": [known and (known[0], torch.from_numpy(known[1])) for known in self.halves],
            },
            partial,
        )  # fmt: skip
        partial.replace(path)
