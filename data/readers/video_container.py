"""Whether a file is a film at all, told from its first bytes: what no decoder should be asked to open."""

from pathlib import Path

from data.outcomes import CODES, Refusal

POINTER = b"version https://git-lfs"
REFUSED = b"Ictal did not take this film over: "
"""What stands, with a code behind it, in place of a film that was refused when its cohort was imported."""

BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"styp", b"moof", b"sidx", b"uuid", b"meta")
"""Types that a box at the top of an ISO base media (MP4, MOV) file may have."""


MAX_INDEX = 1 << 20
"""Bytes of an index of fragments that are read: its 65,535 references fit."""


def check_container(path: Path) -> bool:
    """Refuse what is not one of MP4 or MOV, Matroska or WebM, AVI, MPEG and ASF, and what was cut off before its end; whether
    the file states its length at all.

    MPEG streams do not, nor do films that were never closed, as of a recorder that lost its power: that such a film was cut
    off cannot be seen.
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
        return _check_boxes(path)
    if not is_film(start):
        raise Refusal("unsupported_format", "the file is no MP4, MOV, MKV, WebM, AVI, MPEG or ASF film: convert it")
    return _check_end(path, start)


def _refuse_again(code: str) -> None:
    known = code if code in CODES else "corrupt"
    raise Refusal(known, f"the film was refused when it was imported ({known}): import it again once it is mended")


def is_film(start: bytes) -> bool:
    """Whether the first bytes of a file, of which 377 are enough, are those of a film of any container that is read."""
    iso = start[4:8] in BOXES
    matroska = start.startswith(b"\x1a\x45\xdf\xa3")
    avi = start[:4] == b"RIFF" and start[8:12] == b"AVI "
    program = start.startswith(b"\x00\x00\x01\xba")
    transport = len(start) > 376 and start[0] == start[188] == start[376] == 0x47
    asf = start.startswith(bytes.fromhex("3026b2758e66cf11"))
    return iso or matroska or avi or program or transport or asf


def _check_end(path: Path, start: bytes) -> bool:
    """A Matroska, AVI or ASF file is as long as its beginning says, where it does: whether it does."""
    size = path.stat().st_size
    if start.startswith(b"\x1a\x45\xdf\xa3"):
        stated = _segment_end(start)
    elif start[:4] == b"RIFF":
        stated = _riff_end(path, size)
    else:
        stated = _asf_size(start)
    _check_whole(stated, size)
    return stated > 0


def _check_whole(stated: int, size: int) -> None:
    if stated > size:
        raise Refusal("truncated", f"the file ends {stated - size} bytes early: transfer it again")


def _riff_end(path: Path, size: int) -> int:
    """Where an AVI file ends, of which what exceeds 1 GB follows in lists of its own (OpenDML); 0 where one does not say. Beside
    the length of each there are the eight bytes of its head, which some count as well."""
    at = end = 0
    with open(path, "rb") as file:
        while at + 8 <= size and (head := file.read(8))[:4] == b"RIFF":
            length = int.from_bytes(head[4:], "little")
            if length in (0, 0xFFFFFFFF):
                return 0
            end, at = at + length, at + 8 + length + length % 2
            file.seek(at)
    return end


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


def _check_boxes(path: Path) -> bool:
    """Walk over the top boxes of an ISO base media file (ISO/IEC 14496-12): they end where the file ends, and so does what an
    index of fragments (`sidx`) names. Whether the file states its length: of one of fragments, the last box (`mfra`) does."""
    size, at = path.stat().st_size, 0
    kinds: list[bytes] = []
    with open(path, "rb") as file:
        while at + 8 <= size:
            file.seek(at)
            head = file.read(16)
            length, kind = int.from_bytes(head[:4], "big"), head[4:8]
            if length == 1:
                length = int.from_bytes(head[8:16], "big")
            kinds.append(kind)
            if length == 0:
                break
            if length < 8:
                raise Refusal("corrupt", "the boxes of the file are damaged: export or transfer it again")
            at += length
            if kind == b"sidx" and head[3] != 1:  # one of more than 4 GB is none
                file.seek(at - length)
                _check_whole(at + _indexed(file.read(min(length, MAX_INDEX))), size)
    _check_whole(at, size)
    if not {b"moov", b"moof"} & set(kinds):
        raise Refusal("truncated", "the file lacks the table of its frames, written last: record or transfer it again")
    return b"moof" not in kinds or kinds[-1] == b"mfra"


def _indexed(box: bytes) -> int:
    """How many bytes after it the fragments end that an index box names."""
    wide = 8 if box[8:9] != b"\0" else 4
    first = int.from_bytes(box[20 + wide : 20 + 2 * wide], "big")
    references = box[24 + 2 * wide :]
    sizes = [int.from_bytes(references[at : at + 4], "big") & 0x7FFFFFFF for at in range(0, len(references), 12)]
    return first + sum(sizes)
