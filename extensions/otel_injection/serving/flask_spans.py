"""The functions that a Flask app calls before a request and at its end: they start and end its span."""

from __future__ import annotations

import weakref
from typing import Any

from flask import globals as flask_globals
from opentelemetry import context, trace
from opentelemetry.instrumentation import flask as upstream
from opentelemetry.instrumentation import wsgi

from otel_injection import ours
from otel_injection.serving import spans
from otel_injection.serving.attributes import KEYS
from otel_injection.serving.usual import failed, is_usual

_START, _SPAN = upstream._ENVIRON_STARTTIME_KEY, upstream._ENVIRON_SPAN_KEY
_ACTIVATION, _TOKEN = upstream._ENVIRON_ACTIVATION_KEY, upstream._ENVIRON_TOKEN
_REFERENCE = upstream._ENVIRON_REQCTX_REF_KEY
_FRAMEWORK = f"flask:{upstream.flask_version}"
_SERVER = trace.SpanKind.SERVER

_current: Any = getattr(flask_globals, "_cv_request", None)
_start_any: Any = upstream._start_internal_or_server_span  # type: ignore[attr-defined]


class Hooks:
    """Does what a function of upstream's, ``longer``, does; either of the two."""

    def __init__(self, tracer: Any, attributes: Any, excluding: Any, longer: Any) -> None:
        self._tracer = tracer
        self._attributes = attributes
        self._excluding = excluding
        self._longer = longer

    def before_request(self) -> None:
        """Start the span of the current request, unless its URL is excluded."""
        if not is_usual():
            self._longer()
            return
        try:
            current = _current.get()
            if self._excluding is None or not self._excluding.excludes(current.request):
                self._begin(current, current.request)
        except ours() as error:
            failed(error)

    def teardown_request(self, exc: BaseException | None) -> None:
        """End the span that was started for the current context of the current request."""
        try:
            current = _current.get()
            environ = current.request.environ
            activation, reference = environ.get(_ACTIVATION), environ.get(_REFERENCE)
            if not activation or reference is None or reference() is not current:
                return
            if hasattr(current.request, "response"):  # upstream asks it whether it streams
                self._longer(exc)
                return
            activation.__exit__(type(exc) if exc is not None else None, exc, getattr(exc, "__traceback__", None))
            token = environ.get(_TOKEN)
            if token:
                context.detach(token)
                environ.pop(_ACTIVATION, None)
                environ.pop(_TOKEN, None)
        except ours() as error:
            failed(error)

    def _begin(self, current: Any, request: Any) -> None:
        environ = request.environ
        known = tuple(map(environ.get, KEYS))
        head = self._attributes.head(known)
        attributes = self._attributes.of_span(head, known, environ)
        comment = {"framework": _FRAMEWORK}
        if request.endpoint:
            comment["controller"] = request.endpoint
        rule = request.url_rule
        if rule is not None:
            attributes["http.route"] = rule.rule
            name = f"{head.method} {rule.rule}"
            comment["route"] = rule.rule
        else:
            name = wsgi.get_default_span_name(environ)
        span, token = self._start(name, environ, attributes)
        environ[_REFERENCE] = weakref.ref(current)
        environ[_SPAN] = span
        environ[_TOKEN] = token
        environ[_ACTIVATION] = spans.Activation(span, comment)

    def _start(self, name: str, environ: dict[str, Any], attributes: dict[str, Any]) -> tuple[Any, Any]:
        """Start the span; return it, and the token of its parent's context if that has been attached."""
        began = environ.get(_START)
        if spans.is_within_another():
            span, token = _start_any(self._tracer, name, began, environ, wsgi.wsgi_getter, attributes=attributes)
        else:
            parent = spans.remote_parent(environ)
            token = context.attach(parent)
            try:
                span = self._tracer.start_span(name, parent, _SERVER, attributes=attributes, start_time=began)
            except BaseException:
                context.detach(token)
                raise
        if span.is_recording():
            spans.complete(span, attributes)
        return span, token
