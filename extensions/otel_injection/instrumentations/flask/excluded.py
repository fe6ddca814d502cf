"""Excluded URLs of Flask apps on upstream's longer way; the shorter way handles them itself."""

from __future__ import annotations

from typing import Any

from otel_injection.instrumentations.excluded_urls import KEY, enter, leave


def watch() -> None:
    """Wrap upstream's wrapper and its function that is called before each request."""
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
