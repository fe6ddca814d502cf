"""Upstream's entry points under upstream's name: ``opentelemetry.instrumentation.auto_instrumentation``."""

from __future__ import annotations

import os
import sys

_FOLDER = os.path.dirname(os.path.abspath(__file__))
_MOUNT = os.path.dirname(os.path.dirname(os.path.dirname(_FOLDER)))


def initialize(*, swallow_exceptions: bool = True) -> None:
    """Start the injection in this process, as ``sitecustomize`` does; calling it again changes nothing.

    Raises what stands against it, such as a damaged payload, only without ``swallow_exceptions``. The payload goes to
    the end of ``sys.path``: upstream's own ``sitecustomize``, where a command wraps the app with it, has left it ahead
    of the app's packages.
    """
    sys.path[:] = [each for each in sys.path if each not in (_FOLDER, _MOUNT)] + [_MOUNT]
    try:
        from otel_injection import start

        start.start(_MOUNT)
    except Exception:
        if not swallow_exceptions:
            raise


def run() -> None:
    """Run a command with injection: what the ``opentelemetry-instrument`` script calls.

    Options before the command set the environment variable of the same name (``--service_name`` sets
    ``OTEL_SERVICE_NAME``), as upstream's do. Ends with status 2 for unusable arguments and 127 when there is no such
    command.
    """
    from otel_injection import wrapper

    wrapper.run(sys.argv[1:], _FOLDER, _MOUNT)
