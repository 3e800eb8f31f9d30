"""Short stretches of EEG that somebody else cut and sorted into folders, one NumPy array each, as `Recording`s.

A NumPy file says nothing of sampling rate, unit or channels, so a statement has to: a JSON file `windows.json` beside
the folders, one given by name, or one that Ictal brings along for public files that it knows by their SHA-256. What is
not stated is refused, never guessed.
"""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data.ages import parse_age
from data.outcomes import Refusal
from data.recording import Recording, Segment
from lineage.digest import Digest, digest_of, sha256_bytes

STATEMENT = "windows.json"
KNOWN = Path(__file__).parent / "statements"
"""Statements on public files, each with the SHA-256 of the files that it is about."""
MOST_HZ = 1e6
"""Beyond any amplifier's sampling rate."""
UNITS_UV = {"µV": 1.0, "uV": 1.0, "mV": 1e3, "V": 1e6}
NEEDED: Mapping[str, type | tuple[type, ...]] = {
    "title": str, "source": str, "rate_hz": (int, float), "unit": str, "channels": list, "seizure": list, "other": list,
}  # fmt: skip
OPTIONAL: Mapping[str, type | tuple[type, ...]] = {"age": str, "persons": int, "limits": list, "files": dict}


@dataclass(frozen=True)
class Stated:
    """What is said of a set of windows: how they were recorded, and which folders hold seizures (`seizure`) or not (`other`).

    `age_days` at recording and the number of `persons` may be unknown (None). `limits` are sentences on what the windows
    cannot show; `files` gives the SHA-256 of each file as `FOLDER/NAME`, where the statement is bound to certain bytes.
    """

    title: str
    source: str
    rate_hz: float
    unit: str
    channels: tuple[str, ...]
    seizure: tuple[str, ...]
    other: tuple[str, ...]
    age_days: float | None
    persons: int | None
    limits: tuple[str, ...]
    files: Mapping[str, Digest]


@dataclass(frozen=True)
class LabelledWindow:
    """One array as a recording; `name` is `FOLDER/FILE` and `is_seizure` what its folder says."""

    name: str
    is_seizure: bool
    recording: Recording


@dataclass(frozen=True)
class LabelledWindows:
    """All windows of a set, by name, and what is stated of them."""

    stated: Stated
    windows: tuple[LabelledWindow, ...]

    @property
    def digest(self) -> Digest:
        """Names bytes, labels and statement; not what files are called."""
        stated = {key: value for key, value in asdict(self.stated).items() if key != "files"}
        return digest_of([stated, sorted([w.recording.digest, w.is_seizure] for w in self.windows)])

    @property
    def labels(self) -> np.ndarray:
        """Bool (windows,): inside a seizure."""
        return np.array([w.is_seizure for w in self.windows])


def read_labelled(places: Sequence[Path], statement: Path | None = None) -> LabelledWindows:
    """Read the windows in `places` (files, folders of a class, or a folder with those in it).

    Refuses with `no_signal` where nothing is there, `unsupported_format` what is not stated, not sorted, not two
    classes or no NumPy array of numbers (channels, samples), `unit_suspect` a unit that is not known, and `corrupt`
    damaged files, missing samples, bytes other than those stated, and the same window twice.
    """
    content = {path: _read(path) for path in _arrays(places)}
    digests = {path: sha256_bytes(raw) for path, raw in content.items()}
    stated = _statement(places, statement, digests)
    labels = {path: _label(path, stated) for path in content}
    _refuse_others(stated, digests)
    windows = [
        LabelledWindow(_name(path), labels[path], _recording(number, raw, digests[path], stated))
        for number, (path, raw) in enumerate(content.items(), 1)
    ]
    seizing = sum(labels.values())
    if not 0 < seizing < len(windows):
        raise Refusal(
            "unsupported_format",
            f"{seizing} of {len(windows)} windows are seizures: an area under the curve needs windows of both kinds",
        )
    return LabelledWindows(stated, tuple(windows))


def read_statement(path: Path) -> Stated:
    """Read a statement; refuses with `unsupported_format` what it does not say or says in another form."""
    try:
        said = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise Refusal("unsupported_format", f"there is no such statement on the windows: {NEXT}") from None
    except (OSError, ValueError, RecursionError):
        raise Refusal("unsupported_format", f"the statement on the windows is not JSON: {NEXT}") from None
    if not isinstance(said, dict):
        raise Refusal("unsupported_format", f"the statement on the windows is no JSON object: {NEXT}")
    missing = [key for key in NEEDED if key not in said]
    unknown = [key for key in said if key not in {*NEEDED, *OPTIONAL}]
    if missing or unknown:
        told = [f"does not state {', '.join(missing)}"] * bool(missing) + [
            f"has settings that are not known: {', '.join(k[:20] for k in unknown[:4])}"
        ] * bool(unknown)
        raise Refusal("unsupported_format", f"the statement on the windows {' and '.join(told)}: {NEXT}")
    return _checked(said)


NEXT = (
    'give a JSON file with --labels, or as windows.json beside the folders, as in {"title": …, "source": …, '
    '"rate_hz": 256, "unit": "µV", "channels": ["FP1-F7", …], "age": "11y", "seizure": ["ictal"], '
    '"other": ["preictal_10s"]}'
)


