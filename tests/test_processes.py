"""Workers are forked only from a process that said it is alone, and only while it is."""

import subprocess
import sys

ALONE = """
import threading
from data.processes import begin_alone, context
{before}
print(context().get_start_method())
wait = threading.Event()
thread = threading.Thread(target=wait.wait)
thread.start()
print(context().get_start_method())
wait.set()
thread.join()
"""


def methods(before: str) -> list[str]:
    code = ALONE.format(before=before)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


def test_a_process_that_is_alone_is_forked_until_it_runs_a_second_thread() -> None:
    assert methods("begin_alone()") == ["fork", "forkserver"]


def test_any_other_process_never_is() -> None:
    assert methods("") == ["forkserver", "forkserver"]
