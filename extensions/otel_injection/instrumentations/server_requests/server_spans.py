"""The span of a request: whose child it is, and how it becomes the current one."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from opentelemetry import propagate, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.instrumentation.wsgi import wsgi_getter
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.trace.status import Status, StatusCode

from otel_injection import ours
from otel_injection.sdk.faster import current_context

_W3C = (TraceContextTextMapPropagator, W3CBaggagePropagator)
_NONE = trace.INVALID_SPAN
_COMMENT = "SQLCOMMENTER_ORM_TAGS_AND_VALUES"
"""Key of what instrumentations of databases may write into a comment of their statements."""

_KEY = next(iter(trace.set_span_in_context(trace.INVALID_SPAN, Context())))
"""Key of the current span."""

_looked_at: tuple[Any, bool] = (None, False)
"""A propagator, and whether it is W3C's two."""


def is_within_another() -> bool:
    """Return whether there is a current span."""
    return has_span(current_context.get_current())


def has_span(current: Context) -> bool:
    """Return whether a context has a current span, as upstream asks: by identity, not validity."""
    span = current.get(_KEY)
    return span is not None and span is not _NONE and trace.get_current_span(current) is not _NONE


def remote_parent(environ: dict[str, Any]) -> Context:
    """Return the context that is extracted from a request's headers."""
    propagator = propagate.get_global_textmap()
    if not environ.get("HTTP_TRACEPARENT") and not environ.get("HTTP_BAGGAGE") and is_w3c(propagator):
        return Context()  # W3C's propagators extract nothing without these headers
    return extracted(propagator, environ, wsgi_getter)


def extracted(propagator: Any, carrier: Any, getter: Any) -> Context:
    """Return the context that a propagator finds; an empty one where nothing propagates."""
    parent: Context | None = propagator.extract(carrier, None, getter=getter)
    return Context() if parent is None else parent


def is_w3c(propagator: Any) -> bool:
    """Return whether a propagator is W3C's two, which extract nothing from a request without their headers."""
    global _looked_at
    known, is_w3c = _looked_at
    if known is not propagator:
        is_w3c = type(propagator) is CompositePropagator and tuple(map(type, propagator._propagators)) == _W3C
        _looked_at = (propagator, is_w3c)
    return is_w3c


def complete(span: Any, attributes: dict[str, Any]) -> None:
    """Give a span that records the attributes that it has been started with, unless it has just these.

    A sampler or a processor may have changed them; upstream sets them again in any case.
    """
    held = getattr(getattr(span, "_attributes", None), "_dict", None)
    if held is not attributes and held != attributes and span.is_recording():
        for key, value in attributes.items():
            span.set_attribute(key, value)


class Activation:
    """Makes a span the current one until it is left, which ends the span: as ``use_span(span, end_on_exit=True)``.

    It is entered when it is made. ``comment`` is for the statements of the request's databases.
    """

    __slots__ = ("_span", "_token", "left")

    def __init__(self, span: Any, comment: dict[str, str]) -> None:
        self._span = span
        self.left = False
        self._token = current_context.attach(Context({**current_context.get_current(), _KEY: span, _COMMENT: comment}))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace_back: TracebackType | None
    ) -> None:
        if self.left:
            return
        self.left = True
        span = self._span
        try:
            current_context.detach(self._token)
            if isinstance(error, Exception) and span.is_recording():
                span.record_exception(error)
                span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
        finally:
            span.end()

    def __del__(self) -> None:
        """Leave when the request's environment is freed, if not before, as upstream's generator does."""
        try:
            if not self.left:
                self.__exit__(None, None, None)
        except ours():
            pass
