"""Processes that start and watch others and serve nothing: they hold no export thread and no connection.

Gunicorn's master and those like it. What they record, such as gunicorn's own log, is exported; see
``sdk.idle_threads``.
"""

from __future__ import annotations

import os

from otel_injection.lifecycle import events, uwsgi

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from typing import Any

_BEGINNINGS = {
    "celery.concurrency.prefork": ("TaskPool", "__init__"),
    "gunicorn.arbiter": ("Arbiter", "__init__"),
    "gunicorn.dirty.arbiter": ("DirtyArbiter", "run"),
    "uvicorn.supervisors.basereload": ("BaseReload", "run"),
    "uvicorn.supervisors.multiprocess": ("Multiprocess", "run"),
}
"""By module, the class and the method by which a process becomes such a one."""

_pid = 0


def supervises() -> bool:
    """Return whether this process only supervises others; its children do not."""
    return _pid == os.getpid() or uwsgi.is_master()


def begin() -> None:
    """Let this process, from now on, be one that only supervises others."""
    global _pid
    _pid = os.getpid()
    events.begins_to_supervise.tell()


def hook(module: Any, name: str) -> None:
    """Set the hook in what supervises."""
    of, method = _BEGINNINGS[name]
    kind = getattr(module, of)
    original = getattr(kind, method)

    def begin_and_go_on(self: Any, *arguments: Any, **keywords: Any) -> Any:
        begin()
        return original(self, *arguments, **keywords)

    begin_and_go_on.__name__ = method
    begin_and_go_on.__doc__ = original.__doc__
    setattr(kind, method, begin_and_go_on)
