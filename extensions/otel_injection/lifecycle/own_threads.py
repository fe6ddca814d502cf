"""The threads that are ours, by the numbers that the system gives them: Python 3.12 warns of a fork beside any."""

from __future__ import annotations

import os
import sys
from _thread import get_native_id

WARNED_OF = sys.version_info >= (3, 12)
"""Whether this Python warns of a fork beside threads, so that it must be known which are ours."""

numbers: set[int] = set()
"""Those that there may be: what has ended is taken out by ``are_all``."""


def add(number: int) -> None:
    """Note a thread of ours, if this Python warns of those."""
    if WARNED_OF:
        numbers.add(number)


def forget() -> None:
    """Forget, in a child of a fork, the threads that were not copied."""
    numbers.clear()


def are_all() -> bool:
    """Return whether there are threads besides this one, and all of them are ours."""
    running = {int(each) for each in os.listdir("/proc/self/task")} - {get_native_id()}
    numbers.intersection_update(running)
    return bool(running) and running == numbers
