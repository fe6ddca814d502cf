"""Export threads of supervisors, which exist only while there is something to export.

Recording something starts the thread; it exports, closes the connection, and ends when nothing is left.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from otel_injection.lifecycle import own_threads
from otel_injection.otlp import connection

_SOON = 1.0
"""The most seconds that a record waits for its export: a thread that waits longer would be a standing one."""


def prepare(part: Any, thread: own_threads.Thread) -> None:
    """Prepare a batch processor or metric reader to have a thread only at need; ``thread``, its own, is stopped."""
    part._at_work = threading.Lock()  # held for a thread from its start to its end
    part._measured = thread.ident is not None  # perhaps
    if _waits(part):
        part._at_work.acquire()
        _hurry(part)


def rests(part: Any) -> bool:
    """Return whether a part needs no thread now."""
    return hasattr(part, "_at_work") and not part._at_work.locked()


def may_rest(part: Any) -> bool:
    """Return whether the thread of a part may end, since nothing waits."""
    if not hasattr(part, "_at_work"):
        return False
    part._at_work.release()
    if _waits(part) and part._at_work.acquire(blocking=False):  # recorded by somebody who saw this thread at work
        _hurry(part)
        return False
    connection.close_idle()
    return True


def recording(record: Callable[[Any], None], parts: Sequence[Any], start: Callable[[Any], bool]) -> Callable[..., None]:
    """Have what records something start the threads that export it, where there are none."""

    def record_and_start(item: Any) -> None:
        record(item)
        for part in parts:
            part._measured = True
            if not part._shutdown and part._at_work.acquire(blocking=False):
                _hurry(part)
                if not start(part):
                    part._at_work.release()

    return record_and_start


def _hurry(part: Any) -> None:
    delay = part._schedule_delay if hasattr(part, "_queue") else part._export_interval_millis / 1000
    part._due = time.monotonic() + min(delay, _SOON)


def _waits(part: Any) -> bool:
    if hasattr(part, "_queue"):
        return bool(part._queue) or next_attempt(part) != math.inf
    return bool(part._measured)


def next_attempt(part: Any) -> float:
    """Return when the exporter of a batch processor has to send something again; infinity if it has nothing to."""
    ask = getattr(part._exporter, "next_attempt", None)
    return float(ask()) if ask is not None else math.inf
