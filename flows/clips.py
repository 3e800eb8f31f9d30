"""Labelled clips of a cohort's stretches, cut once for many fits: of a training, a grid or an ablation."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from data.cohorts.bids import Entry
from data.events import Annotations
from data.outcomes import Refusal
from data.readers.opening import open_entry
from flows.parallel import over
from flows.progress import Show
from models.detector import Examples, State
from models.typing import build_typing, stretch_examples


def write_clips(
    name: str,
    params: Mapping[str, Any],
    pretrained: State | None,
    recordings: list[tuple[Entry, Annotations]],
    folder: Path,
    show: Show,
) -> dict[str, int]:
    """Keep the labelled clips of every recording in a folder; returns how many each has, 0 for none.

    One that cannot be read, or is too short, has none: nobody learns from it, and its stretches stay without an answer.
    """
    work = [(name, dict(params), pretrained, entry, truth, folder) for entry, truth in recordings]
    kept = over(_write, work, f"{name}: clips of recordings", show, [f"models.detectors.{name}"])
    return {entry.name: count for (entry, _), count in zip(recordings, kept, strict=True)}


def read_clips(folder: Path, recording: str) -> Examples:
    """The clips of a recording that `write_clips` kept; what the detector is shown stays on disk until it is used."""
    with np.load(folder / f"{recording}.npz") as kept:
        parts: dict[str, Any] = {name: kept[name] for name in kept.files}
    x = np.load(folder / f"{recording}.x.npy", mmap_mode="r")
    return Examples(**{**parts, "x": x, "window_s": float(parts["window_s"])})


def _write(work: tuple[str, dict[str, Any], State | None, Entry, Annotations, Path]) -> int:
    name, params, pretrained, entry, truth, folder = work
    detector = build_typing(name, params, pretrained)
    try:
        clips = stretch_examples(detector, detector.prepare(open_entry(entry)), truth, entry.name, entry.person)
    except Refusal:
        return 0
    if clips is None:
        return 0
    known = {f.name: getattr(clips, f.name) for f in fields(clips) if f.name != "x"}
    np.save(folder / f"{entry.name}.x.npy", clips.x)
    np.savez(folder / f"{entry.name}.npz", **{k: np.asarray(v) for k, v in known.items() if v is not None})  # type: ignore[arg-type]
    return len(clips)
