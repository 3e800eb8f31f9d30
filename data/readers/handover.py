"""What a reader made, as plain JSON and the bytes of its arrays, so that another process can take it without trust.

`unpacked(*packed(value)) == value` for what readers make: recordings, films, pose tracks, arrays, and tuples of them.
"""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from data.events import Annotations, Event
from data.film import Film, View
from data.pose import PoseTrack
from data.recording import Recording, Segment

KINDS = {kind.__name__: kind for kind in (Annotations, Event, Film, View, PoseTrack, Recording, Segment)}


def packed(value: Any) -> tuple[Any, list[np.ndarray]]:
    """A value as JSON can say it, and its arrays in the order in which it names them; of their shapes the JSON tells.

    TypeError for what no reader makes, and for arrays of objects.
    """
    arrays: list[np.ndarray] = []
    return _packed(value, arrays), arrays


def unpacked(said: Any, arrays: Sequence[memoryview]) -> Any:
    """The value that was packed; `arrays` are the bytes of each array. What readers do not make cannot be said."""
    if not isinstance(said, dict):
        return said
    [(kind, content)] = said.items()
    match kind:
        case "path":
            return Path(content)
        case "tuple":
            return tuple(unpacked(one, arrays) for one in content)
        case "array" | "number":
            number, dtype, shape = content
            array = np.frombuffer(arrays[number], np.dtype(dtype)).reshape(shape)
            return array if kind == "array" else array[()]
        case _:
            return KINDS[kind](**{name: unpacked(one, arrays) for name, one in content.items()})


def _packed(value: Any, arrays: list[np.ndarray]) -> Any:
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, np.ndarray | np.generic):
        if value.dtype.hasobject:
            raise TypeError("arrays of objects are not handed over")
        arrays.append(np.ascontiguousarray(value))
        kind = "array" if isinstance(value, np.ndarray) else "number"
        return {kind: [len(arrays) - 1, value.dtype.str, list(value.shape)]}
    if isinstance(value, Path):
        return {"path": str(value)}
    if isinstance(value, tuple):
        return {"tuple": [_packed(one, arrays) for one in value]}
    if KINDS.get(type(value).__name__) is type(value):
        named = {field.name: getattr(value, field.name) for field in fields(value)}
        return {type(value).__name__: {name: _packed(one, arrays) for name, one in named.items()}}
    raise TypeError(f"no reader makes a {type(value).__name__}")
