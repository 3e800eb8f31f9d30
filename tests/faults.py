"""What should never be sent and one day is: recordings that are wrong in one way each, and what has to be said of them."""

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from data.montage import ELECTRODES
from data.pose import JOINTS, PoseTrack
from data.readers.edf import write_edf
from data.readers.pose import write_npz, write_parquet
from data.readers.video_writer import write_video
from tests.edf_bytes import File, Signal, eeg
from tests.served import RATE_HZ

SECONDS = 40
MARK = "NAME-OF-NOBODY"
"""Stands where a patient's name would: in the header of every recording, and in names of files."""

Sent = Callable[[], bytes]


@dataclass(frozen=True)
class Fault:
    """A file as it is sent to a route, and how the answer ends: an outcome's code, or a problem's status."""

    content: Sent
    ends: str | int
    route: str = "detect"
    age: str | None = "3d"
    name: str = f"{MARK}.edf"


def _edf(change: Callable[[np.ndarray], np.ndarray] = lambda signal: signal) -> bytes:
    """19 channels of noise, 10 µV, changed by `change`."""
    signal = change(np.random.default_rng(7).normal(0, 10, (len(ELECTRODES), int(SECONDS * RATE_HZ))))
    return _written("a.edf", lambda path: write_edf(path, signal, ELECTRODES, RATE_HZ))


@cache
def sound() -> bytes:
    """Nothing is wrong with it."""
    content = bytearray(_edf())
    content[8:88] = f"X F 02-FEB-2020 {MARK}".encode().ljust(80)
    return bytes(content)


def _signals(**fields: object) -> bytes:
    made = [eeg(name, SECONDS, seed=i, **fields) for i, name in enumerate(ELECTRODES)]
    return File(made, patient=f"X F X {MARK}".encode()).to_bytes()


def _over(at: int, text: bytes) -> bytes:
    """The sound recording with a part of its header written over."""
    return sound()[:at] + text + sound()[at + len(text) :]


def _mixed_rates() -> bytes:
    named = enumerate(ELECTRODES)
    return File([eeg(name, SECONDS, 256 if i < 4 else 50, seed=i) for i, name in named]).to_bytes()


def _beyond(values: int) -> bytes:
    """Samples far outside the range that the header announces."""
    loud = np.random.default_rng(0).integers(-values, values, (SECONDS, 256))
    return File([Signal(name, loud, limits=("-100", "100")) for name in ELECTRODES]).to_bytes()


