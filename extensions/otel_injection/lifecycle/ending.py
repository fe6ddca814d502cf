"""The end of a process: what is buffered is sent, within one short deadline."""

from __future__ import annotations

import sys

from otel_injection.lifecycle import events
from otel_injection.waiting import at_exit

GRACE = 0.01
"""Seconds for other threads to end the spans of requests that they have just answered."""


def begun() -> bool:
    """Return whether the interpreter is ending: from then on there are no new threads."""
    threading = sys.modules.get("threading")
    return threading is not None and not threading.main_thread().is_alive()


def flush() -> None:
    """Send what is buffered and end the SDK of this process, if it has one."""
    steps = [*events.about_to_end.actions(), *events.ends.actions()]
    for step in steps:
        try:
            step()
        except BaseException:  # noqa: PERF203 - of a signal handler of the app, which without us would be gone
            pass
    if steps and isinstance(getattr(sys, "last_value", None), KeyboardInterrupt):
        _end_by_signal()


def _end_by_signal() -> None:
    """Have Python end by SIGINT where a KeyboardInterrupt ends it, so that a shell learns of it.

    Python notes that it is to end so, and forgets it when any code is compiled and run from text, as for a named tuple.
    Raising KeyboardInterrupt in such code has Python note it again.
    """
    try:
        exec("raise KeyboardInterrupt")  # noqa: S102
    except KeyboardInterrupt:
        pass


at_exit.append(flush)
