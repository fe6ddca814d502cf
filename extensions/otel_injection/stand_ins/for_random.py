"""Stands in for ``random`` in the payload, by rewritten imports, with a generator of the payload's own.

Apps that seed the shared generator expect the same numbers in each run: numbers that we draw would change them. And a
generator that the app has seeded would make the same trace ids in every process.
"""

from __future__ import annotations

import os
from _random import Random as _Random

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from typing import Any

_generator = _Random()
_pid = os.getpid()


def _own() -> _Random:
    """Return the generator of this process, also where C code has forked it."""
    if _pid != os.getpid():
        renew()
    return _generator


def renew() -> None:
    """Make a new generator for this process."""
    global _generator, _pid
    _generator, _pid = _Random(), os.getpid()


def known() -> _Random:
    """Return the generator without asking whether C code has forked: the caller knows that it has not."""
    return _generator


def getrandbits(bits: int) -> int:
    """Return a number of so many random bits."""
    return _own().getrandbits(bits)


def randrange(start: int, stop: int | None = None) -> int:
    """Return a number from ``start`` (or 0, if it stands alone) to the one before ``stop``."""
    first, end = (0, start) if stop is None else (start, stop)
    return first + int(_own().random() * (end - first))


def uniform(low: float, high: float) -> float:
    """Return a number between two others."""
    return low + (high - low) * _own().random()


def __getattr__(name: str) -> Any:
    """Return what else ``random`` has, for processors of one's own, from a generator that is not the app's."""
    random = __import__("random")  # as a statement, it would be rewritten
    if name not in random.__all__:
        raise AttributeError(f"module 'random' has no attribute {name!r}")
    if "_rich" not in globals():
        globals()["_rich"] = random.Random()
        os.register_at_fork(after_in_child=globals()["_rich"].seed)
    return getattr(globals()["_rich"], name, None) or getattr(random, name)
