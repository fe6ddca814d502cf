"""A shorter way through upstream's ASGI middleware, on which FastAPI's and Starlette's instrumentations are built.

``__call__`` of upstream's middleware is replaced by this one, which serves plain HTTP requests. The original serves all
others: WebSockets, requests within a span (of an app mounted in another), hooks, captured headers, and those for which
this one raises.
"""

from __future__ import annotations

from contextvars import ContextVar
from functools import partial
from time import perf_counter
from typing import Any

from opentelemetry import propagate
from opentelemetry.context import (
    _SUPPRESS_HTTP_INSTRUMENTATION_KEY,
    _SUPPRESS_INSTRUMENTATION_KEY,
    Context,
)
from opentelemetry.instrumentation import asgi
from opentelemetry.instrumentation.asgi.version import __version__
from opentelemetry.instrumentation.propagators import get_global_response_propagator
from opentelemetry.instrumentation.utils import _SUPPRESS_INSTRUMENTATION_KEY_PLAIN
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanKind,
    StatusCode,
    set_span_in_context,
)
from opentelemetry.trace.status import Status

from otel_injection import ours, report
from otel_injection.instrumentations.asgi import asgi_attributes, routes
from otel_injection.instrumentations.asgi.asgi_attributes import content_length, number
from otel_injection.instrumentations.asgi.request_kinds import Kinds
from otel_injection.instrumentations.server_requests import server_spans
from otel_injection.instrumentations.server_requests.usual_setup import failed
from otel_injection.providers import tracing
from otel_injection.sdk.faster import current_context
from otel_injection.sdk.faster.deferred_attributes import Later
from otel_injection.sdk.pipeline import PIPELINE

_KNOWN = ("0.66b",)
"""Releases of upstream's middleware that this one stands in for."""
_SUPPRESSED = (
    _SUPPRESS_INSTRUMENTATION_KEY,
    _SUPPRESS_INSTRUMENTATION_KEY_PLAIN,
    _SUPPRESS_HTTP_INSTRUMENTATION_KEY,
)
_FIELDS = ("traceparent", "tracestate", "baggage")
_HOOKS = (
    *("server_request_hook", "client_request_hook", "client_response_hook"),
    *("http_capture_headers_server_request", "http_capture_headers_server_response"),
)

_response_propagator: Any = get_global_response_propagator
_call = asgi.OpenTelemetryMiddleware.__call__


def use() -> None:
    """Have upstream's middleware take the shorter way, if it is the one that is known here."""
    asgi.OpenTelemetryMiddleware.content_length_header = _Length()  # type: ignore[assignment]
    if __version__.startswith(_KNOWN) and current_context.is_known():
        asgi.OpenTelemetryMiddleware.__call__ = call  # type: ignore[method-assign]
        routes.use()


async def call(self: Any, scope: Any, receive: Any, send: Any) -> None:
    """See ``OpenTelemetryMiddleware.__call__``."""
    began = perf_counter()
    request = None
    try:
        if scope["type"] == "http" and _is_usual(self):
            request = Request(self, scope)
    except ours() as error:
        report.debug(f"a request takes the long way: {type(error).__name__}: {error}")  # with the same telemetry
        request = None
    if request is None or request.within:
        _length.set([None])
        await _call(self, scope, receive, send)
    elif request.excluded:
        await self.app(scope, receive, send)
    else:
        await request.serve(began, receive, send)


_length: ContextVar[list[int | None]] = ContextVar("length", default=[None])  # noqa: B039 - each request has its own


class _Length:
    """The length of the answer that is being sent; upstream keeps that of any earlier one (contrib PR 5081)."""

    def __get__(self, middleware: Any, kind: Any = None) -> int | None:
        return _length.get()[0]

    def __set__(self, middleware: Any, value: int | None) -> None:
        _length.get()[0] = value


def _is_usual(middleware: Any) -> bool:
    """Return whether a middleware has no hooks or other options that only upstream's code supports."""
    kinds = middleware.__dict__.get("_otel_injection")
    if kinds is None:
        usual = type(middleware) is asgi.OpenTelemetryMiddleware and not any(
            getattr(middleware, each) for each in _HOOKS
        )
        kinds = middleware._otel_injection = Kinds(middleware) if usual else False
    return kinds is not False


class _Headers(Getter[dict[str, list[str]]]):
    """Reads headers that have been decoded."""

    def get(self, carrier: dict[str, list[str]], key: str) -> list[str] | None:
        return carrier.get(key)

    def keys(self, carrier: dict[str, list[str]]) -> list[str]:
        return list(carrier)


_headers = _Headers()


def _remote_parent(scope: Any, headers: dict[str, list[str]]) -> Context:
    """Return the context that is extracted from a request's headers."""
    propagator = propagate.get_global_textmap()
    if not server_spans.is_w3c(propagator):
        return server_spans.extracted(propagator, scope, asgi.asgi_getter)
    if not any(each in headers for each in _FIELDS):
        return Context()  # W3C's propagators extract nothing without these headers
    return server_spans.extracted(propagator, headers, _headers)


