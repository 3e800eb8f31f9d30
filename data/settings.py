"""Settings and headers in YAML, read by the fast parser where there is one: every stage reads several, again and again."""

from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(text: str) -> Any:
    """What a document says, in plain values alone; yaml.YAMLError where it is none."""
    return yaml.load(text, Loader=_LOADER)
