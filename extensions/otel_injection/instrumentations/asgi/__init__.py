"""FastAPI's and Starlette's requests: a shorter way through upstream's instrumentation, with the same telemetry."""

from __future__ import annotations

from otel_injection import ours, report
from otel_injection.instrumentations import derived_classes


def watch_excluded() -> None:
    """Let nothing below an excluded request make a trace of its own."""
    from otel_injection.instrumentations.asgi import excluded

    excluded.watch()


def shorten(instrumentation: str, module: str, name: str) -> None:
    """Let apps of an instrumented class that are made from now on take the shorter way."""
    if derived_classes.is_derived(module, name):
        try:
            from otel_injection.instrumentations.asgi import middleware

            middleware.use()
        except ours() as error:
            report.say(f"{instrumentation}: requests take the long way: {type(error).__name__}: {error}")
