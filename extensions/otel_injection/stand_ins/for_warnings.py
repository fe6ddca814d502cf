"""Stands in for ``warnings`` in the private copies, by rewritten imports.

The app's developers could not act on such a warning; where an app turns warnings into errors, one would end the app;
and filters that private copies set would be the app's filters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

_T = TypeVar("_T")


def warn(*_arguments: Any, **_keywords: Any) -> None:
    """Say nothing."""


warn_explicit = filterwarnings = simplefilter = resetwarnings = warn


def deprecated(*_arguments: Any, **_keywords: Any) -> Callable[[_T], _T]:
    """Return a decorator that changes nothing."""
    return lambda decorated: decorated


class catch_warnings:  # noqa: N801 - the name that it has in warnings
    """Catches nothing, since nothing is said, and leaves the app's filters alone."""

    def __init__(self, *_arguments: Any, **_keywords: Any) -> None:
        pass

    def __enter__(self) -> list[Any]:
        return []

    def __exit__(self, *_error: object) -> None:
        pass