EEG = {
    "an empty file": Fault(lambda: b"", "no_signal"),
    "one byte": Fault(lambda: b"0", "truncated"),
    "only zeros": Fault(lambda: bytes(100_000), "unsupported_format"),
    "a header alone": Fault(lambda: sound()[: 256 * 20], "truncated"),
    "a header that repeats itself": Fault(lambda: sound()[: 256 * 20] * 3, "truncated"),
    "not a number as the gain": Fault(lambda: _signals(physical=("nan", "nan")), "corrupt"),
    "infinite gain": Fault(lambda: _signals(physical=("-inf", "inf")), "corrupt"),
    "values beyond the announced range": Fault(lambda: _beyond(30_000), "unit_suspect"),
    "values beyond sense": Fault(lambda: _signals(physical=("-9e30", "9e30")), "unit_suspect"),
    "all channels flat": Fault(lambda: _edf(np.zeros_like), "flat"),
    "half the channels flat": Fault(lambda: _edf(lambda s: s * (np.arange(19) > 11)[:, None]), "flat"),
    "a thousand times the gain": Fault(lambda: _signals(physical=("-3276800", "3276700")), "unit_suspect"),
    "a thousandth of the gain": Fault(lambda: _signals(physical=("-3.2768", "3.2767")), "unit_suspect"),
    "millivolts said to be microvolts": Fault(lambda: _signals(dimension=b"mV"), "unit_suspect"),
    "degrees instead of volts": Fault(lambda: _signals(dimension=b"degC"), "unit_suspect"),
    "no unit": Fault(lambda: _signals(dimension=b""), "unit_suspect"),
    "clipped": Fault(lambda: _edf(lambda s: np.clip(s * 20, -15, 15)), "clipped"),
    "three channels": Fault(lambda: File([eeg(n, SECONDS) for n in ELECTRODES[:3]]).to_bytes(), "montage_missing"),
    "an unknown montage": Fault(lambda: File([eeg(f"E{i}", SECONDS) for i in range(19)]).to_bytes(), "montage_missing"),
    "other rates on most channels": Fault(_mixed_rates, "rate_too_low"),
    "too short": Fault(lambda: File([eeg(n, 5) for n in ELECTRODES]).to_bytes(), "too_short"),
    "minus one channel": Fault(lambda: _over(252, b"-1  "), "no_signal"),
    "ten thousand channels": Fault(lambda: _over(252, b"9999"), "corrupt"),
    "more records than there are": Fault(lambda: _over(236, b"99999999"), "truncated"),
    "records of no length": Fault(lambda: _over(244, b"0       "), "corrupt"),
    "records of a thousand years": Fault(lambda: _over(244, b"31556926"), "rate_too_low"),
    "bytes of no alphabet in the header": Fault(lambda: _over(256, bytes(range(128, 256)) * 2), "montage_missing"),
    "a zip archive": Fault(lambda: _zipped("a.edf", sound()), "unsupported_format"),
    "a zip bomb": Fault(lambda: _zipped("a.edf", bytes(50_000_000)), "unsupported_format"),
    "a compressed recording": Fault(lambda: gzip.compress(sound()), "unsupported_format"),
    "a document": Fault(lambda: b"%PDF-1.7 " * 100, "unsupported_format"),
    "a page with a script": Fault(lambda: b"<script>alert(1)</script>" * 50, "unsupported_format"),
    "a pickled object": Fault(lambda: b"\x80\x04cposix\nsystem\n(S'true'\ntR." * 10, "unsupported_format"),
    "a pointer of Git LFS": Fault(lambda: b"version https://git-lfs.github.com/spec/v1\n", "unsupported_format"),
    "a film asked for seizures in EEG": Fault(lambda: film(), "unsupported_format"),
    "a pose asked for seizures in EEG": Fault(lambda: pose(), "unsupported_format"),
    "an unknown age": Fault(sound, "age_unknown", age=None),
    "a grown-up": Fault(sound, "age_out_of_scope", age="34y"),
    "an age of a thousand years": Fault(sound, 400, age="1000y"),
    "an age below nothing": Fault(sound, 400, age="-3d"),
    "an age that is none": Fault(sound, 400, age="nan"),
    "an age of a million signs": Fault(sound, 400, age="9" * 10**6 + "d"),
    **{f"cut off at {tenth}0 %": Fault(lambda t=tenth: sound()[: len(sound()) * t // 10], "truncated")  # type: ignore[misc]
       for tenth in range(1, 10)},
    **{f"a file called {kind}": Fault(lambda: b"", "no_signal", name=name) for kind, name in {
        "as a path upwards": f"../../../../etc/{MARK}",
        "as an absolute path": f"/etc/{MARK}",
        "as a path of another system": f"..\\..\\{MARK}.edf",
        "as a device": "/dev/zero",
        "with an end in it": f"{MARK}.edf\0.png",
        "with lines in it": f"{MARK}\r\nSet-Cookie: a=b",
        "as a page": f"<script>{MARK}</script>",
    }.items()},
    "a file with a name of 14 kB": Fault(lambda: b"", 400, name=MARK * 1000),
}  # fmt: skip
"""Asked for seizures. The names of the files must not matter at all."""


def infant_pose(frames: int = 1500) -> PoseTrack:
    xy = np.random.default_rng(0).normal(100, 10, (frames, len(JOINTS), 2))
    return PoseTrack(np.arange(frames) / 25, xy, np.ones(xy.shape[:2]), frames / 25)


@cache
def pose() -> bytes:
    return _written("a.parquet", lambda path: write_parquet(infant_pose(), path))


@cache
def film() -> bytes:
    pictures = np.random.default_rng(0).integers(60, 200, (90, 64, 64), np.uint8)
    return _written("a.mp4", lambda path: write_video(path, pictures, rate_hz=15.0))


def _arrays(**changed: object) -> bytes:
    """Our own arrays of a pose, some of them others than they should be."""
    with np.load(io.BytesIO(_written("a.npz", lambda path: write_npz(infant_pose(), path)))) as file:
        arrays = {name: file[name] for name in file.files} | changed
    made = io.BytesIO()
    np.savez_compressed(made, **arrays)  # type: ignore[arg-type]
    return made.getvalue()


def _huge_array() -> bytes:
    """An archive whose array announces 8 TB."""
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)})
    return _zipped("time_s.npy", head.getvalue() + bytes(800))


def _frames(person: object, times: int = 100) -> bytes:
    return json.dumps([{"people": [{"pose_keypoints_2d": person}]}] * times).encode()


def _tar(name: str, content: bytes, kind: bytes = tarfile.REGTYPE, link: str = "", announced: int = 0) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.type, member.linkname = announced or len(content), kind, link
    return gzip.compress(member.tobuf() + content.ljust(512, b"\0") + bytes(1024))


def _cut(content: bytes, share: float) -> bytes:
    return content[: int(len(content) * share)]


