"""Where processes are born and where they die: one module per kind."""

from __future__ import annotations


def watch() -> None:
    """Follow this process and its children."""
    from otel_injection.lifecycle import ending, forking, gevent, gunicorn, multiprocessing

    ending.watch()
    forking.watch()
    gevent.watch()
    gunicorn.watch()
    multiprocessing.watch()
