"""Tracers that find the process's SDK when their first span starts, and find it anew after a fork."""

from __future__ import annotations

from os import getpid
from typing import Any

from opentelemetry import trace as api

from otel_injection.providers.resolving import NOTHING, resolve
from otel_injection.sdk.faster.span_blocks import CurrentSpan
from otel_injection.sdk.pipeline import PIPELINE


class ProxyTracerProvider(api.ProxyTracerProvider):
    """Stands where no provider has been set.

    To the app it is what is there without us, a proxy, by name as well: frameworks that trace by themselves look
    whether a provider has been configured. ``set_tracer_provider`` replaces it, and tracers taken before follow. There
    are two instances: ``GLOBAL`` serves the app's own spans, ``INSTRUMENTATIONS`` our instrumentations, which make no
    spans once the app has a provider of its own.
    """

    __module__ = api.ProxyTracerProvider.__module__

    def __init__(self, *, is_the_apps: bool) -> None:
        self.is_the_apps = is_the_apps

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Any = None,
    ) -> api.Tracer:
        """Return a tracer that resolves itself when it is used."""
        return Tracer(self, instrumenting_module_name, instrumenting_library_version, schema_url, attributes)

    @property
    def resource(self) -> Any:
        """The SDK's resource; read by the logging instrumentation for the service's name."""
        state = PIPELINE.current()
        return state.resource if state is not None else None

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Export what has ended; called by apps that know they are about to be frozen."""
        state = PIPELINE.state
        return bool(state.tracer_provider.force_flush(timeout_millis)) if state is not None else True


class Tracer(api.ProxyTracer):
    """A tracer of the process's current SDK."""

    def __init__(
        self, provider: ProxyTracerProvider, name: str, version: str | None, schema_url: str | None, attributes: Any
    ):
        super().__init__(name, version, schema_url, attributes)
        self._arguments = (name, version, schema_url, attributes)
        self._provider = provider
        self._resolved: tuple[Any, Any, api.Tracer] = (None, None, self._noop_tracer)

    def start_span(self, *arguments: Any, **keywords: Any) -> api.Span:
        """See ``opentelemetry.trace.Tracer.start_span``."""
        return self._tracer.start_span(*arguments, **keywords)

    def start_as_current_span(self, *arguments: Any, **keywords: Any) -> Any:
        """See ``opentelemetry.trace.Tracer.start_as_current_span``."""
        return CurrentSpan(self._start_current, arguments, keywords)

    def _start_current(self, *arguments: Any, **keywords: Any) -> Any:
        tracer: Any = self._tracer
        start = getattr(tracer, "_start_block", None) or tracer.start_as_current_span
        return start(*arguments, **keywords)

    def resolved(self) -> api.Tracer:
        """Return the tracer that is behind this one, for whoever has just asked for ``PIPELINE.current()``."""
        state, provider, tracer = self._resolved
        if state is None or state is not PIPELINE.state or provider is not api._TRACER_PROVIDER or PIPELINE.holding:
            return self._tracer
        return tracer

    @property
    def _tracer(self) -> api.Tracer:
        if PIPELINE.holding:
            PIPELINE.wait()
        resolved = self._resolved  # one object: another thread may be replacing it
        state, provider = PIPELINE.state, api._TRACER_PROVIDER
        if state is None or PIPELINE.pid != getpid():
            state = PIPELINE.current()
        if resolved[0] is not state or resolved[1] is not provider:
            resolved = self._resolved = (state, provider, self._resolve(state, provider))
        return resolved[2]

    def _resolve(self, state: Any, set_provider: Any) -> api.Tracer:
        of_sdk = state.tracer_provider if state is not None else NOTHING
        provider = resolve(
            "traces", set_provider, GLOBAL, of_sdk, api.TracerProvider, is_the_apps=self._provider.is_the_apps
        )
        if provider is NOTHING:
            return self._noop_tracer
        return provider.get_tracer(*self._arguments)  # type: ignore[no-any-return]


GLOBAL = ProxyTracerProvider(is_the_apps=True)
INSTRUMENTATIONS = ProxyTracerProvider(is_the_apps=False)

# Put in place without the API's "set once" guard: what the app sets, early or late, wins.
if api._TRACER_PROVIDER is None:
    api._TRACER_PROVIDER = GLOBAL
