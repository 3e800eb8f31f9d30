"""Our own table of a pose: one row per frame, x, y and confidence of every joint in a column each, Parquet."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data.outcomes import Refusal
from data.pose import PoseTrack
from data.readers.pose.limits import check_frames
from lineage.digest import sha256_file

MAGIC = b"PAR1"
_ASPECTS = ("x", "y", "confidence")


def write_parquet(track: PoseTrack, path: Path) -> None:
    """Write a track; positions as 32-bit numbers, times as 64-bit. What was not seen is null."""
    columns: dict[str, pa.Array] = {"time_s": pa.array(track.time_s, pa.float64())}
    if track.people is not None:
        columns["people"] = pa.array(track.people, pa.int16())
    for place, joint in enumerate(track.joints):
        for aspect, values in zip(_ASPECTS, (*track.xy[:, place].T, track.confidence[:, place]), strict=True):
            columns[f"{joint}_{aspect}"] = pa.array(values, pa.float32(), from_pandas=True)
    table = pa.table(columns).replace_schema_metadata({"duration_s": repr(float(track.duration_s))})
    pq.write_table(table, path, compression="zstd")


def read_parquet(path: Path, *, age_days: float | None = None, name: str = "") -> PoseTrack:
    """`read_parquet` of what `write_parquet` wrote is the same track; refuses other tables with `unsupported_format`."""
    try:
        with pq.ParquetFile(path) as file:
            check_frames(file.metadata.num_rows)
            table = file.read()
    except (pa.ArrowException, OSError):  # the latter for damaged metadata; the file itself was opened before
        raise Refusal("corrupt", "the Parquet file cannot be read: export or transfer it again") from None
    joints = tuple(c.removesuffix("_x") for c in table.column_names if c.endswith("_x"))
    needed = ["time_s", *(f"{joint}_{aspect}" for joint in joints for aspect in _ASPECTS)]
    duration = (table.schema.metadata or {}).get(b"duration_s")
    if not joints or duration is None or not set(needed) <= set(table.column_names):
        raise Refusal("unsupported_format", "the table holds no pose: it needs time_s, joints, and duration_s")
    values = np.stack([_column(table, name) for name in needed[1:]], axis=1).reshape(len(table), len(joints), 3)
    counted = table["people"] if "people" in table.column_names else None
    if counted is not None and (counted.null_count or not pa.types.is_integer(counted.type)):
        raise Refusal("corrupt", "the persons in the frames of a pose are whole numbers: export it again")
    people = None if counted is None else counted.to_numpy().astype(int)
    return PoseTrack(
        _column(table, "time_s", float), values[..., :2], values[..., 2], float(duration), joints, people,
        sha256_file(path), name, age_days,
    )  # fmt: skip


def _column(table: pa.Table, name: str, kind: type = np.float32) -> np.ndarray:
    return np.asarray(table[name].to_numpy(), dtype=kind)
