"""What several experts marked in the recordings of a BIDS folder, each expert in a derivative dataset of their own.

`derivatives/EXPERT/dataset_description.json` states `"DatasetType": "derivative"` and in `GeneratedBy` that it was made
by hand (BIDS: `"Manual"`) or by a simulated reader. Marks lie where the recording's events lie, e.g.
`derivatives/EXPERT/sub-001/eeg/sub-001_task-eeg_run-01_events.tsv`. What a pipeline made is nobody's reading: a
detector's output, or a copy of the reference beside cleaned signals, would pass for one more expert who agrees.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from data.events import Annotations
from data.outcomes import Refusal
from data.readers.bids import ROUNDING_S, read_events, read_json

MANUAL, SIMULATED = "Manual", "Simulated reader"
DESCRIPTION = "dataset_description.json"


def expert_folders(root: Path) -> tuple[Path, ...]:
    """The derivative datasets that experts made, by name.

    Refuses (`unsupported_format`) one whose events do not say who made them, and a link to nothing.
    """
    inside = root / "derivatives"
    found = sorted(inside.iterdir()) if inside.is_dir() else []
    if any(not f.exists() for f in found):
        raise Refusal("unsupported_format", "a folder of derivatives is a link to nothing: fetch it first")
    return tuple(f for f in found if f.is_dir() and _is_reading(f))


def read_expert(folder: Path, place: Path, duration_s: float | None) -> Annotations | None:
    """What an expert marked in the recording whose events lie at `place` (relative to the cohort); None: not read.

    Refuses what `read_events` refuses, a link to nothing (`unsupported_format`), and marks of a recording of another
    length than `duration_s` (`corrupt`).
    """
    path = folder / place
    if path.is_symlink() and not path.exists():
        raise Refusal("unsupported_format", "an expert's events file is a link to nothing: fetch it first")
    if not path.is_file():
        return None
    marked = read_events(path, duration_s)
    if duration_s is not None and abs(marked.duration_s - duration_s) > ROUNDING_S:
        raise Refusal(
            "corrupt",
            f"an expert's events file states a recording of {marked.duration_s:g} s, the recording has "
            f"{duration_s:g} s: it belongs to another recording",
        )
    return marked


def expert_files(root: Path, places: Iterable[Path]) -> list[Path]:
    """Every file of every expert; refuses with `corrupt` marks of no recording at `places`, which would be lost."""
    known, files = set(places), []
    for folder in expert_folders(root):
        events = _events(folder)
        strange = sum(path.relative_to(folder) not in known for path in events)
        if strange:
            raise Refusal(
                "corrupt",
                f"{strange} of {len(events)} events files of an expert belong to no EDF or BDF recording of the folder: "
                "add the recordings or take the files away",
            )
        files += [folder / DESCRIPTION, *events]
    return files


def _is_reading(folder: Path) -> bool:
    stated = read_json(folder / DESCRIPTION) if (folder / DESCRIPTION).is_file() else {}
    makers = _makers(stated)
    if (stated.get("DatasetType") != "derivative" or not makers) and _events(folder):
        raise Refusal(
            "unsupported_format",
            f"a folder of derivatives holds events but its {DESCRIPTION} does not say who made them: state DatasetType "
            f'"derivative" and GeneratedBy with Name "{MANUAL}" for an expert',
        )
    return bool({MANUAL, SIMULATED} & set(makers))


def _makers(stated: dict[str, Any]) -> list[str]:
    made = stated.get("GeneratedBy")
    if not isinstance(made, list):
        return []
    return [m["Name"] for m in made if isinstance(m, dict) and isinstance(m.get("Name"), str)]


def _events(folder: Path) -> list[Path]:
    return sorted(folder.rglob("[!.]*_events.tsv"))
