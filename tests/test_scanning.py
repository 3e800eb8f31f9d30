"""Who enrols a device may scan its secret from the terminal."""

import cv2
import numpy as np
import pytest

from flows.terminal import scannable
from lineage.onetime import enrolment_uri

LIGHT = {"█": (255, 255), "▀": (255, 0), "▄": (0, 255), " ": (0, 0)}
"""What each half of a character is, white on black."""


def test_what_a_terminal_shows_is_what_a_camera_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    address = enrolment_uri(bytes(range(20)), "neurologist-1")
    assert scannable(address) == "", "nobody scans a file"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    lines = [line.removeprefix("\x1b[97;40m").removesuffix("\x1b[0m") for line in scannable(address).splitlines()]
    halves = np.array([[LIGHT[mark] for mark in line] for line in lines], np.uint8)
    picture = halves.transpose(0, 2, 1).reshape(2 * len(lines), -1)
    read, *_ = cv2.QRCodeDetector().detectAndDecode(picture.repeat(8, axis=0).repeat(8, axis=1))
    assert read == address
