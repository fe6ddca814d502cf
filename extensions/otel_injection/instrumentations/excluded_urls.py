"""What is done for a request whose URL is excluded: no span of it is the root of a trace (contrib issue 2140).

Upstream makes no span for such a request and leaves it at that, so that each statement and each call becomes a trace of
its own. Here they have a parent that is not sampled, which ``sdk.excluded_sampler`` knows under any sampler. The spans
of an app that has set up OpenTelemetry itself are left alone.
"""

from __future__ import annotations

import os
from typing import Any

from opentelemetry import context, trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, get_current_span

from otel_injection import ours, report
from otel_injection.providers import tracing
from otel_injection.sdk.excluded_sampler import EXCLUDED
from otel_injection.settings import file
from otel_injection.settings.early import forced
from otel_injection.stand_ins import for_random

KEY = "opentelemetry-flask.excluded"
"""Where a WSGI request keeps the tokens of its context, beside the keys of upstream, for whoever serves it to leave."""


def is_asked_for(name: str) -> bool:
    """Return whether URLs are excluded for a framework, by the name of its instrumentation."""
    of_its_own = f"OTEL_PYTHON_{name.upper().replace('-', '_')}_EXCLUDED_URLS"
    if os.environ.get("OTEL_PYTHON_EXCLUDED_URLS") or os.environ.get(of_its_own):
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


def watch(name: str) -> None:
    """Have a framework's instrumentation do so, by the name of its entry point; before its library is instrumented."""
    if name in _WATCHES:
        try:
            if is_asked_for(name):
                _WATCHES[name]()
        except ours() as error:
            report.say(f"{name}: excluded requests may leave spans: {type(error).__name__}: {error}")


def _watch_flask() -> None:
    import flask
    from opentelemetry.instrumentation import flask as module

    upstream: Any = module
    wrap_app, wrap_before = upstream._rewrapped_app, upstream._wrapped_before_request

    def rewrapped_app(*arguments: Any, **keywords: Any) -> Any:
        app = wrap_app(*arguments, **keywords)

        def _wrapped_app(wrapped_app_environ: dict[str, Any], start_response: Any) -> Any:
            around = wrapped_app_environ.get(KEY)
            entered = wrapped_app_environ[KEY] = []  # which a copy of the environment shares
            try:
                return app(wrapped_app_environ, start_response)
            finally:
                wrapped_app_environ[KEY] = around
                while entered:
                    leave(entered.pop())

        return _wrapped_app

    def wrapped_before_request(
        request_hook: Any = None, tracer: Any = None, excluded_urls: Any = None, *arguments: Any, **keywords: Any
    ) -> Any:
        begin = wrap_before(request_hook, tracer, excluded_urls, *arguments, **keywords)

        def _before_request() -> None:
            begin()
            environ = flask.request.environ
            entered = environ.get(KEY)
            if upstream._ENVIRON_ACTIVATION_KEY in environ or entered is None:
                return  # it has a span, or nobody would leave
            if excluded_urls and excluded_urls.url_disabled(flask.request.url):
                entered.append(enter())

        return _before_request

    upstream._rewrapped_app, upstream._wrapped_before_request = rewrapped_app, wrapped_before_request


def _watch_asgi() -> None:
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


def _watch_falcon() -> None:
    from opentelemetry.instrumentation import falcon as module

    kind: Any = module._InstrumentedFalconAPI
    serve = kind.__call__

    def __call__(self: Any, env: Any, start_response: Any) -> Any:  # noqa: N807 - it takes its place
        token = enter() if self._otel_excluded_urls.url_disabled(env.get("PATH_INFO", "/")) else None
        try:
            return serve(self, env, start_response)
        finally:
            leave(token)

    kind.__call__ = __call__


def _watch_aiohttp() -> None:
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


_WATCHES = {
    "aiohttp-server": _watch_aiohttp,
    "falcon": _watch_falcon,
    "fastapi": _watch_asgi,
    "flask": _watch_flask,
    "starlette": _watch_asgi,
}
