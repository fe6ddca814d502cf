"""uWSGI forks in C, and ends a worker by a signal handler in C that runs nothing of Python's.

``--die-on-term``, and every way to stop it at once, sends SIGINT to the workers. Where threads of Python run
(``--enable-threads``, ``--threads``), the handler of ``signals`` takes the place of uWSGI's until all is sent.
"""

from __future__ import annotations

import os
import sys
import time

from otel_injection import report

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_PATIENCE = 60.0
"""Seconds that a worker may take from importing the app to serving."""


def is_master() -> bool:
    """Return whether this is uWSGI's master, in which an app is imported unless ``--lazy-apps`` is set."""
    uwsgi = _module()
    return uwsgi is not None and uwsgi.worker_id() == 0 and uwsgi.masterpid() == os.getpid()


def owns(handler: int) -> bool:
    """Return whether the signal handler at an address is uWSGI's, and may be replaced for a moment."""
    return handler > 1 and _module() is not None and _has_threads() and "uwsgi" in _file_of(handler)


def wait_for_handlers(has_set: Callable[[], bool]) -> None:
    """Call a function until it returns True, in a thread: a worker sets its handlers after it has imported the app."""
    uwsgi = _module()
    if uwsgi is None:
        return
    if not _has_threads():
        if uwsgi.worker_id() < 2:
            report.say(
                "uWSGI runs without threads: telemetry waits for the next request, and some is lost at the end; "
                "set enable-threads",
                kind="uwsgi",
            )
        return
    from otel_injection.lifecycle.greenlets import start_new_thread
    from otel_injection.lifecycle.own_threads import start_deaf

    def wait() -> None:
        end = time.monotonic() + _PATIENCE
        while not has_set() and time.monotonic() < end:
            time.sleep(0.02)

    if not has_set():
        start_deaf(start_new_thread, wait)


def _module() -> Any:
    """Return the module that uWSGI itself puts in place; None elsewhere, even if there is one of that name."""
    module = sys.modules.get("uwsgi")
    return module if all(hasattr(module, name) for name in ("masterpid", "opt", "worker_id")) else None


def _has_threads() -> bool:
    options = _module().opt
    return any(options.get(name) not in (None, b"false", b"0") for name in ("enable-threads", "threads"))


def _file_of(address: int) -> str:
    """Return the name of the program or library that an address is in."""
    import ctypes

    class Information(ctypes.Structure):
        """See ``dladdr(3)``."""

        _fields_ = (
            ("name", ctypes.c_char_p),
            ("base", ctypes.c_void_p),
            ("symbol", ctypes.c_char_p),
            ("address", ctypes.c_void_p),
        )

    found = Information()
    if not ctypes.CDLL(None).dladdr(ctypes.c_void_p(address), ctypes.byref(found)):
        return ""
    return os.path.basename(os.fsdecode(found.name or b""))
