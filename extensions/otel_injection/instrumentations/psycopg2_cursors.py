"""psycopg2: what is traced are the ``execute`` of cursors, whatever class an app gives them and how.

Its classes are written in C, where no method can be replaced. So a connection is of a class derived from the app's,
which looks like it and makes cursors of classes derived from the app's, which look like these: ``LoggingConnection``
logs, and ``connection.cursor(cursor_factory=RealDictCursor)`` has its spans. Derived from both, the app's class and one
of ours, they have ours behind all that is the app's and before the one in C.
"""

from __future__ import annotations

import functools
import weakref
from typing import Any

import psycopg2  # type: ignore[import-untyped, unused-ignore]
from opentelemetry.instrumentation import psycopg2 as _upstream
from psycopg2 import extensions  # type: ignore[import-untyped, unused-ignore]

from otel_injection import ours, report

_METHODS = ("execute", "executemany", "callproc")

upstream: Any = _upstream
_options: dict[str, Any] = {}
_tracers: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
"""By connection."""
_derived: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
"""By class of the app's, the one that is derived from it."""
_executing: set[int] = set()
"""The cursors that are executing: what the app's method does by those of its base is the same statement."""


def replace() -> None:
    """Have upstream's instrumentor give connections and cursors these classes."""
    upstream.Psycopg2Instrumentor._instrument = _instrument


def _instrument(_instrumentor: Any, **options: Any) -> None:
    _options.update(options)
    connect = psycopg2.connect

    @functools.wraps(connect)
    def traced_connect(dsn: Any = None, connection_factory: Any = None, *arguments: Any, **keywords: Any) -> Any:
        return connect(dsn, _like(connection_factory or extensions.connection, _connection), *arguments, **keywords)

    psycopg2.connect = traced_connect


def _like(factory: Any, base: Any) -> Any:
    """Return a class that is derived from the app's and from ours, and looks like the app's; the app's if it is none.

    ``base`` is given the class and returns what it adds to it, and ours.
    """
    if not isinstance(factory, type) or getattr(factory, "_otel_injection", None) is not None:
        return factory
    known = _derived.get(factory)
    if known is None:
        try:
            known = base(factory)
            _derived[factory] = known
        except ours(Exception) as error:  # a metaclass, say, of which nobody may derive
            report.debug(f"psycopg2: {factory.__name__}: {type(error).__name__}: {error}")
            return factory
    return known


def _looks(kind: type) -> dict[str, Any]:
    names: dict[str, Any] = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__}
    return {**names, "__slots__": ()}


def _bases(kind: type, ours: type) -> tuple[type, ...]:
    return (ours,) if issubclass(ours, kind) else (kind, ours)


def _connection(kind: Any) -> Any:
    return type(kind)(kind.__name__, _bases(kind, _Connection), _looks(kind))


def _cursor(kind: Any) -> Any:
    own = {
        each: _traced(getattr(kind, each))
        for each in _METHODS
        if getattr(kind, each, None) is not getattr(extensions.cursor, each)
    }
    return type(kind)(kind.__name__, _bases(kind, _Cursor), {**_looks(kind), **own})


def _traced(execute: Any) -> Any:
    @functools.wraps(execute)
    def traced(self: Any, *arguments: Any, **keywords: Any) -> Any:
        tracer = None if id(self) in _executing else _tracer(self)
        if tracer is None:
            return execute(self, *arguments, **keywords)
        _executing.add(id(self))
        try:
            return tracer.traced_execution(self, functools.partial(execute, self), *arguments, **keywords)
        finally:
            _executing.discard(id(self))

    return traced


class _Connection(extensions.connection):  # type: ignore[misc]
    __slots__ = ()

    def cursor(self, name: Any = None, cursor_factory: Any = None, *arguments: Any, **keywords: Any) -> Any:
        factory = cursor_factory or self.cursor_factory or extensions.cursor
        return super().cursor(name, _like(factory, _cursor), *arguments, **keywords)


class _Cursor(extensions.cursor):  # type: ignore[misc]
    __slots__ = ()

    execute = _traced(extensions.cursor.execute)
    executemany = _traced(extensions.cursor.executemany)
    callproc = _traced(extensions.cursor.callproc)


def _tracer(cursor: Any) -> Any:
    """Return what traces the statements of a cursor's connection; None where nothing can be known of that."""
    try:
        connection = cursor.connection
        tracer = _tracers.get(connection)
        if tracer is None:
            tracer = _tracers[connection] = _CursorTracer(_integration(connection))
    except ours(Exception) as error:
        report.debug(f"psycopg2: {type(error).__name__}: {error}")
        return None
    return tracer


class _CursorTracer(upstream.CursorTracer):  # type: ignore[misc]
    """What upstream's does, for statements that are bytes as well, or any kind of ``psycopg2.sql``."""

    def get_operation_name(self, cursor: Any, args: Any) -> str:
        tokens = self._leading_comment_remover.sub("", self.get_statement(cursor, args)).split()
        return tokens[0] if tokens else ""

    def get_statement(self, cursor: Any, args: Any) -> str:
        statement = args[0] if args else ""
        if hasattr(statement, "as_string"):
            statement = statement.as_string(cursor)
        if isinstance(statement, bytes | bytearray | memoryview):
            statement = bytes(statement).decode("utf-8", "replace")
        return statement if isinstance(statement, str) else ""


def _integration(connection: Any) -> Any:
    instrumentor = upstream.Psycopg2Instrumentor
    integration = upstream.DatabaseApiIntegration(
        "opentelemetry.instrumentation.psycopg2",
        instrumentor._DATABASE_SYSTEM,
        connection_attributes=instrumentor._CONNECTION_ATTRIBUTES,
        version=upstream.__version__,
        tracer_provider=_options.get("tracer_provider"),
        capture_parameters=_options.get("capture_parameters", False),
        enable_commenter=_options.get("enable_commenter", False),
        commenter_options=_options.get("commenter_options", {}),
        connect_module=psycopg2,
        enable_attribute_commenter=_options.get("enable_attribute_commenter", False),
    )
    integration.get_connection_attributes(connection)
    return integration
