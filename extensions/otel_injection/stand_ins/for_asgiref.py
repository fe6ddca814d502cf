"""Stands in for ``asgiref.compatibility``: tells apps of ASGI's second version from those of its third.

The original imports ``asyncio``, and with it ``subprocess`` and others, which gevent may not have patched yet.
"""

from __future__ import annotations

import inspect
import sys
from typing import Any


def guarantee_single_callable(application: Any) -> Any:
    """Return an app that is called once for each connection, with ``scope``, ``receive`` and ``send``."""
    if not _is_double_callable(application):
        return application

    async def new_application(scope: Any, receive: Any, send: Any) -> Any:
        return await application(scope)(receive, send)

    return new_application


def _is_double_callable(application: Any) -> bool:
    for attribute, answer in (("_asgi_single_callable", False), ("_asgi_double_callable", True)):
        if getattr(application, attribute, False):
            return answer
    if inspect.isclass(application):
        return True
    call = getattr(application, "__call__", None)  # noqa: B004 - not whether: which
    return not _is_coroutine_function(call) and not _is_coroutine_function(application)


def _is_coroutine_function(function: Any) -> bool:
    if inspect.iscoroutinefunction(function):
        return True
    asyncio = sys.modules.get("asyncio")  # before Python 3.12, only asyncio can mark a function as a coroutine function
    return sys.version_info < (3, 12) and asyncio is not None and bool(asyncio.iscoroutinefunction(function))
