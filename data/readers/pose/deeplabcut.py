"""Poses in DeepLabCut's CSV: three rows of header (scorer, body parts, coordinates), one row per frame.

Any body parts are read, under the file's own names; whether they are those of a human is asked at the door. The format
has no times: the rate must be stated.
"""

import io
import re

import numpy as np
import pandas as pd

from data.outcomes import Refusal
from data.pose import PoseTrack
from data.readers.pose.limits import WITH_TIMES
from lineage.digest import Digest


def track_of(text: str, digest: Digest, rate_hz: float | None, age_days: float | None, name: str) -> PoseTrack:
    """The track of one animal: tracked (with likelihood) or labelled by hand (without: confidence 1 where marked).

    Labelled frames are numbered by their pictures' names. Refuses with `unsupported_format` a table without a rate, of
    several animals or of several films, and with `corrupt` one that cannot be read or whose rows have no numbers.
    """
    if not rate_hz:
        raise Refusal("unsupported_format", f"DeepLabCut tables carry no times: {WITH_TIMES.format('rate_hz=25.0')}")
    table = _table(text)
    joints = tuple(dict.fromkeys(str(part) for part in table.columns.get_level_values(1)))
    xy = np.stack([_values(table, joint, ("x", "y")) for joint in joints], axis=1)
    seen = np.isfinite(xy).all(axis=2)
    confidence = np.stack([_confidence(table, joint) for joint in joints], axis=1)
    numbers = _frame_numbers(table.index)
    order = np.argsort(numbers)
    return PoseTrack(
        numbers[order] / rate_hz, np.where(seen[..., None], xy, np.nan)[order],
        np.where(seen, confidence, np.nan)[order], float(numbers.max() + 1) / rate_hz, joints, None, digest, name,
        age_days,
    )  # fmt: skip


def _table(text: str) -> pd.DataFrame:
    if "\nindividuals," in text[:100_000]:
        raise Refusal("unsupported_format", "the table tracks several animals: export one table per animal")
    try:
        table = pd.read_csv(io.StringIO(text), header=[0, 1, 2], index_col=0)
    except (ValueError, pd.errors.ParserError):
        raise Refusal("corrupt", "the DeepLabCut table cannot be read: export it again") from None
    coordinates = set(table.columns.get_level_values(2))
    if not {"x", "y"} <= coordinates or len(table) == 0:
        raise Refusal("corrupt", "the DeepLabCut table holds no coordinates: export it again")
    return table


def _values(table: pd.DataFrame, joint: str, coordinates: tuple[str, ...]) -> np.ndarray:
    scorer = table.columns[0][0]
    try:
        return np.stack([table[scorer, joint, c].to_numpy(dtype=float) for c in coordinates], axis=1)
    except (KeyError, ValueError):
        raise Refusal("corrupt", "a body part of the DeepLabCut table has no readable coordinates") from None


def _confidence(table: pd.DataFrame, joint: str) -> np.ndarray:
    if (table.columns[0][0], joint, "likelihood") in table.columns:
        return _values(table, joint, ("likelihood",))[:, 0]
    return np.ones(len(table))


def _frame_numbers(index: pd.Index) -> np.ndarray:
    """Frame by frame the number that the row's name ends in."""
    names = [str(name) for name in index]
    if len({name.rsplit("/", 1)[0] for name in names if "/" in name}) > 1:
        raise Refusal("unsupported_format", "the table labels pictures of several films: export one table per film")
    found = [re.search(r"(\d+)\D*$", name.rsplit("/", 1)[-1].rsplit(".png", 1)[0]) for name in names]
    numbers = np.array([int(number.group(1)) if number else -1 for number in found])
    if (numbers < 0).any() or len(set(numbers)) != len(numbers):
        raise Refusal("corrupt", "the rows of the DeepLabCut table are not numbered by frame: export it again")
    return numbers
