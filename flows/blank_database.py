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
    shutil.copyfile(kept(), folder / NAME)
    return True


def make() -> Path:
    """Have Prefect make it, unless it is there."""
    if not kept().exists():
        kept().parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept().parent) as home:
            command = [str(Path(sys.executable).with_name("prefect")), "server", "database", "upgrade", "-y"]
            subprocess.run(command, env={**os.environ, "PREFECT_HOME": home}, check=True, capture_output=True)
            (Path(home) / NAME).replace(kept())
    return kept()


if __name__ == "__main__":
    make()
