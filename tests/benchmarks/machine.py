"""When, with which code and libraries, and on which machine benchmarks were run."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

LIBRARIES = (
    "numpy", "scipy", "pandas", "torch", "onnxruntime", "mne", "timescoring", "scikit-learn", "sqlalchemy", "fastapi",
    "evidently", "opencv-python-headless",
)  # fmt: skip


LOOKS_S = 3.0
"""How long is looked at what else the machine does: the kernel's own average tells of the minute before as well."""


def described() -> dict[str, Any]:
    """As it is now, before anything is measured; `load` is how many cores are busy."""
    from flows.workspace import checkout_state  # here, so that the processes that run cases do not load it

    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        **checkout_state(),
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "processor": _processor(),
            "cores": os.cpu_count(),
            "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
            "load": round((os.cpu_count() or 1) * psutil.cpu_percent(LOOKS_S) / 100, 1),
            "niceness": os.nice(0),
            "python": platform.python_version(),
            **{name: version(name) for name in ("ictal", *LIBRARIES)},
        },
    }


def _processor() -> str:
    """Its name by the kernel; what Python knows of it where there is no such file."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    named = next((line for line in lines if line.startswith("model name")), "")
    return named.partition(":")[2].strip() or platform.processor() or platform.machine()
