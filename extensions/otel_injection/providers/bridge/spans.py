"""The app's tracing API while the app has set no provider: its spans are spans of our SDK."""

from __future__ import annotations

from typing import Any

from opentelemetry import trace as api
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

from otel_injection import record
from otel_injection.providers import tracing
from otel_injection.providers.bridge import contexts, span_contexts
from otel_injection.providers.bridge.app_providers import show
from otel_injection.sdk.faster.span_blocks import CurrentSpan
from otel_injection.settings.early import forced


def join(app: Any, _name: str) -> None:
    """Put a provider of ours in place where the app has set none, without the API's "set once" guard."""
    span_contexts.show[:] = [_span_class(app)]
    provider = _provider(app)
    if app._TRACER_PROVIDER is None:
        app._TRACER_PROVIDER = provider

    def own() -> Any:
        found = app._TRACER_PROVIDER
        return None if found is provider or forced() else found

    provider.own = own
    show(api, "_TRACER_PROVIDER", own, tracing.GLOBAL)


def _provider(app: Any) -> Any:  # noqa: C901 - classes derived from the app's
    """Return a provider that is one of the app's API."""

    class ProxyTracerProvider(app.ProxyTracerProvider):  # type: ignore[misc]
        __module__ = app.ProxyTracerProvider.__module__

        def get_tracer(self, *arguments: Any, **keywords: Any) -> Any:
            return Tracer(self, arguments, keywords)

        @property
        def resource(self) -> Any:
            return tracing.GLOBAL.resource

        def force_flush(self, timeout_millis: int = 30000) -> bool:
            return tracing.GLOBAL.force_flush(timeout_millis)

    class Tracer(app.Tracer):  # type: ignore[misc]
        __module__ = app.Tracer.__module__

        def __init__(self, proxy: Any, arguments: Any, keywords: Any) -> None:
            self._proxy = proxy
            self._made = (arguments, keywords)
            self._theirs: tuple[Any, Any] = (None, None)
            self._ours: Any = None

        def _own(self) -> Any:
            """Return the tracer of the provider that the app has set; None if it has set none."""
            provider = self._proxy.own()
            theirs = self._theirs  # one object: another thread may be replacing it
            if provider is not None and theirs[0] is not provider:
                record.app_provider("traces", type(provider).__module__)
                theirs = self._theirs = (provider, provider.get_tracer(*self._made[0], **self._made[1]))
            return None if provider is None else theirs[1]

        def start_span(self, name: str, context: Any = None, *arguments: Any, **keywords: Any) -> Any:
            own = self._own()
            if own is not None:
                return own.start_span(name, context, *arguments, **keywords)
            if self._ours is None:
                self._ours = tracing.GLOBAL.get_tracer(*self._made[0], **self._made[1])
            given = {**dict(zip(("kind", "attributes", "links"), arguments, strict=False)), **keywords}
            if "kind" in given:
                given["kind"] = SpanKind[given["kind"].name]
            links = given.get("links") or ()
            given["links"] = [Link(span_contexts.context_to_ours(each.context), each.attributes) for each in links]
            told = None if context is None else contexts.to_ours(context)
            return span_contexts.span_to_apps(self._ours.start_span(name, told, *arguments[3:], **given))

        def start_as_current_span(self, *arguments: Any, **keywords: Any) -> Any:
            return CurrentSpan(self._start_current, arguments, keywords)

        def _start_current(self, *arguments: Any, **keywords: Any) -> Any:
            own = self._own()
            if own is not None:
                return own.start_as_current_span(*arguments, **keywords)
            end = keywords.pop("end_on_exit", True)
            flags = {key: keywords[key] for key in ("record_exception", "set_status_on_exception") if key in keywords}
            return app.use_span(self.start_span(*arguments, **keywords), end_on_exit=end, **flags)

    return ProxyTracerProvider()


def _span_class(app: Any) -> Any:  # noqa: C901 - a class derived from the app's
    """Return the class of the app's spans that are spans of ours."""

    class Span(app.Span):  # type: ignore[misc]
        __module__ = app.Span.__module__

        def __init__(self, span: Any) -> None:
            self._otel_injection_span = span
            self._context: Any = None

        def __getattr__(self, name: str) -> Any:
            return getattr(vars(self)["_otel_injection_span"], name)

        def get_span_context(self) -> Any:
            if self._context is None:
                self._context = span_contexts.context_to_apps(self._otel_injection_span.get_span_context())
            return self._context

        def end(self, end_time: Any = None) -> None:
            self._otel_injection_span.end(end_time)

        def set_attributes(self, attributes: Any) -> None:
            self._otel_injection_span.set_attributes(attributes)

        def set_attribute(self, key: str, value: Any) -> None:
            self._otel_injection_span.set_attribute(key, value)

        def add_event(self, name: str, attributes: Any = None, timestamp: Any = None) -> None:
            self._otel_injection_span.add_event(name, attributes, timestamp)

        def add_link(self, context: Any, attributes: Any = None) -> None:
            self._otel_injection_span.add_link(span_contexts.context_to_ours(context), attributes)

        def update_name(self, name: str) -> None:
            self._otel_injection_span.update_name(name)

        def is_recording(self) -> bool:
            return bool(self._otel_injection_span.is_recording())

        def set_status(self, status: Any, description: Any = None) -> None:
            code = getattr(status, "status_code", status)
            said = getattr(status, "description", None) or description
            self._otel_injection_span.set_status(Status(StatusCode[code.name], said))

        def record_exception(self, *arguments: Any, **keywords: Any) -> None:
            self._otel_injection_span.record_exception(*arguments, **keywords)

    return Span
