"""Upstream's entry points under upstream's name: ``opentelemetry.instrumentation.auto_instrumentation``."""

from __future__ import annotations

import os
import sys

_FOLDER = os.path.dirname(os.path.abspath(__file__))
_MOUNT = os.path.dirname(os.path.dirname(os.path.dirname(_FOLDER)))


def initialize(*, swallow_exceptions: bool = True) -> None:
    """Start the injection in this process, as ``sitecustomize`` does; calling it again changes nothing.

    ``swallow_exceptions`` is accepted for upstream's signature: nothing of ours is raised into an app in either case.
    """
    del swallow_exceptions
    if _MOUNT not in sys.path:
        sys.path.append(_MOUNT)
    from otel_injection import start

    start.start(_MOUNT)


def run() -> None:
    """Run a command with injection: what the ``opentelemetry-instrument`` script calls.

    Options before the command set the environment variable of the same name (``--service_name`` sets
    ``OTEL_SERVICE_NAME``), as upstream's do. Ends with status 2 for unusable arguments and 127 when there is no such
    command.
    """
    from otel_injection import wrapper

    wrapper.run(sys.argv[1:], _FOLDER, _MOUNT)
