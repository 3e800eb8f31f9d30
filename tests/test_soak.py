"""What the soak judges: memory that grows is told from memory that is filled once and stays."""

import numpy as np
import pytest

from tests.benchmarks.load import _length
from tests.benchmarks.soak import FLAT, growth_of


def test_memory_that_is_filled_once_is_flat_and_memory_that_leaks_is_not() -> None:
    filled = [200.0] * 5 + [400.0] * 95
    assert growth_of(filled) == 0
    assert growth_of(np.linspace(400, 500, 100).tolist()) == pytest.approx(60 / 430, abs=0.01) and FLAT < 60 / 430


def test_the_length_of_an_answer_is_read_whatever_the_case_of_its_name() -> None:
    assert _length(b"HTTP/1.1 200 OK\r\nContent-Length: 17\r\nx: y\r\n\r\n") == 17
