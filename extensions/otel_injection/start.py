"""Decides whether this process is instrumented and, if so, installs what waits for the app's imports."""

from __future__ import annotations

import os
import sys

from otel_injection import guard, report

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
    reason = guard.reason_to_skip(os.environ, getattr(sys, "orig_argv", sys.argv))
    report.debug(f"not instrumented: {reason}" if reason else "waiting for the app's imports")
    if reason:
        return
    from otel_injection import activation, api, hooks, lifecycle

    try:
        hooks.install()
        api.share(mount)
        lifecycle.watch()
        activation.watch()
    except BaseException:
        hooks.uninstall()
        raise
