"""Makes classes that instrumentations put in the place of a library's look like the originals."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from typing import Any

_PREFIXES = ("otel_injection.", "opentelemetry.")


def look_alike(module: str, name: str) -> None:
    """Give a derived class the names and the signature of the library's: apps print and inspect them."""
    instrumented: Any = getattr(sys.modules[module], name, None)
    if not getattr(instrumented, "__module__", "").startswith(_PREFIXES):
        return
    original: Any = next(each for each in instrumented.__mro__ if not each.__module__.startswith(_PREFIXES))
    for attribute in ("__name__", "__qualname__", "__module__", "__doc__"):
        setattr(instrumented, attribute, getattr(original, attribute))
    if "__parameters__" in vars(original):  # generic: falcon.App[...] is written in annotations
        instrumented.__parameters__ = original.__parameters__
    instrumented.__init__.__wrapped__ = original.__init__
    instrumented._otel_injection = True


def is_derived(module: str, name: str) -> bool:
    """Return whether a class of the library has been replaced by a derived one."""
    return "_otel_injection" in vars(getattr(sys.modules.get(module), name, None) or object)
