"""Settings that the injection reads before it imports anything of OpenTelemetry; for all others see ``table``."""

from __future__ import annotations

import os

from otel_injection import report
from otel_injection.guard import FALSE, TRUE

CONFIG_FILE = "OTEL_CONFIG_FILE"
"""The variable that names a file of declarative configuration; see ``settings.file``."""


def flag(name: str, default: bool = False) -> bool:
    """Return whether a switch is on; a value that means neither on nor off counts as not set."""
    given = text(name).lower()
    return given in TRUE or (default and given not in FALSE)


def seconds(name: str, default: float) -> float:
    """Return a duration in seconds; for a value that is no number, or negative, say so and return the default."""
    given = text(name)
    if not given:
        return default
    try:
        value = float(given)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        report.say(f"{name}: '{given}' is not a number of seconds; {default:g} is used", kind=f"{name}={given}")
        return default
    return value


def number(name: str, default: int) -> int:
    """Return a number that is not negative; a value that is none is reported and the default returned."""
    text = os.environ.get(name, "").strip()
    if text and not (text.isascii() and text.isdigit() and len(text) < 16):
        report.say(f"{name}: '{text}' is not a number; {default} is used", kind=f"{name}={text}")
        return default
    return int(text) if text else default


def names(name: str, default: str = "") -> list[str]:
    """Return a list of names that are separated by commas."""
    given = [each.strip() for each in text(name).split(",") if each.strip()]
    return given or [each for each in default.split(",") if each]


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
