"""Whether a file is a film at all, told from its first bytes: what no decoder should be asked to open."""

from pathlib import Path

from data.outcomes import CODES, Refusal

POINTER = b"version https://git-lfs"
REFUSED = b"Ictal did not take this film over: "
"""What stands, with a code behind it, in place of a film that was refused when its cohort was imported."""

BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"styp", b"moof", b"sidx", b"uuid", b"meta")
"""Types that a box at the top of an ISO base media (MP4, MOV) file may have."""


def check_container(path: Path) -> None:
    """Refuse what is not one of MP4 or MOV, Matroska or WebM, AVI, MPEG and ASF, and what was cut off before its end.

    MPEG says nowhere how long it is, nor do films that were never closed, as of a recorder that lost its power.
    """
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
    else:
        _check_end(path, start)


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


def _check_end(path: Path, start: bytes) -> None:
    """A Matroska, AVI or ASF file is as long as its beginning says, where it does."""
    size = path.stat().st_size
    if start.startswith(b"\x1a\x45\xdf\xa3"):
        stated = _segment_end(start)
    elif start[:4] == b"RIFF":
        stated = int.from_bytes(start[4:8], "little")
        stated = (
            0 if stated == 0xFFFFFFFF else stated
        )  # beside it the eight bytes of its head, which some count as well
    else:
        stated = _asf_size(start)
    if stated > size:
        raise Refusal("truncated", f"the file ends {stated - size} bytes early: transfer it again")


def _segment_end(start: bytes) -> int:
    """Where the segment after a Matroska file's head ends (RFC 8794); 0 where it does not say, as a live stream."""
    at, head = start.find(b"\x18\x53\x80\x67") + 4, 0
    if at >= 4 and at < len(start) and start[at]:
        head = 9 - start[at].bit_length()
    length = int.from_bytes(start[at : at + head], "big") & ((1 << 7 * head) - 1)
    return at + head + length if head and length != (1 << 7 * head) - 1 else 0


def _asf_size(start: bytes) -> int:
    """The size that an ASF file's properties state; 0 where there are none, or of a broadcast."""
    at = start.find(bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365"))
    is_file = at >= 0 and len(start) > at + 88 and not start[at + 88] & 1
    return int.from_bytes(start[at + 40 : at + 48], "little") if is_file else 0


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
