"""The current context and span, without the steps in between where the API is built as is known here."""

from __future__ import annotations

from typing import Any

from opentelemetry import context as api
from opentelemetry.context.context import Context
from opentelemetry.context.contextvars_context import ContextVarsRuntimeContext
from opentelemetry.trace import INVALID_SPAN_CONTEXT, NonRecordingSpan, SpanContext, get_current_span
from opentelemetry.trace.propagation import _SPAN_KEY

from otel_injection import ours

_set_item = dict.__setitem__

KNOWN: set[type] = {NonRecordingSpan}
"""Classes of spans whose context is ``_context``."""

_variable: Any = getattr(api._RUNTIME_CONTEXT, "_current_context", None)
_usual = type(api._RUNTIME_CONTEXT) is ContextVarsRuntimeContext and _variable is not None

get_current: Any = _variable.get if _usual else api.get_current
attach: Any = _variable.set if _usual else api.attach
_reset: Any = _variable.reset if _usual else api.detach


def detach(token: Any) -> None:
    """Detach a context; in case of an error, the API's own function logs it."""
    try:
        _reset(token)
    except ours(Exception):
        api.detach(token)


def is_known() -> bool:
    """Return whether the API's objects are built as is known here: contexts are dictionaries, span contexts tuples."""
    return (
        tuple(INVALID_SPAN_CONTEXT) == (0, 0, False, 0, INVALID_SPAN_CONTEXT.trace_state, False)
        and SpanContext(1, 2, True)[5] is True
        and NonRecordingSpan(INVALID_SPAN_CONTEXT)._context is INVALID_SPAN_CONTEXT
        and issubclass(Context, dict)
        and _with_span_is_known()
    )


def _with_span_is_known() -> bool:
    span = NonRecordingSpan(INVALID_SPAN_CONTEXT)
    return get_current_span(with_span(span, Context())) is span


def with_span(span: Any, context: Any) -> Any:
    """Return a context with another current span."""
    made = Context(context)
    _set_item(made, _SPAN_KEY, span)
    return made


def with_current(span: Any) -> Any:
    """Return the current context with another current span."""
    return with_span(span, get_current())


def span_context(context: Any) -> Any:
    """Return the span context of a context's current span, valid or not."""
    span = context.get(_SPAN_KEY)
    if span is None:
        return INVALID_SPAN_CONTEXT
    if type(span) in KNOWN:
        return span._context
    return get_current_span(context).get_span_context()
