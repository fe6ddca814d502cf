"""Apps of ASGI's second version among those of its third, told apart as ``asgiref.compatibility`` does.

That one imports ``asyncio``, and with it ``subprocess`` and others, before gevent may have patched them.
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
    asyncio = sys.modules.get("asyncio")  # which alone marks functions as such, before Python 3.12
    return sys.version_info < (3, 12) and asyncio is not None and bool(asyncio.iscoroutinefunction(function))
