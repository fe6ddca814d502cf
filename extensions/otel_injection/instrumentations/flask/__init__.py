"""Flask's requests: a shorter way through upstream's instrumentation, with the same spans and metrics."""

from __future__ import annotations

import sys

from otel_injection import ours, report
from otel_injection.instrumentations import derived_classes

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def instrument(name: str, act: Callable[[], None]) -> None:
    """Instrument Flask, excluded URLs included; apps that are made from now on take the shorter way."""
    act()
    derived_classes.look_alike("flask", "Flask")
    _ask_for_no_url()
    from otel_injection.instrumentations import excluded_urls

    excluded_urls.watch(name, _watch_excluded)
    if derived_classes.is_derived("flask", "Flask"):
        try:
            from otel_injection.instrumentations.flask import shorter_way

            shorter_way.use()
        except ours() as error:
            report.say(f"{name}: requests take the long way: {type(error).__name__}: {error}")


def _watch_excluded() -> None:
    from otel_injection.instrumentations.flask import excluded

    excluded.watch()


def _ask_for_no_url() -> None:
    """Where no URL is excluded, do not build the URL of each request, which takes longer than its span."""
    instrumented: Any = sys.modules["flask"].Flask
    excluded = getattr(instrumented, "_excluded_urls", None)
    if getattr(excluded, "_excluded_urls", True) in ([], ()):
        instrumented._excluded_urls = None
