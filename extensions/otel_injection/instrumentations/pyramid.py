"""Pyramid: its configurator looks for the app's package by counting frames."""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from collections.abc import Callable


def instrument(_name: str, act: Callable[[], None]) -> None:
    """Instrument it, and let its configurator look further: wrapt in Python and ``fallback`` put frames between."""
    act()
    from opentelemetry.instrumentation import pyramid

    pyramid.CALLER_LEVELS = 4
