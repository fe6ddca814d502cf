"""Notices processes that start and watch others and serve nothing themselves, such as gunicorn's master.

They hold no export thread and no connection. What they record, such as gunicorn's own log, is exported all the same;
see ``sdk.idle_threads``.
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
"""By module: the class and the method that make a process a supervisor."""

_pid = 0


def supervises() -> bool:
    """Return whether this process is a supervisor; False in its children."""
    return _pid == os.getpid() or uwsgi.is_master()


def begin() -> None:
    """Make this process a supervisor."""
    global _pid
    _pid = os.getpid()
    events.begins_to_supervise.tell()


def hook(module: Any, name: str) -> None:
    """Put the hook around the method of a supervisor's class."""
    of, method = _BEGINNINGS[name]
    kind = getattr(module, of)
    original = getattr(kind, method)

    def begin_and_go_on(self: Any, *arguments: Any, **keywords: Any) -> Any:
        begin()
        return original(self, *arguments, **keywords)

    begin_and_go_on.__name__ = method
    begin_and_go_on.__doc__ = original.__doc__
    setattr(kind, method, begin_and_go_on)
