"""What was said of every seizure, kept so that it can be scored again: one row per seizure and variant.

Columns: recording, patient, person, site, event (number in its recording), onset_s, truth (code), fold (that tested
it), variant, clips, code (why there is no answer; empty where there is one), and one probability per class.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lineage.digest import Digest, digest_of, sha256_file
from lineage.refused import Refused

NAMES = ("recording", "patient", "person", "site", "event", "onset_s", "truth", "fold", "variant", "clips", "code")
FILE, STATED = "answers.parquet", "answers.json"


class AnswersRefused(Refused):
    """Kept answers that are not what was written."""


@dataclass(frozen=True)
class Answer:
    """One seizure and what one variant of a detector said of it; no `probabilities` where nothing could be said."""

    recording: str
    patient: str
    person: str
    site: str
    event: int
    onset_s: float
    truth: str
    fold: int
    variant: str
    clips: int = 0
    code: str = ""
    probabilities: tuple[float, ...] = ()


def table_of(answers: Sequence[Answer], classes: Sequence[str]) -> pd.DataFrame:
    """The table of these answers, in the order of recording, event and variant as given."""
    table = pd.DataFrame([[getattr(a, name) for name in NAMES] for a in answers], columns=list(NAMES))
    unknown = (float("nan"),) * len(classes)
    table[list(classes)] = np.array([a.probabilities or unknown for a in answers], dtype=float).reshape(
        -1, len(classes)
    )
    return table.sort_values(["recording", "event"], kind="stable").reset_index(drop=True)


def confusions(table: pd.DataFrame, classes: Sequence[str]) -> tuple[pd.DataFrame, np.ndarray]:
    """Persons (index person; column site) and how their seizures were called, (persons, classes, classes + 1).

    The last column counts seizures without an answer. `table` holds one variant.
    """
    persons, who = np.unique(table["person"].to_numpy(dtype=str), return_inverse=True)
    truth = np.array([list(classes).index(t) for t in table["truth"]], dtype=int)
    probabilities = table[list(classes)].to_numpy(dtype=float)
    answered = np.isfinite(probabilities).all(axis=1)
    said = np.where(answered, np.nan_to_num(probabilities, nan=-1.0).argmax(axis=1), len(classes))
    counts = np.zeros((len(persons), len(classes), len(classes) + 1), dtype=np.int64)
    np.add.at(counts, (who, truth, said), 1)
    sites = table.groupby("person")["site"].agg(lambda own: "+".join(sorted(set(own))))
    return pd.DataFrame({"site": sites.loc[persons]}, index=pd.Index(persons, name="person")), counts


def answered_by_both(first: pd.DataFrame, second: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both tables (one variant each) in one order, without an answer where either has none: what two splits differ by must not
    be that one of them refuses strangers.

    ValueError unless they are of the same stretches of the same persons, with the same truth.
    """
    keys = ["recording", "event"]
    ours, theirs = (part.sort_values(keys, kind="stable").reset_index(drop=True) for part in (first, second))
    same = ["person", *keys, "onset_s", "truth"]
    if not ours[same].equals(theirs[same]):
        raise ValueError("two splits are compared on the same stretches of the same patients, and these are others")
    classes = ours.columns.difference(list(NAMES))
    silent = ours[classes].isna().any(axis=1) | theirs[classes].isna().any(axis=1)
    for part in (ours, theirs):
        part.loc[silent, classes] = np.nan
    return ours, theirs


def not_answered(table: pd.DataFrame) -> dict[str, int]:
    """How many stretches of an answers table (one variant) were given no answer, by code."""
    return {str(code): int(n) for code, n in sorted(table["code"][table["code"] != ""].value_counts().items())}


def write_answers(folder: Path, table: pd.DataFrame) -> dict[str, Digest]:
    """Keep the answers with their digest; read back by `read_answers`. Returns the digests that a result states."""
    folder.mkdir(parents=True, exist_ok=True)
    table.to_parquet(folder / FILE, index=False)
    digests = answers_digests(table)
    stated = {"schema": "ictal.answers/1", "digests": digests, "file": sha256_file(folder / FILE)}
    (folder / STATED).write_text(json.dumps(stated, indent=1) + "\n")
    return digests


def read_answers(folder: Path) -> tuple[pd.DataFrame, dict[str, Digest]]:
    """The answers kept in a folder, and their digests. Refuses what is missing or was changed."""
    if not (folder / FILE).is_file() or not (folder / STATED).is_file():
        raise AnswersRefused(f"the answers of this evaluation are missing: {AGAIN}")
    file, digests = _stated(folder)
    if sha256_file(folder / FILE) == file:
        table = pd.read_parquet(folder / FILE)
        if answers_digests(table) == digests:
            return table, digests
    raise AnswersRefused(f"the answers kept were changed after they were written: {AGAIN}")


AGAIN = "run `ictal evaluate` again"


def _stated(folder: Path) -> tuple[Digest, dict[str, Digest]]:
    """What was written down of the answers when they were kept."""
    try:
        stated = json.loads((folder / STATED).read_text())
        return stated["file"], stated["digests"]
    except (ValueError, TypeError, KeyError):  # no JSON, no text at all, or other JSON
        raise AnswersRefused(f"{STATED} was changed after it was written: {AGAIN}") from None


def answers_digests(table: pd.DataFrame) -> dict[str, Digest]:
    """Digest of what was said, and of what it is compared with."""
    marked = table.drop_duplicates(["recording", "event"])[["recording", "event", "onset_s", "truth"]]
    return {"answers": _digest(table), "references": _digest(marked)}


def _digest(table: pd.DataFrame) -> Digest:
    return digest_of(json.loads(table.to_json(orient="split", index=False, double_precision=15)))
