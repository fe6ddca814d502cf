"""The distribution: how an instrumentation is loaded and which providers it is given."""

from __future__ import annotations

from typing import Any

from opentelemetry.instrumentation.distro import BaseDistro  # type: ignore[attr-defined]

from otel_injection.instrumentations import command_requests, wrapt_proxies
from otel_injection.providers import metering, propagators, tracing


def prepare(_module: None, _event: str) -> None:
    """Prepare wrapt, the propagators and others, before the first instrumentation acts or the SDK is set up."""
    wrapt_proxies.complete()
    propagators.complete()
    command_requests.free_requests()


class Distro(BaseDistro):  # type: ignore[misc]
    """See ``opentelemetry.instrumentation.distro.BaseDistro``."""

    def _configure(self, **kwargs: Any) -> None:
        """Do nothing: the SDK is set up at its first use, with defaults that need no environment."""

    def load_instrumentor(self, entry_point: Any, **kwargs: Any) -> None:
        """Let an instrumentation act, with providers that find the process's SDK when they are used."""
        entry_point.load()().instrument(
            tracer_provider=tracing.INSTRUMENTATIONS, meter_provider=metering.INSTRUMENTATIONS, **kwargs
        )
