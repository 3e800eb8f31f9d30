"""Film to snippets, as GESTURES samples them: 16 snippets of 8 pictures at 15 Hz, one from the middle of each
sixteenth of the film, grey, in a square of 64 points.

The obvious way reads frame by frame with OpenCV, makes each grey and small, and picks the snippets at the end. We decode
only what the pictures asked for are made from: from one key frame with pictures behind it to the next, without frames
that no other is made from. What is decoded is the same; grey is taken from the luma instead of by way of red, green
and blue, and scaled by another library, so that the pictures may differ by 1.5 grey levels on average. The gain is
that of sampling: where every frame is wanted there is next to none.
"""

from pathlib import Path

import cv2
import numpy as np

from data.readers.video import read_film, read_frames
from tests.benchmarks.case import Case
from tests.benchmarks.films import RATE_HZ, film_of

SNIPPETS, PICTURES, SNIPPET_HZ, SIZE_PX = 16, 8, 15, 64
WARM_UP_S = 10
LEVELS = 1.5


def make(seconds: float) -> Path:
    warm = film_of(WARM_UP_S)
    ours(warm)
    theirs(warm)
    return film_of(round(seconds))


def times_s(duration_s: float) -> np.ndarray:
    """Ascending times of all pictures, each in the middle of a frame at 25 Hz, so that rounding does not decide."""
    starts_s = (np.arange(SNIPPETS) + 0.5) * duration_s / SNIPPETS - PICTURES / SNIPPET_HZ / 2
    asked_s = starts_s[:, None] + np.arange(PICTURES) / SNIPPET_HZ
    return (np.floor(np.sort(asked_s.ravel()) * RATE_HZ) + 0.5) / RATE_HZ


def ours(path: Path) -> np.ndarray:
    film = read_film([path])
    return read_frames(film.views[0], times_s(film.duration_s), SIZE_PX, grey=True)


def theirs(path: Path) -> np.ndarray:
    capture = cv2.VideoCapture(str(path))
    small = []
    while True:
        there, frame = capture.read()
        if not there:
            break
        small.append(_small(frame))
    capture.release()
    shown = np.floor(times_s(len(small) / RATE_HZ) * RATE_HZ).astype(int)
    return np.stack(small)[shown]


def _small(frame: np.ndarray) -> np.ndarray:
    grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    height = SIZE_PX * frame.shape[0] // frame.shape[1]
    scaled = cv2.resize(grey, (SIZE_PX, height), interpolation=cv2.INTER_AREA)
    top = (SIZE_PX - height) // 2
    return cv2.copyMakeBorder(scaled, top, SIZE_PX - height - top, 0, 0, cv2.BORDER_CONSTANT, value=0)


def same(our: np.ndarray, their: np.ndarray) -> str:
    if our.shape != their.shape:
        return f"shapes {our.shape} and {their.shape}"
    apart = np.abs(our.astype(int) - their.astype(int)).mean(axis=(1, 2))
    return "" if apart.max() <= LEVELS else f"a picture differs by {apart.max():.2f} grey levels on average"


CASE = Case(
    name="snippets",
    claim="16 snippets of 8 small pictures from a film of 640 x 480 at 25 Hz, H.264",
    alternative="every frame read with OpenCV, made grey and small, then picked",
    sizes=(30, 120),
    quick_sizes=(WARM_UP_S,),
    unit="seconds of film",
    make=make,
    ours=ours,
    theirs=theirs,
    same=same,
    target={"ratio": 3},
)
