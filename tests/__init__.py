"""The tests of Ictal. `SHARED` is a folder of real, openly licensed recordings that may lie beside the checkout."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the folder of real recordings is not beside the checkout"
)
