"""What a shell completes beyond commands and options. It asks with every press of a key: nothing heavy is imported, no
ledger is opened, and what cannot be read completes nothing."""

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from lineage.place import MARKER, home

DETECTORS = Path(__file__).resolve().parents[1] / "models" / "detectors" / "index.yaml"
TASKS = ("detection", "typing", "spasms", "semiology", "forecasting")
Complete = Callable[[str], list[str]]


def detectors(begun: str) -> list[str]:
    """Detectors of the house."""
    return _beginning(begun, _detectors)


def tasks(begun: str) -> list[str]:
    """Questions that detectors answer."""
    return _beginning(begun, lambda: iter(TASKS))


def cohorts(begun: str) -> list[str]:
    """Cohorts of the workspace."""
    return _beginning(begun, lambda: (folder.name for folder in _workspace("data/raw/[!.]*") if folder.is_dir()))


def candidates(begun: str) -> list[str]:
    """Models that were ever proposed in the workspace, by digest."""
    return _beginning(begun, lambda: (file.stem for file in _workspace("store/candidates/*.json")))


def sites(begun: str) -> list[str]:
    """Sites from which the workspace's cohorts have recordings."""
    return _beginning(begun, _sites)


def people(begun: str) -> list[str]:
    """Ids of those who may sign."""
    return _beginning(begun, _people)


def _beginning(begun: str, names: Callable[[], Iterator[str]]) -> list[str]:
    with suppress(OSError, ValueError, KeyError, TypeError, csv.Error):
        return sorted({name for name in names() if name.startswith(begun)})
    return []


def _detectors() -> Iterator[str]:
    """The lines of index.yaml that name one; the parser of YAML would take as long as all the rest."""
    lines = DETECTORS.read_text().splitlines()
    return (line.strip().removeprefix("- ") for line in lines if line.strip().startswith("- "))


def _sites() -> Iterator[str]:
    for path in _workspace("data/raw/[!.]*/participants.tsv"):
        with path.open(newline="") as file:
            yield from (row["site"] for row in csv.DictReader(file, delimiter="\t") if row.get("site"))


def _people() -> Iterator[str]:
    for path in _workspace("keys/people.json"):
        yield from (person["id"] for person in json.loads(path.read_text()))


def _workspace(pattern: str) -> Iterator[Path]:
    return home().glob(pattern) if (home() / MARKER).exists() else iter(())
