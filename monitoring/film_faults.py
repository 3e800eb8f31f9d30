"""What goes wrong with a site's cameras, put into its own films on purpose: every view is decoded, changed and coded anew.

The control goes the same way without a change, so that a second coding is not taken for the fault.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from data.film import Film, View
from data.film_quality import COLOURLESS
from data.readers.video import every_frame, read_film
from data.readers.video_writer import write_timed
from monitoring.faults import CannotBeShown

SLOW_HZ = 12.0
LAMP_EDGE = 0.35
"""How bright the corners of a picture are beside its middle where the camera lights the scene."""

Timed = Iterator[tuple[float, np.ndarray]]
"""Frames of a film: when each is shown, in seconds, and its picture, (height, width, 3) of uint8, red first."""


def recorded(film: Film, fault: str, folder: Path) -> Film:
    """The film as its cameras would have given it with a fault (`none`: coded anew as it is), written to `folder`.

    Refuses what a reader refuses; CannotBeShown where the film has less than the fault would leave.
    """
    paths = [folder / view.path.with_suffix(".mp4").name for view in film.views]
    for view, path in zip(film.views, paths, strict=True):
        rate_hz = SLOW_HZ if fault == "slow_film" else view.rate_hz
        write_timed(path, FILM_FAULTS[fault](every_frame(view), view), rate_hz=rate_hz)
    return read_film(paths, age_days=film.age_days, name=film.name)


def unchanged(frames: Timed, view: View) -> Timed:
    """Sides cut to even lengths, as the coding needs."""
    return ((at_s, _even(picture)) for at_s, picture in frames)


def infrared(frames: Timed, view: View) -> Timed:
    """Grey pictures, light in the middle and dark at the edges. CannotBeShown, with the first frame, for a film that
    has no colour already."""
    lamp = _lamp(view.height, view.width)
    for number, (at_s, picture) in enumerate(unchanged(frames, view)):
        if number == 0 and np.ptp(picture, axis=2).mean() < COLOURLESS:
            raise CannotBeShown("the films are without colour already")
        grey = picture @ np.array([0.299, 0.587, 0.114]) * lamp[: picture.shape[0], : picture.shape[1]]
        yield at_s, np.repeat(np.round(grey).astype(np.uint8)[..., None], 3, axis=2)


def slow_film(frames: Timed, view: View) -> Timed:
    """The picture that was shown at each twelfth of a second. CannotBeShown, with the first frame, for a film that has
    no more of them already."""
    if view.rate_hz <= SLOW_HZ:
        raise CannotBeShown(f"the films have {view.rate_hz:.3g} frames per second already, no more than {SLOW_HZ:g}")
    taken, shown = 0, None
    for at_s, picture in unchanged(frames, view):
        while shown is not None and view.first_s + taken / SLOW_HZ < at_s:
            yield view.first_s + taken / SLOW_HZ, shown
            taken += 1
        shown = picture


def half_resolution(frames: Timed, view: View) -> Timed:
    """Means of 2 x 2 points, both sides cut to multiples of four before."""
    for at_s, picture in frames:
        height, width = (side // 4 * 4 for side in picture.shape[:2])
        blocks = picture[:height, :width].reshape(height // 2, 2, width // 2, 2, 3)
        yield at_s, np.round(blocks.mean(axis=(1, 3))).astype(np.uint8)


FILM_FAULTS: "Mapping[str, Callable[[Timed, View], Timed]]" = {
    "none": unchanged,
    "infrared": infrared,
    "slow_film": slow_film,
    "half_resolution": half_resolution,
}


def _even(picture: np.ndarray) -> np.ndarray:
    return picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]


def _lamp(height: int, width: int) -> np.ndarray:
    """(height, width) share of the light that reaches each point: 1 in the middle, `LAMP_EDGE` in the corners."""
    down, across = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None, :]
    return np.asarray(1 - (1 - LAMP_EDGE) * (down**2 + across**2) / 2)
