"""What the JSON sidecars of a recording say together: those above it hold for it too (BIDS, inheritance principle)."""

import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data.outcomes import Refusal
from data.readers.bids import read_json


class Sidecars:
    """The sidecars of a BIDS folder. Each folder is listed once, when it is first asked about: in its root lies a folder
    of every patient, and beside a recording may lie thousands of others, which would be gone through for each."""

    def __init__(self, root: Path):
        self.root = root
        self._listed: dict[Path, dict[str, list[Path]]] = {}

    def stated(self, recording: Path) -> dict[str, Any]:
        """Every field that is stated for a recording, as the nearest of its sidecars states it.

        Refuses a sidecar that is no JSON (`corrupt`) and one that is a link to nothing (`unsupported_format`).
        """
        files = self.of(recording)
        if absent := sum(not file.is_file() for file in files):
            raise Refusal(
                "unsupported_format", f"{absent} of {len(files)} sidecars are links to nothing: fetch them first"
            )
        return {name: value for file in files for name, value in read_json(file).items()}

    def of(self, recording: Path) -> list[Path]:
        """The sidecars that hold for a recording, the nearest last.

        They lie in its own folder or in one above it, end in its modality (`video.json`), and name nothing that its own
        name does not: `task-ward_video.json` holds for every film of that task. In one folder the one that names more is
        nearer. Two that name equally much are refused (`corrupt`), as which of them counts cannot be known. Poses have
        those of a film, as they were made of one, and `pose.json` is a pose.
        """
        *named, modality = recording.stem.split("_")
        modality = "video" if modality == "pose" else modality
        inside = recording.relative_to(self.root).parts[:-1]
        folders = (self.root.joinpath(*inside[:depth]) for depth in range(len(inside) + 1))
        return [
            file for folder in folders for file in _nearest_last(self._json_in(folder, named), set(named), modality)
        ]

    def _json_in(self, folder: Path, named: Sequence[str]) -> list[Path]:
        """The JSON files of a folder that may hold for what is named so, few of the others among them."""
        if folder not in self._listed:
            self._listed[folder] = _by_rarest([folder / name for name in os.listdir(folder) if name.endswith(".json")])
        return [file for part in {*named, NOTHING} for file in self._listed[folder].get(part, ())]


def refuse_strays(sidecars: Sidecars, films: Sequence[Path]) -> None:
    """Refuse (`corrupt`) a strip that is declared beside a film, or above it up to its subject, under a name that holds for
    no film: it would leave in sight what it was written to cover. At the top it may be of films that are not in this copy."""
    holding = {file for film in films for file in sidecars.of(film)}
    folders = {folder for film in films for folder in film.parents if sidecars.root in folder.parents}
    beside = {file for folder in folders for file in folder.iterdir() if _NAMED_AS_A_SIDECAR.fullmatch(file.name)}
    if strays := sum("OverlayStrip" in read_json(file) for file in beside - holding if file.is_file()):
        raise Refusal(
            "corrupt",
            f"sidecars that declare an OverlayStrip under a name that holds for no film: {strays}; name each as its film is "
            "named, to the sign (run-1 is not run-01), with .json in small letters",
        )


_NAMED_AS_A_SIDECAR = re.compile(r"(?i)([^.].*_)?video\.json")
"""By somebody: what begins with a dot was made by a file system (`._…` on disks that a Mac has written)."""


NOTHING = ""
"""Under this stand the files that name nothing, and so hold for everything."""


def _by_rarest(files: Sequence[Path]) -> dict[str, list[Path]]:
    """Files under that part of their names (`run-07`) which the fewest of them have."""
    parts = {file: file.stem.split("_")[:-1] or [NOTHING] for file in files}
    having = Counter(part for named in parts.values() for part in set(named))
    found: dict[str, list[Path]] = {}
    for file, named in parts.items():
        found.setdefault(min(named, key=lambda part: having[part]), []).append(file)
    return found


def _nearest_last(files: list[Path], named: set[str], modality: str) -> list[Path]:
    states = {file: file.stem.split("_") for file in files if file.name.endswith(f"{modality}.json")}
    holding = [file for file, (*more, kind) in states.items() if kind == modality and named.issuperset(more)]
    if len({len(states[file]) for file in holding}) < len(holding):
        raise Refusal(
            "corrupt",
            f"{len(holding)} sidecars of type {modality}.json in one folder hold for the same recording and name equally "
            "much of it: leave one that says everything",
        )
    return sorted(holding, key=lambda file: len(states[file]))
