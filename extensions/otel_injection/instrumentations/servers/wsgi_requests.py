"""One span and one duration for each request that a WSGI server hands to its app.

The span is the current one while the app runs and at each step of its body, and ends with the body.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any
from wsgiref.util import request_uri

from opentelemetry import trace
from opentelemetry.instrumentation import wsgi
from opentelemetry.instrumentation._semconv import _report_new
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.status import Status
from opentelemetry.util.http import get_excluded_urls, sanitize_method

from otel_injection import ours
from otel_injection.imports import hooks
from otel_injection.instrumentations import excluded_urls
from otel_injection.instrumentations.server_requests import server_spans
from otel_injection.instrumentations.server_requests.usual_setup import failed, is_usual
from otel_injection.instrumentations.servers.frameworks import is_claimed
from otel_injection.providers import metering, tracing
from otel_injection.sdk.faster import current_context
from otel_injection.sdk.pipeline import PIPELINE

_SERVERS = frozenset({"cheroot", "eventlet", "gevent", "gunicorn", "waitress"})


class Served:
    """Stands in for an app where its server calls it; whoever looks at it sees the app's attributes."""

    __slots__ = ("__wrapped__",)

    def __init__(self, app: Any) -> None:
        object.__setattr__(self, "__wrapped__", app)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__wrapped__, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.__wrapped__, name, value)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Serve a request, as a WSGI app."""
        if is_claimed() or server_spans.is_within_another():
            return self.__wrapped__(environ, start_response)
        request, token = None, None
        try:
            instruments = _instruments()
            if instruments.excludes(environ):
                token = excluded_urls.enter()
            else:
                request = Request(instruments, environ, start_response)
        except ours() as error:
            failed(error)
        if request is not None:
            return request.serve(self.__wrapped__)
        try:
            return self.__wrapped__(environ, start_response)
        finally:
            excluded_urls.leave(token)


class _Instruments:
    """The tracer, the instruments and the excluded URLs, which all requests of the process share."""

    def __init__(self) -> None:
        hooks.happened(hooks.FIRST_TELEMETRY)
        upstream: Any = wsgi.OpenTelemetryMiddleware(
            lambda *_: [], tracer_provider=tracing.INSTRUMENTATIONS, meter_provider=metering.INSTRUMENTATIONS
        )
        self.tracer = upstream.tracer
        self.mode = upstream._sem_conv_opt_in_mode
        self.active = upstream.active_requests_counter
        self.old, self.new = upstream.duration_histogram_old, upstream.duration_histogram_new
        self._excluded: Any = get_excluded_urls("WSGI")

    def excludes(self, environ: dict[str, Any]) -> bool:
        """Return whether a request's URL is excluded."""
        return bool(self._excluded._excluded_urls) and self._excluded.url_disabled(request_uri(environ))


_made: _Instruments | None = None


def _instruments() -> _Instruments:
    global _made
    if _made is None:
        _made = _Instruments()
    PIPELINE.current()  # notices a fork by C code
    return _made


