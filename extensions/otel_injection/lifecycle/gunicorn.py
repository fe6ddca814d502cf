"""Gunicorn: a worker has its SDK before it takes its first request, the master has none.

``post_fork`` is for configuration files that want to call it by name; injected processes need no configuration.
"""

from __future__ import annotations

import sys

from otel_injection import hooks

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from typing import Any


def watch() -> None:
    """Set the hooks in gunicorn's workers when it imports them."""
    hooks.after("gunicorn.workers.base", _hook)


def post_fork(server: Any, worker: Any) -> None:
    """Set the SDK up in a worker; see ``post_fork`` in gunicorn's settings. Calling it again changes nothing."""
    del server, worker
    _set_up()


def _hook(base: Any) -> None:
    load_wsgi = base.Worker.load_wsgi

    def load_and_set_up(self: Any) -> Any:
        result = load_wsgi(self)
        # The app is loaded and worker-specific monkey patching is done: no request has to wait for the set-up.
        _set_up()
        return result

    load_and_set_up.__name__ = load_wsgi.__name__
    load_and_set_up.__doc__ = load_wsgi.__doc__
    base.Worker.load_wsgi = load_and_set_up


def _set_up() -> None:
    """Set the SDK up if the app has imported anything that makes telemetry."""
    pipeline = sys.modules.get("otel_injection.pipeline")
    if pipeline is not None:
        pipeline.PIPELINE.current()
