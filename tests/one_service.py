"""One service of a workspace in force, for the tests of a module (`pytest_plugins`), and a copy of it to spoil."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.served import write_recording
from tests.services import MARK, Served, served_home, serving


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Two minutes with one seizure, and a name in the header."""
    path = tmp_path_factory.mktemp("recording") / "recording.edf"
    return write_recording(path, patient=f"X F 02-FEB-2020 {MARK}").read_bytes()


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose model is in force, of which no service has been begun."""
    return served_home(tmp_path_factory.mktemp("finished"))


@pytest.fixture(scope="module")
def served(finished: Path, recording: bytes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The service of a copy that is this module's own."""
    home = shutil.copytree(finished, tmp_path_factory.mktemp("served") / "home")
    with serving(home, recording) as ready:
        yield ready


@pytest.fixture
def other_home(finished: Path, tmp_path: Path) -> Path:
    """A copy of the workspace that a test may spoil."""
    return Path(shutil.copytree(finished, tmp_path / "home"))
