"""Logger providers that find the process's SDK at their first record, and the recording of ``logging``.

The records of ``logging`` are taken where a logger hands them to its handlers, after the app's levels and filters: no
handler is added to the root logger, whose ``lastResort``, ``basicConfig`` and own handlers work as without us
(contrib issue 2793, python issue 2594).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry import _logs as api
from opentelemetry._logs import _internal
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, get_value

from otel_injection import ours, record, report
from otel_injection.sdk.pipeline import PIPELINE
from otel_injection.settings.early import flag, forced
from otel_injection.settings.environment import ENVIRON

_DEPTH = 5
"""How deep collections within collections are kept as such."""


class ProxyLoggerProvider(_internal.ProxyLoggerProvider):
    """Stands where no provider has been set; see ``tracing.ProxyTracerProvider`` for the name and ``ours``."""

    __module__ = _internal.ProxyLoggerProvider.__module__

    def __init__(self, *, ours: bool) -> None:
        self.ours = ours
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
        if set_provider is not GLOBAL and set_provider is not None and not forced():
            record.app_provider("logs", type(set_provider).__module__)
            if self._provider.ours:
                return api.NoOpLogger(self._arguments[0])
            return set_provider.get_logger(*self._arguments)  # type: ignore[no-any-return]
        if state is None:
            return api.NoOpLogger(self._arguments[0])
        return state.logger_provider.get_logger(*self._arguments)  # type: ignore[no-any-return]


GLOBAL = ProxyLoggerProvider(ours=False)
OURS = ProxyLoggerProvider(ours=True)

# Put in place without the API's "set once" guard: what the app sets, early or late, wins.
if _internal._LOGGER_PROVIDER is None:
    _internal._LOGGER_PROVIDER = GLOBAL


def _plain(value: Any, depth: int = 0) -> Any:
    """Return a value of an attribute as one of the types that it may have.

    What else apps attach to a record (Django: the request) is no mistake of theirs that they must be told of.
    """
    if value is None or isinstance(value, str | bool | int | float | bytes):
        return value
    if isinstance(value, Mapping) and depth < _DEPTH:
        return {str(key): _plain(each, depth + 1) for key, each in value.items()}
    if isinstance(value, list | tuple) and depth < _DEPTH:
        return [_plain(each, depth + 1) for each in value]
    return str(value)


class Recorder:
    """Turns records of ``logging`` into log records of OpenTelemetry, the way upstream's handler does."""

    def __init__(self) -> None:
        from opentelemetry.instrumentation.logging import _get_log_level
        from opentelemetry.instrumentation.logging.handler import LoggingHandler

        class Handler(LoggingHandler):
            """Known to ``logging`` as every handler is, which flushes all of them at the end and when configured."""

            def flush(self) -> None:
                """Do nothing: upstream's starts a thread, which a process that is ending cannot have."""

            def _get_attributes(self, record: Any) -> Any:
                attributes, event_name = super()._get_attributes(record)
                return {key: _plain(value) for key, value in attributes.items()}, event_name

        self._handler = Handler(
            level=_get_log_level(ENVIRON.get("OTEL_PYTHON_LOG_HANDLER_LEVEL")) or 0,
            logger_provider=OURS,
            log_code_attributes=flag("OTEL_PYTHON_LOG_CODE_ATTRIBUTES"),
        )

    def record(self, record: Any) -> None:
        """Record unless this very thread is exporting; never raises."""
        try:
            if record.levelno >= self._handler.level and not get_value(_SUPPRESS_INSTRUMENTATION_KEY):
                try:
                    self._handler.emit(record)
                except BaseException:  # perhaps between marking that it is emitting and being ready to take that back
                    self._handler._is_emitting.set(False)
                    raise
        except ours() as error:
            report.debug(f"a log record was not recorded: {type(error).__name__}: {error}")
