"""FastAPI: its class of apps, excluded URLs, and the shorter way for requests."""

from __future__ import annotations

from collections.abc import Callable

from otel_injection.instrumentations import derived_classes, excluded_urls
from otel_injection.instrumentations.asgi import shorten, watch_excluded


def instrument(name: str, act: Callable[[], None]) -> None:
    """Instrument it, excluded URLs included."""
    excluded_urls.watch(name, watch_excluded)
    act()
    derived_classes.look_alike("fastapi", "FastAPI")
    shorten(name, "fastapi", "FastAPI")