class Request:
    """A request: what is known before it is served, and how it is served."""

    def __init__(self, middleware: Any, scope: Any) -> None:
        self._middleware = middleware
        self._scope = scope
        self._span: Any = None
        self._told: dict[str, Any] = {}
        self._length: int | None = None
        self._trailers = False
        current = current_context.get_current()
        self.within = bool(current) and (any(map(current.get, _SUPPRESSED)) or server_spans.has_span(current))
        """Whether it is served within a span, or where nothing is to be instrumented."""
        if self.within:
            return
        self._raw_headers = scope.get("headers")
        self._headers = headers = asgi_attributes.wanted(self._raw_headers)
        place = asgi_attributes.server_and_url(scope, headers)
        self.excluded = bool(middleware.excluded_urls and middleware.excluded_urls.url_disabled(place[2]))
        """Whether the settings exclude its URL."""
        if self.excluded:
            return
        PIPELINE.current()  # notices a fork by C code, for all that is done for this request
        kinds: Kinds = middleware._otel_injection
        self._conventions = kinds.conventions
        self._name, more = middleware.default_span_details(scope)
        self._kind = kinds.of(scope, headers, place, more)
        self._later = Later(partial(self._kind.attributes, scope, headers, place))
        self._parent = _remote_parent(scope, headers)

    async def serve(self, began: float, receive: Any, send: Any) -> None:
        """Have the app serve it."""
        middleware, later = self._middleware, self._later
        token = current_context.attach(self._parent)
        try:
            tracer = self._tracer()
            attributes: Any = later if getattr(tracer, "takes_later", False) else later.made()
            self._span = span = tracer.start_span(self._name, self._parent, SpanKind.SERVER, attributes)
            self._kind.active.measure(1)
            self._records = type(span) is not NonRecordingSpan
            self._tells = not middleware.exclude_send_span and (self._records or not _skips(tracer, span))
            if self._records:
                server_spans.complete(span, later.value)
        except ours() as error:
            failed(error)
            current_context.detach(token)
            await middleware.app(self._scope, receive, send)
            return
        self._receive, self._send = receive, send
        try:
            current = current_context.attach(current_context.with_current(span))
            try:
                await middleware.app(
                    self._scope, receive if middleware.exclude_receive_span else self.receive, self.send
                )
            except Exception as error:
                if isinstance(span, Span) and span.is_recording():
                    span.record_exception(error)
                    span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
                raise
            finally:
                current_context.detach(current)
        finally:
            try:
                self._measure(perf_counter() - began)
            except ours() as error:
                failed(error)
            current_context.detach(token)
            if span.is_recording():
                span.end()

    def _tracer(self) -> Any:
        tracer = self._middleware.tracer
        return tracer.resolved() if type(tracer) is tracing.Tracer else tracer

    async def receive(self) -> Any:
        """Stand in for the server's function."""
        with self._middleware.tracer.start_as_current_span(f"{self._name} {self._scope['type']} receive") as span:
            message = await self._receive()
            if span.is_recording():
                span.set_attribute("asgi.event.type", message["type"])
        return message

    async def send(self, message: Any) -> None:
        """Stand in for the server's function."""
        try:
            self._tell(message)
        except ours() as error:
            failed(error)
        await self._send(message)
        if self._ends(message):
            self._span.end()

    def _tell(self, message: Any) -> None:
        """Make the span of a sent message, and set what it tells on the request's span."""
        kind = message["type"]
        starts = kind == "http.response.start"
        status = message["status"] if starts else None
        if self._tells:
            sending = self._tracer().start_span(f"{self._name} {self._scope['type']} send")
            if sending.is_recording():
                if starts:
                    self._trailers = message.get("trailers", False)
                sending.set_attribute("asgi.event.type", kind)
            if status:
                self._conventions.of_answer(sending, {}, status)
            sending.end()
        if status:
            self._conventions.of_answer(self._span, self._told, status)
        propagator: Any = _response_propagator()
        if propagator:
            propagator.inject(message, context=set_span_in_context(self._span, Context()), setter=asgi.asgi_setter)
        length = content_length(message.get("headers"))
        if length:
            self._length = number(length, self._length)

    def _ends(self, message: Any) -> bool:
        """Return whether this is the last message of an answer."""
        kind = message["type"]
        if self._trailers:
            return kind == "http.response.trailers" and not message.get("more_trailers", False)
        return kind == "http.response.body" and not message.get("more_body", False)

    def _measure(self, seconds: float) -> None:
        """Record the request's duration and sizes."""
        span = self._span
        measured = self._kind.measured(self._told, asgi._collect_target_attribute(self._scope))
        if measured.old_duration is not None:
            measured.old_duration.measure(max(round(seconds * 1000), 0), span)
        if measured.new_duration is not None:
            measured.new_duration.measure(max(seconds, 0), span)
        answered = self._length
        if answered:
            for each in measured.answer_sizes:
                each.measure(answered, span)
        size = self._request_size()
        if size is not None:
            for each in measured.request_sizes:
                each.measure(size, span)
        self._kind.active.measure(-1)

    def _request_size(self) -> int | None:
        headers = self._scope.get("headers")
        if headers is self._raw_headers or headers == self._raw_headers:  # Starlette makes a copy
            found = self._headers.get("content-length")
        else:
            found = asgi.asgi_getter.get(self._scope, "content-length")
        return number(found[0]) if found else None


def _skips(tracer: Any, span: Any) -> bool:
    """Return whether a child of this span would neither record nor be counted."""
    return bool(getattr(tracer, "takes_later", False) and tracer.skips(span.get_span_context()))
