# ruff: noqa: ARG002 - the interface names the arguments
"""A propagator for names in ``OTEL_PROPAGATORS`` that nothing answers to."""

from __future__ import annotations

from typing import Any

from opentelemetry.context import Context
from opentelemetry.propagators.textmap import TextMapPropagator


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
