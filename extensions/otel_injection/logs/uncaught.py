"""Records uncaught exceptions as log records, as ``opentelemetry-instrumentation-exceptions`` does.

Upstream's imports ``asyncio`` into every app, and with it ``ssl``, before gevent could patch it: here each hook is
set when its module is there.
"""

from __future__ import annotations

import sys

from otel_injection import ours, report
from otel_injection._index import INSTRUMENTATION_VERSION
from otel_injection.imports import hooks
from otel_injection.lifecycle import events
from otel_injection.settings.early import disabled_instrumentations

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from typing import Any

_SCOPE = "opentelemetry.instrumentation.exceptions"
_ready = False


def hook(_module: Any, _name: str) -> None:
    """Set the hooks once something makes spans in this process, unless that is disabled."""
    global _ready
    if not _ready and disabled_instrumentations().isdisjoint(("*", "exceptions")):
        _ready = True
        events.about_to_end.register(_at_end)
        hooks.after("threading", _hook_threads)
        hooks.after("asyncio.base_events", _hook_asyncio)


def _at_end() -> None:
    """Record what the main thread ends with.

    No ``sys.excepthook``: where there is one, libraries (exceptiongroup, for example) leave out theirs.
    """
    error = getattr(sys, "last_value", None)
    if error is not None and not hasattr(sys, "ps1"):
        _record(error, "FATAL", type(error).__name__)


def _hook_threads(threading: Any) -> None:
    from functools import wraps

    original = threading.excepthook

    @wraps(original)
    def excepthook(args: Any, /) -> Any:
        _record(args.exc_value, "ERROR", getattr(args.exc_type, "__name__", ""))
        return original(args)

    threading.excepthook = excepthook


def _hook_asyncio(base_events: Any) -> None:
    from functools import wraps

    original = base_events.BaseEventLoop.call_exception_handler

    @wraps(original)
    def call_exception_handler(self: Any, context: Any) -> Any:
        if isinstance(context, dict):
            error = context.get("exception")
            _record(error, "ERROR", str(context.get("message") or type(error).__name__))
        return original(self, context)

    base_events.BaseEventLoop.call_exception_handler = call_exception_handler


def _record(error: Any, severity: str, event_name: str) -> None:
    if not isinstance(error, Exception):
        return
    try:
        from opentelemetry._logs import SeverityNumber

        from otel_injection.providers.logging import INSTRUMENTATIONS

        INSTRUMENTATIONS.get_logger(_SCOPE, INSTRUMENTATION_VERSION).emit(
            event_name=event_name,
            body=str(error),
            severity_text=severity,
            severity_number=SeverityNumber[severity],
            exception=error,
        )
    except ours() as failure:
        report.debug(f"an uncaught exception was not recorded: {type(failure).__name__}: {failure}")
