"""Lets nothing below an excluded request become a trace of its own (contrib issue 2140).

Upstream makes no span for such a request, so that each statement and each call in it becomes a trace of its own. Here
these get a parent that is not sampled, which ``sdk.excluded_sampler`` recognizes under any sampler. The spans of an app
that has set up OpenTelemetry itself are left alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opentelemetry import context, trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, get_current_span

from otel_injection import ours, report
from otel_injection.providers import tracing
from otel_injection.sdk.excluded_sampler import EXCLUDED
from otel_injection.settings import file
from otel_injection.settings.early import forced, text
from otel_injection.stand_ins import for_random

KEY = "opentelemetry-flask.excluded"
"""Where a WSGI request keeps the tokens of its context, beside the keys of upstream, for whoever serves it to leave."""


def is_asked_for(name: str) -> bool:
    """Return whether URLs are excluded for a framework, by the name of its instrumentation."""
    of_its_own = f"OTEL_PYTHON_{name.upper().replace('-', '_')}_EXCLUDED_URLS"
    if text("OTEL_PYTHON_EXCLUDED_URLS") or text(of_its_own):
        return True
    return bool(file.path() and (file.options(name) or {}).get("excluded_urls"))


def enter() -> Any:
    """Begin the work for an excluded request in this context; return what ``leave`` is to be given, or None."""
    try:
        if get_current_span().get_span_context().is_valid:
            return None  # within a span of the app's, or of a framework around this one
        if trace._TRACER_PROVIDER is not tracing.GLOBAL and not forced():
            return None
        ids = for_random.getrandbits(128) or 1, for_random.getrandbits(64) or 1
        parent = SpanContext(*ids, is_remote=False, trace_flags=TraceFlags(0), trace_state=EXCLUDED)
        return context.attach(trace.set_span_in_context(NonRecordingSpan(parent)))
    except ours() as error:
        report.debug(f"an excluded request may leave spans: {type(error).__name__}: {error}")
        return None


def leave(token: Any) -> None:
    """End it."""
    if token is not None:
        context.detach(token)


def watch(name: str, prepare: Callable[[], None]) -> None:
    """Prepare an instrumentation for excluded URLs, if there are any for its ``name``."""
    try:
        if is_asked_for(name):
            prepare()
    except ours() as error:
        report.say(f"{name}: excluded requests may leave spans: {type(error).__name__}: {error}")
