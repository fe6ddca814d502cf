"""What children of a fork import for their telemetry, their parent imports for those to come: they inherit it.

A child that logs one line and ends would spend most of its life on imports that its brothers have done before it. How a
child has fared it writes into memory that it shares with its parent: the names of modules, of ours alone and of the
standard library's that these have asked for. Nothing is imported for children that gevent or eventlet have patched: to
their parents it would come too early.
"""

from __future__ import annotations

import os
import sys

from otel_injection import ours, report

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from typing import Any

_ROOM = 1 << 15
_OURS = ("otel_injection.", "opentelemetry.")
_LATE = ("http.client", "encodings.idna", "encodings.ascii", "_ctypes", "mmap")
"""What ours import of the standard library only when they send, or wait for signals."""
_OF_LIBRARIES = ("otel_injection.instrumentations.", "otel_injection._vendor.opentelemetry.instrumentation.")
"""Below these are modules that import the library of an app that they are for."""
_OF_NONE = frozenset(
    {
        "__init__",
        "_semconv",
        "dependencies",
        "distro",
        "environment_variables",
        "instrumentor",
        "logging",
        "propagators",
        "system_metrics",
        "threading",
        "thread_pools",
        "utils",
        "version",
        "wrapt_proxies",
        "fallback",
        "activation",
        "adaptations",
        "replacements",
        "command_requests",
        "excluded_urls",
    }
)
"""Those of them that are for none."""
_GREENLETS = ("gevent", "eventlet")

_shared: Any = None
_parent = 0
_count = 0
"""How many modules there were at the fork."""


def prepare() -> None:
    """Have memory that the child about to be forked will share."""
    global _shared, _parent
    try:
        if _shared is None or _parent != os.getpid():
            import mmap

            _shared, _parent = mmap.mmap(-1, _ROOM), os.getpid()
    except ours() as error:
        report.debug(f"before a fork: {type(error).__name__}: {error}")


def catch_up() -> None:
    """Import, in a parent that has just forked, what earlier children have needed.

    Not before the fork: what is imported may register functions of its own, of which but those for after it would run.
    """
    try:
        size = int.from_bytes(_shared[:4], "little")
        if size and not any(each in sys.modules for each in _GREENLETS):
            names = _shared[4 : 4 + size].decode("utf-8", "replace").split("\n")
            _shared[:4] = bytes(4)
            _import(names)
    except ours() as error:
        report.debug(f"after a fork: {type(error).__name__}: {error}")


def _import(names: list[str]) -> None:
    for name in names:
        if name not in sys.modules and _may_be_inherited(name):
            try:
                __import__(name)
            except ours(ImportError):  # two children have written at the same moment
                pass


def in_child() -> None:
    """Note what the parent has imported."""
    global _count
    _count = len(sys.modules)


def is_child() -> bool:
    """Return whether this process is a child by fork."""
    return _count > 0


def at_end() -> None:
    """Tell the parent, in a child that ends, what it has imported."""
    try:
        if _shared is None or _parent == os.getpid() or not _count:
            return
        if any(each in sys.modules for each in _GREENLETS):
            return
        names = [name for name in list(sys.modules)[_count:] if _may_be_inherited(name)]
        text = "\n".join(names).encode()[: _ROOM - 4]
        if text:
            _shared[4 : 4 + len(text)] = text
            _shared[:4] = len(text).to_bytes(4, "little")
    except ours() as error:
        report.debug(f"at the end: {type(error).__name__}: {error}")


def _may_be_inherited(name: str) -> bool:
    if not name.startswith(_OURS):
        return name in _LATE
    for each in _OF_LIBRARIES:
        if name.startswith(each):
            return name[len(each) :].partition(".")[0] in _OF_NONE
    return True
