"""Films to time what reads them: a body that moves in a noisy room, H.264, 640 x 480, a key frame every two seconds."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data.readers.video_writer import write_video
from tests.benchmarks.recordings import elsewhere, folder

RATE_HZ = 25
HEIGHT, WIDTH = 480, 640
KEY_EVERY = 50


def film_of(seconds: int) -> Path:
    """A film this long, made once."""
    path = folder() / f"{seconds}.mp4"
    if not path.exists():
        elsewhere(_make_film, path, seconds)
    return path


def _make_film(path: Path, seconds: int) -> None:
    frames = seconds * RATE_HZ
    write_video(path, _pictures(frames), rate_hz=RATE_HZ, key_every=KEY_EVERY, preset="ultrafast")


def _pictures(frames: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    room = (60 + 60 * columns / WIDTH + 40 * rows / HEIGHT).astype(np.int16)
    noise = rng.normal(0, 3, (8, HEIGHT, WIDTH)).astype(np.int16)
    for n in range(frames):
        picture = room + noise[n % 8]
        row, column = (int(160 + 100 * f(n / 11)) for f in (np.sin, np.cos))
        picture[row : row + 140, column + 100 : column + 190] += 70
        yield np.clip(picture, 0, 255).astype(np.uint8)
