"""What the forecaster sees of a stretch of film: a few frames by presentation time, and what is left of them without the scene."""

import numpy as np
import torch

from data.film_frontend import PreparedFilm
from models.forecasting import refuse_shorter

IMAGENET_MEAN, IMAGENET_SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def times_of_stretch(onset_s: float, end_s: float, frames: int, step_s: float, looks: int) -> np.ndarray:
    """(looks, frames) seconds: looks of `frames` frames, `step_s` apart, evenly from the first moment to the last.

    A frame stands for the middle of its step, so that a look neither begins before the stretch nor ends after it.
    """
    spare_s = end_s - onset_s - frames * step_s
    begins = onset_s + spare_s * (np.linspace(0, 1, looks) if looks > 1 else np.ones(1))
    return np.asarray(begins[:, None] + step_s * (np.arange(frames) + 0.5))


def frames_of_stretch(
    prepared: PreparedFilm, clip_s: float, frames: int, step_s: float, looks: int
) -> tuple[np.ndarray, np.ndarray]:
    """The last `clip_s` of a stretch, seen by every camera: uint8 (clips, frames, size, size[, 3]) and onsets (clips,).

    Refuses a stretch that is shorter.
    """
    refuse_shorter(prepared, clip_s)
    times_s = times_of_stretch(prepared.end_s - clip_s, prepared.end_s, frames, step_s, looks)
    seen = [prepared.frames(view, look) for view in range(prepared.views) for look in times_s]
    onset_s = np.tile(times_s[:, 0] - step_s / 2, prepared.views)
    return np.stack(seen), onset_s


def pixels(x: np.ndarray, minus_mean: bool, spread: float) -> torch.Tensor:
    """Frames (clips, frames, size, size[, 3]) of 0–255 → (clips, frames, channels, size, size) as the network reads them.

    With `minus_mean` every pixel is what differs from its own mean over the clip, in units of `spread`: of a scene that
    stands still nothing is left. Without, colours are scaled as the published weights expect them.
    """
    shown = torch.from_numpy(np.ascontiguousarray(x)).float() / 255
    shown = shown.unsqueeze(2) if shown.ndim == 4 else shown.permute(0, 1, 4, 2, 3)
    if minus_mean:
        return (shown - shown.mean(dim=1, keepdim=True)) / spread
    mean, by = (torch.tensor(values)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_SPREAD))
    return (shown - mean) / by