def _checked(said: Mapping[str, Any]) -> Stated:
    kinds = {**NEEDED, **OPTIONAL}
    wrong = [key for key, value in said.items() if not isinstance(value, kinds[key]) or isinstance(value, bool)]
    lists = [key for key in ("channels", "seizure", "other", "limits") if not _texts(said.get(key, []))]
    if wrong or lists:
        raise Refusal("unsupported_format", f"{', '.join(dict.fromkeys(wrong + lists))} cannot be read: {NEXT}")
    if said["unit"] not in UNITS_UV:
        raise Refusal("unit_suspect", f"the unit {said['unit'][:12]!r} is not known: write {', '.join(UNITS_UV)}")
    if not 0 < said["rate_hz"] <= MOST_HZ:
        got = str(said["rate_hz"])[:12]
        raise Refusal("unsupported_format", f"rate_hz must be above 0 and at most {MOST_HZ:g}, got {got}: {NEXT}")
    return Stated(
        title=said["title"],
        source=said["source"],
        rate_hz=float(said["rate_hz"]),
        unit=said["unit"],
        channels=tuple(said["channels"]),
        seizure=tuple(said["seizure"]),
        other=tuple(said["other"]),
        age_days=parse_age(said["age"]) if "age" in said else None,
        persons=said.get("persons"),
        limits=tuple(said.get("limits", ())),
        files=dict(said.get("files", {})),
    )


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _arrays(places: Sequence[Path]) -> list[Path]:
    """The .npy files of a place, or of the folders in it; each once, in the order of their names."""
    found: set[Path] = set()
    for place in places:
        if place.is_dir():
            found.update(p.resolve() for p in (sorted(place.glob("*.npy")) or sorted(place.glob("*/*.npy"))))
        elif place.suffix == ".npy" and place.is_file():
            found.add(place.resolve())
        else:
            raise Refusal("no_signal", f"place {places.index(place) + 1} is neither a folder nor a .npy file")
    if not found:
        raise Refusal("no_signal", "there is no .npy file in the folder nor in the folders in it")
    return sorted(found, key=_name)


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise Refusal("corrupt", "a window cannot be read from the disk") from None


def _statement(places: Sequence[Path], given: Path | None, digests: Mapping[Path, Digest]) -> Stated:
    """The statement given, else the one that lies beside the windows, else one of those that Ictal brings along."""
    if given is not None:
        return read_statement(given)
    folders = [place if place.is_dir() else place.parent for place in places]
    beside = [near / STATEMENT for folder in folders for near in (folder, folder.parent)]
    for path in beside:
        if path.is_file():
            return read_statement(path)
    for path in sorted(KNOWN.glob("*.json")):
        known = read_statement(path)
        if set(digests.values()) <= set(known.files.values()):
            return known
    raise Refusal("unsupported_format", f"nothing states rate, unit and channels of these windows: {NEXT}")


def _label(path: Path, stated: Stated) -> bool:
    folder = path.parent.name
    if (folder in stated.seizure) == (folder in stated.other):
        told = "both as seizure and as other" if folder in stated.seizure else "neither as seizure nor as other"
        raise Refusal("unsupported_format", f"the statement names the folder of a window {told}: {NEXT}")
    return folder in stated.seizure


def _refuse_others(stated: Stated, digests: Mapping[Path, Digest]) -> None:
    if len(set(digests.values())) < len(digests):
        raise Refusal("corrupt", "two of the windows have the same bytes: leave one out")
    if stated.files:
        others = sum(stated.files.get(_name(path)) != digest for path, digest in digests.items())
        if others:
            raise Refusal(
                "corrupt",
                f"{others} of {len(digests)} windows are not the files that the statement names by SHA-256: fetch them "
                "again, or state what they are without `files`",
            )


def _recording(number: int, raw: bytes, digest: Digest, stated: Stated) -> Recording:
    try:
        signal = np.load(io.BytesIO(raw), allow_pickle=False)
    except (ValueError, EOFError, OSError, SyntaxError, MemoryError, OverflowError, TypeError):
        raise Refusal("corrupt", f"window {number} cannot be read as a NumPy array: write it with numpy.save") from None
    if not isinstance(signal, np.ndarray) or signal.dtype.kind not in "fiu" or signal.ndim != 2:
        raise Refusal("unsupported_format", f"window {number} is no array of numbers (channels, samples)")
    if signal.shape[0] != len(stated.channels) or not signal.shape[1]:
        raise Refusal(
            "unsupported_format",
            f"window {number} has shape {signal.shape}, stated are {len(stated.channels)} channels: correct the statement",
        )
    if not np.isfinite(signal).all():
        raise Refusal("corrupt", f"window {number} has missing samples: leave it out")
    scaled = signal.astype(np.float64) * UNITS_UV[stated.unit]
    duration_s = signal.shape[1] / stated.rate_hz
    segments = (Segment(0.0, scaled),)
    return Recording(stated.channels, stated.rate_hz, segments, duration_s, digest, f"window-{number}", stated.age_days)
