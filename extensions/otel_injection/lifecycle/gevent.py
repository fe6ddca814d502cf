"""gevent: where it replaces threads, ours stop before and start anew after, as what it makes of them.

A thread that was started before ends in a traceback, and a greenlet that waits for a lock of before stops all others.
"""

from __future__ import annotations

import sys

from otel_injection import hooks

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from typing import Any


def watch() -> None:
    """Set the hook in gevent when the app imports what patches."""
    hooks.after("gevent.monkey", _hook)


def _hook(monkey: Any) -> None:
    patch_thread = monkey.patch_thread

    def patch(*arguments: Any, **keywords: Any) -> Any:
        pipeline = getattr(sys.modules.get("otel_injection.pipeline"), "PIPELINE", None)
        if pipeline is None:
            return patch_thread(*arguments, **keywords)
        pipeline.before_fork()
        try:
            return patch_thread(*arguments, **keywords)
        finally:
            pipeline.after_patching()

    patch.__name__ = patch_thread.__name__
    patch.__doc__ = patch_thread.__doc__
    monkey.patch_thread = patch
