"""The command line as a person meets it: exit code, what it says, and what it complains of."""

import io
import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from flows import cli

ICTAL = Path(sys.executable).parent / "ictal"
"""The console script that an installation puts beside Python."""

CHECKOUT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Said:
    """How a command ended: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def ictal(*arguments: object) -> Said:
    """Run a command in this process, through the same `main` as the console script, in the workspace of ICTAL_HOME."""
    out, err = io.StringIO(), io.StringIO()
    argv = ["ictal", *(str(a) for a in arguments)]
    with patch.object(sys, "argv", argv), redirect_stdout(out), redirect_stderr(err):
        try:
            cli.main()
        except SystemExit as ending:
            code = ending.code
        else:
            code = 0
    return Said(code if isinstance(code, int) else int(bool(code)), out.getvalue(), err.getvalue())


def ictal_process(*arguments: object, environment: Mapping[str, str], typed: str = "", within_s: float = 300) -> Said:
    """Run the console script in a process of its own that has no terminal; `typed` is its standard input."""
    done = subprocess.run(
        [str(ICTAL), *(str(a) for a in arguments)],
        env=dict(environment), input=typed, capture_output=True, text=True, timeout=within_s, start_new_session=True,
    )  # fmt: skip
    return Said(done.returncode, done.stdout, done.stderr)


def changed_in_checkout() -> set[str]:
    """What Git sees as changed or new in the checkout, sources aside: a person may be editing those meanwhile."""
    lines = subprocess.run(["git", "status", "--porcelain"], cwd=CHECKOUT, capture_output=True, text=True).stdout
    return {line for line in lines.splitlines() if not line.endswith((".py", ".md", ".toml", ".j2", ".css"))}
