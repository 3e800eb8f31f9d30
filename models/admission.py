"""Whether a recording is one that a detector is meant for: asked at the door, before anything is computed."""

from data.door import door
from data.film import Film
from data.film_door import film_door, pose_door
from data.pose import PoseTrack
from data.recording import Recording
from models.detector import Detector

Source = Recording | Film | PoseTrack
"""What may be brought to a detector."""


def admit(recording: Source, detector: Detector) -> None:
    """Refuse what the detector's input contract does not cover, with a code and what to do about it."""
    contract = detector.contract
    least_s, ages = contract.min_duration_s, contract.age_days
    if isinstance(recording, Film):
        film_door(recording, min_duration_s=least_s, age_range_days=ages)
    elif isinstance(recording, PoseTrack):
        pose_door(recording, min_duration_s=least_s, age_range_days=ages)
    else:
        door(recording, montage=contract.montage, min_duration_s=least_s, age_range_days=ages)
