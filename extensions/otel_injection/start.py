"""Decides whether this process is instrumented and, if so, installs what waits for the app's imports.

Until the app imports one of the modules that are waited for, a process has only what this module imports.
"""

from __future__ import annotations

import _thread
import os
import sys

from otel_injection import bundle, contained, guard, ours, record, waiting

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

NAMES = waiting.NAMES
_started = False


def start(mount: str) -> None:
    """Install the import hooks in this process, once; ``mount`` is the payload's folder.

    Nothing of OpenTelemetry is imported here: a process that never imports an instrumented library pays for the
    decision alone.
    """
    global _started
    if _started:
        return
    _started = True
    if not getattr(_thread, "daemon_threads_allowed", lambda: True)():
        bundle.uninstall()  # an isolated interpreter (PEP 684): the record is that of the process's own interpreter
        return
    reason = guard.reason_to_skip(os.environ, getattr(sys, "orig_argv", sys.argv))
    if "OTEL_INJECTION_DEBUG" in os.environ:
        from otel_injection import report

        report.debug(f"not instrumented: {reason[1]}" if reason else "waiting for the app's imports")
    if reason:
        record.decide("skipped", *reason)
        bundle.uninstall()
        return
    try:
        _wait(mount)
    except BaseException:
        waiting.uninstall()
        raise
    record.decide("injected")


def _wait(mount: str) -> None:
    """Follow the app's imports, its forks and its end.

    Registered this early, our functions run before the fork hooks of others in a child, and after theirs at the end.
    """
    import atexit

    from otel_injection._names import AFTER

    atexit.register(contained(_end))
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=contained(lambda: _tell("before")),
            after_in_parent=contained(lambda: _tell("after_in_parent")),
            after_in_child=contained(lambda: _tell("start_anew")),
        )
    install(AFTER)
    if any(os.path.exists(f"{each}/opentelemetry") for each in sys.path if each != mount):
        from otel_injection.imports import private_api, shared_api

        if shared_api.choose():
            _hooks().before("opentelemetry.propagate", private_api.hide_propagators)
    present = sys.modules.keys() & NAMES.keys()
    if present:
        _hooks().catch_up(present)


_has_hooks = False
"""Whether the app has imported a module that is waited for."""


def _hooks() -> Any:
    """Import and return what acts on imports."""
    global _has_hooks
    from otel_injection.imports import hooks

    _has_hooks = True
    return hooks


def _end() -> None:
    for each in waiting.at_exit:
        each()


def _tell(event: str) -> None:
    """Pass a fork on to ``lifecycle.forking``; before the first import that is waited for, a child inherits nothing."""
    if _has_hooks:
        from otel_injection.lifecycle import forking

        getattr(forking, event)()


class Finder:
    """Notices the modules that are waited for; import system reference: importlib.abc.MetaPathFinder."""

    notices_names = True

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        """Return what the other finders find, if the module is waited for; see ``imports.hooks``."""
        if fullname not in NAMES:
            return None
        try:
            find = _hooks().find
        except ours() as error:
            waiting.give_up(error)
            return None
        return find(fullname, path, target)


def install(names: Mapping[str, tuple[str, ...]]) -> None:
    """Put the finder in front of ``sys.meta_path``."""
    NAMES.update(names)
    sys.meta_path.insert(0, Finder())
