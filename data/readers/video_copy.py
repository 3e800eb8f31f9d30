"""The pictures of a film taken over bit for bit into a new container: no sound, no metadata, no notes between pictures."""

from pathlib import Path

import av
from av.bitstream import BitStreamFilterContext
from av.container import OutputContainer

from data.outcomes import Refusal
from data.readers.video_stream import Reel, opened

NOTES = {"h264": "6", "hevc": "39-40"}
"""Units of the stream that hold no picture but supplemental information (SEI): cameras write names and clocks there."""

_PLAIN = {"fflags": "+bitexact", "movflags": "+faststart"}


def copied_pictures(source: Path, target: Path, codec: str) -> bool:
    """Copy the first video stream of `source` to the MP4 file `target`; how it is turned is kept.

    False, and no file, where the codec's notes are not known or its units are damaged.
    """
    if codec not in NOTES:
        return False
    try:
        with opened(source) as reel, av.open(str(target), "w", format="mp4", options=_PLAIN) as copy:
            _copy(reel, copy, codec)
    except BaseException as error:
        target.unlink(missing_ok=True)
        if isinstance(error, Refusal):
            return False
        raise
    return True


def _copy(reel: Reel, copy: OutputContainer, codec: str) -> None:
    reel.seek(None)
    stream = copy.add_stream_from_template(reel.stream)
    stream.time_base = reel.stream.time_base
    without_notes = BitStreamFilterContext(f"filter_units=remove_types={NOTES[codec]}", reel.stream, stream)
    for packet in reel.container.demux(reel.stream):
        for kept in without_notes.filter(packet if packet.size else None):
            kept.stream = stream
            copy.mux(kept)
