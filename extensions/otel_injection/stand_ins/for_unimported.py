"""Stands in for modules of a library that an instrumentation imports and the app has not imported yet.

Importing them on the app's behalf would be more than it asked for, and might be too early: gevent has yet to patch what
they take from the standard library (``celery worker -P gevent``). Each name in such a module is a stand-in: nothing
is an instance of it until the app has imported the module; then it acts as the original.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any


class Name:
    """Stands for a class or a function of a module."""

    def __init__(self, module: str, name: str) -> None:
        self._module = module
        self._name = name

    def _found(self) -> Any:
        module = sys.modules.get(self._module)
        return None if module is None else getattr(module, self._name, None)

    def __instancecheck__(self, instance: object) -> bool:
        found = self._found()
        return found is not None and isinstance(instance, found)

    def __subclasscheck__(self, subclass: type) -> bool:
        found = self._found()
        return found is not None and issubclass(subclass, found)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Call the original."""
        return getattr(importlib.import_module(self._module), self._name)(*arguments, **keywords)

    def __or__(self, other: object) -> Any:  # in types that are given to ``typing.cast``
        return self

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):  # typing looks for such
            raise AttributeError(attribute)
        return getattr(getattr(importlib.import_module(self._module), self._name), attribute)


class Module:
    """Stands for a package of the app's, or for a module in it, that may not have been imported."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        inner = f"{self._name}.{attribute}"
        if inner in sys.modules:
            return Module(inner)
        if self._name in sys.modules:
            try:
                return getattr(sys.modules[self._name], attribute)
            except AttributeError:
                return Module(inner)
        return Name(self._name, attribute)
