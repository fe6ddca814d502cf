"""Guards the functions with which upstream replaces a library's without ``wrapt``; see ``fallback``.

For some instrumentations, something is done before they act, for others afterwards.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from typing import Any

from otel_injection import ours, report
from otel_injection.instrumentations import fallback


def before(name: str) -> None:
    """Guard what the instrumentation of this name is going to put in place."""
    _guard(_BEFORE, name)


def after(name: str) -> None:
    """Guard what it has put in place."""
    _guard(_AFTER, name)


def _guard(table: Mapping[str, Callable[[], None]], name: str) -> None:
    try:
        if name in table:
            table[name]()
    except ours() as error:  # another release of the library: it stays instrumented, without this guard
        report.debug(f"{name}: not guarded: {type(error).__name__}: {error}")


def _requests() -> None:
    fallback.guard_replacement(sys.modules["requests"].Session, "send", "wrapped_send")


def _urllib() -> None:
    opener: Any = sys.modules["urllib.request"].OpenerDirector
    opener.open.__defaults__ = opener.open.__wrapped__.__defaults__  # upstream's has no default timeout
    fallback.guard_replacement(opener, "open", "opener_open")


def _aiohttp_client() -> None:
    from opentelemetry.instrumentation import aiohttp_client as upstream

    module: Any = upstream
    create = module.create_trace_config

    def create_trace_config(*arguments: Any, **keywords: Any) -> Any:
        config = create(*arguments, **keywords)
        for each in (config.on_request_start, config.on_request_end, config.on_request_exception):
            each[:] = map(fallback.guarding_listener, each)
        return config

    module.create_trace_config = create_trace_config


def _aiohttp_server() -> None:
    from aiohttp import web  # type: ignore[import-not-found, unused-ignore]
    from opentelemetry.instrumentation import aiohttp_server as upstream

    module: Any = upstream
    create = module.create_aiohttp_middleware

    def create_aiohttp_middleware(*arguments: Any, **keywords: Any) -> Any:
        serve = fallback.guarding_argument(create(*arguments, **keywords), 1, lambda args: args[:1])

        @web.middleware  # type: ignore[untyped-decorator, unused-ignore]
        async def _middleware(request: Any, handler: Any) -> Any:  # by keyword: aiohttp
            return await serve(request, handler)

        return _middleware

    module.create_aiohttp_middleware = create_aiohttp_middleware


def _aiohttp_application() -> None:
    application: Any = sys.modules["aiohttp.web"].Application
    init = application.__init__

    def __init__(self: Any, *arguments: Any, **keywords: Any) -> None:  # noqa: N807 - it takes its place
        if "middlewares" in keywords:  # upstream appends to the app's own list, which may be a tuple
            keywords["middlewares"] = list(keywords["middlewares"])
        init(self, *arguments, **keywords)

    application.__init__ = __init__


def _sqlalchemy() -> None:
    from opentelemetry.instrumentation.sqlalchemy import engine as upstream

    module: Any = upstream
    tracer = module.EngineTracer
    tracer._before_cur_exec = fallback.guarding_listener(tracer._before_cur_exec, lambda *args, **_: args[3:5])
    for name in ("_pool_connect", "_pool_close", "_pool_checkin", "_pool_checkout"):
        setattr(tracer, name, fallback.guarding_listener(getattr(tracer, name)))
    for name in ("_after_cur_exec", "_handle_error"):
        setattr(module, name, fallback.guarding_listener(getattr(module, name)))


def _psycopg() -> None:
    from otel_injection.instrumentations import psycopg_cursors

    psycopg_cursors.replace()


def _psycopg2() -> None:
    from otel_injection.instrumentations import psycopg2_cursors

    psycopg2_cursors.replace()


def _one_create_engine() -> None:
    """Let ``create_engine`` be one function again: upstream wraps it in each place where it is looked up."""
    engine: Any = sys.modules["sqlalchemy"].create_engine
    for name in ("sqlalchemy.engine", "sqlalchemy.engine.create"):
        module: Any = sys.modules.get(name)
        if hasattr(module, "create_engine"):
            module.create_engine = engine


def _pika() -> None:
    from opentelemetry.instrumentation.pika import utils as upstream

    module: Any = upstream
    decorate = module._decorate_basic_publish

    def decorate_basic_publish(original: Any, *arguments: Any, **keywords: Any) -> Any:
        return functools.wraps(original)(decorate(original, *arguments, **keywords))

    module._decorate_basic_publish = decorate_basic_publish


def _pymemcache() -> None:
    from opentelemetry.instrumentation import pymemcache as upstream

    module: Any = upstream
    query = module._get_query_string

    def get_query_string(arg: Any) -> Any:
        """Read binary keys, which need not be text in any encoding, as far as they are text."""
        if isinstance(arg, dict | list | tuple):
            keys = (each.decode("utf-8", "replace") if isinstance(each, bytes) else str(each) for each in arg)
            return " ".join(keys)
        return query(arg.decode("utf-8", "replace") if isinstance(arg, bytes) else arg)

    module._get_query_string = get_query_string


_BEFORE = {
    "aiohttp-client": _aiohttp_client,
    "aiohttp-server": _aiohttp_server,
    "pika": _pika,
    "psycopg": _psycopg,
    "pymemcache": _pymemcache,
    "psycopg2": _psycopg2,
    "sqlalchemy": _sqlalchemy,
}
_AFTER = {
    "aiohttp-server": _aiohttp_application,
    "requests": _requests,
    "sqlalchemy": _one_create_engine,
    "urllib": _urllib,
}
