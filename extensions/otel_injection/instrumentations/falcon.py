"""Falcon: its class of apps, and what is done for a request whose URL is excluded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from otel_injection.instrumentations import derived_classes, excluded_urls
from otel_injection.instrumentations.excluded_urls import enter, leave


def instrument(name: str, act: Callable[[], None]) -> None:
    """Instrument it, excluded URLs included."""
    excluded_urls.watch(name, _watch)
    act()
    derived_classes.look_alike("falcon", "App")


def _watch() -> None:
    from opentelemetry.instrumentation import falcon as module

    kind: Any = module._InstrumentedFalconAPI
    serve = kind.__call__

    def __call__(self: Any, env: Any, start_response: Any) -> Any:  # noqa: N807 - it takes its place
        token = enter() if self._otel_excluded_urls.url_disabled(env.get("PATH_INFO", "/")) else None
        try:
            return serve(self, env, start_response)
        finally:
            leave(token)

    kind.__call__ = __call__
