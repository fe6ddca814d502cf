"""What ``start_as_current_span`` returns: a span for a ``with`` block, or for each call of a function."""

from __future__ import annotations

from contextlib import AbstractContextManager, ContextDecorator
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any


class CurrentSpan(ContextDecorator, AbstractContextManager[Any]):
    """A span that is current in a ``with`` block, or in each call of a function that this decorates.

    ``start`` is called with the arguments when the block is entered; it returns the context manager that stands behind.
    """

    def __init__(self, start: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        self._made = (start, arguments, keywords)
        self._behind: Any = None

    def _recreate_cm(self) -> CurrentSpan:
        return type(self)(*self._made)

    def __call__(self, function: Any) -> Any:
        """Decorate a function: the span of a coroutine ends with the coroutine."""
        if not iscoroutinefunction(function):
            return super().__call__(function)

        @wraps(function)
        async def call(*arguments: Any, **keywords: Any) -> Any:
            with self._recreate_cm():
                return await function(*arguments, **keywords)

        return call

    def __enter__(self) -> Any:
        start, arguments, keywords = self._made
        self._behind = start(*arguments, **keywords)
        return self._behind.__enter__()

    def __exit__(self, *raised: object) -> Any:
        return self._behind.__exit__(*raised)
