"""What this process waits for: imports of the app, and its end."""

from __future__ import annotations

import os
import sys

from otel_injection import MOUNT, ours, record

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

NAMES: dict[str, tuple[str, ...]] = {}
"""By name of a module that is waited for, or of a package around one: the functions to call (see ``imports.hooks``)."""

at_exit: list[Callable[[], None]] = []
"""Functions that are called at the end, after those that the app has registered with ``atexit``."""


def is_finder(finder: Any) -> bool:
    """Return whether a finder of ``sys.meta_path`` is the one that notices what is waited for: ``start.Finder``."""
    return "notices_names" in vars(type(finder))


def uninstall() -> None:
    """Take all finders of ours off ``sys.meta_path``: from then on, imports are as without us."""
    NAMES.clear()
    sys.meta_path[:] = [each for each in sys.meta_path if not type(each).__module__.startswith("otel_injection.")]


def give_up(error: BaseException) -> None:
    """Leave the app alone from here on, if an import of ours has failed because the payload is damaged."""
    if not isinstance(error, (ImportError, SyntaxError, ValueError)):  # no memory, or no file to be had, at this moment
        return
    uninstall()
    sys.path[:] = [each for each in sys.path if os.path.normpath(each) != MOUNT]
    reason = f"its files in {MOUNT} are incomplete or damaged ({error})"
    try:
        record.decide("failed", "damaged", reason)
        from otel_injection.report import say  # from its source, if it is the byte code that is damaged

        say(f"not instrumented: {reason}", kind="damaged")
    except ours():
        pass
