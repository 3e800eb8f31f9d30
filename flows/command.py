"""`ictal`: a stage that a warm process can run is handed over before anything is imported; all else is `flows.cli`."""

import sys

from flows.warm import run_there


def main() -> None:
    code = run_there(sys.argv[2], sys.argv[3:]) if sys.argv[1:2] == ["stage"] and len(sys.argv) > 2 else None
    if code is None:
        from flows.cli import main as command

        command()
    else:
        sys.exit(code)
