"""Libraries for which "when it is imported" is too early, or which build on one another."""

from __future__ import annotations

import sys

from otel_injection import ours, report
from otel_injection.imports import hooks
from otel_injection.settings.early import disabled_instrumentations

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Act = Callable[[], None]


def when_ready(name: str, act: Act) -> None:
    """Call ``act`` now, or when the library of that name can be instrumented."""
    if name in _EXCLUDING:
        _watch_excluded(name)
    if name == "django":
        _before_first_middleware(act)
    elif name == "starlette" and "fastapi" not in disabled_instrumentations():
        _beside_fastapi(act)
    elif name in _CLASSES:
        act()
        _look_alike(*_CLASSES[name])
        if name == "flask":
            _ask_for_no_url()
            _watch_excluded(name)
        if name in ("flask", "fastapi", "starlette"):
            _shorten_requests(name)
    elif name.startswith("grpc_"):
        from otel_injection.instrumentations import grpc_client

        grpc_client.instrument(name, act)
    elif name in _AFTERWARDS:
        act()
        _AFTERWARDS[name](name)
    else:
        act()


_CLASSES = {
    "falcon": ("falcon", "App"),
    "fastapi": ("fastapi", "FastAPI"),
    "flask": ("flask", "Flask"),
    "starlette": ("starlette.applications", "Starlette"),
}
"""Where an instrumentation puts a class derived from the library's own: its module and name."""


_EXCLUDING = frozenset({"aiohttp-server", "falcon", "fastapi", "starlette"})
"""Frameworks for which URLs can be excluded; Flask comes later, Django's middleware is ours."""


def _watch_excluded(name: str) -> None:
    from otel_injection.instrumentations import excluded_urls as excluded

    excluded.watch(name)


_PREFIXES = ("otel_injection.", "opentelemetry.")


def _look_alike(module: str, name: str) -> None:
    """Give a derived class the names and the signature of the library's: apps print and inspect them."""
    instrumented: Any = getattr(sys.modules[module], name, None)
    if not getattr(instrumented, "__module__", "").startswith(_PREFIXES):
        return
    original: Any = next(each for each in instrumented.__mro__ if not each.__module__.startswith(_PREFIXES))
    for attribute in ("__name__", "__qualname__", "__module__", "__doc__"):
        setattr(instrumented, attribute, getattr(original, attribute))
    if "__parameters__" in vars(original):  # generic: falcon.App[...] is written in annotations
        instrumented.__parameters__ = original.__parameters__
    instrumented.__init__.__wrapped__ = original.__init__
    instrumented._otel_injection = True


def _ask_for_no_url() -> None:
    """Where no URL is excluded, spare each request the URL to be put together, which takes longer than its span."""
    instrumented: Any = sys.modules["flask"].Flask
    excluded = getattr(instrumented, "_excluded_urls", None)
    if getattr(excluded, "_excluded_urls", True) in ([], ()):
        instrumented._excluded_urls = None


def _shorten_requests(name: str) -> None:
    """Have apps that are made from now on do less for each request."""
    if not getattr(getattr(sys.modules[_CLASSES[name][0]], _CLASSES[name][1]), "_otel_injection", False):
        return
    try:
        if name == "flask":
            from otel_injection.instrumentations.flask import shorter_way as requests
        else:
            from otel_injection.instrumentations.asgi import middleware as requests  # type: ignore[no-redef]
        requests.use()
    except ours() as error:
        report.say(f"{name}: requests take the long way: {type(error).__name__}: {error}")


def _shorten_submitting(_name: str) -> None:
    from otel_injection.instrumentations import thread_pools

    thread_pools.shorten()


def _look_further_for_the_caller(_name: str) -> None:
    """Let Pyramid's configurator find the app's package: wrapt in Python and ``fallback`` put frames between."""
    from opentelemetry.instrumentation import pyramid

    pyramid.CALLER_LEVELS = 4


def _keep_headers(name: str) -> None:
    from otel_injection.instrumentations import kafka

    kafka.replace(name)


_AFTERWARDS = {
    "aiokafka": _keep_headers,
    "confluent_kafka": _keep_headers,
    "kafka": _keep_headers,
    "pyramid": _look_further_for_the_caller,
    "threading": _shorten_submitting,
}
"""What is done once an instrumentation has acted."""


def _before_first_middleware(act: Act) -> None:
    """Instrument Django when its first handler loads its middleware: then its settings can be read (contrib 2495)."""
    handler = sys.modules["django.core.handlers.base"].BaseHandler
    load_middleware = handler.load_middleware
    waiting = [act]

    def load(self: Any, *arguments: Any, **keywords: Any) -> Any:
        try:
            prepare = waiting.pop()
        except IndexError:  # done, perhaps by another thread at this moment
            pass
        else:
            try:
                _name_middleware()
                prepare()
            except ours() as error:
                report.say(f"django is not instrumented: {type(error).__name__}: {error}")
        return load_middleware(self, *arguments, **keywords)

    load.__name__ = load_middleware.__name__
    load.__doc__ = load_middleware.__doc__
    handler.load_middleware = load


def _name_middleware() -> None:
    """Let Django find our middleware, which it imports by name."""
    from opentelemetry.instrumentation.django import DjangoInstrumentor

    DjangoInstrumentor._opentelemetry_middleware = "otel_injection.instrumentations.django.Middleware"


# FastAPI derives from Starlette: derived from the instrumented class, its apps would make every server span twice.

_postponed: list[Act] = []
_hidden: list[Any] = []


def _beside_fastapi(act: Act) -> None:
    hooks.before("fastapi", _show_plain_starlette)
    if _fastapi_is_being_imported():
        _postponed.append(act)
    else:
        act()
        _look_alike(*_CLASSES["starlette"])
        _shorten_requests("starlette")
    hooks.after("fastapi", lambda _module: _show_instrumented_starlette())


def _fastapi_is_being_imported() -> bool:
    fastapi = sys.modules.get("fastapi")
    return bool(getattr(getattr(fastapi, "__spec__", None), "_initializing", False))


def _show_plain_starlette() -> None:
    applications = sys.modules.get("starlette.applications")
    instrumented = getattr(applications, "Starlette", None)
    if "_otel_injection" in vars(instrumented or object):
        _hidden.append(instrumented)
        applications.Starlette = instrumented.__mro__[1]  # type: ignore[union-attr]


def _show_instrumented_starlette() -> None:
    while _hidden:
        sys.modules["starlette.applications"].Starlette = _hidden.pop()  # type: ignore[attr-defined]
    while _postponed:
        _postponed.pop()()
        _look_alike(*_CLASSES["starlette"])
        _shorten_requests("starlette")
