"""Starts threads that the app does not see and that none of its signals reach.

``threading`` does not list them: an app may wait until ``active_count()`` is 1, or join all of ``enumerate()``, while
our threads end only with the process. All signals are blocked in them from their start: a signal that the app has
blocked in its own threads, to wait for it, would otherwise be delivered to one of ours and end the process.
"""

from __future__ import annotations

import _thread
import os
import sys
from _thread import get_native_id

from otel_injection import ours, report

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

WARNED_OF = sys.version_info >= (3, 12)
"""Whether this Python warns of a fork beside threads, so that it must be known which are ours."""

numbers: set[int] = set()
"""The system's numbers of our threads; ``are_all`` removes those that have ended."""

_running: dict[int, Thread] = {}
"""The running instances of ``Thread``, by Python's identifier."""


def add(number: int) -> None:
    """Note the current thread as ours, if this Python warns of forks beside threads."""
    if WARNED_OF:
        numbers.add(number)


def are_all() -> bool:
    """Return whether there are threads besides this one, and all of them are ours."""
    running = {int(each) for each in os.listdir("/proc/self/task")} - {get_native_id()}
    numbers.intersection_update(running)
    return bool(running) and running == numbers


def start_deaf(start: Callable[..., int], function: Callable[..., Any]) -> int:
    """Start a thread with all signals blocked, by ``_thread.start_new_thread`` or its replacement by gevent."""
    import _signal  # type: ignore[import-not-found] # built in; what the app's signal module is made of

    # The app's signal handlers may run, and raise, in each of these lines: the mask is read before it is changed, and
    # restored whatever happens.
    mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, ())
    try:
        _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
        return start(function, ())
    finally:
        _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)


class Thread:
    """Stands for ``threading.Thread`` where the SDK makes one; gevent and eventlet make a greenlet of it."""

    def __init__(self, *, name: str = "", target: Callable[[], None], daemon: bool = True) -> None:
        del daemon  # all of our threads are daemons
        self.name = name
        self.ident: int | None = None
        self.native_id = 0
        self._target = target
        self._alive = False
        self._ended = _thread.allocate_lock()

    def start(self) -> None:
        """Start the thread; raises RuntimeError if no thread can be started."""
        self._ended.acquire()
        self._alive = True
        try:
            self.ident = start_deaf(_thread.start_new_thread, self._run)
        except RuntimeError:
            self._alive = False
            self._ended.release()
            raise

    def is_alive(self) -> bool:
        """Return whether it has started and not ended."""
        return self._alive

    def join(self, timeout: float = -1) -> None:
        """Wait for its end, at most ``timeout`` seconds."""
        if self._alive and self._ended.acquire(timeout=timeout):
            self._ended.release()

    def _run(self) -> None:
        self.ident = _thread.get_ident()
        self.native_id = get_native_id()
        add(self.native_id)
        _running[self.ident] = self
        try:
            self._target()
        except BaseException as error:
            report.debug(f"{self.name}: {type(error).__name__}: {error}")
        finally:
            _running.pop(self.ident, None)
            stay_unseen()
            self._alive = False
            self._ended.release()


def current() -> Thread | None:
    """Return the thread of ours that this is."""
    return _running.get(_thread.get_ident())


def stay_unseen() -> None:
    """Have ``threading`` forget this thread: it lists each thread that calls ``current_thread``, as logging does."""
    threading = sys.modules.get("threading")
    try:
        if threading is not None:
            this = _thread.get_ident()
            if type(threading._active.get(this)) is threading._DummyThread:
                threading._active.pop(this, None)
    except ours(Exception) as error:  # a Python whose threading module has other names
        report.debug(f"threads: {type(error).__name__}: {error}")


def forget() -> None:
    """Forget, in a child of a fork, the threads that were not copied."""
    numbers.clear()
    _running.clear()
