# ruff: noqa: ARG002 - the interface names the arguments
"""Propagators for names in ``OTEL_PROPAGATORS`` that nothing answers to."""

from __future__ import annotations

from typing import Any

from opentelemetry import propagate
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator


class NoPropagator(TextMapPropagator):
    """Propagates nothing."""

    def extract(self, carrier: Any, context: Context | None = None, getter: Any = None) -> Context:
        """Return the context unchanged."""
        return Context() if context is None else context

    def inject(self, carrier: Any, context: Context | None = None, setter: Any = None) -> None:
        """Write nothing."""

    @property
    def fields(self) -> set[str]:
        """Name no carrier fields."""
        return set()


def complete() -> None:
    """Let ``OTEL_PROPAGATORS=none`` be a propagator that gives a context, where the API's own gives None.

    Instrumentations would make that the current context, and whatever asks for it then would raise in the app.
    """
    textmap = propagate.get_global_textmap()
    if type(textmap) is CompositePropagator and not textmap._propagators:
        propagate.set_global_textmap(NoPropagator())


def usual() -> TextMapPropagator:
    """Return what propagates where nothing is set: trace context and baggage as W3C has them."""
    return CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()])
