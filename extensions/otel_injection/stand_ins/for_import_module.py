"""Stands in for ``importlib.import_module`` in private copies, and finds only modules that the app has imported.

One instrumentation serves httpx and httpx2; an app that uses one of them need not pay for the other.
"""

from __future__ import annotations

import sys
from typing import Any


def import_module(name: str) -> Any:
    """Return a module that has been imported; ImportError if none of that name has been."""
    try:
        return sys.modules[name]
    except KeyError:
        raise ImportError(f"{name} is not imported", name=name) from None
