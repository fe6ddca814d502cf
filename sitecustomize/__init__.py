"""Upstream's entry points under upstream's name: ``opentelemetry.instrumentation.auto_instrumentation``."""

from __future__ import annotations

import os
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec

_FOLDER = os.path.dirname(os.path.abspath(__file__))
_MOUNT = os.path.dirname(os.path.dirname(os.path.dirname(_FOLDER)))


def initialize(*, swallow_exceptions: bool = True) -> None:
    """Start the injection in this process, as ``sitecustomize`` does; calling it again changes nothing.

    An error, such as that of a damaged payload, is raised only without ``swallow_exceptions``.
    """
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


def _make_way() -> None:
    """Let the app's own package of this name, if it has one, take this one's place.

    Where the app's own ``opentelemetry-instrument`` wraps it, upstream's ``sitecustomize`` runs instead of ours and
    imports upstream's package. Ours is ahead of it on ``sys.path`` and would hide it; here it moves to the end.
    """
    sys.path[:] = [each for each in sys.path if each not in (_FOLDER, _MOUNT)] + [_MOUNT]
    folders = [os.path.join(each, "opentelemetry", "instrumentation") for each in sys.path[:-1]]
    spec = PathFinder.find_spec(__name__, folders)
    if spec is not None and spec.loader is not None:
        sys.modules[__name__] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[__name__])


_make_way()
