"""What stands around a Flask app's ``wsgi_app``: counts active requests, measures durations, notes the answer."""

from __future__ import annotations

from time import perf_counter, time_ns
from typing import Any

from flask import globals as flask_globals
from opentelemetry import context
from opentelemetry.instrumentation import flask as upstream
from opentelemetry.instrumentation import propagators, wsgi

from otel_injection import ours
from otel_injection.serving.attributes import COMMON, Attributes, Head, remember
from otel_injection.serving.excluding import Excluding
from otel_injection.serving.series import Series
from otel_injection.serving.spans import Activation, with_span
from otel_injection.serving.usual import failed, is_usual

_START, _SPAN = upstream._ENVIRON_STARTTIME_KEY, upstream._ENVIRON_SPAN_KEY
_ACTIVATION, _TOKEN = upstream._ENVIRON_ACTIVATION_KEY, upstream._ENVIRON_TOKEN
_REFERENCE = upstream._ENVIRON_REQCTX_REF_KEY
_PRESERVED = "werkzeug.debug.preserve_context"
"""There where Werkzeug's test client or debugger keeps the request's context after the request."""

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
        self._active: dict[Any, Series] = {}
        self._durations: dict[Any, tuple[Series | None, Series | None]] = {}

    def wsgi_app(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Serve a request, as a WSGI app."""
        if not is_usual():
            return self._longer(environ, start_response)
        try:
            environ[_START] = time_ns()
            began = perf_counter()
            outer = environ.get(_ACTIVATION)
            request: _Request | None = _Request(self._attributes, self._excluding, environ, start_response)
            active = self._count(request.head, request.protocol)  # type: ignore[union-attr]
            active.measure(1)
        except ours() as error:
            failed(error)
            request = None
        if request is None:
            return self._app(environ, start_response)
        try:
            result = self._app(environ, request.answer)
            if request.traced:
                self._measure(request, environ, perf_counter() - began)
            return result
        finally:
            _end(active, environ, outer)

    def _count(self, head: Head, protocol: Any) -> Series:
        """Return what counts active requests like this one."""
        key = (head, protocol)
        known: Series | None = self._active.get(key)
        if known is None:
            attributes = self._attributes.active(head, protocol)
            known = remember(self._active, key, Series(self._counter, self._counter.add, attributes))
        return known

    def _measure(self, request: _Request, environ: dict[str, Any], seconds: float) -> None:
        """Record the duration; with the request's span for an exemplar."""
        try:
            current = with_span(environ.get(_SPAN))
            route = str(request.route) if request.route else None
            key = (request.head, request.protocol, request.status, route)
            old, new = self._durations.get(key) or remember(self._durations, key, self._durations_of(*key))
            if old is not None:
                old.measure(max(round(seconds * 1000), 0), current)
            if new is not None:
                new.measure(max(seconds, 0), current)
        except ours() as error:
            failed(error)

    def _durations_of(self, *key: Any) -> tuple[Series | None, ...]:
        pairs = zip(self._histograms, self._attributes.durations(*key), strict=True)
        return tuple(each and Series(each, each.record, attributes) for each, attributes in pairs)


def _end(active: Series, environ: dict[str, Any], outer: Any) -> None:
    try:
        active.measure(-1)
        activation = environ.get(_ACTIVATION)
        if activation is not None and activation is not outer:
            _leave(activation, environ)
    except ours() as error:
        failed(error)


def _leave(activation: Any, environ: dict[str, Any]) -> None:
    """End the span where the app's teardown has not come to ours, since a function of the app's raised before."""
    if type(activation) is Activation and not activation.left and _PRESERVED not in environ:
        activation.__exit__(None, None, None)
        token = environ.get(_TOKEN)
        if token:
            context.detach(token)


class _Request:
    """What is known of a request around the app; its ``answer`` stands in for the server's ``start_response``."""

    __slots__ = (
        *("_attributes", "_excluding", "_start_response"),
        *("head", "protocol", "route", "status", "traced"),
    )

    def __init__(
        self, attributes: Attributes, excluding: Excluding | None, environ: dict[str, Any], start_response: Any
    ) -> None:
        self._attributes = attributes
        self._excluding = excluding
        self._start_response = start_response
        known = tuple(map(environ.get, COMMON))
        self.head: Head = attributes.head(known)
        self.protocol = known[5]
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
            if span.is_recording():
                self._attributes.answer(status).tell(span)
        else:
            upstream._logger.warning("Flask environ's OpenTelemetry span missing at _start_response(%s)", status)
