"""Seizures in the `.seizures` files of PhysioNet: annotations in WFDB's MIT format, read without the library."""

import re
from collections.abc import Iterator

from data.outcomes import Refusal

Span = tuple[float, float]
"""Seconds from the recording's start: begin and end of a seizure."""

_SKIP, _NUM, _SUB, _CHN, _AUX = 59, 60, 61, 62, 63
_BEGINS, _ENDS = 32, 33


def read_seizures(content: bytes) -> tuple[Span, ...]:
    """Begin and end of every seizure, in seconds.

    Words of 16 bits, low byte first: the upper 6 bits are a code, the lower 10 a number I (WFDB, annot(5)). Code 59
    (SKIP) puts the time on by the next four bytes, a signed long with its high half first; 63 (AUX) carries I bytes of
    text, padded to whole words; 60–62 change fields of no meaning here; any other code is an annotation I ticks after
    the last one. A note at the start says `## time resolution: 256` (ticks per second); code 32 begins a seizure, 33
    ends it; a word of 0 ends the file. Refuses (`corrupt`) anything that does not add up.
    """
    per_second = 0.0
    edges: list[tuple[int, int]] = []
    for code, ticks, note in _annotations(content):
        said = re.fullmatch(rb"## time resolution: (\d+(?:\.\d+)?)", note)
        per_second = float(said[1]) if said else per_second
        if code in (_BEGINS, _ENDS):
            edges.append((code, ticks))
    codes, times = [c for c, _ in edges], [t for _, t in edges]
    paired = codes == [_BEGINS, _ENDS] * (len(codes) // 2)
    if not per_second > 0 or not paired or any(b <= a for a, b in zip([-1, *times], times, strict=False)):
        raise Refusal(
            "corrupt", "a file of seizures has no time resolution or a seizure without an end: fetch it again"
        )
    return tuple((a / per_second, b / per_second) for a, b in zip(times[::2], times[1::2], strict=True))


def _annotations(content: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(code, ticks from the start, note) of every annotation; a note is yielded with the code 63."""
    at = ticks = 0
    while (word := _word(content, at)) != 0:
        code, number = word >> 10, word & 0x3FF
        at += 2
        if code == _SKIP:
            ticks += _signed(_word(content, at) << 16 | _word(content, at + 2))
            at += 4
        elif code == _AUX:
            yield code, ticks, content[at : at + number].strip(b"\0 ")
            at += number + number % 2
        elif code not in (_NUM, _SUB, _CHN):
            ticks += number
            yield code, ticks, b""


def _word(content: bytes, at: int) -> int:
    if at + 2 > len(content):
        raise Refusal("corrupt", "a file of seizures breaks off before its end mark: fetch it again")
    return int.from_bytes(content[at : at + 2], "little")


def _signed(long: int) -> int:
    return long - (1 << 32) if long >= 1 << 31 else long
