"""Starlette: its class of apps, beside FastAPI's, which derives from it.

Derived from the instrumented class, FastAPI's apps would make every server span twice.
"""

from __future__ import annotations

import sys

from otel_injection.imports import hooks
from otel_injection.instrumentations import derived_classes, excluded_urls
from otel_injection.instrumentations.asgi import shorten, watch_excluded
from otel_injection.settings.early import disabled_instrumentations

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_CLASS = ("starlette.applications", "Starlette")
_postponed: list[Callable[[], None]] = []
_hidden: list[Any] = []


def instrument(name: str, act: Callable[[], None]) -> None:
    """Instrument it, excluded URLs included; while FastAPI is being imported, after that."""
    excluded_urls.watch(name, watch_excluded)
    if "fastapi" in disabled_instrumentations():
        _instrument(act)
        return
    hooks.before("fastapi", _show_plain_class)
    if _fastapi_is_being_imported():
        _postponed.append(act)
    else:
        _instrument(act)
    hooks.after("fastapi", lambda _module: _show_instrumented_class())


def _instrument(act: Callable[[], None]) -> None:
    act()
    derived_classes.look_alike(*_CLASS)
    shorten("starlette", *_CLASS)


def _fastapi_is_being_imported() -> bool:
    fastapi = sys.modules.get("fastapi")
    return bool(getattr(getattr(fastapi, "__spec__", None), "_initializing", False))


def _show_plain_class() -> None:
    applications = sys.modules.get("starlette.applications")
    instrumented = getattr(applications, "Starlette", None)
    if "_otel_injection" in vars(instrumented or object):
        _hidden.append(instrumented)
        applications.Starlette = instrumented.__mro__[1]  # type: ignore[union-attr]


def _show_instrumented_class() -> None:
    while _hidden:
        sys.modules["starlette.applications"].Starlette = _hidden.pop()  # type: ignore[attr-defined]
    while _postponed:
        _instrument(_postponed.pop())
