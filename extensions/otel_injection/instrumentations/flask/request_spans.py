"""The functions that a Flask app calls before and after a request, which start and end its span."""

from __future__ import annotations

import weakref
from functools import partial
from typing import Any

from flask import globals as flask_globals
from opentelemetry import trace
from opentelemetry.instrumentation import flask as upstream
from opentelemetry.instrumentation import wsgi
from opentelemetry.trace import NonRecordingSpan

from otel_injection import ours
from otel_injection.instrumentations import excluded_urls
from otel_injection.instrumentations.server_requests import server_spans
from otel_injection.instrumentations.server_requests.excluding import Excluding
from otel_injection.instrumentations.server_requests.usual_setup import failed, is_usual
from otel_injection.instrumentations.server_requests.wsgi_attributes import KEYS, Attributes
from otel_injection.providers import tracing
from otel_injection.sdk.faster import current_context
from otel_injection.sdk.faster.deferred_attributes import Later

_START, _SPAN = upstream._ENVIRON_STARTTIME_KEY, upstream._ENVIRON_SPAN_KEY
_ACTIVATION, _TOKEN = upstream._ENVIRON_ACTIVATION_KEY, upstream._ENVIRON_TOKEN
_REFERENCE = upstream._ENVIRON_REQCTX_REF_KEY
_FRAMEWORK = f"flask:{upstream.flask_version}"
_SERVER = trace.SpanKind.SERVER

_current: Any = getattr(flask_globals, "_cv_request", None)
_start_any: Any = upstream._start_internal_or_server_span  # type: ignore[attr-defined]


def before_request(tracer: Any, attributes: Attributes, excluding: Excluding | None, longer: Any) -> Any:
    """Return a function that starts the span of the current request, unless its URL is excluded.

    It does what upstream's ``longer`` does. It is a function because Flask inspects each before it calls it, which
    takes twice as long for a method.
    """
    begin = _Beginning(tracer, attributes).begin

    def _before_request() -> None:
        if not is_usual():
            longer()
            return
        try:
            current = _current.get()
            if excluding is None or not excluding.excludes(current.request):
                begin(current, current.request)
            else:
                entered = current.request.environ.get(excluded_urls.KEY)
                if entered is not None:  # else nobody would leave
                    entered.append(excluded_urls.enter())
        except ours() as error:
            failed(error)

    return _before_request


def teardown_request(longer: Any) -> Any:
    """Return a function that ends the span that was started for the current context of the current request."""

    def _teardown_request(exc: BaseException | None) -> None:
        try:
            _end(exc, longer)
        except ours() as error:
            failed(error)

    return _teardown_request


def _end(exc: BaseException | None, longer: Any) -> None:
    current = _current.get()
    environ = current.request.environ
    activation, reference = environ.get(_ACTIVATION), environ.get(_REFERENCE)
    if not activation or reference is None or reference() is not current:
        return
    if hasattr(current.request, "response"):  # upstream asks it whether it streams
        longer(exc)
        return
    activation.__exit__(type(exc) if exc is not None else None, exc, getattr(exc, "__traceback__", None))
    token = environ.get(_TOKEN)
    if token:
        current_context.detach(token)
        environ.pop(_ACTIVATION, None)
        environ.pop(_TOKEN, None)


class _Beginning:
    """Starts spans of requests."""

    def __init__(self, tracer: Any, attributes: Attributes) -> None:
        self._tracer = tracer
        self._attributes = attributes

    def begin(self, current: Any, request: Any) -> None:
        """Start the span of a request in its context, and make it the current one."""
        environ = request.environ
        known = tuple(map(environ.get, KEYS))
        comment = {"framework": _FRAMEWORK}
        controller = request.endpoint
        if controller:
            comment["controller"] = controller
        rule, route = request.url_rule, None
        if rule is not None:
            route = comment["route"] = rule.rule
            name = self._attributes.name(known, route)
        else:
            name = wsgi.get_default_span_name(environ)
        span, token = self._start(name, environ, Later(partial(self._attributes.of_span, known, environ, route)))
        environ[_REFERENCE] = weakref.ref(current)
        environ[_SPAN] = span
        environ[_TOKEN] = token
        environ[_ACTIVATION] = server_spans.Activation(span, comment)

    def _start(self, name: str, environ: dict[str, Any], later: Later) -> tuple[Any, Any]:
        """Start the span; return it, and the token of its parent's context if that has been attached."""
        began = environ.get(_START)
        if server_spans.is_within_another():
            span, token = _start_any(self._tracer, name, began, environ, wsgi.wsgi_getter, attributes=later.made())
        else:
            parent = server_spans.remote_parent(environ)
            token = current_context.attach(parent)
            try:
                tracer = self._tracer.resolved() if type(self._tracer) is tracing.Tracer else self._tracer
                attributes: Any = later if getattr(tracer, "takes_later", False) else later.made()
                span = tracer.start_span(name, parent, _SERVER, attributes, (), began)
            except BaseException:
                current_context.detach(token)
                raise
        if type(span) is not NonRecordingSpan:
            server_spans.complete(span, later.value)
        return span, token
