"""Settings that the injection reads itself, from the environment; OpenTelemetry's own are read by its packages."""

from __future__ import annotations

import os

from otel_injection import report

_TRUE = frozenset({"1", "true", "yes", "on"})


def flag(name: str) -> bool:
    """Return whether a switch that is off by default has been turned on."""
    return os.environ.get(name, "").strip().lower() in _TRUE


def seconds(name: str, default: float) -> float:
    """Return a duration in seconds; a value that is none, or is negative, is reported and the default returned."""
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        report.say(f"{name}: '{text}' is not a number of seconds; {default:g} is used")
        return default
    return value


def names(name: str, default: str = "") -> list[str]:
    """Return a list of names that are separated by commas."""
    return [each.strip() for each in (os.environ.get(name) or default).split(",") if each.strip()]


def text(name: str) -> str:
    """Return a variable's text, empty if it has none."""
    return os.environ.get(name, "").strip()


def forced() -> bool:
    """Return whether our telemetry is made even where the app has set up OpenTelemetry itself."""
    return _FORCED


def exit_timeout() -> float:
    """Return the seconds that a process may take at its end to send what is buffered, for all signals together."""
    return seconds("OTEL_INJECTION_EXIT_TIMEOUT", 2.0)


def disabled_instrumentations() -> frozenset[str]:
    """Return the names of instrumentations that must not act; ``*`` stands for all of them."""
    return frozenset(names("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"))


_FORCED = flag("OTEL_INJECTION_FORCE")
