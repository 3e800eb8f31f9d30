"""One case per file, each with a `CASE`."""

from pathlib import Path

MODULES = tuple(
    f"{__name__}.{path.stem}" for path in sorted(Path(__file__).parent.glob("*.py")) if path.stem != "__init__"
)
