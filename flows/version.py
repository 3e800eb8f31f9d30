"""Which Ictal this is: its version, and the commit that it runs by."""

from importlib.metadata import version

from flows.workspace import checkout_state


def version_line() -> str:
    """As `ictal --version` says it. A tree that is not as committed is named, for nothing made by it can be approved."""
    state = checkout_state()
    return f"ictal {version('ictal')} (commit {state['commit'][:12]}{', with changes' if state['dirty'] else ''})"
