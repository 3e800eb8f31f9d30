"""An empty Prefect database with all its migrations, made once for an installation and copied into new workspaces.

Prefect migrates a new database for about ten seconds, longer than many flows take. Setting up (`make`) runs this module;
where nobody did, Prefect migrates the workspace's own database as it always does.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

NAME = "prefect.db"


def kept() -> Path:
    """Where the empty database of this installation and this version of Prefect lies, if it was made."""
    return Path(sys.prefix) / "share" / "ictal" / f"prefect-{version('prefect')}.db"


def lay_in(folder: Path) -> bool:
    """Copy it into a Prefect home that has no database yet; says whether there was one to copy."""
    if (folder / NAME).exists() or not kept().exists():
        return False
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{NAME}.partial"
    shutil.copyfile(kept(), partial)
    partial.replace(folder / NAME)
    return True


def make() -> Path:
    """Have Prefect make it, unless it is there, and give its path; whatever database the environment names is left
    alone."""
    if not kept().exists():
        kept().parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept().parent) as home:
            environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
            own = {"PREFECT_HOME": home, "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
            command = [str(Path(sys.executable).with_name("prefect")), "server", "database", "upgrade", "-y"]
            subprocess.run(command, env=environment | own, check=True, stdout=subprocess.DEVNULL)
            (Path(home) / NAME).replace(kept())
    return kept()


if __name__ == "__main__":
    make()
