"""What an answer depends on besides the model: what was asked of which files, by which code, on what kind of machine.

It goes into every answer, so that the same can be asked again. The bytes themselves are not kept by a service.
"""

import platform
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from lineage.digest import Digest, digest_of, sha256_file
from models.engines import REFERENCE
from serving.schema import Asked, Span

ANSWERING = ("lineage/digest.py", "data", "models", "serving/answering.py", "serving/naming.py", "serving/schema.py")
"""The code that an answer comes from. What lies around it (keys, limits, journal) changes who is answered, never what."""

ROOT = Path(__file__).resolve().parents[1]


def asked_of(
    files: Sequence[Path],
    age_days: float | None,
    marked: Sequence[tuple[float, float]] = (),
    pose_estimator: Digest | None = None,
    engine: str = REFERENCE,
) -> Asked:
    """What is asked now, here. `age_days` is as declared, `marked` holds (onset_s, duration_s)."""
    return Asked(
        files=tuple(sha256_file(file) for file in files),
        views=tuple(view_of(file) for file in files),
        age_days=age_days,
        stretches=tuple(Span(onset_s=onset_s, duration_s=length_s) for onset_s, length_s in marked),
        pose_estimator=pose_estimator,
        code=answering_code(),
        machine=machine(),
        engine=engine,
    )


def view_of(file: Path) -> str:
    """The `view-` entity of a film's file name: all that an answer takes from a name."""
    found = re.search(r"_view-([A-Za-z0-9]+)", file.name)
    return found.group(1) if found else ""


@cache
def answering_code() -> Digest:
    """Digest of the code behind an answer, as it lies here."""
    kinds = ("*.py", "*.yaml")
    found = [
        file
        for part in ANSWERING
        for file in ([ROOT / part] if (ROOT / part).is_file() else [f for k in kinds for f in (ROOT / part).rglob(k)])
    ]
    return digest_of({file.relative_to(ROOT).as_posix(): sha256_file(file) for file in sorted(found)})


@cache
def machine() -> str:
    """The kind of machine: sums are made in another order where the processor's widest instructions differ."""
    return f"{platform.system()} {platform.machine()} {_widest()}".strip()


def _widest() -> str:
    try:
        flags = set(re.findall(r"[\w.]+", re.search(r"(?m)^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text())[1]))  # type: ignore[index]
    except (OSError, TypeError):
        return ""  # no Linux on Intel or AMD
    return next((flag for flag in ("avx512f", "avx2", "avx") if flag in flags), "")
