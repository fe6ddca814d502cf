"""Stops our threads for a fork; the child sets up an SDK of its own at its first telemetry."""

from __future__ import annotations

import os
import sys
from _thread import get_ident

from otel_injection import ours, report
from otel_injection.imports import hooks
from otel_injection.lifecycle import events, inherited_imports, own_threads

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def watch_returns() -> None:
    """Let threads start again only when ``os.fork`` has returned, once the SDK has been set up.

    Python 3.13 warns of a fork beside threads after it has run the hooks, which may have started some.
    Where a fork fails, the threads start again at the next one, or what they would send is sent at the end.
    """
    if sys.version_info >= (3, 13) and not hasattr(os.fork, "__wrapped__"):
        from otel_injection.lifecycle import os_exit

        for name in ("fork", "forkpty"):
            os_exit.replace(name, _telling_of_its_return)


def _telling_of_its_return(original: Callable[[], Any]) -> Callable[[], Any]:
    """Return a function that calls ``_calling``, the original and ``_returned``, and returns what the last one does.

    No function written in Python may call the original: the warning, where it is due, names the line that calls, which
    must be the app's. So each call of the returned function takes one item from a chain of iterators that are
    written in C.
    """
    from functools import partial
    from itertools import starmap

    arguments = iter(_calling, None)  # an item: what _calling() returns, which is no arguments
    results = starmap(original, arguments)  # an item: what original() returns
    return partial(next, map(_returned, results))


_returning = False
"""Whether a fork is under way whose return ``_returned`` will see."""


def _calling() -> tuple[()]:
    global _returning
    _returning = True
    return ()


def _returned(result: Any) -> Any:
    global _returning
    _returning = False
    if result[0] if isinstance(result, tuple) else result:  # in the parent; forkpty returns a pair
        _go_on()
    return result


def start_anew() -> None:
    """Forget the parent's SDK in a child."""
    try:
        _release_imports()
    except ours() as error:
        report.debug(f"after a fork: {type(error).__name__}: {error}")
    inherited_imports.in_child()
    own_threads.forget()
    _restore_warnings()
    events.after_fork_in_child.tell()


def before() -> None:
    """Stop our threads before a fork."""
    inherited_imports.prepare()
    events.before_fork.tell()
    if own_threads.numbers:
        _warn_of_the_apps_threads_alone()


def after_in_parent() -> None:
    """Start our threads again, in the parent."""
    inherited_imports.catch_up()
    if not _returning:
        _go_on()


def _go_on() -> None:
    _restore_warnings()
    events.after_fork_in_parent.tell()


_fork_warnings: Any = None
"""The module of that name, once it has been needed."""


def _warn_of_the_apps_threads_alone() -> None:
    global _fork_warnings
    try:
        from otel_injection.lifecycle import fork_warnings

        _fork_warnings = fork_warnings
        fork_warnings.hush()
    except ours() as error:
        report.debug(f"before a fork: {type(error).__name__}: {error}")


def _restore_warnings() -> None:
    if _fork_warnings is not None:
        try:
            _fork_warnings.restore()
        except ours() as error:
            report.debug(f"after a fork: {type(error).__name__}: {error}")


def _release_imports() -> None:
    """Let the child import anew what another thread of the parent was importing at the fork.

    The thread that was importing is not in the child, and the import system would wait for it for ever. Few apps import
    anything in a thread, but with us the first span there does.
    """
    importing = sys.modules["_frozen_importlib"]
    this = get_ident()
    importing._blocking_on.clear()
    for name, reference in list(importing._module_locks.items()):
        if getattr(reference(), "owner", None) not in (None, this):
            importing._module_locks.pop(name, None)
            hooks.interrupted(name)
            if getattr(getattr(sys.modules.get(name), "__spec__", None), "_initializing", False):
                for each in [each for each in sys.modules if each == name or each.startswith(f"{name}.")]:
                    del sys.modules[each]  # its modules too: they must become attributes of the new package
