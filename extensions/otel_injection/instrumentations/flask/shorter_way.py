"""A shorter way through upstream's instrumentation of Flask: the same spans and metrics, and much less work.

Upstream's functions that make an app's wrapper and hooks (in release 0.66b) are replaced by
these, which make shorter ones and keep upstream's beside them, for what is not known here: hooks, captured headers,
other releases of Flask.
"""

from __future__ import annotations

from functools import wraps
from types import FunctionType
from typing import Any

from flask import globals as flask_globals
from opentelemetry.instrumentation import flask as upstream

from otel_injection.instrumentations.flask import request_spans
from otel_injection.instrumentations.flask.wsgi_wrapper import Wrapper
from otel_injection.instrumentations.server_requests.excluding import Excluding
from otel_injection.instrumentations.server_requests.wsgi_attributes import Attributes
from otel_injection.stand_ins import for_packaging_version as versions

_OLDEST, _TOO_NEW = "2.2", "3.2"
"""From the first release of Flask to before the second, a request has a context variable of its own."""

_make_wrapper: Any = upstream._rewrapped_app
_make_before: Any = upstream._wrapped_before_request
_make_teardown: Any = upstream._wrapped_teardown_request
_DEFAULT = upstream._StabilityMode.DEFAULT  # type: ignore[attr-defined]

_attributes: dict[Any, Attributes] = {}
_excluding: dict[Any, Excluding] = {}


def use() -> None:
    """Have apps that are made from now on take the shorter way, where this release of Flask is known."""
    version = versions.parse(upstream.flask_version)
    if hasattr(flask_globals, "_cv_request") and versions.parse(_OLDEST) <= version < versions.parse(_TOO_NEW):
        upstream._rewrapped_app = rewrapped_app
        upstream._wrapped_before_request = wrapped_before_request
        upstream._wrapped_teardown_request = wrapped_teardown_request
        _know_our_functions(upstream._InstrumentedFlask)


def _know_our_functions(kind: Any) -> None:
    """Tell Flask that our functions are no coroutines: checking that at each request takes longer than calling them."""
    look = kind.ensure_sync

    @wraps(look)
    def ensure_sync(self: Any, func: Any) -> Any:
        return func if type(func) is FunctionType and func.__module__ == request_spans.__name__ else look(self, func)

    kind.ensure_sync = ensure_sync


def rewrapped_app(
    wsgi_app: Any,
    active_requests_counter: Any,
    duration_histogram_old: Any = None,
    response_hook: Any = None,
    excluded_urls: Any = None,
    sem_conv_opt_in_mode: Any = _DEFAULT,
    duration_histogram_new: Any = None,
) -> Any:
    """See ``opentelemetry.instrumentation.flask._rewrapped_app``."""
    histograms = duration_histogram_old, duration_histogram_new
    longer = _make_wrapper(
        wsgi_app,
        active_requests_counter,
        histograms[0],
        response_hook,
        excluded_urls,
        sem_conv_opt_in_mode,
        histograms[1],
    )
    if response_hook is not None:
        return longer
    attributes, excluding = _attributes_under(sem_conv_opt_in_mode), _excluding_by(excluded_urls)
    return Wrapper(wsgi_app, longer, attributes, excluding, active_requests_counter, histograms).wsgi_app


def wrapped_before_request(
    request_hook: Any = None,
    tracer: Any = None,
    excluded_urls: Any = None,
    enable_commenter: bool = True,
    commenter_options: Any = None,
    sem_conv_opt_in_mode: Any = _DEFAULT,
) -> Any:
    """See ``opentelemetry.instrumentation.flask._wrapped_before_request``."""
    longer = _make_before(
        request_hook, tracer, excluded_urls, enable_commenter, commenter_options, sem_conv_opt_in_mode
    )
    if request_hook or not enable_commenter or commenter_options:
        return longer
    attributes, excluding = _attributes_under(sem_conv_opt_in_mode), _excluding_by(excluded_urls)
    return request_spans.before_request(tracer, attributes, excluding, longer)


def wrapped_teardown_request(excluded_urls: Any = None) -> Any:
    """See ``opentelemetry.instrumentation.flask._wrapped_teardown_request``."""
    return request_spans.teardown_request(_make_teardown(excluded_urls))


def _attributes_under(mode: Any) -> Attributes:
    return _attributes.get(mode) or _attributes.setdefault(mode, Attributes(mode))


def _excluding_by(urls: Any) -> Excluding | None:
    """Return the excluded URLs, None if there are none."""
    if urls is None or not urls._excluded_urls:
        return None
    return _excluding.get(urls) or _excluding.setdefault(urls, Excluding(urls))
