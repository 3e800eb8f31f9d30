"""The detectors of the house, found by name in `index.yaml`; a new one is a folder and a line there."""

import difflib
from importlib import import_module
from pathlib import Path
from typing import Any

from data.settings import read_yaml
from lineage.refused import Refused
from models.ablations import Ablations, read_ablations
from models.detector import Detector

HERE = Path(__file__).parent


class UnknownDetector(Refused):
    """A detector name that is not in the index."""


def names(task: str | None = None) -> list[str]:
    """The detectors of a task (`TASKS`), or all of them."""
    index: dict[str, list[str]] = read_yaml((HERE / "index.yaml").read_text())
    lists = {task: index.get(key) or [] for task, key in TASKS.items()}
    return list(lists[task]) if task else [name for of_task in lists.values() for name in of_task]


TASKS = {
    "detection": "detectors",
    "typing": "typing",
    "spasms": "spasms",
    "semiology": "semiology",
    "forecasting": "forecasting",
}
"""What detectors answer, and the list of `index.yaml` that holds them: where seizures are in EEG, of which type one is in
EEG, which clips of a pose track are spasms, of which type a seizure is on film, and whether one is about to begin."""


def task_of(name: str) -> str:
    """What a detector answers: one of `TASKS`; UnknownDetector for a name not in the index."""
    _folder(name)
    return next(task for task in TASKS if name in names(task))


def params_of(name: str, preset: str) -> dict[str, Any]:
    """A preset's numbers: the detector's `common` block with the preset's own on top; UnknownDetector for any other."""
    document = _document(name)
    presets = document["presets"]
    if preset not in presets:
        raise UnknownDetector(f"detector {name} has no preset {preset!r}; it has {', '.join(presets)}")
    return {**document["common"], **presets[preset]}


def ablations_of(name: str, preset: str) -> Ablations:
    """What the detector declares may be taken away from a preset of it; refused as in `read_ablations`."""
    return read_ablations(name, _document(name), params_of(name, preset))


def card_of(name: str) -> str:
    """The detector's hand-written card, YAML header and Markdown; UnknownDetector for a name not in the index."""
    return (_folder(name) / "card.md").read_text()


def build(name: str, params: dict[str, Any] | None = None, preset: str = "demo") -> Detector:
    """An unfitted detector with these parameters, or with a preset's."""
    _folder(name)
    module = import_module(f"models.detectors.{name}")
    detector: Detector = module.DETECTOR(params_of(name, preset) if params is None else params)
    return detector


def facts(name: str) -> dict[str, Any]:
    """What a detector states about itself, in JSON values; read from its card's header, so nothing heavy is imported."""
    header = read_yaml(card_of(name).split("---")[1])
    return {"name": name, **header}


def _document(name: str) -> dict[str, Any]:
    document: dict[str, Any] = read_yaml((_folder(name) / "params.yaml").read_text())
    return document


def _folder(name: str) -> Path:
    if name not in names():
        near = difflib.get_close_matches(name, names(), 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UnknownDetector(f"no detector {name!r} among {', '.join(names())}{hint}")
    return HERE / name
