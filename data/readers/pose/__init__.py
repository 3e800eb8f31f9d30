"""Pose tracks from files: our own Parquet and NPZ, STA-GUNet's and OpenPose's JSON, DeepLabCut's CSV.

`read_pose` tells the format by the content. Whatever was not seen is missing (NaN), never zero.
"""

from data.readers.pose.npz import write_npz
from data.readers.pose.parquet import write_parquet
from data.readers.pose.reading import read_pose
from data.readers.pose.stagunet import read_labels

__all__ = ["read_labels", "read_pose", "write_npz", "write_parquet"]
