"""gRPC services with a server span, and with the app's own context and handlers.

Upstream's interceptor has a name wrong in one method of the context, and fails calls whose names or peers it cannot
take apart, and those of asynchronous servers whose handlers write to the context or are ordinary functions.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.instrumentation.grpc import _aio_server, _server, _utilities
from opentelemetry.semconv.trace import SpanAttributes
from opentelemetry.trace import INVALID_SPAN, Span

from otel_injection import ours, report

_ordinary: Any = _server.OpenTelemetryServerInterceptor.intercept_service
_status: Any = _utilities._server_status
_done: list[str] = []


def complete(name: str) -> None:
    """Mend the methods of upstream's context, and let a call go on where its span fails."""
    if not _done:
        context: Any = _server._OpenTelemetryServicerContext
        context.disable_next_message_compression = _disable_compression
        for each in ("abort", "set_code", "set_details"):
            setattr(context, each, _beside(each, getattr(context, each)))
        context.abort_with_status = _abort_with_status
        interceptor: Any = _server.OpenTelemetryServerInterceptor
        interceptor._start_span = _started_or_not(interceptor._start_span)
    if name == "grpc_aio_server" and name not in _done:
        asynchronous: Any = _aio_server.OpenTelemetryAioServerInterceptor
        asynchronous.intercept_service = _by_kind(asynchronous.intercept_service)
        asynchronous._intercept_aio_server_stream = _writing_or_yielding(asynchronous)
    _done.append(name)


def _disable_compression(self: Any) -> None:
    self._servicer_context.disable_next_message_compression()


def _by_kind(intercept: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ordinary functions, which an asynchronous server runs in threads, as an ordinary server's are wrapped."""

    async def intercept_service(self: Any, continuation: Any, details: Any) -> Any:
        handler = await continuation(details)
        behavior = next((each for each in map(handler.__getattribute__, _KINDS) if each), None) if handler else None
        if behavior is None:
            return handler
        if not (inspect.iscoroutinefunction(behavior) or inspect.isasyncgenfunction(behavior)):
            return _ordinary(self, lambda _details: handler, details)

        async def found(_details: Any) -> Any:
            return handler

        return await intercept(self, found, details)

    return intercept_service


_KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")


def _writing_or_yielding(interceptor: Any) -> Callable[..., Any]:
    """Return the wrapper for a handler of streams: for one that yields, or for one that writes to its context."""
    yielding, writing = interceptor._intercept_aio_server_stream, interceptor._intercept_aio_server_unary
    return lambda self, behavior, details: (
        yielding(self, behavior, details) if inspect.isasyncgenfunction(behavior) else writing(self, behavior, details)
    )


class _Silent:
    """Stands for the app's context while upstream sets attributes: the app's own call reaches the real context."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_arguments, **_keywords: None


def _beside(name: str, note: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that calls the context's own, even if setting its arguments on the span fails."""

    def method(self: Any, *arguments: Any, **keywords: Any) -> Any:
        context, self._servicer_context = self._servicer_context, _Silent()
        try:
            note(self, *arguments, **keywords)
        except ours() as error:
            report.debug(f"grpc: {name} is not noted: {type(error).__name__}: {error}")
        finally:
            self._servicer_context = context
        return getattr(context, name)(*arguments, **keywords)

    return method


def _abort_with_status(self: Any, status: Any) -> Any:
    """Note the status as ``abort`` does."""
    try:
        self._active_span.set_attribute(SpanAttributes.RPC_GRPC_STATUS_CODE, status.code.value[0])
        self._active_span.set_status(_status(status.code, status.details))
    except ours() as error:
        report.debug(f"grpc: abort_with_status is not noted: {type(error).__name__}: {error}")
    return self._servicer_context.abort_with_status(status)


def _started_or_not(start: Callable[..., Any]) -> Callable[..., Any]:
    @contextmanager
    def nothing() -> Iterator[Span]:
        yield INVALID_SPAN

    def start_span(self: Any, *arguments: Any, **keywords: Any) -> Any:
        try:
            return start(self, *arguments, **keywords)
        except ours() as error:
            report.debug(f"grpc: a call has no span: {type(error).__name__}: {error}")
            return nothing()

    return start_span
