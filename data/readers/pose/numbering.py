"""The frames of a pose that lie in a file each: which number in the files' names is the frame's, and when it was."""

import re
from collections.abc import Sequence

from data.outcomes import Refusal


def by_number(names: Sequence[str]) -> dict[int, str]:
    """The names of one film's frames, in order, by how many frames after the recording's first each is.

    The frame's number is the one number in which the names differ. It counts from 0, or from 1 where the lowest is 1;
    a number that no name has is a frame that is not there. Refuses frames that begin later, as nobody knows whether
    those before are missing (`unsupported_format`), names that differ otherwise (`unsupported_format`), and a number
    that two frames have (`corrupt`).
    """
    parts = [re.split(r"(\d+)", name) for name in names]
    if (ways := len({tuple(part[::2]) for part in parts})) > 1:
        raise Refusal("unsupported_format", f"the pose frames are named in {ways} ways: {_ALIKE}")
    columns = zip(*([int(number) for number in part[1::2]] for part in parts), strict=True)
    differing = [numbers for numbers in columns if len(set(numbers)) > 1]
    if len(differing) > 1:
        raise Refusal(
            "unsupported_format", f"the names of the pose frames differ in {len(differing)} numbers: {_ALIKE}"
        )
    numbers = differing[0] if differing else (0,) * len(names)
    if again := len(names) - len(set(numbers)):
        raise Refusal(
            "corrupt", f"{again} of {len(names)} pose frames have the number of another: leave one file of each frame"
        )
    if (first := min(numbers)) > 1:
        raise Refusal(
            "unsupported_format",
            f"the first pose frame has number {first}, expected 0 or 1: number them from the recording's first frame; "
            'where frames before it are missing, lay a frame without persons, {"people": []}, at number 0',
        )
    return {number - first: name for number, name in sorted(zip(numbers, names, strict=True))}


_ALIKE = "leave one film's frames in the folder, named alike but for the frame's number"