class Request:
    """One request: its span, and what is known of its answer."""

    def __init__(self, instruments: _Instruments, environ: dict[str, Any], start_response: Any) -> None:
        self._instruments = instruments
        self._environ = environ
        self._start_response = start_response
        self._attributes: dict[str, Any] = wsgi.collect_request_attributes(environ, instruments.mode)
        method = sanitize_method(str(environ.get("REQUEST_METHOD", "")).strip())
        self._method = "HTTP" if method == "_OTHER" else method
        self._ended = False
        self._began = perf_counter()
        parent = server_spans.remote_parent(environ)
        headers = {} if is_usual() else wsgi.collect_custom_request_headers_attributes(environ)
        self._span = instruments.tracer.start_span(
            self._method, parent, SpanKind.SERVER, {**self._attributes, **headers}
        )
        self._context = trace.set_span_in_context(self._span, parent)
        self._active = wsgi._parse_active_request_count_attrs(self._attributes, instruments.mode)
        instruments.active.add(1, self._active)

    def serve(self, app: Any) -> Any:
        """Call the app; the span ends now if its body is there as a whole, else with the body."""
        token = current_context.attach(self._context)
        try:
            result = app(self._environ, self._answer)
        except BaseException as error:
            self.end(error)
            raise
        finally:
            current_context.detach(token)
        if isinstance(result, (list, tuple, bytes)) or self._is_the_servers(result):
            self.end()
            return result
        return _SizedBody(result, self) if hasattr(result, "__len__") else _Body(result, self)

    def step(self, function: Any) -> Any:
        """Call a function of the body in the request's context."""
        token = current_context.attach(self._context)
        try:
            return function()
        except StopIteration:
            self.end()
            raise
        except BaseException as error:
            self.end(error)
            raise
        finally:
            current_context.detach(token)

    def end(self, error: BaseException | None = None) -> None:
        """End the span and measure the request; once."""
        if not self._ended:
            self._ended = True
            try:
                self._end(error)
            except ours() as problem:
                failed(problem)

    def _end(self, error: BaseException | None) -> None:
        instruments, span, seconds = self._instruments, self._span, perf_counter() - self._began
        instruments.active.add(-1, self._active)
        route = getattr(self._environ.get("bottle.route"), "rule", None)
        if isinstance(route, str):
            span.update_name(f"{self._method} {route}")
            span.set_attribute("http.route", route)
        if isinstance(error, Exception):
            kind = type(error).__qualname__
            if _report_new(instruments.mode):
                self._attributes["error.type"] = kind
                span.set_attribute("error.type", kind)
            span.record_exception(error)
            span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
        if instruments.old:
            told = wsgi._parse_duration_attrs(self._attributes, wsgi._StabilityMode.DEFAULT)  # type: ignore[attr-defined]
            if isinstance(route, str):
                told["http.target"] = route
            instruments.old.record(max(round(seconds * 1000), 0), told, context=self._context)
        if instruments.new:
            told = wsgi._parse_duration_attrs(self._attributes, wsgi._StabilityMode.HTTP)  # type: ignore[attr-defined]
            if isinstance(route, str):
                told["http.route"] = route
            instruments.new.record(max(seconds, 0), told, context=self._context)
        span.end()

    def _answer(self, status: str, response_headers: Any, *arguments: Any, **keywords: Any) -> Any:
        """Note the answer, and begin it: what the app calls as ``start_response``."""
        try:
            wsgi.add_response_attributes(self._span, status, response_headers, self._attributes, self._instruments.mode)
            if not is_usual() and self._span.is_recording():
                self._span.set_attributes(wsgi.collect_custom_response_headers_attributes(response_headers))
        except ours() as error:
            failed(error)
        return self._start_response(status, response_headers, *arguments, **keywords)

    def _is_the_servers(self, result: Any) -> bool:
        """Return whether the body is what the server looks for by its class: a file that it sends by itself, a mark."""
        wrapper = self._environ.get("wsgi.file_wrapper")
        if isinstance(wrapper, type) and isinstance(result, wrapper):
            return True
        return type(result).__module__.partition(".")[0] in _SERVERS


class _Body:
    """A body that is made step by step; ends the request's span with its own end, or when the server closes it."""

    def __init__(self, body: Any, request: Request) -> None:
        self._body = body
        self._request = request
        self._next: Any = None

    def __iter__(self) -> Any:
        self._next = self._request.step(lambda: iter(self._body)).__next__
        return self

    def __next__(self) -> Any:
        if self._next is None:
            iter(self)
        return self._request.step(self._next)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._body, name)

    def close(self) -> None:
        """Close the body, if it can be closed."""
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                self._request.step(close)
        finally:
            self._request.end()

    def __del__(self) -> None:
        try:
            self._request.end()
        except ours():
            pass


class _SizedBody(_Body):
    """A body that knows the number of its parts, from which servers tell its length."""

    def __len__(self) -> int:
        return len(self._body)
