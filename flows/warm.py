"""One process that has imported what stages and DVC need and is forked for each: imports are most of a short command.

A command that runs stages starts it (`place`) and has it run `dvc` (`run`); DVC's stages find its socket in ICTAL_WARM.
`ictal stage` hands over its arguments, folder, environment and standard streams, and waits for the exit code (`run_there`).
Where there is none, or it is gone, the command runs in a process of its own, with the same code. Linux alone: elsewhere a
fork is not safe.
"""

import atexit
import gc
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import IO

PLACE = "ICTAL_WARM"
LONGEST_REQUEST = 1 << 17
"""Bytes: an environment and a few arguments. Below the least that Linux lets through in one piece."""

NEEDED = {
    "simulate": ("scipy.signal",),
    "check": ("great_expectations", "scipy.signal"),
    "split": ("great_expectations", "scipy.signal"),
    "pretrain": ("torch", "torch._dynamo"),  # the second with the first optimiser, and larger than all the rest
    "train": ("torch", "torch._dynamo", "scipy.signal"),
    "evaluate": ("torch", "scipy.signal"),
    "train_types": ("torch", "torch._dynamo", "scipy.signal"),
    "evaluate_types": ("torch", "scipy.signal"),
    "report": ("matplotlib.pyplot",),
    "report_types": ("matplotlib.pyplot",),
}
"""What a stage imports where it is used, hence after the fork, unless it is there before."""

DVC = ("dvc.cli.parser", "dvc.repo.reproduce", "dvc.commands.repro", "scmrepo.git", "dvc.lock", "dvc.compare")

_one_at_a_time = threading.Lock()
_started: list[tuple[str, "subprocess.Popen[bytes]"]] = []


def place(ahead: Sequence[str] = ()) -> dict[str, str]:
    """The environment by which stages find the process of this command; the first call starts it.

    `ahead` names stages that are known to come: what they need is imported while nobody asks for anything.
    """
    if sys.platform != "linux":
        return {}
    with _one_at_a_time:
        if not _started:
            _started.append(_start(ahead))
    return {PLACE: _started[0][0]}


def run_there(stage: str, what: Sequence[str]) -> int | None:
    """The exit code of a stage that ran in a fork of the warm process; None where there is no such process."""
    if PLACE not in os.environ:
        return None
    return _asked(["ictal", "stage", stage, *what], Path.cwd(), os.environ, (1, 2))


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """A `dvc` command with what it said: in a fork of the process that `environment` names, otherwise in one of its own."""
    if PLACE in environment:
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            code = _asked(command, folder, environment, (out.fileno(), err.fileno()))
            if code is not None:
                return subprocess.CompletedProcess(list(command), code, _read(out), _read(err))
    own = [sys.executable, "-m", *command]
    return subprocess.run(own, cwd=folder, env=dict(environment), capture_output=True, text=True)


def _read(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode()


def _asked(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], streams: tuple[int, int]
) -> int | None:
    """The exit code; the fork of a stage is not told of this process, since it starts no other stage."""
    place_ = environment[PLACE]
    kept = {name: value for name, value in environment.items() if name != PLACE or command[0] == "dvc"}
    request = json.dumps([list(command), str(folder), kept]).encode()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asking:
            asking.connect(place_)
            socket.send_fds(asking, [request], list(streams))
            answer = asking.recv(1)
    except OSError:
        return None
    return answer[0] if answer else 1  # killed, or out of memory: it said nothing


def _start(ahead: Sequence[str]) -> tuple[str, "subprocess.Popen[bytes]"]:
    """Listen first and hand the socket over, so that whoever asks early only waits."""
    folder = tempfile.mkdtemp(prefix="ictal-")  # nobody else may enter
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = str(Path(folder) / "stages")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(path)
        listening.listen()
        command = [sys.executable, "-c", f"from flows.warm import main; main({listening.fileno()}, {list(ahead)})"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[listening.fileno()])
    assert process.stdin
    atexit.register(process.stdin.close)  # it ends when this end closes, however that comes about
    return path, process


def main(listening_fd: int, ahead: Sequence[str]) -> None:
    """Fork for every command that is asked for, until whoever started this process is gone."""
    from data.processes import begin_alone

    begin_alone()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # forks tell their exit code themselves
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches whoever started this process, which then ends as well
    coming = list(dict.fromkeys([*DVC, *(module for stage in ahead for module in _needed(stage))])) if ahead else []
    with socket.socket(fileno=listening_fd) as listening:
        while sys.stdin not in (asking := select.select([listening, sys.stdin], [], [], 0 if coming else None)[0]):
            if asking:
                _fork(listening)
            else:
                _import([coming.pop(0)])


def _fork(listening: socket.socket) -> None:
    connection, _ = listening.accept()
    with connection:
        request, streams, _, _ = socket.recv_fds(connection, LONGEST_REQUEST, 2)
        command, folder, environment = json.loads(request)
        if command[0] == "dvc":
            _import(DVC)
        elif command[2] in NEEDED:
            _import(_needed(command[2]))
        gc.freeze()  # what is imported stays shared: a collection in the fork would write to all of it
        if os.fork() == 0:
            listening.close()
            _live(connection, streams, command, folder, environment)
        for stream in streams:
            os.close(stream)


def _needed(stage: str) -> list[str]:
    return [f"flows.stages.{stage}", *NEEDED[stage]]


def _import(modules: Sequence[str]) -> None:
    with warnings.catch_warnings():  # some libraries redirect them while they are imported
        for module in modules:
            import_module(module)


def _live(
    connection: socket.socket, streams: Sequence[int], command: list[str], folder: str, environment: dict[str, str]
) -> None:
    """What a fork does: be the command in the caller's place, tell the exit code, and end."""
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for stream, place_ in zip(streams, (1, 2), strict=True):
            os.dup2(stream, place_)
            os.close(stream)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        code = _command(command)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        connection.send(bytes([code]))
        os._exit(code)


def _command(arguments: list[str]) -> int:
    sys.argv = arguments
    try:
        if arguments[0] == "dvc":
            from dvc.cli import main as dvc

            return int(dvc(arguments[1:]))
        from flows.cli import main as ictal

        ictal()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0
