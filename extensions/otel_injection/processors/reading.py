"""Reads the processors' settings; what cannot be used is named in one line and left out."""

from __future__ import annotations

import re
from urllib.parse import unquote

from otel_injection import report, settings

_BETWEEN = re.compile(r",(?![^{}]*\})(?![^\[\]]*\])")
"""A comma that separates patterns: not one in ``{1,3}`` or ``[,;]``."""


def patterns(variable: str, default: str = "", flags: int = 0) -> list[re.Pattern[str]]:
    """Return the regular expressions that a variable lists, separated by commas."""
    found = []
    for each in _BETWEEN.split(settings.text(variable) or default):
        try:
            if each.strip():
                found.append(re.compile(each.strip(), flags))
        except (re.error, RecursionError, OverflowError) as error:  # noqa: PERF203 - each gets its chance
            report.say(f"{variable}: '{each.strip()}' is no regular expression ({error}) and is left out")
    return found


def ratio(variable: str, default: float) -> float:
    """Return a ratio from 0 to 1."""
    text = settings.text(variable)
    try:
        value = float(text) if text else default
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        report.say(f"{variable}: '{text}' is not a ratio from 0 to 1; {default:g} is used")
        return default
    return value


def number(variable: str, default: int) -> int:
    """Return a count of at least 1."""
    text = settings.text(variable)
    try:
        value = int(text) if text else default
    except ValueError:
        value = 0
    if not 1 <= value < 10**9:
        report.say(f"{variable}: '{text}' is not a number from 1; {default} is used")
        return default
    return value


def pairs(variable: str) -> dict[str, str]:
    """Return ``key=value`` pairs, separated by commas; values may be percent-encoded."""
    found = {}
    for each in settings.names(variable):
        key, equals, value = each.partition("=")
        if not equals or not key.strip():
            report.say(f"{variable}: '{each}' is not of the form key=value and left out")
        else:
            found[key.strip()] = unquote(value.strip())
    return found
