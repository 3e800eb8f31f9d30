"""Whether films can be written and read here, with the FFmpeg that came with PyAV."""

import tempfile
from pathlib import Path

import av
import numpy as np

from data.outcomes import Refusal
from data.readers.video_stream import opened
from data.readers.video_writer import write_video

SIDE_PX = 16


def codecs() -> str:
    """Which FFmpeg it is, and whose H.264."""
    return f"PyAV {av.__version__} with FFmpeg {av.ffmpeg_version_info}"


def codec_problem() -> str:
    """Why a film of two pictures cannot be written in H.264 and read again; empty where it can."""
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "grey.mp4"
        try:
            write_video(film, np.full((2, SIDE_PX, SIDE_PX), 128, np.uint8), rate_hz=25.0)
            with opened(film) as reel:
                read = len(list(reel.container.decode(reel.stream)))
        except (av.FFmpegError, Refusal, ValueError) as error:
            return f"H.264 cannot be written and read here ({type(error).__name__})"
    return "" if read == 2 else f"of a film of two pictures {read} came back"
