"""Simulated rooms and cameras: what a night camera sees of a moving person, as grey frames.

May import `data.simulator.motion` and numpy. Public: Camera, Room, Looks, Scene, Visit, film, frame_times.
"""

from data.simulator.scene.camera import Camera, camera_near, frame_times, scaled_to, seen_by
from data.simulator.scene.figure import Looks, draw_looks
from data.simulator.scene.filming import Scene, Visit, film
from data.simulator.scene.room import Room, draw_room

__all__ = [
    "Camera",
    "Looks",
    "Room",
    "Scene",
    "Visit",
    "camera_near",
    "draw_looks",
    "draw_room",
    "film",
    "frame_times",
    "scaled_to",
    "seen_by",
]
