"""One ``service.instance.id`` per process, found without a writable file system.

The first process of a container keeps the value that the operator has set; every further one adds the lowest free
number, which is free again when the process has ended: workers that come and go do not multiply time series. A process
that only supervises others leaves the operator's value to the first one that serves. A name in
the abstract socket namespace is the lock: it needs no file, and the kernel releases it with the process.
"""

from __future__ import annotations

import hashlib
import os
from typing import Any

from otel_injection import ours
from otel_injection.lifecycle.descriptors import out_of_the_way

_SLOTS = 1024
_held: Any = None


def claim(base: str, first: int = 0) -> str:
    """Return the lowest free identity among those of ``base``, with a number of at least ``first``."""
    global _held
    release()
    try:
        import _socket  # the C part alone: it is not monkey-patched and costs nothing to import

        key = hashlib.sha256(base.encode("utf-8", "replace")).hexdigest()[:32]
        for slot in range(first, _SLOTS):
            lock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM)
            try:
                lock.bind(f"\0otel-injection/{key}/{slot}".encode())
            except OSError as error:
                lock.close()
                if error.errno != 98:  # EADDRINUSE
                    break
            else:
                _held = out_of_the_way(lock)
                return f"{base}-{slot}" if slot else base
    except ours():  # a platform without such sockets
        pass
    return f"{base}-{os.getpid()}"


def step_back(identity: str) -> str:
    """Return another identity if this process holds the first one, which is for a process that serves."""
    if _held is None or not _held.getsockname().endswith(b"/0"):
        return identity
    return claim(identity, 1)


def release() -> None:
    """Release the identity; in a forked child, only the copy of the parent's lock is closed."""
    global _held
    if _held is not None:
        try:
            _held.getsockname().index(b"otel-injection")
            _held.close()
        except (OSError, ValueError, AttributeError):  # an app that closes all files has reused this one's number
            _held.detach()
        _held = None
