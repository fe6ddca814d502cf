"""Reads the processors' settings: those of the environment, or the options that a configuration file gives instead.

For an unusable variable one line is printed and its default is used, as for all others. An unusable option raises,
since a file is in force as a whole or not at all.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from otel_injection.processors.safe_patterns import Search
from otel_injection.settings import values
from otel_injection.settings.environment import ENVIRON
from otel_injection.settings.table import TABLE, default


def text(variable: str, option: Any = None) -> str:
    """Return the text of a setting; a list is joined by commas."""
    if option is None:
        return ENVIRON.get(variable) or default(variable)
    if isinstance(option, dict):
        option = [f"{key}={value}" for key, value in option.items()]
    given = ",".join(map(str, option)) if isinstance(option, list) else str(option)
    usable, wrong = values.read(TABLE[variable], given.strip())
    if wrong:
        raise ValueError(f"'{given}' {wrong}" if usable is None else wrong)
    return usable or ""


def names(variable: str, option: Any = None) -> list[str]:
    """Return the items of a list."""
    return [each.strip() for each in text(variable, option).split(",") if each.strip()]


def number(variable: str, option: Any = None) -> float:
    """Return a number."""
    return float(text(variable, option))


def flag(variable: str, option: Any = None) -> bool:
    """Return how a switch stands."""
    return text(variable, option).lower() == "true"


def patterns(variable: str, option: Any = None, flags: int = 0) -> list[Search]:
    """Return the regular expressions in a list; those in a list of YAML may hold commas."""
    if isinstance(option, list):
        for each in option:
            values.expression(str(each))
        return [Search(str(each), variable, flags) for each in option]
    return [Search(each, variable, flags) for each in values.expressions(text(variable, option))]


def pairs(variable: str, option: Any = None) -> dict[str, str]:
    """Return ``key=value`` pairs, separated by commas, with values that are percent-encoded; a file has a mapping."""
    if isinstance(option, dict):
        return {str(key): str(value) for key, value in option.items()}
    found = {}
    for each in names(variable, option):
        key, _, value = each.partition("=")
        found[key.strip()] = unquote(value.strip())
    return found
