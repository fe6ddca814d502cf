"""Lets work in a thread pool run in the context in which it was submitted: as upstream does, in fewer steps.

Servers such as gunicorn's ``gthread`` give each request to a pool.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent import futures
from functools import wraps
from typing import Any

from otel_injection import ours, report


def instrument(_name: str, act: Callable[[], None]) -> None:
    """Let the threading instrumentation act, and replace its wrapper around ``ThreadPoolExecutor.submit``."""
    act()
    try:
        wrapper = vars(futures.ThreadPoolExecutor).get("submit")
        if getattr(wrapper, "_self_wrapper", None) is not None:
            futures.ThreadPoolExecutor.submit = _submitting(wrapper.__wrapped__)  # type: ignore[method-assign, union-attr]
    except ours() as error:
        report.debug(f"threading: {type(error).__name__}: {error}")


def _submitting(submit: Any) -> Any:
    from otel_injection.sdk.faster import current_context

    @wraps(submit)
    def within(self: Any, /, *arguments: Any, **keywords: Any) -> Any:
        elsewhere = sys.modules.get("concurrent.futures.interpreter")
        if not arguments or (elsewhere is not None and isinstance(self, elsewhere.InterpreterPoolExecutor)):
            return submit(self, *arguments, **keywords)  # a pool of interpreters cannot take a function of ours
        current, function = current_context.get_current(), arguments[0]

        def wrapped_func(*arguments: Any, **keywords: Any) -> Any:
            token = current_context.attach(current)
            try:
                return function(*arguments, **keywords)
            finally:
                current_context.detach(token)

        return submit(self, wrapped_func, *arguments[1:], **keywords)

    return within
