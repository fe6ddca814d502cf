"""The wrapper around a Flask app's ``wsgi_app``: counts active requests, measures durations, notes the answer."""

from __future__ import annotations

from time import perf_counter, time_ns
from typing import Any

from flask import globals as flask_globals
from opentelemetry import trace
from opentelemetry.instrumentation import flask as upstream
from opentelemetry.instrumentation import propagators, wsgi
from opentelemetry.trace import NonRecordingSpan

from otel_injection import ours
from otel_injection.instrumentations import excluded_urls
from otel_injection.instrumentations.server_requests.excluding import Excluding
from otel_injection.instrumentations.server_requests.metric_series import Series
from otel_injection.instrumentations.server_requests.server_spans import Activation
from otel_injection.instrumentations.server_requests.usual_setup import failed, is_usual
from otel_injection.instrumentations.server_requests.wsgi_attributes import COMMON, Attributes, Head, remember
from otel_injection.sdk.faster import current_context
from otel_injection.sdk.pipeline import PIPELINE

_START, _SPAN = upstream._ENVIRON_STARTTIME_KEY, upstream._ENVIRON_SPAN_KEY
_ACTIVATION, _TOKEN = upstream._ENVIRON_ACTIVATION_KEY, upstream._ENVIRON_TOKEN
_REFERENCE = upstream._ENVIRON_REQCTX_REF_KEY
_PRESERVED = "werkzeug.debug.preserve_context"
"""Set where Werkzeug's test client or debugger keeps the request's context after the request."""

_current: Any = getattr(flask_globals, "_cv_request", None)
_response_propagator: Any = propagators.get_global_response_propagator


class Wrapper:
    """Does what upstream's wrapper ``longer`` does; ``histograms`` are of the old and of the stable conventions."""

    def __init__(
        self, app: Any, longer: Any, attributes: Attributes, excluding: Excluding | None, active: Any, histograms: Any
    ) -> None:
        self._app = app
        self._longer = longer
        self._attributes = attributes
        self._excluding = excluding
        self._counter = active
        self._histograms = histograms
        self._kinds: dict[Any, _Kind] = {}

    def wsgi_app(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Serve a request, as a WSGI app."""
        if not is_usual():
            return self._longer(environ, start_response)
        try:
            environ[_START] = time_ns()
            began = perf_counter()
            PIPELINE.current()  # notices a fork by C code, for all that is done for this request
            outer = environ.get(_ACTIVATION)
            around: Any = None
            entered: list[Any] | None = None
            if self._excluding is not None:
                around, entered = environ.get(excluded_urls.KEY), []
                environ[excluded_urls.KEY] = entered  # which a copy of the environment shares
            kind = self._kind(tuple(map(environ.get, COMMON)))
            request: _Request | None = _Request(self._attributes, self._excluding, start_response)
            kind.active.measure(1)
        except ours() as error:
            failed(error)
            request = None
        if request is None:
            return self._app(environ, start_response)
        try:
            result = self._app(environ, request.answer)
            if request.traced:
                self._measure(kind, request, environ, perf_counter() - began)
            return result
        finally:
            _end(kind.active, environ, outer)
            if entered is not None:
                environ[excluded_urls.KEY] = around
                while entered:
                    excluded_urls.leave(entered.pop())

    def _kind(self, known: tuple[Any, ...]) -> _Kind:
        """Return what requests with these values have in common."""
        kind = self._kinds.get(known)
        if kind is None:
            head, protocol = self._attributes.head(known), known[5]
            active = Series(self._counter, self._counter.add, self._attributes.active(head, protocol))
            kind = remember(self._kinds, known, _Kind(head, protocol, active))
        return kind

    def _measure(self, kind: _Kind, request: _Request, environ: dict[str, Any], seconds: float) -> None:
        """Record the duration; with the request's span for an exemplar."""
        try:
            span = environ.get(_SPAN) or trace.INVALID_SPAN
            key = request.status, str(request.route) if request.route else None
            old, new = kind.durations.get(key) or remember(kind.durations, key, self._durations_of(kind, *key))
            if old is not None:
                old.measure(max(round(seconds * 1000), 0), span)
            if new is not None:
                new.measure(max(seconds, 0), span)
        except ours() as error:
            failed(error)

    def _durations_of(self, kind: _Kind, *key: Any) -> tuple[Series | None, ...]:
        pairs = zip(self._histograms, self._attributes.durations(kind.head, kind.protocol, *key), strict=True)
        return tuple(each and Series(each, each.record, attributes) for each, attributes in pairs)


class _Kind:
    """Requests of an app by the same method, to the same host, by the same protocol: how they are measured."""

    __slots__ = ("active", "durations", "head", "protocol")

    def __init__(self, head: Head, protocol: Any, active: Series) -> None:
        self.head = head
        self.protocol = protocol
        self.active = active
        self.durations: dict[Any, tuple[Series | None, Series | None]] = {}
        """By status line and route: the metric series of the old and of the stable conventions."""


def _end(active: Series, environ: dict[str, Any], outer: Any) -> None:
    try:
        active.measure(-1)
        activation = environ.get(_ACTIVATION)
        if activation is not None and activation is not outer:
            _leave(activation, environ)
    except ours() as error:
        failed(error)


def _leave(activation: Any, environ: dict[str, Any]) -> None:
    """End the span if our teardown function was not called, because one of the app's raised before it."""
    if type(activation) is Activation and not activation.left and _PRESERVED not in environ:
        activation.__exit__(None, None, None)
        token = environ.get(_TOKEN)
        if token:
            current_context.detach(token)


class _Request:
    """What is known of a request around the app; its ``answer`` stands in for the server's ``start_response``."""

    __slots__ = ("_attributes", "_excluding", "_start_response", "route", "status", "traced")

    def __init__(self, attributes: Attributes, excluding: Excluding | None, start_response: Any) -> None:
        self._attributes = attributes
        self._excluding = excluding
        self._start_response = start_response
        self.traced = True
        self.status: str | None = None
        self.route: Any = None

    def answer(self, status: str, response_headers: Any, *arguments: Any, **keywords: Any) -> Any:
        """Note the answer, and begin it."""
        try:
            self._note(status, response_headers)
        except ours() as error:
            failed(error)
        return self._start_response(status, response_headers, *arguments, **keywords)

    def _note(self, status: str, response_headers: Any) -> None:
        current = _current.get(None)
        if current is None:
            self.traced = False
            return
        request = current.request
        environ = request.environ
        if self._excluding is not None:
            reference = environ.get(_REFERENCE)
            begun = reference is not None and reference() is current
            if not begun and self._excluding.excludes(request):
                self.traced = False
                return
        self.traced = True
        self.route = request.url_rule
        propagator = _response_propagator()
        if propagator:
            propagator.inject(response_headers, setter=wsgi.default_response_propagation_setter)
        span = environ.get(_SPAN)
        if span:
            self.status = status
            if type(span) is not NonRecordingSpan and span.is_recording():
                self._attributes.answer(status).tell(span)
        else:
            upstream._logger.warning("Flask environ's OpenTelemetry span missing at _start_response(%s)", status)
