"""Files as they really arrive, good, odd and broken, and the text in them that nobody may be shown."""

from pathlib import Path

from tests import SHARED

FOLDERS = ("edf_robustness", "neonatal_edf", "video_files")
FILES = sorted(
    p.relative_to(SHARED).as_posix() for folder in FOLDERS for p in (SHARED / folder).rglob("*") if p.is_file()
)
"""Empty where the folder of real recordings is not beside the checkout."""

UNTOLD = {"x", "startdate", "unknown", "anonymous"}


def patient_text(path: Path) -> list[str]:
    """What names the person: words of the two identification fields of an EDF header, and the path to the file."""
    words = path.read_bytes()[8:168].decode("latin-1").split() if path.suffix.lower() in (".edf", ".bdf") else []
    told = [w.strip("\0") for w in words if len(w.strip("\0")) > 3 and w.isprintable()]
    return [w for w in told if w.lower() not in UNTOLD] + [path.name, str(path.parent)]
