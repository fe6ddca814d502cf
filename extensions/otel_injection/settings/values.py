"""How a variable's value is read, by its kind: what of it can be used, and what is wrong with the rest."""

from __future__ import annotations

import re
from collections.abc import Callable

from otel_injection.guard import FALSE, TRUE
from otel_injection.settings.table import variable as table
from otel_injection.settings.table.variable import Variable

_BETWEEN = re.compile(r",(?![^{}]*\})(?![^\[\]]*\])")
"""A comma that separates two patterns, and not one within a pattern, as in ``{1,3}`` or ``[,;]``."""


def read(variable: Variable, text: str) -> tuple[str | None, str]:
    """Return the usable part of ``text`` (None if there is none), and what is wrong with the rest ("" if nothing)."""
    if variable.section == table.UNUSED:
        return None, f"has no effect here: {variable.meaning}" if variable.names[0].startswith("OTEL_") else ""
    if variable.kind == table.ELSEWHERE:
        return text, ""
    if variable.kind == table.PATTERNS:
        return _patterns(variable, text)
    if variable.kind in _LISTS:
        return _list(variable, text)
    try:
        text.encode()
        return _READERS[variable.kind](variable, text), ""
    except UnicodeEncodeError:
        return None, "is not UTF-8"
    except ValueError as error:
        return None, str(error)


def _text(_variable: Variable, text: str) -> str:
    return text


def _flag(_variable: Variable, text: str) -> str:
    if text.lower() in TRUE | FALSE:
        return str(text.lower() in TRUE)
    raise ValueError("is neither true nor false")


def _true(_variable: Variable, text: str) -> str:
    """Read a switch that only ``true`` turns on, as the specification has it."""
    if text.lower() in ("true", "false"):
        return text.lower()
    raise ValueError("is neither true nor false")


def _number(variable: Variable, text: str, kind: type[float] = float) -> str:
    what = "a whole number" if kind is int else "a number"
    try:
        number = kind(text)
    except ValueError:
        raise ValueError(f"is not {what}") from None
    if not variable.least <= number <= variable.most:
        bounds = f"from {variable.least:g} to {variable.most:g}"
        raise ValueError(f"is not {what} {bounds}")
    return str(number)


def _integer(variable: Variable, text: str) -> str:
    return _number(variable, text, int)


def _limit(variable: Variable, text: str) -> str:
    return "none" if text.lower() == "none" else _integer(variable, text)


def _choice(variable: Variable, text: str) -> str:
    if text.lower() in variable.choices:
        return text.lower()
    raise ValueError(f"is not one of {', '.join(variable.choices)}")


def _format(_variable: Variable, text: str) -> str:
    """Try a log format: with an unknown field, each log record would be a traceback on the app's stderr."""
    import logging

    sample = logging.LogRecord("x", logging.INFO, "x", 1, "x", None, None)
    sample.__dict__.update(otelTraceID="0", otelSpanID="0", otelServiceName="x", otelTraceSampled=True)
    try:
        logging.Formatter(text).format(sample)
    except Exception as error:
        raise ValueError(f"is not a format for logging: {error}") from None
    return text


_READERS: dict[str, Callable[[Variable, str], str]] = {
    table.TEXT: _text,
    table.FLAG: _flag,
    table.TRUE: _true,
    table.NUMBER: _number,
    table.INTEGER: _integer,
    table.LIMIT: _limit,
    table.CHOICE: _choice,
    table.FORMAT: _format,
}


def expressions(text: str) -> list[str]:
    """Return the regular expressions that a text lists, separated by commas."""
    return [each.strip() for each in _BETWEEN.split(text) if each.strip()]


def expression(text: str) -> None:
    """Raise ValueError if a text is no regular expression."""
    try:
        text.encode()
        re.compile(text)
    except UnicodeEncodeError:
        raise ValueError("is not UTF-8") from None
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"is no regular expression ({error})") from None
    if _never_ends(text):
        raise ValueError("could take for ever: a part that repeats holds one that may match the same in two ways")


def _never_ends(text: str) -> bool:
    """Return whether an expression can take exponential time, which needs a repetition within another."""
    if sum(map(text.count, "*+{")) < 2 and not ("|" in text and any(each in text for each in "*+{")):
        return False
    from otel_injection.settings.ambiguity import exponential

    return exponential(text)


def _patterns(_variable: Variable, text: str) -> tuple[str | None, str]:
    usable: list[str] = []
    wrong: list[str] = []
    for each in expressions(text):
        try:
            expression(each)
            usable.append(each)
        except ValueError as error:  # noqa: PERF203 - each gets its chance
            wrong.append(f"'{each}' {error}")
    return ",".join(usable) or None, f"{', '.join(wrong)} and is left out" if wrong else ""


def _list(variable: Variable, text: str) -> tuple[str | None, str]:
    fits = _LISTS[variable.kind]
    if fits(variable, text.split(",")):
        return text, ""
    usable: list[str] = []
    wrong = []
    for item in filter(None, map(str.strip, text.split(","))):
        if fits(variable, [*usable, item]):
            usable.append(item)
        else:
            wrong.append(item)
    return ",".join(usable) or None, f"{','.join(wrong)!r} cannot be used and is left out" if wrong else ""


def _are_known(variable: Variable, items: list[str]) -> bool:
    return all(item in variable.choices for item in items)


def _are_attributes(_variable: Variable, items: list[str]) -> bool:
    return all(_encodable(item) and "=" in item and item.partition("=")[0].strip() for item in items)


def _are_regexes(_variable: Variable, items: list[str]) -> bool:
    """Try expressions the way they are used: together."""
    try:
        together = "|".join(map(str.strip, items))
        re.compile(together)
        if _never_ends(together):
            return False
    except (re.error, RecursionError, OverflowError):
        return False
    return all(map(_encodable, items))


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_LISTS: dict[str, Callable[[Variable, list[str]], bool]] = {
    table.NAMES: _are_known,
    table.REGEXES: _are_regexes,
    table.ATTRIBUTES: _are_attributes,
}
"""Kinds of lists separated by commas: the usable items are used."""
