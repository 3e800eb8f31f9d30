"""A pose track as a Parquet table: one row per frame, three columns per joint."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data.pose import PoseTrack


def write_pose(path: Path, track: PoseTrack) -> None:
    """Columns time_s, people, and `JOINT.x`, `JOINT.y`, `JOINT.confidence` (float32, missing is NaN); the length of the
    recording, `duration_s`, stands in the table's metadata. Equal tracks give equal bytes."""
    columns: dict[str, np.ndarray] = {"time_s": track.time_s}
    if track.people is not None:
        columns["people"] = track.people.astype(np.int16)
    for number, joint in enumerate(track.joints):
        columns[f"{joint}.x"], columns[f"{joint}.y"] = track.xy[:, number].astype(np.float32).T
        columns[f"{joint}.confidence"] = track.confidence[:, number].astype(np.float32)
    table = pa.table(columns).replace_schema_metadata({"duration_s": repr(float(track.duration_s))})
    pq.write_table(table, path, compression="zstd")
