"""Children of ``multiprocessing``: they end in ``os._exit``, which runs no ``atexit`` functions (python issue 4215)."""

from __future__ import annotations

from otel_injection.lifecycle import ending

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from typing import Any

_LAST = -1000
"""Exit priority: after the app's own finalizers."""


def hook(util: Any, _name: str = "") -> None:
    """Register the flush in every child, by an after-fork hook: a child begins with an empty list of finalizers."""
    util.register_after_fork(hook, lambda _hook: util.Finalize(None, ending.flush, exitpriority=_LAST))
