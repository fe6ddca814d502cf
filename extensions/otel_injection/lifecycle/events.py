"""The events in the life of a process, for which others register functions.

The modules of this folder notice the events and tell of them. What acts on them, such as the SDK, is above this folder
and registers here; where it was never imported, nothing is done.
"""

from __future__ import annotations

from otel_injection import ours, report

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Event:
    """An event; ``backwards``: the function that was registered last is called first, as by ``atexit``."""

    def __init__(self, name: str, *, backwards: bool = False) -> None:
        self._name = name
        self._backwards = backwards
        self._actions: list[Callable[..., Any]] = []

    def register(self, action: Callable[..., Any]) -> None:
        """Call ``action`` each time this happens, with the arguments of ``tell``."""
        self._actions.append(action)

    def actions(self) -> list[Callable[..., Any]]:
        """Return the registered functions in the order in which they are called."""
        return self._actions[::-1] if self._backwards else self._actions[:]

    def tell(self, *arguments: Any) -> None:
        """Call the registered functions; what one raises reaches neither the app nor the others."""
        for action in self.actions():
            try:
                action(*arguments)
            except ours() as error:  # noqa: PERF203 - each gets its chance
                report.debug(f"{self._name}: {type(error).__name__}: {error}")


before_fork = Event("before a fork", backwards=True)
"""No thread of ours may run beside a fork."""
after_fork_in_parent = Event("after a fork")
after_fork_in_child = Event("after a fork, in the child")

before_patching = Event("before patching", backwards=True)
"""gevent or eventlet are about to replace threads and locks."""
after_patching = Event("after patching")

ready_to_serve = Event("ready to serve")
"""A worker is about to take its first request."""
begins_to_supervise = Event("begins to supervise")
"""From now on the process only starts and watches others."""

sdk_is_set_up = Event("the SDK is set up")
"""Functions are called with the SDK (``sdk.assembled.State``)."""

signalled = Event("signalled")
"""A signal that ends the process has come; functions are called with ``False`` if the process has outlived it."""
about_to_go = Event("about to go")
"""The process is about to be replaced by another program or to be killed; its threads go on until then."""
about_to_end = Event("about to end")
"""The process ends in the ordinary way: the last moment to record anything."""
ends = Event("ends")
"""The process ends, in whichever way: the last moment to send anything."""