_FAR = [{"coordinate": [10**400, 2]}] * len(JOINTS)
_POSES: dict[str, tuple[Sent, str]] = {
    "nothing": (lambda: b"", "unsupported_format"),
    "noise": (lambda: np.random.default_rng(1).bytes(5000), "unsupported_format"),
    "an EEG": (sound, "unsupported_format"),
    "half a table": (lambda: _cut(pose(), 0.5), "corrupt"),
    "the magic of a table and no more": (lambda: b"PAR1" * 20, "corrupt"),
    "a table of other columns": (lambda: _other_table(), "unsupported_format"),
    "nobody in it": (lambda: _arrays(xy=np.full((1500, 18, 2), np.nan)), "no_person"),
    "infinite positions": (lambda: _arrays(xy=np.full((1500, 18, 2), np.inf)), "no_person"),
    "times that are no numbers": (lambda: _arrays(time_s=np.full(1500, np.nan)), "corrupt"),
    "times backwards": (lambda: _arrays(time_s=np.arange(1500)[::-1] / 25), "corrupt"),
    "a length below nothing": (lambda: _arrays(duration_s=-1.0), "corrupt"),
    "a length of a million years": (lambda: _arrays(duration_s=3e13), "unsupported_format"),
    "text instead of positions": (lambda: _arrays(xy=np.full((1500, 18, 2), "x")), "corrupt"),
    "other joints": (lambda: _arrays(joints=np.array([f"j{i}" for i in range(18)])), "montage_missing"),
    "a pickled array": (lambda: _arrays(joints=np.array([{}] * 18)), "corrupt"),
    "an array of 8 TB": (_huge_array, "corrupt"),
    "a zip bomb": (lambda: _zipped("time_s.npy", bytes(800), 5 * 2**30), "unsupported_format"),
    "half an archive of arrays": (lambda: _cut(_arrays(), 0.5), "corrupt"),
    "an archive of nothing": (lambda: _zipped("a.txt", b""), "unsupported_format"),
    "a compressed bomb": (lambda: _tar("a/1.json", b"{}", announced=5 * 2**30), "unsupported_format"),
    "a link out of an archive": (lambda: _tar("a/1.json", b"", tarfile.SYMTYPE, "/etc/passwd"), "unsupported_format"),
    "a path out of an archive": (lambda: _tar(f"../../{MARK}.json", b"{}"), "unsupported_format"),
    "brackets without end": (lambda: b"[" * 200_000, "corrupt"),
    "brackets within brackets": (lambda: b"[" * 50_000 + b"]" * 50_000, "corrupt"),
    "numbers that no machine holds": (lambda: json.dumps([{"features": _FAR}] * 9).encode(), "corrupt"),
    "a number of a million digits": (lambda: b'{"features": ' + b"9" * 10**6 + b"}", "corrupt"),
    "frames that are none": (lambda: b'[{"features": null}, 3]', "corrupt"),
    "people who are none": (lambda: b'[{"people": 7}]', "unsupported_format"),
    "frames without times": (lambda: _frames([1.0] * 75), "unsupported_format"),
    "a table of an animal": (lambda: b"scorer,a,a\nbodyparts,b,b\ncoords,x,y\n0,1,2\n", "unsupported_format"),
    "half a film": (lambda: _cut(film(), 0.5), "truncated"),
    "a film that is a header": (lambda: film()[:40], "truncated"),
    "a film with boxes of no length": (lambda: film()[:4] + b"ftyp" + bytes(12) + b"\0\0\0\x01moov", "truncated"),
    "a film of noise": (lambda: b"\x1a\x45\xdf\xa3" + np.random.default_rng(2).bytes(9000), "corrupt"),
    "a film where nobody estimates poses": (film, "no_pose_estimator"),
}
POSES = {
    f"as a pose, {name}": Fault(content, ends, route="spasms", age="5mo") for name, (content, ends) in _POSES.items()
}
"""Asked for spasms, which a detector of poses looks for."""

ELSEWHERE = {
    f"{what} where no model is in force for {route}": Fault(content, "no_approved_model", route=route)
    for what, content in {"an EEG": sound, "noise": lambda: bytes(50)}.items()
    for route in ("typing", "semiology", "forecasting")
}
FAULTS = {**EEG, **POSES, **ELSEWHERE}


def real(path: Path) -> Fault:
    """A real file, asked about as what it is; how it ends is known to the tests of the readers."""
    route = "spasms" if path.parent.name == "video_files" else "detect"
    return replace(Fault(path.read_bytes, ""), route=route, age="3d" if route == "detect" else "5mo", name=path.name)


def _other_table() -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    made = io.BytesIO()
    pq.write_table(pa.table({"patient": [MARK]}), made)
    return made.getvalue()


def _zipped(name: str, content: bytes, announced: int = 0) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(name, content)
        archive.filelist[0].file_size = announced or len(content)
    return made.getvalue()


def _written(name: str, write: Callable[[Path], None]) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        write(path)
        return path.read_bytes()
