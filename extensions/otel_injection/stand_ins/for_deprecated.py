"""``warnings.deprecated`` for Python before 3.13 (PEP 702): the API marks with it what apps should no longer use."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any


def deprecated(
    message: str, /, *, category: type[Warning] | None = DeprecationWarning, stacklevel: int = 1
) -> Callable[[Any], Any]:
    """Return a decorator for a function or a class, whose callers are warned.

    A class warns where it is instantiated or derived from; what is derived from it is not deprecated. Without a
    category nobody is warned.
    """

    def decorate(decorated: Any) -> Any:
        changed = decorated
        if category is not None:
            change = _class if isinstance(decorated, type) else _function
            changed = change(decorated, lambda: warnings.warn(message, category, stacklevel=stacklevel + 2))
        changed.__deprecated__ = message
        return changed

    return decorate


def _function(function: Any, warn: Callable[[], None]) -> Any:
    @wraps(function)
    def warning(*arguments: Any, **keywords: Any) -> Any:
        warn()
        return function(*arguments, **keywords)

    return warning


def _class(cls: Any, warn: Callable[[], None]) -> Any:
    new, derive = cls.__new__, cls.__init_subclass__

    def __new__(kind: Any, /, *arguments: Any, **keywords: Any) -> Any:  # noqa: N807 - put in place below
        if kind is cls:
            warn()
        return new(kind) if new is object.__new__ else new(kind, *arguments, **keywords)

    def __init_subclass__(_kind: Any, /, **keywords: Any) -> None:  # noqa: N807
        warn()
        derive(**keywords)

    cls.__new__ = staticmethod(__new__)
    cls.__init_subclass__ = classmethod(__init_subclass__)
    return cls
