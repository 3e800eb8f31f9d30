"""Whether a file is a film at all, told from its first bytes: what no decoder should be asked to open."""

from pathlib import Path

from data.outcomes import CODES, Refusal

POINTER = b"version https://git-lfs"
REFUSED = b"Ictal did not take this film over: "
"""What stands, with a code behind it, in place of a film that was refused when its cohort was imported."""

BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"styp", b"moof", b"sidx", b"uuid", b"meta")
"""Types that a box at the top of an ISO base media (MP4, MOV) file may have."""


def check_container(path: Path) -> None:
    """Refuse what is not one of MP4 or MOV, Matroska or WebM, AVI, MPEG and ASF, and an MP4 cut off before its end."""
    try:
        if path.exists() and not path.is_file():
            raise Refusal("unsupported_format", "a folder or device is not a film: give one video file per view")
        with open(path, "rb") as file:
            start = file.read(1024)
    except OSError as error:
        raise type(error)(error.errno, "the film cannot be read") from None
    if not start:
        raise Refusal("no_signal", "the file is empty: transfer it again")
    if start.startswith(POINTER):
        raise Refusal("unsupported_format", "the file only points to a film kept in Git LFS: fetch it (git lfs pull)")
    if start.startswith(REFUSED):
        _refuse_again(start.removeprefix(REFUSED).decode("ascii", "replace"))
    if start[4:8] in BOXES:
        _check_boxes(path)
    elif not _is_film(start):
        raise Refusal("unsupported_format", "the file is no MP4, MOV, MKV, WebM, AVI, MPEG or ASF film: convert it")


def _refuse_again(code: str) -> None:
    known = code if code in CODES else "corrupt"
    raise Refusal(known, f"the film was refused when it was imported ({known}): import it again once it is mended")


def _is_film(start: bytes) -> bool:
    matroska = start.startswith(b"\x1a\x45\xdf\xa3")
    avi = start[:4] == b"RIFF" and start[8:12] == b"AVI "
    program = start.startswith(b"\x00\x00\x01\xba")
    transport = len(start) > 376 and start[0] == start[188] == start[376] == 0x47
    asf = start.startswith(bytes.fromhex("3026b2758e66cf11"))
    return matroska or avi or program or transport or asf


def _check_boxes(path: Path) -> None:
    """Walk over the top boxes of an ISO base media file (ISO/IEC 14496-12): they end where the file ends."""
    size, at = path.stat().st_size, 0
    kinds: set[bytes] = set()
    with open(path, "rb") as file:
        while at + 8 <= size:
            file.seek(at)
            head = file.read(16)
            length, kind = int.from_bytes(head[:4], "big"), head[4:8]
            if length == 1:
                length = int.from_bytes(head[8:16], "big")
            kinds.add(kind)
            if length == 0:
                break
            if length < 8:
                raise Refusal("corrupt", "the boxes of the file are damaged: export or transfer it again")
            at += length
    if at > size:
        raise Refusal("truncated", f"the file ends {at - size} bytes early: transfer it again")
    if not kinds & {b"moov", b"moof"}:
        raise Refusal("truncated", "the file lacks the table of its frames, written last: record or transfer it again")
