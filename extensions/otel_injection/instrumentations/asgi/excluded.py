"""Excluded URLs of ASGI apps: nothing below such a request makes a trace of its own."""

from __future__ import annotations

from typing import Any

from opentelemetry.trace import get_current_span

from otel_injection.instrumentations.excluded_urls import enter, leave


def watch() -> None:
    """Wrap upstream's middleware, which FastAPI's and Starlette's instrumentations share; once."""
    from opentelemetry.instrumentation import asgi

    kind: Any = asgi.OpenTelemetryMiddleware
    prepare = kind.__init__
    if getattr(prepare, "_otel_injection", False):
        return

    def __init__(self: Any, *arguments: Any, **keywords: Any) -> None:  # noqa: N807 - it takes its place
        prepare(self, *arguments, **keywords)
        if self.excluded_urls and self.excluded_urls._excluded_urls:
            app = self.app

            async def call(scope: Any, receive: Any, send: Any) -> None:
                token = enter() if _is_excluded(self, scope) else None
                try:
                    await app(scope, receive, send)
                finally:
                    leave(token)

            self.app = call

    __init__._otel_injection = True  # type: ignore[attr-defined]
    kind.__init__ = __init__

    def _is_excluded(middleware: Any, scope: Any) -> bool:
        if scope["type"] not in ("http", "websocket") or get_current_span().get_span_context().is_valid:
            return False
        find: Any = asgi.get_host_port_url_tuple
        return bool(middleware.excluded_urls.url_disabled(find(scope)[2]))
