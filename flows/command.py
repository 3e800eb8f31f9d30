"""`ictal`: a stage that a warm process can run is handed over before anything is imported; all else is `flows.cli`."""

import sys


def main() -> None:
    """Have a warm process run a stage and end with its exit code; whatever it does not take goes to `flows.cli`."""
    if sys.argv[1:2] == ["stage"] and len(sys.argv) > 2:
        from flows.warm import run_there

        code = run_there(sys.argv[2], sys.argv[3:])
        if code is not None:
            sys.exit(code)
    from flows.cli import main as command

    command()
