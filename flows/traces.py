"""Where a patient can be seen in a workspace's files: in which ones nothing else is, and in which ones rows of others too.

Files that are the patient's go. Tables, features and pages in which they are shown among others go whole, since the next
run makes them anew without them. Lists (participants, verdicts, draws) lose the patient's rows. Figures of evaluations
and lists of who trained whom stay: they hold numbers and pseudonyms, and models are accounted for by their digests.
"""

import io
import json
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from flows.workspace import TASKS
from models import detectors

Read = Callable[[], bytes]

TABLES = (".parquet", ".npz")
WHOSE = ("recording", "patient", "person")
"""Columns of tables that say whose a row is. Those of monitoring have one row for each patient and no recording; of what a
service answered, a patient is the person where the lineage knows them, else the recording's digest."""

UNREADABLE = (ValueError, OSError, EOFError, zipfile.BadZipFile)
PAGES = (".html",)
LISTS = (".tsv", ".json")
RAW = ("data", "raw")


@dataclass(frozen=True)
class Traces:
    """A patient in one cohort: `patients` are their ids there, `recordings` the names of their recordings, `persons` what they
    are called in all cohorts.

    Paths are relative to the workspace. `tasks` are those that look at the cohort.
    """

    cohort: str
    tasks: frozenset[str]
    patients: frozenset[str]
    recordings: frozenset[str]
    persons: frozenset[str] = frozenset()

    def goes(self, path: PurePosixPath, read: Read) -> bool:
        """Whether a file is the patient's, or shows them in a way that only making it anew undoes."""
        if path.parts[:2] == RAW:
            return path.parts[2] == self.cohort and bool(self.patients & set(path.parts[3:-1]))
        if not self._concerns(path):
            return False
        if any(path.name.startswith((f"{name}.", f"{name}_")) for name in self.recordings):
            return True
        if path.suffix in TABLES:
            return self._is_in_table(path.suffix, read())
        return path.suffix in PAGES and self.named_in(read().decode(errors="replace"))

    def without(self, path: PurePosixPath, read: Read) -> bytes | None:
        """A list's content without the patient's rows; None where it is no list, or they are not in it."""
        if not self._is_list(path):
            return None
        content = read()
        text = content.decode(errors="replace")
        if not self.named_in(text):
            return None
        made = self._rows(text) if path.suffix == ".tsv" else self._items(json.loads(text))
        return made.encode()

    def named_in(self, text: str) -> bool:
        """Whether a text holds a name of the patient's, whole: `sub-01` is not in `sub-011`, but in `sub-01_run-1`."""
        return bool(self._names.search(text))

    def _is_in_table(self, suffix: str, content: bytes) -> bool:
        """What lies nowhere, or is empty, names nobody; what cannot be read goes, and is made anew."""
        try:
            return bool(content) and self._has_rows(shown_in(suffix, content))
        except UNREADABLE:
            return True

    def _has_rows(self, shown: Mapping[str, set[str]]) -> bool:
        """By the recording where rows have one: an id of a patient may be another's in another cohort."""
        if "recording" in shown:
            return bool(self.recordings & shown["recording"])
        return bool((self.patients | self.persons | self.recordings) & set().union(*shown.values()))

    def _is_list(self, path: PurePosixPath) -> bool:
        if path.suffix not in LISTS:
            return False
        if path.parts[:2] == RAW:
            return path.parts[2] == self.cohort
        return path.parts[:2] == ("data", "interim") and "checks" in path.parts and self._concerns(path)

    def _concerns(self, path: PurePosixPath) -> bool:
        """Whether a file is made of this cohort, as far as its place says."""
        task = task_of(path)
        return task is None or task in self.tasks

    @cached_property
    def _names(self) -> re.Pattern[str]:
        names = "|".join(re.escape(name) for name in sorted(self.patients | self.recordings, key=len, reverse=True))
        return re.compile(rf"(?<![A-Za-z0-9-])(?:{names})(?![A-Za-z0-9-])")

    def _rows(self, text: str) -> str:
        return "".join(line for line in text.splitlines(keepends=True) if not self.named_in(line))

    def _items(self, value: Any) -> str:
        return json.dumps(self._stripped(value), indent=1, sort_keys=True) + "\n"

    def _stripped(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: self._stripped(own) for name, own in value.items() if not self.named_in(str(name))}
        if isinstance(value, list):
            return [self._stripped(one) for one in value if not self._is_theirs(one)]
        return value

    def _is_theirs(self, one: Any) -> bool:
        said = one.values() if isinstance(one, Mapping) else [one]
        return any(isinstance(value, str) and self.named_in(value) for value in said)


def shown_in(suffix: str, content: bytes) -> dict[str, set[str]]:
    """Whom and what a table of ours has rows of: the values of those columns of `WHOSE` that it has. Raises one of
    `UNREADABLE` where it is no table."""
    if suffix == ".parquet":
        file = pq.ParquetFile(io.BytesIO(content))  # type: ignore[no-untyped-call]
        table = file.read(columns=[name for name in WHOSE if name in file.schema_arrow.names])  # type: ignore[no-untyped-call]
        return {name: set(table.column(name).to_pylist()) for name in table.column_names}
    with np.load(io.BytesIO(content), allow_pickle=False) as kept:
        return {name: set(kept[name].astype(str).tolist()) for name in WHOSE if name in kept.files}


def task_of(path: PurePosixPath) -> str | None:
    """The task whose cohort a file below data/interim, reports or store is made of; None where its place does not say."""
    parts = path.parts
    folders = {own.folder: task for task, own in TASKS.items() if own.folder}
    if parts[:2] == ("data", "interim"):
        return folders.get(parts[2], "detection")
    if parts[0] == "reports" and parts[1] in folders:
        return folders[parts[1]]
    named = [_tasks_of_detectors()[part] for part in parts if part in _tasks_of_detectors()]
    if named:
        return named[0]
    return parts[2] if parts[:2] == ("store", "pretrained") and len(parts) > 2 else None


@cache
def _tasks_of_detectors() -> dict[str, str]:
    return {name: detectors.task_of(name) for name in detectors.names()}


def relative(path: Path, root: Path) -> PurePosixPath:
    """A file's place in the workspace."""
    return PurePosixPath(path.relative_to(root).as_posix())
