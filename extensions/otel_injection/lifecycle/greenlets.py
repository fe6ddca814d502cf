"""gevent and eventlet: our threads stop before patching and restart as greenlets.

A thread that was started before patching would end in a traceback, and a greenlet that waits for a lock made before it
would stop all other greenlets.
"""

from __future__ import annotations

import sys
from _thread import allocate_lock, start_new_thread  # the originals, before patching

from otel_injection.lifecycle import events

__all__ = ["allocate_lock", "hook", "hook_eventlet", "spawn", "start_new_thread"]

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def hook(monkey: Any, _name: str) -> None:
    """Set the hook in gevent's module that patches."""
    monkey.patch_thread = _around(monkey.patch_thread)


def hook_eventlet(eventlet: Any, _name: str) -> None:
    """Set the hook in eventlet, which has a name of its own for what its module ``patcher`` defines."""
    eventlet.monkey_patch = eventlet.patcher.monkey_patch = _around(eventlet.patcher.monkey_patch)


def _around(patching: Callable[..., Any]) -> Callable[..., Any]:
    def patch(*arguments: Any, **keywords: Any) -> Any:
        events.before_patching.tell()
        try:
            return patching(*arguments, **keywords)
        finally:
            events.after_patching.tell()

    patch.__name__ = patching.__name__
    patch.__doc__ = patching.__doc__
    return patch


def spawn(work: Callable[[], None]) -> bool:
    """Run a function in the main thread's hub; return False where gevent has not replaced threads.

    Callable from a thread that gevent does not know.
    """
    monkey = sys.modules.get("gevent.monkey")
    if monkey is None or not monkey.is_module_patched("threading"):
        return False
    import gc

    hub_class = sys.modules["gevent.hub"].Hub
    hub = next(each for each in gc.get_objects() if type(each) is hub_class and each.main_hub)
    hub.loop.run_callback_threadsafe(sys.modules["gevent"].spawn, work)
    return True
