"""Gunicorn: a worker has its SDK before it takes its first request, the master has none.

``post_fork`` is for configuration files that want to call it by name; injected processes need no configuration.
"""

from __future__ import annotations

import os

from otel_injection.lifecycle import events

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from typing import Any


def post_fork(server: Any, worker: Any) -> None:
    """Set the SDK up in a worker; see ``post_fork`` in gunicorn's settings. Calling it again changes nothing."""
    del server, worker
    events.ready_to_serve.tell()


def hook(base: Any, _name: str) -> None:
    """Set the hook in gunicorn's workers."""
    load_wsgi = base.Worker.load_wsgi

    def load_and_set_up(self: Any) -> Any:
        result = load_wsgi(self)
        # The app is loaded and worker-specific monkey patching is done: no request has to wait for the set-up.
        events.ready_to_serve.tell()
        return result

    load_and_set_up.__name__ = load_wsgi.__name__
    load_and_set_up.__doc__ = load_wsgi.__doc__
    base.Worker.load_wsgi = load_and_set_up


def hook_arbiter(arbiter: Any, _name: str) -> None:
    """Let a worker that gets SIGTERM while it boots end.

    Until a worker has set its own handlers it has the master's, which only note the signal for the master's loop. A
    SIGTERM in these moments is lost, and the master waits 30 seconds for the worker. Without us the moments are some
    milliseconds long; setting up the SDK for the worker's first log record makes them ten times as long.
    """
    spawn_worker = arbiter.Arbiter.spawn_worker
    spawning: list[int] = []

    def in_child() -> None:
        if spawning:
            spawning.clear()
            arbiter.signal.signal(arbiter.signal.SIGTERM, arbiter.signal.SIG_DFL)

    def spawn(self: Any) -> Any:
        spawning.append(1)
        try:
            return spawn_worker(self)
        finally:
            spawning.clear()

    spawn.__name__ = spawn_worker.__name__
    spawn.__doc__ = spawn_worker.__doc__
    arbiter.Arbiter.spawn_worker = spawn
    os.register_at_fork(after_in_child=in_child)
