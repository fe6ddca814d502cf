"""A fork: no thread of ours runs beside it, and the child starts with an SDK of its own, at its first use."""

from __future__ import annotations

import os
import sys
from _thread import get_ident

from otel_injection import hooks, report


def watch() -> None:
    """Follow forks; registered first, so that no other hook meets the parent's SDK in a child."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=lambda: _tell("before_fork"),
            after_in_parent=lambda: _tell("after_fork_in_parent"),
            after_in_child=start_anew,
        )


def start_anew() -> None:
    """Forget the parent's SDK in a child."""
    try:
        _release_imports()
    except Exception as error:
        report.debug(f"after a fork: {type(error).__name__}: {error}")
    _tell("after_fork")


def _tell(event: str) -> None:
    pipeline = getattr(sys.modules.get("otel_injection.pipeline"), "PIPELINE", None)
    if pipeline is not None:
        try:
            getattr(pipeline, event)()
        except Exception as error:
            report.debug(f"{event}: {type(error).__name__}: {error}")


def _release_imports() -> None:
    """Let the child import anew what another thread of the parent was importing at the fork.

    Nobody is left to finish it: the import system would wait for ever. Without us, few apps import anything in a
    thread; with us, the first span does.
    """
    importing = sys.modules["_frozen_importlib"]
    this = get_ident()
    importing._blocking_on.clear()
    for name, reference in list(importing._module_locks.items()):
        if getattr(reference(), "owner", None) not in (None, this):
            importing._module_locks.pop(name, None)
            hooks.interrupted(name)
            if getattr(getattr(sys.modules.get(name), "__spec__", None), "_initializing", False):
                del sys.modules[name]
