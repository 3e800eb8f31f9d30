"""Epileptic spasms of a recording: which events are spasms, which belong to one cluster, which clips hold one."""

from collections.abc import Sequence
from dataclasses import dataclass

from data.events import Annotations, Event

CLUSTER_GAP_S = 60.0
"""Spasms less than this apart belong to one cluster; within one they follow each other after some 5–30 s."""

ROUNDING_S = 0.1


@dataclass(frozen=True)
class Clip:
    """A part of a recording on an even grid. `spasm`: the greater part of one lies inside, or one fills half of it.

    `clear` where there is no doubt: the onset of the spasm lies inside too, or nothing of any spasm does. What is not
    clear is no good example to learn from; it is asked about all the same.
    """

    number: int
    onset_s: float
    end_s: float
    spasm: bool
    clear: bool


def spasms_of(truth: Annotations) -> list[Event]:
    """The events whose HED-SCORE type names spasms (`sz_gen_m_spasms`, …), in order of onset."""
    return [event for event in truth.events if "spasms" in event.type.split("_")]


def clusters_of(spasms: Sequence[Event], gap_s: float = CLUSTER_GAP_S) -> list[list[Event]]:
    """Groups of two or more spasms of one recording, each less than `gap_s` after the end of the one before."""
    groups: list[list[Event]] = []
    for spasm in sorted(spasms):
        if groups and spasm.onset_s - max(e.end_s for e in groups[-1]) < gap_s:
            groups[-1].append(spasm)
        else:
            groups.append([spasm])
    return [group for group in groups if len(group) > 1]


def grid(duration_s: float, clip_s: float) -> list[tuple[float, float]]:
    """Whole clips (onset, end) side by side from the recording's start; what is left at the end is asked by nobody.

    The last may be short by `ROUNDING_S`: time stamps of a film end up to a few frames before its nominal length.
    """
    return [(n * clip_s, (n + 1) * clip_s) for n in range(int((duration_s + ROUNDING_S) // clip_s))]


def clips_of(truth: Annotations, clip_s: float) -> list[Clip]:
    """Every clip of the grid with what it holds. Law: every spasm on the grid has at least one clip of its own."""
    spans, spasms = grid(truth.duration_s, clip_s), spasms_of(truth)
    home = {_home(spasm, clip_s, len(spans)) for spasm in spasms}
    return [_clip(number, span, number in home, spasms) for number, span in enumerate(spans)]


def _home(spasm: Event, clip_s: float, clips: int) -> int:
    """The clip that holds more of a spasm than any other; of two alike the earlier."""
    first, last = int(spasm.onset_s // clip_s), min(int(spasm.end_s // clip_s), clips - 1)
    candidates = range(first, max(first, last) + 1)
    return max(candidates, key=lambda n: (round(_inside(spasm, (n * clip_s, (n + 1) * clip_s)), 6), -n))


def _clip(number: int, span: tuple[float, float], home: bool, spasms: Sequence[Event]) -> Clip:
    inside = [(spasm, _inside(spasm, span)) for spasm in spasms if _inside(spasm, span) > 0]
    filled = any(s >= (span[1] - span[0]) / 2 for _, s in inside)
    begun = any(span[0] <= spasm.onset_s < span[1] and s >= spasm.duration_s / 2 for spasm, s in inside)
    return Clip(number, *span, home or filled, begun if home or filled else not inside)


def _inside(spasm: Event, span: tuple[float, float]) -> float:
    return max(0.0, min(spasm.end_s, span[1]) - max(spasm.onset_s, span[0]))
