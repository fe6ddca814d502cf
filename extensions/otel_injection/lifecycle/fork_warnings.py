"""Hides Python's warning of a fork beside threads (3.12 and later) where all of the threads are ours.

A fork waits only a moment for our threads to stop, and one that exports to a slow collector takes longer. Python would
then warn the app of threads that it has never started, or raise an error where the app turns warnings into errors.
"""

from __future__ import annotations

import re
import warnings
from typing import Any

from otel_injection.lifecycle import own_threads

_FILTER: Any = ("ignore", re.compile("This process .* is multi-threaded"), DeprecationWarning, None, 0)


def hush() -> None:
    """Hide the warning until ``restore`` is called, if all other threads are ours.

    The filter is inserted by hand: after ``filterwarnings`` Python shows the app's other warnings once more.
    """
    restore()
    if own_threads.are_all():
        warnings.filters.insert(0, _FILTER)  # type: ignore[attr-defined]


def restore() -> None:
    """Show the warning again."""
    if _FILTER in warnings.filters:
        warnings.filters.remove(_FILTER)  # type: ignore[attr-defined]
