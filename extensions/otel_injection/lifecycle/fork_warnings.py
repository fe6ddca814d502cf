"""Python's warning of a fork beside threads, where these are ours alone (3.12 and later).

A thread that is exporting to a slow collector does not end within the moment that a fork waits for it. Python would
warn the app of threads that it has never started, and turn the warning into an error where the app asks for that.
"""

from __future__ import annotations

import os
import re
import warnings
from _thread import get_native_id
from typing import Any

_FILTER: Any = ("ignore", re.compile("This process .* is multi-threaded"), DeprecationWarning, None, 0)


def hush(*ours: set[int]) -> None:
    """Have the warning passed over until ``restore``, unless there are threads besides this one and ``ours``.

    ``ours`` are the system's numbers of threads; those that are gone are taken out. The filter is put in place by hand:
    ``filterwarnings`` makes Python forget of each warning that it has been shown.
    """
    restore()
    running = {int(each) for each in os.listdir("/proc/self/task")} - {get_native_id()}
    for each in ours:
        each &= running
    if running and running <= set().union(*ours):
        warnings.filters.insert(0, _FILTER)  # type: ignore[attr-defined]


def restore() -> None:
    """Take that back."""
    if _FILTER in warnings.filters:
        warnings.filters.remove(_FILTER)  # type: ignore[attr-defined]
