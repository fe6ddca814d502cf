"""FastAPI's and Starlette's requests: a shorter way through upstream's instrumentation, with the same telemetry."""

from __future__ import annotations

from otel_injection import ours, report
from otel_injection.instrumentations import derived_classes


def watch_excluded() -> None:
    """Have what is done for a request whose URL is excluded make no traces."""
    from otel_injection.instrumentations.asgi import excluded

    excluded.watch()


def shorten(instrumentation: str, module: str, name: str) -> None:
    """Have apps of an instrumented class that are made from now on do less for each request."""
    if derived_classes.is_derived(module, name):
        try:
            from otel_injection.instrumentations.asgi import middleware

            middleware.use()
        except ours() as error:
            report.say(f"{instrumentation}: requests take the long way: {type(error).__name__}: {error}")
