"""What the forecaster learns before it sees a patient: to fill in what was hidden in films of rodents and other people."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from data.outcomes import Refusal
from models.detector import Lesson, Progress
from models.detectors.forecaster.snippets import frames_of_stretch
from models.layers.videomae import MaskedAutoencoder, tube_masks

TOLD = 10
"""How often the loss is noted."""


def clips_of_lessons(
    lessons: Sequence[Lesson], params: Mapping[str, Any], per_lesson: int
) -> tuple[np.ndarray, np.ndarray]:
    """Frames (clips, frames, size, size[, 3]) evenly through each lesson, and what each holds (clips,).

    Lessons shorter than a clip are left out, and clips of which too much cannot be decoded.
    """
    clip_s, made, content = params["clip_s"], [], list[str]()
    for lesson in lessons:
        film = lesson.prepared
        if film.duration_s < clip_s:
            continue
        ends = np.linspace(film.onset_s + clip_s, film.end_s, per_lesson) if per_lesson > 1 else [film.end_s]
        for end_s in ends:
            part = film.between(float(end_s) - clip_s, float(end_s))
            try:
                seen, _ = frames_of_stretch(part, part.duration_s, params["frames"], params["step_s"], params["looks"])
            except Refusal:
                continue
            made.append(seen)
            content += [lesson.content] * len(seen)
    return np.concatenate(made), np.array(content)


def fill_in(
    network: MaskedAutoencoder,
    clips: np.ndarray,
    content: np.ndarray,
    settings: Mapping[str, Any],
    seen: Callable[[np.ndarray], torch.Tensor],
    *,
    seed: int,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Teach `network` in place to draw hidden tubes; returns a log with the mean loss of each tenth of the steps.

    `clips` (clips, frames, size, size[, 3]) and their `content` (clips,); `seen` makes of clips what the network reads.
    """
    rng, losses, steps = np.random.default_rng(seed), list[float](), settings["steps"]
    optimiser = torch.optim.Adam(network.parameters(), lr=settings["learning_rate"])
    network.train()
    for number in range(steps):
        x = seen(clips[draw(content, settings["batch"], rng)])
        hidden = tube_masks(len(x), network.shape, settings["mask_ratio"], rng)
        optimiser.zero_grad()
        loss = network.loss(x, hidden)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(float(loss.detach()))
        if progress and (number + 1) % max(1, steps // TOLD) == 0:
            progress(number + 1, steps, float("nan"))
    network.eval()
    kinds, counts = np.unique(content, return_counts=True)
    return {
        "contents": [str(kind) for kind in kinds],
        "clips": {str(kind): int(n) for kind, n in zip(kinds, counts, strict=True)},
        "mask_ratio": settings["mask_ratio"],
        "steps": steps,
        "loss": [float(part.mean()) for part in np.array_split(losses, min(TOLD, steps))],
    }


def draw(content: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Indices (count,) of clips by their content (clips,): a content at random, then one of its clips.

    So the larger does not outweigh the other.
    """
    kinds, kind = np.unique(content, return_inverse=True)
    wanted = rng.integers(len(kinds), size=count)
    own = [np.flatnonzero(kind == number) for number in range(len(kinds))]
    return np.array([own[which][rng.integers(len(own[which]))] for which in wanted])
