"""Where processes are born and where they die: one module per kind."""

from __future__ import annotations


def watch() -> None:
    """Follow this process and its children."""
    from otel_injection.lifecycle import celery, ending, forking, gevent, gunicorn, multiprocessing, supervising

    celery.watch()
    ending.watch()
    forking.watch()
    gevent.watch()
    gunicorn.watch()
    multiprocessing.watch()
    supervising.watch()
