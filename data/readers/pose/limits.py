"""How much a pose file may hold, whatever it is packed in."""

from data.outcomes import Refusal

WITH_TIMES = (
    "`ictal check` takes the frames per second by --rate; to ask about them, write them with their times once, in Python: "
    "`from data.readers.pose import read_pose, write_parquet; write_parquet(read_pose(FILE, {}), OUT)`, and use that file"
)
"""What to do about a format of which something has to be said that no answer can be asked with; goes with the arguments."""

MAX_BYTES = 1 << 30
MAX_FRAMES = 5_000_000
MAX_HOURS = 48.0


def check_size(unpacked_bytes: int) -> None:
    """Refuse a file that is small, and would not be once unpacked (`unsupported_format`)."""
    if unpacked_bytes > MAX_BYTES:
        raise Refusal(
            "unsupported_format",
            f"the pose file has {unpacked_bytes >> 20} MiB, at most {MAX_BYTES >> 20} are read: split the recording",
        )


def check_frames(frames: int) -> None:
    """Refuse more frames than two days hold at any rate of a camera (`unsupported_format`)."""
    if frames > MAX_FRAMES:
        raise Refusal(
            "unsupported_format", f"{frames} frames of a pose, at most {MAX_FRAMES} are read: split the recording"
        )
