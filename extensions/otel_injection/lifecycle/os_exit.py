"""Sends what is buffered before ``os._exit`` and ``os.exec*``, which run no ``atexit`` functions.

The functions are replaced when the SDK is set up; in a process without one they stay the originals. The interpreter
calls the original itself, after ours: tracebacks of what it raises have no frame of ours.
"""

from __future__ import annotations

import os
import sys

from otel_injection import report
from otel_injection.imports import hooks
from otel_injection.lifecycle import events, signals

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_watching = False


def watch() -> None:
    """Replace the functions, once in a process and its children by fork."""
    global _watching
    if not _watching:
        _watching = True
        replace("_exit", lambda original: _After(events.ends.tell, original))
        replace("execv", lambda original: _After(events.about_to_go.tell, original))
        replace("execve", lambda original: _After(events.about_to_go.tell, original))
        hooks.after("signal", _hook_signal)


def replace(name: str, make: Callable[[Any], Any]) -> None:
    """Replace a function of ``os`` where it is looked up: there, and in the module that ``os`` has it from."""
    original = getattr(os, name)
    replacement = make(original)
    for attribute in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(replacement, attribute, getattr(original, attribute))
    replacement.__wrapped__ = original
    for module in (os, sys.modules[original.__module__]):
        setattr(module, name, replacement)
    _rebind(original, replacement)


def _rebind(original: Any, replacement: Any) -> None:
    """Replace it in the modules that have taken it from ``os`` by now, under whatever name."""
    for module in list(sys.modules.values()):
        names = getattr(module, "__dict__", None)
        if type(names) is dict and not str(names.get("__name__")).startswith("otel_injection."):
            for name, value in list(names.items()):
                if value is original:
                    names[name] = replacement


class _After:
    """Calls ``first``, then has the interpreter call the original.

    The interpreter looks ``__call__`` up, which calls ``first`` and returns the original, and then calls that.
    """

    def __init__(self, first: Callable[[], None], original: Any) -> None:
        self._first = first
        self._original = original

    @property
    def __call__(self) -> Any:
        try:
            self._first()
        except Exception as error:
            report.debug(f"leaving: {type(error).__name__}: {error}")
        return self._original


def _hook_signal(module: Any) -> None:
    """Notice calls of ``signal.signal``, after which a disposition may be the default one again.

    It passes its result through a helper of the module, which is replaced.
    """
    to_enum = module._int_to_enum

    def _int_to_enum(value: Any, enumeration: Any) -> Any:
        if enumeration is module.Handlers:
            signals.set_again()
        return to_enum(value, enumeration)

    module._int_to_enum = _int_to_enum
