"""Python's warning of a fork beside threads, where these are ours alone (3.12 and later).

A thread that is exporting to a slow collector does not end within the moment that a fork waits for it. Python would
warn the app of threads that it has never started, and turn the warning into an error where the app asks for that.
"""

from __future__ import annotations

import re
import warnings
from typing import Any

from otel_injection.lifecycle import own_threads

_FILTER: Any = ("ignore", re.compile("This process .* is multi-threaded"), DeprecationWarning, None, 0)


def hush() -> None:
    """Have the warning passed over until ``restore`` if all other threads are ours.

    The filter is put in place by hand: ``filterwarnings`` makes Python forget of each warning that it has been shown.
    """
    restore()
    if own_threads.are_all():
        warnings.filters.insert(0, _FILTER)  # type: ignore[attr-defined]


def restore() -> None:
    """Take that back."""
    if _FILTER in warnings.filters:
        warnings.filters.remove(_FILTER)  # type: ignore[attr-defined]
