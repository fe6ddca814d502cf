"""aiohttp's server: excluded URLs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from otel_injection.instrumentations import excluded_urls
from otel_injection.instrumentations.excluded_urls import enter, leave


def instrument(name: str, act: Callable[[], None]) -> None:
    """Instrument it, excluded URLs included."""
    excluded_urls.watch(name, _watch)
    act()


def _watch() -> None:
    from aiohttp import web  # type: ignore[import-not-found, unused-ignore]
    from opentelemetry.instrumentation import aiohttp_server as module

    upstream: Any = module
    create = upstream.create_aiohttp_middleware

    def create_aiohttp_middleware(*arguments: Any, **keywords: Any) -> Any:
        serve = create(*arguments, **keywords)

        @web.middleware  # type: ignore[untyped-decorator, unused-ignore]
        async def _middleware(request: Any, handler: Any) -> Any:
            excluded = upstream._excluded_urls.url_disabled(request.url.path)
            token = enter() if excluded else None
            try:
                return await serve(request, handler)
            finally:
                leave(token)

        return _middleware

    upstream.create_aiohttp_middleware = create_aiohttp_middleware
