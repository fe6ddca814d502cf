"""Spans and span contexts of one API as those of the other."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, TraceFlags, TraceState

_made = "_otel_injection_span"
"""The attribute by which a span knows what stands for it in the other API."""

show: list[Callable[[Any], Any]] = []
"""What makes a span of the app's API of one of ours; set by ``spans``."""


class SpanOfTheApp(NonRecordingSpan):
    """Stands for a span that a provider of the app has made: it is a parent, and records nothing."""

    def __init__(self, span: Any) -> None:
        super().__init__(context_to_ours(span.get_span_context()))
        self.behind = span


def context_to_ours(told: Any) -> SpanContext:
    """Return a span context of the app's API as one of ours."""
    state = TraceState(list(told.trace_state.items()))
    return SpanContext(told.trace_id, told.span_id, told.is_remote, TraceFlags(told.trace_flags), state)


def context_to_apps(told: SpanContext) -> Any:
    """Return a span context of ours as one of the app's API."""
    api: Any = sys.modules["opentelemetry.trace"]
    state = api.TraceState(list(told.trace_state.items()))
    return api.SpanContext(told.trace_id, told.span_id, told.is_remote, api.TraceFlags(told.trace_flags), state)


def span_to_ours(span: Any) -> Span:
    """Return what stands for a span of the app's API in ours."""
    known = vars(span).get(_made) if hasattr(span, "__dict__") else None
    if known is None:
        known = SpanOfTheApp(span)
        _remember(span, known)
    return known


def span_to_apps(span: Any) -> Any:
    """Return what stands for a span of ours in the app's API."""
    if isinstance(span, SpanOfTheApp):
        return span.behind
    known = vars(span).get(_made) if hasattr(span, "__dict__") else None
    if known is None:
        if not show:
            import_module("opentelemetry.trace")  # the app's
        known = show[0](span)
        _remember(span, known)
    return known


def _remember(span: Any, other: Any) -> None:
    try:
        setattr(span, _made, other)
    except (AttributeError, TypeError):  # a class with slots: made anew each time
        pass
