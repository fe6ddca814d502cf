"""Lets code of ours that looks at a global provider of our API see the one that the app has set in its own."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any


def show(module: Any, name: str, own: Callable[[], Any], proxy: Any) -> None:
    """Answer for the attribute ``name`` of a module of our API with ``own()``, or with ``proxy`` if that is None.

    The module's own functions go on to see ``proxy``. Without this, whoever makes spans, measurements or records would
    have to ask two modules each time.
    """

    def get(_self: ModuleType) -> Any:
        found = own()
        return proxy if found is None else found

    def put(self: ModuleType, value: Any) -> None:
        vars(self)[name] = value

    module.__class__ = type("Joined", (type(module),), {name: property(get, put)})
