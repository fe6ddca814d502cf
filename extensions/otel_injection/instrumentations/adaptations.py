"""Lists the instrumentations that need more than to act when their library is imported.

Some must act later, some build on one another, and some are completed afterwards. What each needs stands in a file of
its own.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from collections.abc import Callable

BY_NAME = {
    "aiohttp-server": "aiohttp_server:instrument",
    "aiokafka": "kafka:instrument",
    "confluent_kafka": "kafka:instrument",
    "django": "django:instrument",
    "falcon": "falcon:instrument",
    "fastapi": "asgi.fastapi:instrument",
    "flask": "flask:instrument",
    "grpc_aio_client": "grpc_client:instrument",
    "grpc_aio_server": "grpc_client:instrument",
    "grpc_client": "grpc_client:instrument",
    "grpc_server": "grpc_client:instrument",
    "kafka": "kafka:instrument",
    "pyramid": "pyramid:instrument",
    "starlette": "asgi.starlette:instrument",
    "threading": "thread_pools:instrument",
}
"""By name of an instrumentation: the function that lets it act, called with the name and a function that does so."""


def when_ready(name: str, act: Callable[[], None]) -> None:
    """Call ``act`` now, or when the library of that name can be instrumented."""
    if name not in BY_NAME:
        act()
        return
    module, _, function = BY_NAME[name].partition(":")
    path = f"otel_injection.instrumentations.{module}"
    __import__(path)
    getattr(sys.modules[path], function)(name, act)
