"""Decides whether this process is instrumented and, if so, installs what waits for the app's imports."""

from __future__ import annotations

import os
import sys

from otel_injection import bundle, guard, record, report, settings

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
    report.debug(f"not instrumented: {reason[1]}" if reason else "waiting for the app's imports")
    if reason:
        record.decide("skipped", *reason)
        bundle.uninstall()
        return
    from otel_injection import activation, api, hooks, lifecycle

    older = api.older_sdk(sys.path, mount)
    if older and not settings.forced():
        record.decide("skipped", "older_sdk", f"the app brings the OpenTelemetry SDK {older}, which fits no newer API")
        if not guard.runs_text(getattr(sys, "orig_argv", sys.argv)):
            report.say(
                f"not instrumented: the app brings the OpenTelemetry SDK {older}, which fits no newer API; "
                f"give it {api.OURS} or none, or set OTEL_INJECTION_ENABLED=false"
            )
        bundle.uninstall()
        return
    try:
        hooks.install()
        api.share(mount)
        lifecycle.watch()
        activation.watch()
    except BaseException:
        hooks.uninstall()
        raise
    record.decide("injected")
