"""What can be seen of a film's technical quality, view by view.

Two pictures per second are looked at, of 32 points a side; of films longer than ten minutes, pieces spread over them.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from data.film import Film, View
from data.readers.video import frames_and_lost

if TYPE_CHECKING:
    import pandas as pd

SIZE_PX = 32
STEP_S = 0.5
PIECE_S = 10.0
PIECES = 60
DARK = 24.0
"""Grey level (0–255) that the lightest twentieth of a black picture stays below."""

UNIFORM = 3.0
"""Standard deviation of grey levels over a picture below which it shows nothing: a covered lens, a blue screen."""

UNCHANGED = 6.5
"""Largest change of a grey level between two pictures that are the same but for their coding.

Each key frame codes a standing picture anew; in small films of strong compression that changed it by up to 5 levels. A
large film of a still scene, compressed until no noise is left, cannot be told from a frozen one.
"""

BLOCK_PX = 4
NOISE = 4.0
"""Largest change in half a second of the mean grey of a block of 4 x 4 points that a camera's noise alone makes."""

COLOURLESS = 6.0
"""Mean difference between a picture's highest and lowest colour below which it was taken in infrared or in grey."""

FROZEN_S = 5.0
STILL_S = 10.0


def view_facts(film: Film) -> "pd.DataFrame":
    """One row per view of a film. Shares are 0–1.

    recording, view; views (of the film), duration_s (of the film), view_s (that this camera covers); width, height,
    rate_hz, codec, rotation_deg, variable_rate, interlaced, length_stated as read; lost_share (frames that cannot be
    decoded, among all where the film was decoded whole, else among the pictures looked at), after_lost_share (likewise,
    frames between a lost one and the next key frame, which may show traces of it);
    dropped_share (frames missing between time stamps); black_share, blank_share (pictures that are dark, or that show
    nothing); frozen_share (time in which a picture stood for 5 s or more); still_share (time in which nothing moved for
    10 s or more: the patient is out of view, or asleep, or the picture is frozen); infrared_share (pictures without
    colour); brightness and contrast (medians of mean and standard deviation of grey, 0–255). NaN where no picture can
    be decoded.
    """
    import pandas as pd

    return pd.DataFrame([_facts(film, view, number) for number, view in enumerate(film.views)])


def picture_facts(pictures: np.ndarray, part: np.ndarray) -> dict[str, float]:
    """Shares of what `pictures`, uint8 (picture, row, column, 3) at `STEP_S`, show; `part` says whose piece each is."""
    colours = pictures.reshape(len(pictures), -1, 3).astype(np.float32)
    grey = colours @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    contrast = grey.std(axis=1)
    change = _change(grey, part)
    moved = _change(_blocks(grey.reshape(pictures.shape[:3])), part)
    span_s = len(pictures) / len(np.unique(part)) * STEP_S
    chroma = (colours.max(axis=2) - colours.min(axis=2)).mean(axis=1)
    return {
        "black_share": float((np.percentile(grey, 95, axis=1) < DARK).mean()),
        "blank_share": float((contrast < UNIFORM).mean()),
        "frozen_share": _share_of_runs(change <= UNCHANGED, min(FROZEN_S, 0.8 * span_s)),
        "still_share": _share_of_runs(moved <= NOISE, min(STILL_S, 0.8 * span_s)),
        "infrared_share": float((chroma < COLOURLESS).mean()),
        "brightness": float(np.median(grey.mean(axis=1))),
        "contrast": float(np.median(contrast)),
    }


def _facts(film: Film, view: View, number: int) -> dict[str, Any]:
    return {
        "recording": film.name,
        "view": view.name or str(number + 1),
        "views": len(film.views),
        "duration_s": film.duration_s,
        "view_s": view.last_s + 1 / view.rate_hz - max(view.first_s, 0.0),
        "width": view.width,
        "height": view.height,
        "rate_hz": view.rate_hz,
        "codec": view.codec,
        "rotation_deg": view.rotation_deg,
        "variable_rate": view.variable_rate,
        "interlaced": view.interlaced,
        "length_stated": view.length_stated,
        "dropped_share": view.missing / (view.frames + view.missing),
    } | _seen(view)


def _seen(view: View) -> dict[str, float]:
    times_s, part = _looked_at(view)
    pictures, lost, after_lost = frames_and_lost(view, times_s, SIZE_PX, grey=False)
    facts = picture_facts(_unboxed(pictures, view), part)
    if lost.all():
        facts = dict.fromkeys(facts, float("nan"))
    return {
        "lost_share": float(lost.mean()) if view.lost is None else view.lost / view.frames,
        "after_lost_share": float(after_lost.mean()) if view.after_lost is None else view.after_lost / view.frames,
        **facts,
    }


def _looked_at(view: View) -> tuple[np.ndarray, np.ndarray]:
    """Ascending times at which a view is looked at, and the number of the piece that each belongs to."""
    end_s = view.last_s + 1 / view.rate_hz
    whole = end_s - view.first_s <= PIECES * PIECE_S
    starts_s = [view.first_s] if whole else np.linspace(view.first_s, end_s - PIECE_S, PIECES)
    length_s = end_s - view.first_s if whole else PIECE_S
    pieces = [start_s + np.arange(0.0, length_s, STEP_S) for start_s in starts_s]
    return np.concatenate(pieces), np.repeat(np.arange(len(pieces)), [len(p) for p in pieces])


def _unboxed(pictures: np.ndarray, view: View) -> np.ndarray:
    """Without the black bars that make a picture square."""
    scale = SIZE_PX / max(view.width, view.height)
    rows, columns = (max(1, round(side * scale)) for side in (view.height, view.width))
    top, left = (SIZE_PX - rows) // 2, (SIZE_PX - columns) // 2
    return pictures[:, top : top + rows, left : left + columns]


def _change(grey: np.ndarray, part: np.ndarray) -> np.ndarray:
    """(picture - 1,) largest change from one picture to the next; between pieces it is not known."""
    change = np.abs(np.diff(grey, axis=0)).max(axis=1)
    return np.where(np.diff(part) != 0, np.inf, change)


def _blocks(grey: np.ndarray) -> np.ndarray:
    """Means of square blocks (picture, block); what does not fill a block is left out."""
    rows, columns = (max(1, side // BLOCK_PX) for side in grey.shape[1:])
    height, width = (min(BLOCK_PX, side) for side in grey.shape[1:])
    cut = grey[:, : rows * height, : columns * width].reshape(len(grey), rows, height, columns, width)
    return cut.mean(axis=(2, 4)).reshape(len(grey), -1)


def _share_of_runs(same: np.ndarray, least_s: float) -> float:
    """Share of pictures inside runs of at least `least_s` in which each is the `same` as the one before."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], same.astype(int), [0]])))
    lengths = edges[1::2] - edges[::2]
    inside = int(sum(length + 1 for length in lengths if length * STEP_S >= least_s and length > 0))
    return inside / (len(same) + 1)
