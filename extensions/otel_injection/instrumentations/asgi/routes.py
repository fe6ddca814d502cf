"""Finds the route of a request as upstream's instrumentations of FastAPI and Starlette do, without trying every route.

Upstream lets each route of the app match the request, in Python, before the app's router does so again. Here, routes
that match by a regular expression of the path are tried only if that expression matches.
"""

from __future__ import annotations

import sys
from typing import Any

from starlette.routing import Match, Route  # type: ignore[import-not-found] # the app's

_FASTAPI = "otel_injection._vendor.opentelemetry.instrumentation.fastapi"
_STARLETTE = "otel_injection._vendor.opentelemetry.instrumentation.starlette"


def use() -> None:
    """Replace upstream's functions, in those of its modules that have been imported."""
    try:
        from starlette._utils import get_route_path  # type: ignore[import-not-found]
    except ImportError:  # a release of Starlette without it, whose routes match another path
        return
    fastapi, starlette = sys.modules.get(_FASTAPI), sys.modules.get(_STARLETTE)
    if fastapi is not None and hasattr(fastapi, "_flatten_routes"):
        from fastapi.routing import APIRoute  # type: ignore[import-not-found]

        _Routes(fastapi, get_route_path, {Route, APIRoute}).replace()
    if starlette is not None:
        _Routes(starlette, get_route_path, {Route}).replace()


class _Routes:
    """Stands for ``_get_route_details`` of one of the instrumentations."""

    def __init__(self, instrumentation: Any, path_of: Any, plain: set[type]) -> None:
        self._instrumentation = instrumentation
        self._path_of = path_of
        self._plain = plain
        self._upstream = instrumentation._get_route_details
        self._flatten = getattr(instrumentation, "_flatten_routes", iter)
        self._passes_by = hasattr(instrumentation, "_flatten_routes")
        """Whether it is FastAPI's, which ignores ``matches`` of classes derived from ``Route``."""

    def replace(self) -> None:
        """Take the place of upstream's function, unless that is done."""
        if not isinstance(self._upstream, _Routes):
            self._instrumentation._get_route_details = self

    def __call__(self, scope: Any) -> Any:
        """Return the path of the route that matches."""
        if scope["type"] != "http":
            return self._upstream(scope)
        path, plain = self._path_of(scope), self._plain
        routes = [each for each in scope["app"].routes if type(each) not in plain or each.path_regex.match(path)]
        found = None
        for each in self._flatten(routes):
            match, _ = (
                Route.matches(each, scope) if self._passes_by and isinstance(each, Route) else each.matches(scope)
            )
            if match == Match.FULL:
                return getattr(each, "path", scope.get("path"))  # a route by host has no path
            if match == Match.PARTIAL:
                found = each.path
        return found
