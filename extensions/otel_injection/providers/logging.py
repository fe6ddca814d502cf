"""Loggers that find the process's SDK at their first record, and find it anew after a fork."""

from __future__ import annotations

from typing import Any

from opentelemetry import _logs as api
from opentelemetry._logs import _internal

from otel_injection.providers.resolving import NOTHING, resolve
from otel_injection.sdk.pipeline import PIPELINE


class ProxyLoggerProvider(_internal.ProxyLoggerProvider):
    """Stands where no provider has been set; see ``tracing.ProxyTracerProvider`` for the name and ``is_the_apps``."""

    __module__ = _internal.ProxyLoggerProvider.__module__

    def __init__(self, *, is_the_apps: bool) -> None:
        self.is_the_apps = is_the_apps
        self._loggers: dict[str, Logger] = {}

    def get_logger(
        self, name: str, version: str | None = None, schema_url: str | None = None, attributes: Any = None
    ) -> api.Logger:
        """Return a logger that resolves itself when it is used."""
        if version or schema_url or attributes:
            return Logger(self, name, version, schema_url, attributes)
        known = self._loggers.get(name)  # asked for with each record of logging
        if known is None:
            known = self._loggers[name] = Logger(self, name, version, schema_url, attributes)
        return known

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Export what has been emitted."""
        state = PIPELINE.state
        return bool(state.logger_provider.force_flush(timeout_millis)) if state is not None else True


class Logger(api.Logger):
    """A logger of the process's current SDK."""

    def __init__(
        self, provider: ProxyLoggerProvider, name: str, version: Any, schema_url: Any, attributes: Any
    ) -> None:
        super().__init__(name, version=version, schema_url=schema_url, attributes=attributes)
        self._arguments = (name, version, schema_url, attributes)
        self._provider = provider
        self._resolved: tuple[Any, Any, api.Logger] = (None, None, api.NoOpLogger(name))

    def emit(self, *arguments: Any, **keywords: Any) -> None:
        """Emit a record; see ``opentelemetry._logs.Logger.emit``."""
        self._logger().emit(*arguments, **keywords)

    def enabled(self, *arguments: Any, **keywords: Any) -> bool:
        """Return whether a record would be kept; see ``opentelemetry._logs.Logger.enabled``."""
        return self._logger().enabled(*arguments, **keywords)

    def _logger(self) -> api.Logger:
        state, provider = PIPELINE.current(), _internal._LOGGER_PROVIDER
        resolved = self._resolved  # one object: another thread may be replacing it
        if resolved[0] is not state or resolved[1] is not provider:
            resolved = self._resolved = (state, provider, self._resolve(state, provider))
        return resolved[2]

    def _resolve(self, state: Any, set_provider: Any) -> api.Logger:
        of_sdk = state.logger_provider if state is not None else NOTHING
        provider = resolve(
            "logs", set_provider, GLOBAL, of_sdk, api.LoggerProvider, is_the_apps=self._provider.is_the_apps
        )
        if provider is NOTHING:
            return api.NoOpLogger(self._arguments[0])
        return provider.get_logger(*self._arguments)  # type: ignore[no-any-return]


GLOBAL = ProxyLoggerProvider(is_the_apps=True)
INSTRUMENTATIONS = ProxyLoggerProvider(is_the_apps=False)

# Put in place without the API's "set once" guard: what the app sets, early or late, wins.
if _internal._LOGGER_PROVIDER is None:
    _internal._LOGGER_PROVIDER = GLOBAL
