"""Turns the records of ``logging`` into log records of OpenTelemetry.

They are taken where a logger hands them to its handlers, after the app's levels and filters: no handler is added to the
root logger, whose ``lastResort``, ``basicConfig`` and own handlers work as without us (contrib issue 2793, python issue
2594).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, get_value

from otel_injection import ours, report
from otel_injection.providers.logging import INSTRUMENTATIONS
from otel_injection.settings.early import flag
from otel_injection.settings.environment import ENVIRON

_DEPTH = 5
"""How deep collections within collections are kept as such."""


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
                return {str(key): _plain(value) for key, value in attributes.items() if key != ""}, event_name

        self._handler = Handler(
            level=_get_log_level(ENVIRON.get("OTEL_PYTHON_LOG_HANDLER_LEVEL")) or 0,
            logger_provider=INSTRUMENTATIONS,
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
