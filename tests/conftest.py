"""What holds for every test: nothing is reported to anybody, no workspace of a person is touched, one thread each."""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.databases import new_place, place, server  # noqa: F401

_HERE = tempfile.TemporaryDirectory(prefix="ictal-tests-")

# Libraries read these when they are imported: so they stand here, not in a fixture. Children inherit them.
os.environ.update(
    {
        "ICTAL_HOME": str(Path(_HERE.name) / "no-workspace"),
        "PREFECT_HOME": str(Path(_HERE.name) / "prefect"),
        "PREFECT_LOGGING_LEVEL": "ERROR",
        "PREFECT_LOGGING_TO_API_ENABLED": "false",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "60",
        "DO_NOT_TRACK": "1",
        "BENTOML_DO_NOT_TRACK": "True",
        "GX_ANALYTICS_ENABLED": "false",
        "DVC_NO_ANALYTICS": "1",
        "NO_PROXY": "127.0.0.1",
        "OMP_NUM_THREADS": "1",
        "MPLBACKEND": "agg",
    }
)
for name in ("PREFECT_API_URL", "ICTAL_WORKERS", "ICTAL_PROGRESS", "ICTAL_ALLOW_DEMO", "ICTAL_KEY", "ICTAL_LEDGER"):
    os.environ.pop(name, None)

settings.register_profile("ictal", deadline=None, derandomize=bool(os.environ.get("CI")), print_blob=True)
settings.load_profile("ictal")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadgroup`, files stay whole, and those that share the end-to-end workspace stay on one worker.

    Marks would say the same, but xdist 3.8 silently loses them under pytest 9.2 (pytest-xdist issue 1386).
    """
    from xdist.scheduler import LoadFileScheduling

    class Together(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    if config.getvalue("dist") != "loadgroup":
        return None
    config.option.loadscopereorder = False  # in the order of their names, in which the long ones come early
    return Together(config, log)


def group_of(nodeid: str) -> str:
    """Which tests run one after another: those of a file, or all that share one workspace."""
    file = nodeid.split("::")[0]
    alone = ("/test_deployment.py", "/test_films.py")  # with workspaces of their own
    return "end to end" if "/e2e/" in file and not file.endswith(alone) else file


@pytest.fixture(autouse=True)
def no_workspace_is_open() -> None:
    """Commands name the workspace that they opened; that of the test before is none of theirs."""
    if workspaces := sys.modules.get("flows.workspace"):
        workspaces.opened.clear()
