"""Stands in for ``ctypes`` in private copies, which use it for the bits of a floating-point number.

``ctypes`` would cost every process that measures something 0.4 MiB and some milliseconds. With newer releases of libffi
it also keeps a file open, whose number the app's next file would have had.
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
