"""The app's logs API: once the app has set a logger provider, the records of ``logging`` are the app's."""

from __future__ import annotations

from typing import Any

from opentelemetry._logs import _internal

from otel_injection.providers import logging
from otel_injection.providers.bridge.app_providers import show
from otel_injection.settings.early import forced


def join(app: Any, _name: str) -> None:
    """Let our loggers see the provider that the app sets. What the app emits by its API itself goes there alone."""
    show(_internal, "_LOGGER_PROVIDER", lambda: None if forced() else app._LOGGER_PROVIDER, logging.GLOBAL)
