"""The bits of numbers are those that ctypes sees."""

from __future__ import annotations

import ctypes

from hypothesis import given
from hypothesis import strategies as st

from otel_injection.stand_ins import for_ctypes


@given(st.floats() | st.integers(-(2**60), 2**60))
def test_bits_are_those_of_ctypes(value: float) -> None:
    """Every number, infinite ones and those that are none included."""
    assert for_ctypes.c_uint64.from_buffer(for_ctypes.c_double(value)).value == (
        ctypes.c_uint64.from_buffer(ctypes.c_double(value)).value
    )
