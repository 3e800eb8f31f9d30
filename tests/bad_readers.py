"""Readers that do what no reader should. They import little, since every process that runs one has to."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from data.readers.apart import may_run_apart

MARK = "NAME-OF-NOBODY"


@may_run_apart
def crash(path: Path) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


@may_run_apart
def spin(path: Path) -> None:
    while True:
        pass


@may_run_apart
def hoard(path: Path) -> None:
    np.ones(1 << 30)


@may_run_apart
def sleep(path: Path) -> None:
    time.sleep(600)


@may_run_apart
def stumble(path: Path) -> None:
    raise ZeroDivisionError(f"{MARK} in {path}")


@may_run_apart
def lost(path: Path) -> None:
    raise FileNotFoundError(2, "no such file", str(path))


@may_run_apart
def chatter(path: Path) -> tuple[()]:
    os.write(1, MARK.encode())
    print(MARK, file=sys.stderr)
    return ()


class Trap:
    def __reduce__(self) -> Any:
        return os.system, ("true",)


@may_run_apart
def trap(path: Path) -> Trap:
    return Trap()


@may_run_apart
def pid(path: Path) -> int:
    return os.getpid()
