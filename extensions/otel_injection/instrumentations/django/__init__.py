"""Django: instrumented when its settings can be read, with a middleware that ASGI servers can use as well."""

from __future__ import annotations

import sys

from otel_injection import ours, report

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def instrument(_name: str, act: Callable[[], None]) -> None:
    """Instrument Django when its first handler loads its middleware: then its settings can be read (contrib 2495)."""
    handler = sys.modules["django.core.handlers.base"].BaseHandler
    load_middleware = handler.load_middleware
    waiting = [act]

    def load(self: Any, *arguments: Any, **keywords: Any) -> Any:
        try:
            prepare = waiting.pop()
        except IndexError:  # another thread has done it
            pass
        else:
            try:
                _name_middleware()
                prepare()
            except ours() as error:
                report.say(f"django is not instrumented: {type(error).__name__}: {error}")
        return load_middleware(self, *arguments, **keywords)

    load.__name__ = load_middleware.__name__
    load.__doc__ = load_middleware.__doc__
    handler.load_middleware = load


def _name_middleware() -> None:
    """Let Django find our middleware, which it imports by name."""
    from opentelemetry.instrumentation.django import DjangoInstrumentor

    DjangoInstrumentor._opentelemetry_middleware = "otel_injection.instrumentations.django.middleware.Middleware"
