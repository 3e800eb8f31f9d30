"""A demo workspace is made beside the old one, and takes its place only when it is whole."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console

from flows.summary import show_summary
from flows.workspace import MARKER, Workspace, WorkspaceRefused, home, make_workspace
from lineage.refused import Refused

STAGES = ["simulate", "check", "split", "train_types", "evaluate_types", "report_types"]
"""What the demo comes to, in this order; `train` and `evaluate` need nothing that these do not."""


class DemoFailed(Refused):
    """A step of the demo failed; its traceback stands above."""


def make_demo() -> None:
    """Run the demo in a new marked workspace and put it in place; Ctrl-C leaves the old one and nothing of the new.
    WorkspaceRefused as by `refuse_real`; DemoFailed where a step fails: what it had made is kept beside, and the old
    one stays."""
    began, final = time.monotonic(), home()
    refuse_real(final)
    making = final.with_name(f"{final.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    try:
        code = _run_inside(make_workspace(making, "demo"))
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        raise
    if code != 0:
        _keep_failed(making, final)
    _put_in_place(making, final)
    told = final / "reports" / "demo.json"
    facts = json.loads(told.read_text()) | {"whole_s": time.monotonic() - began}
    told.write_text(json.dumps(facts, indent=1) + "\n")
    show_summary(Console(), facts, final)


def refuse_real(root: Path) -> None:
    """Only a workspace that bears the demo's own marker is ever replaced: WorkspaceRefused for any other folder with
    something in it."""
    if not root.exists() or not any(root.iterdir()):
        return
    marker = root / MARKER
    if not marker.exists() or json.loads(marker.read_text()).get("kind") != "demo":
        raise WorkspaceRefused(
            "ICTAL_HOME holds what the demo did not make, and never touches; set ICTAL_HOME elsewhere"
        )


def _run_inside(workspace: Workspace) -> int:
    """Run the steps in a process group of their own, so that stopping reaches stages, workers and servers alike."""
    early = f"from flows import temporary_server, warm; temporary_server.begin(); warm.place({STAGES})"
    # both start while this process imports Prefect; and there is no main module for workers to import
    command = [sys.executable, "-c", f"{early}; from flows.demo import main; main()"]
    process = subprocess.Popen(command, env=workspace.environment(), start_new_session=True)
    try:
        return process.wait()
    except BaseException:
        _stop_group(process)
        raise


def _stop_group(process: "subprocess.Popen[bytes]") -> None:
    """At once and without goodbyes: all that these processes were writing is thrown away with the folder."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _put_in_place(making: Path, final: Path) -> None:
    """The old workspace is deleted under another name: one that is half gone bears no marker any more, and would never be
    replaced."""
    old = final.with_name(f"{final.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    try:
        if final.exists():
            final.rename(old)
        making.rename(final)
    except BaseException:
        if old.exists() and not final.exists():
            old.rename(final)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _keep_failed(making: Path, final: Path) -> None:
    """What a failed demo made is kept apart, to be looked at; the workspace before it stays."""
    failed = final.with_name(f"{final.name}.failed")
    shutil.rmtree(failed, ignore_errors=True)
    making.rename(failed)
    raise DemoFailed(f"the demo failed; what it had made is in {failed}")
