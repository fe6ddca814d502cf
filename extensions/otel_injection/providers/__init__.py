"""The global providers of tracers, meters and loggers, which find the SDK of the process when they are used.

The functions put a provider in place when the app has imported that part of the API. It is the import of the module
that does so: ours may have begun with it, and come here while it imports the API.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from typing import Any


def offer_tracers(_module: Any, _name: str) -> None:
    """Put the provider of tracers in place."""
    from otel_injection.providers import tracing  # noqa: F401


def offer_meters(_module: Any, _name: str) -> None:
    """Put the provider of meters in place."""
    from otel_injection.providers import metering  # noqa: F401


def offer_loggers(_module: Any, _name: str) -> None:
    """Put the provider of loggers in place."""
    from otel_injection.providers import logging  # noqa: F401
