"""Attributes of a span that are made only if the span records, and are not checked again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Plain(dict[str, Any]):
    """Attributes that need no check: texts and numbers, under names that are not empty.

    The span takes the dictionary itself: its maker must not use it any more.
    """


class Later:
    """Stands for the attributes of a span until it is known that the span records.

    Only a tracer with ``takes_later`` is given one.
    """

    __slots__ = ("_make", "value")

    def __init__(self, make: Callable[[], dict[str, Any]]) -> None:
        self._make = make
        self.value: dict[str, Any] = {}

    def made(self) -> dict[str, Any]:
        """Return the attributes, which are ``value`` from now on."""
        self.value = self._make()
        return self.value
