"""Stands in for modules such as ``asyncio`` in private copies, and imports them when a name of theirs is first used.

Which modules these are says ``LAZY`` in ``images/payload/ownership.py``.
"""

from __future__ import annotations

import importlib
from typing import Any


class Module:
    """Stands for a module of the standard library until one of its names is asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module(self._name), attribute)
