"""Copies of recordings without what names the patient: header fields, dates, free labels and typed annotations.

EEG itself identifies people, so that the copy is pseudonymised, not anonymous.
"""

import re
from pathlib import Path

import numpy as np

from data.montage import is_eeg
from data.outcomes import Refusal
from data.readers.edf_header import FIXED_BYTES, Header, read_header
from data.readers.edf_times import without_texts

_KINDS = re.compile(r"(ECG|EKG|EOG|EMG|EEG|RESP|SAO2|SPO2|PULSE|TEMP|STATUS|TRIG|DC)\d*", re.IGNORECASE)
_FILTERS = re.compile(rb"((HP|LP|N|BP):?\s*[\d.]+\s*(Hz)?[\s;,]*)*", re.IGNORECASE)
_NOBODY = ((8, b"X X X X", 80), (88, b"Startdate X X X X", 80), (168, b"01.01.85", 8), (176, b"00.00.00", 8))


def deidentify(source: Path, target: Path) -> None:
    """Write `source` (EDF, BDF) to `target`, which must not exist, without what a person may have typed into it.

    Blanked are patient, recording, start date and time, transducers, every label that names no electrode or common
    sensor, and every annotation that is no seizure type. Samples, record times and seizure marks stay byte for byte.
    The age goes with the dates: state it beside the copy. Refuses what `read_header` refuses, and a cut file.
    """
    with open(source, "rb") as file:
        header = read_header(file)
        records = header.whole_records()
        file.seek(0)
        head = _nameless_header(bytearray(file.read(header.header_bytes)), header)
        body = bytearray(file.read(records * header.record_bytes))
    if len(body) < records * header.record_bytes:
        raise Refusal("truncated", "the file ended while it was read: transfer it again")
    _blank_annotations(body, header, records)
    with open(target, "xb") as file:
        file.write(head)
        file.write(body)


def _nameless_header(head: bytearray, header: Header) -> bytearray:
    for at, text, width in _NOBODY:
        head[at : at + width] = text.ljust(width)
    reserved = header.reserved[:5] if re.match(r"[EB]DF\+[CD]|24BIT", header.reserved) else ""
    head[192:236] = reserved.encode().ljust(44)
    count = len(header.signals)
    transducers, prefilters, reserves = (FIXED_BYTES + count * offset for offset in (16, 136, 224))
    for i, signal in enumerate(header.signals):
        if not (signal.is_annotation or is_eeg(signal.label) or _KINDS.fullmatch(signal.label)):
            head[FIXED_BYTES + 16 * i : FIXED_BYTES + 16 * (i + 1)] = f"Signal {i + 1}".encode().ljust(16)
        at = prefilters + 80 * i
        if not _FILTERS.fullmatch(bytes(head[at : at + 80]).strip(b" \0")):
            head[at : at + 80] = b" " * 80
    head[transducers : transducers + 80 * count] = b" " * (80 * count)
    head[reserves : reserves + 32 * count] = b" " * (32 * count)
    return head


def _blank_annotations(body: bytearray, header: Header, records: int) -> None:
    ends = np.cumsum([s.samples for s in header.signals]) * header.bytes_per_sample
    for signal, end in zip(header.signals, ends, strict=True):
        if signal.is_annotation:
            start = int(end) - signal.samples * header.bytes_per_sample
            for at in range(0, records * header.record_bytes, header.record_bytes):
                body[at + start : at + int(end)] = without_texts(bytes(body[at + start : at + int(end)]))
