"""An event that a thread of the app can set at any moment, whatever its signal handlers raise meanwhile."""

from __future__ import annotations

import sys
import threading
from _queue import Empty, SimpleQueue  # the originals: gevent can replace queues without replacing threads
from contextlib import suppress
from typing import Any


def event() -> Any:
    """Return an event; where gevent or eventlet have replaced threads, theirs, which lets other greenlets run."""
    gevent, eventlet = sys.modules.get("gevent.monkey"), sys.modules.get("eventlet.patcher")
    if gevent is not None and gevent.is_module_patched("threading"):
        return threading.Event()
    if eventlet is not None and eventlet.is_monkey_patched("thread"):
        return threading.Event()
    return Event()


class Event:
    """Stands for ``threading.Event`` where one thread waits.

    The standard one is made of locks that are taken by Python code: an exception that a signal handler raises between
    two steps of it leaves them locked, and the app waits for ever at its next span or log record. The queue is made in
    one step.
    """

    def __init__(self) -> None:
        self._flag = False
        self._wakers: SimpleQueue[None] = SimpleQueue()

    def is_set(self) -> bool:
        """Return whether it is set."""
        return self._flag

    def set(self) -> None:
        """Set it, and wake the thread that waits."""
        self._flag = True
        self._wakers.put(None)

    def clear(self) -> None:
        """Unset it."""
        self._flag = False
        with suppress(Empty):
            while True:
                self._wakers.get_nowait()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait, at most ``timeout`` seconds; return whether it is set."""
        if not self._flag:
            try:
                self._wakers.get(timeout=timeout)
            except Empty:
                pass
        return self._flag
