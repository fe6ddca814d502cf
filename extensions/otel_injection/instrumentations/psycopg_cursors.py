"""psycopg 3: what is traced are the ``execute`` of its cursors, whatever class an app's cursor is and how it was made.

Upstream puts a class of its own in the place of the app's: a connection that brings its cursors, as the library's
documentation shows, has them no more, and cursors that an app makes itself have no span.
"""

from __future__ import annotations

import functools
import inspect
import weakref
from typing import Any

import psycopg  # type: ignore[import-not-found, unused-ignore]
from opentelemetry.instrumentation import psycopg as _upstream

from otel_injection import ours, report

_CLASSES = ("Cursor", "AsyncCursor", "ServerCursor", "AsyncServerCursor")
"""Those that execute by themselves; all others, the app's included, call one of them."""

upstream: Any = _upstream
_options: dict[str, Any] = {}
_tracers: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
"""By connection."""


def replace() -> None:
    """Have upstream's instrumentor trace the methods of the library's classes."""
    upstream.PsycopgInstrumentor._instrument = _instrument


def _instrument(_instrumentor: Any, **options: Any) -> None:
    _options.update(options)
    for name in _CLASSES:
        kind = getattr(psycopg, name, None)
        for method in ("execute", "executemany"):
            if kind is not None and method in vars(kind):
                setattr(kind, method, _traced(vars(kind)[method]))


def _traced(execute: Any) -> Any:
    @functools.wraps(execute)
    def traced(self: Any, *arguments: Any, **keywords: Any) -> Any:
        tracer = _tracer(self)
        if tracer is None:
            return execute(self, *arguments, **keywords)
        return tracer.traced_execution(self, functools.partial(execute, self), *arguments, **keywords)

    @functools.wraps(execute)
    async def traced_coroutine(self: Any, *arguments: Any, **keywords: Any) -> Any:
        tracer = _tracer(self)
        if tracer is None:
            return await execute(self, *arguments, **keywords)
        return await tracer.traced_execution_async(self, functools.partial(execute, self), *arguments, **keywords)

    return traced_coroutine if inspect.iscoroutinefunction(execute) else traced


def _tracer(cursor: Any) -> Any:
    """Return what traces the statements of a cursor's connection; None where nothing can be known of that."""
    try:
        connection = cursor.connection
        tracer = _tracers.get(connection)
        if tracer is None:
            tracer = _tracers[connection] = upstream.CursorTracer(_integration(connection))
    except ours(Exception) as error:
        report.debug(f"psycopg: {type(error).__name__}: {error}")
        return None
    return tracer


def _integration(connection: Any) -> Any:
    instrumentor = upstream.PsycopgInstrumentor
    integration = upstream.DatabaseApiIntegration(
        "opentelemetry.instrumentation.psycopg",
        instrumentor._DATABASE_SYSTEM,
        connection_attributes=instrumentor._CONNECTION_ATTRIBUTES,
        version=upstream.__version__,
        tracer_provider=_options.get("tracer_provider"),
        capture_parameters=_options.get("capture_parameters", False),
        enable_commenter=_options.get("enable_commenter", False),
        commenter_options=_options.get("commenter_options", {}),
        connect_module=psycopg,
        enable_attribute_commenter=_options.get("enable_attribute_commenter", False),
    )
    integration.get_connection_attributes(connection)
    return integration
