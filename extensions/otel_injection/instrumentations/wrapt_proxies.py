"""Lets wrapt's proxies be copied, pickled and printed as the functions and objects that they stand for.

wrapt refuses to copy and pickle a proxy, since it cannot know whether the proxy or the object is meant. An app means
the object.
"""

from __future__ import annotations

import copy
import sys
from typing import Any

import wrapt

from otel_injection.imports import hooks
from otel_injection.instrumentations import fallback

_DBAPI = "otel_injection._vendor.opentelemetry.instrumentation.dbapi"


def complete() -> None:
    """Add these methods to wrapt's classes; calling it again changes nothing."""
    proxy: Any = wrapt.BaseObjectProxy
    proxy.__repr__ = lambda self: repr(self.__wrapped__)
    proxy.__copy__ = lambda self: copy.copy(self.__wrapped__)
    proxy.__deepcopy__ = lambda self, memo: copy.deepcopy(self.__wrapped__, memo)
    proxy.__reduce_ex__ = lambda self, protocol: self.__wrapped__.__reduce_ex__(protocol)
    init = wrapt.FunctionWrapper.__init__
    wrapt.FunctionWrapper.__init__ = lambda self, wrapped, wrapper, enabled=None: init(  # type: ignore[method-assign]
        self, wrapped, fallback.guard(wrapper), enabled
    )
    functions: tuple[Any, ...] = (wrapt.FunctionWrapper, wrapt.BoundFunctionWrapper)
    for function in functions:
        function.__copy__ = lambda self: self
        function.__deepcopy__ = _deepcopy_function
        function.__reduce_ex__ = _reduce_function
    _await_modules()
    hooks.after(_DBAPI, _complete_database)


def _await_modules() -> None:
    """Wrap a function of a module only once the app has imported the module; wrapt would import it."""
    patches: Any = sys.modules[wrapt.wrap_object.__module__]
    wrap = patches.wrap_object

    def wrap_object(target: Any, name: str, factory: Any, args: Any = (), kwargs: Any = None) -> Any:
        if isinstance(target, str) and target not in sys.modules:
            hooks.after(target, lambda module: wrap(module, name, factory, args, kwargs or {}))
            return None
        return wrap(target, name, factory, args, kwargs or {})

    patches.wrap_object = wrap_object


def _owner(function: Any) -> Any:
    """Return the object that a method is bound to, None for a function of a module, in Python or in C."""
    owner = getattr(function, "__self__", None)
    return None if isinstance(owner, type(sys)) else owner


def _deepcopy_function(self: Any, memo: Any) -> Any:
    owner = _owner(self.__wrapped__)
    return self if owner is None else getattr(copy.deepcopy(owner, memo), self.__name__)


def _reduce_function(self: Any, _protocol: Any) -> Any:
    """Return a function's module and name, by which another process, with or without us, finds it when unpickling."""
    function = self.__wrapped__
    owner = _owner(function)
    if owner is not None:
        return getattr, (owner, function.__name__)
    found: Any = sys.modules.get(function.__module__)
    for name in function.__qualname__.split("."):
        found = getattr(found, name, None)
    return function.__qualname__ if found is self else (copy.copy, (function,))


def _complete_database(dbapi: Any) -> None:
    operation_name = dbapi.CursorTracer.get_operation_name

    def get_operation_name(self: Any, cursor: Any, args: Any) -> Any:
        if args and isinstance(args[0], bytes | bytearray):  # whose name upstream does not look for
            args = (args[0].decode("utf-8", "replace"), *args[1:])
        return operation_name(self, cursor, args)

    dbapi.CursorTracer.get_operation_name = get_operation_name
    for name in ("traced_execution", "traced_execution_async"):
        fallback.guard_argument(dbapi.CursorTracer, name, 2)

    class Connection(dbapi.TracedConnectionProxy):  # type: ignore[misc]
        """A proxy of a sqlite3 connection whose ``backup`` unwraps its target: the code in C accepts no proxy."""

        def backup(self, target: Any, **keywords: Any) -> Any:
            return self.__wrapped__.backup(getattr(target, "__wrapped__", target), **keywords)

    traced = dbapi.get_traced_connection_proxy

    def get_traced_connection_proxy(connection: Any, integration: Any = None, *arguments: Any, **keywords: Any) -> Any:
        if hasattr(type(connection), "backup"):
            return Connection(connection, integration)
        return traced(connection, integration, *arguments, **keywords)

    dbapi.get_traced_connection_proxy = get_traced_connection_proxy
    dbapi.TracedCursorProxy.__next__ = lambda self: next(self.__wrapped__)
