"""A signal handler that needs neither the interpreter nor its lock: it writes the signal's number to a file descriptor.

Python's own handlers run in the main thread between two instructions: never, where that thread sits in C code. Those of
``faulthandler`` can be set in any thread, but walk the frames of a running interpreter: on 3.12 and 3.13, two of a
hundred busy processes crashed in them. This one is fifteen instructions long and calls ``write``.
"""

from __future__ import annotations

import platform
import struct
import sys
from collections.abc import Callable
from typing import Any

from otel_injection.lifecycle import descriptors, uwsgi

_PROT_READ_EXECUTE = 1 | 4

_CODE = {
    # endbr64; push rdi; mov rsi, rsp; mov edi, FD; mov edx, 1; mov eax, 1 (write); syscall; pop rdi; ret
    "x86_64": lambda fd: (
        b"\xf3\x0f\x1e\xfa\x57\x48\x89\xe6\xbf" + struct.pack("<I", fd) + b"\xba\1\0\0\0\xb8\1\0\0\0\x0f\5\x5f\xc3"
    ),
    # str w0, [sp, -16]!; mov x1, sp; mov w0, FD; mov x2, 1; mov x8, 64 (write); svc 0; add sp, sp, 16; ret
    "aarch64": lambda fd: struct.pack(
        "<8I",
        *(0xB81F0FE0, 0x910003E1, 0x52800000 | (fd & 0xFFFF) << 5, 0xD2800022),
        *(0xD2800808, 0xD4000001, 0x910043FF, 0xD65F03C0),
    ),
}


_functions: dict[str, Callable[..., int]] = {}
_types: dict[str, Any] = {}


class Handler:
    """A handler that writes to ``fd``.

    Making one raises OSError, ImportError or KeyError where it cannot work: without ``_ctypes``, on another processor,
    or where memory may not be executed.
    """

    def __init__(self, fd: int) -> None:
        import mmap

        if fd > 0xFFFF:
            raise OSError(f"file descriptor {fd} is too large")
        if "_ctypes" not in sys.modules:  # importing it may open a file for good, in newer releases with libffi
            descriptors.opening_out_of_the_way(fd, lambda: __import__("_ctypes"))
        import _ctypes  # ctypes itself takes longer to import, and is not needed

        self._signal, self._sigaction, mprotect = map(_function, ("signal", "sigaction", "mprotect"))
        self._page = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._page.write(_CODE[platform.machine()](fd))
        self._address = _address(self._page)
        if mprotect(self._address, mmap.PAGESIZE, _PROT_READ_EXECUTE):
            raise OSError(_ctypes.get_errno(), "memory may not be executed")
        self._replaced: dict[int, bytearray] = {}
        self._answer = bytearray(1024)
        self._answer_address = _address(self._answer)

    def set(self, signum: int, of_uwsgi: bool) -> bool:
        """Handle a signal whose disposition is the default one; return whether that is so now. From any thread."""
        disposition = self._disposition(signum)
        if disposition == 0 or (of_uwsgi and uwsgi.owns(disposition)):
            self._replaced[signum] = self._answer[:]
            self._signal(signum, self._address)  # system calls go on after it: SA_RESTART
        return self.is_set(signum)

    def reset(self, signum: int) -> None:
        """Give a signal its disposition back, unless somebody else handles it by now."""
        if self.is_set(signum):
            self._sigaction(signum, _address(self._replaced[signum]), 0)

    def is_set(self, signum: int) -> bool:
        """Return whether it is this handler that a signal meets."""
        return self._disposition(signum) == self._address

    def _disposition(self, signum: int) -> int:
        """Return the address of a signal's handler: what ``struct sigaction`` begins with. 0 is the default one."""
        if self._sigaction(signum, 0, self._answer_address):
            return -1
        return int(struct.unpack_from("P", self._answer)[0])


def _function(name: str) -> Callable[..., int]:
    """Return a function of the C library that takes numbers and addresses, and returns an ``int``."""
    if name not in _functions:  # to make one costs milliseconds, and children of a fork need it again
        _functions[name] = _made(name)
    return _functions[name]


def _made(name: str) -> Callable[..., int]:
    import _ctypes

    class Function(_ctypes.CFuncPtr):
        """A function that is called as C is, and whose ``errno`` is kept; see ``ctypes.CDLL``."""

        _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
        _restype_ = _simple("i")

    program: Any = None
    function: Any = Function(_ctypes.dlsym(_ctypes.dlopen(program, 0), name))
    word = _simple("L")
    return lambda *arguments: int(function(*map(word, arguments)))


def _address(memory: Any) -> int:
    """Return where the bytes of a writable buffer are."""
    import _ctypes

    return _ctypes.addressof(_simple("c").from_buffer(memory))


def _simple(code: str) -> Any:
    """Return the type of a C value by its code; see ``struct`` and ``ctypes.c_int`` and others."""
    if code not in _types:
        import _ctypes

        base: Any = _ctypes._SimpleCData
        _types[code] = type(base)("Value", (base,), {"_type_": code})
    return _types[code]
