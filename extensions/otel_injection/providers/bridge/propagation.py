"""The app's propagation API under an ``OTEL_PROPAGATORS`` that may name what the app's OpenTelemetry lacks."""

from __future__ import annotations

from typing import Any

from opentelemetry import propagate

from otel_injection.imports import private_api
from otel_injection.providers.bridge import contexts


def join(app: Any, _name: str) -> None:
    """Let our propagators do what the setting asks for, until the app sets one of its own."""
    if not private_api.show_propagators():
        return
    usual = type(app.get_global_textmap())

    class CompositePropagator(usual):  # type: ignore[misc, valid-type]
        __module__ = usual.__module__

        def extract(self, carrier: Any, context: Any = None, **getter: Any) -> Any:
            told = None if context is None else contexts.to_ours(context)
            return contexts.to_apps(propagate.extract(carrier, told, **getter))

        def inject(self, carrier: Any, context: Any = None, **setter: Any) -> None:
            propagate.inject(carrier, None if context is None else contexts.to_ours(context), **setter)

        @property
        def fields(self) -> Any:
            return propagate.get_global_textmap().fields

    app.set_global_textmap(CompositePropagator([]))
