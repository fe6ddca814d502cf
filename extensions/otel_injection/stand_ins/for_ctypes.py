"""Stands for ``ctypes`` in private copies: the bits of a floating-point number.

``ctypes`` costs every process that measures 0.4 MiB and some milliseconds, and with newer releases of libffi an open
file, which takes the number of the app's next one.
"""

from __future__ import annotations

import struct


class c_double:  # noqa: N801 - the names are those of ctypes
    """A number; see ``ctypes.c_double``."""

    def __init__(self, value: float = 0.0) -> None:
        self.value = float(value)


class c_uint64:  # noqa: N801
    """Eight bytes as an unsigned integer; see ``ctypes.c_uint64``."""

    def __init__(self, value: int = 0) -> None:
        self.value = value

    @classmethod
    def from_buffer(cls, number: c_double) -> c_uint64:
        """Return the bytes of a number."""
        return cls(struct.unpack("=Q", struct.pack("=d", number.value))[0])
