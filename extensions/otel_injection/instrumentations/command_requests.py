"""Gives requests that are served within a command, such as one of click, traces of their own, or their caller's.

Upstream makes the current span the request's parent. Where a command starts a server, the current span is the
command's: all requests would be in one trace, without server spans and metrics.
"""

from __future__ import annotations

from typing import Any

from opentelemetry import context, trace
from opentelemetry.instrumentation import utils
from opentelemetry.propagate import extract

COMMAND = context.create_key("otel-injection-command")
"""Key of the span of the command that runs."""


def free_requests() -> None:
    """Replace the function by which instrumentations of servers start spans; to be called before they are imported."""
    start_any: Any = utils._start_internal_or_server_span

    def start(
        tracer: Any,
        span_name: str,
        start_time: Any,
        context_carrier: Any,
        context_getter: Any,
        attributes: Any = None,
    ) -> Any:
        command = context.get_value(COMMAND)
        if command is None or command is not trace.get_current_span():
            return start_any(tracer, span_name, start_time, context_carrier, context_getter, attributes)
        parent = extract(context_carrier, context=context.Context(), getter=context_getter)
        token = context.attach(parent)
        kind = trace.SpanKind.SERVER
        return tracer.start_span(span_name, parent, kind, start_time=start_time, attributes=attributes), token

    utils._start_internal_or_server_span = start
