"""Finds the processors that a setting or a configuration file names."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import partial
from typing import Any

from opentelemetry.util._importlib_metadata import entry_points

from otel_injection import report

SPANS = "OTEL_INJECTION_SPAN_PROCESSORS"
LOGS = "OTEL_INJECTION_LOG_PROCESSORS"
METRICS = "OTEL_INJECTION_METRIC_PROCESSORS"
_GROUPS = {
    SPANS: "otel_injection_span_processor",
    LOGS: "otel_injection_log_processor",
    METRICS: "otel_injection_metric_processor",
}


class Unprotected(Exception):  # noqa: N818 - people read the name
    """A processor that masks cannot be made: nothing of its signal may be exported."""

    fails_closed = True


def makers(kind: str, names: Sequence[str], *, strict: bool, variable: str = "") -> list[tuple[str, Any]]:
    """Return the classes of processors by name: an entry point's, or ``package.module:Class``.

    ``kind`` is the variable whose group of entry points is searched, ``variable`` the one that holds the names.
    """
    found = []
    for name in names:
        try:
            maker = _find(kind, name, strict)
            if maker is not None:
                found.append((name, maker))
            elif strict:
                report.say(f"{variable or kind}: processor '{name}' is unknown and left out")
        except Exception as error:  # noqa: PERF203 - each gets its chance
            if fails_closed(name):
                raise Unprotected(f"processor '{name}' failed: {type(error).__name__}: {error}") from error
            left_out(variable or kind, name, error)
    return found


def fails_closed(name: str, maker: Any = None) -> bool:
    """Return whether nothing may be exported without a processor: its class says so by ``fails_closed``."""
    return name == "mask" or bool(getattr(getattr(maker, "func", maker), "fails_closed", False))


def _find(variable: str, name: str, strict: bool) -> Any:
    if ":" in name:
        module, _, attribute = name.partition(":")
        return getattr(importlib.import_module(module), attribute) if strict else None
    entries = list(entry_points(group=_GROUPS[variable], name=name))
    return entries[0].load() if entries else None


def listed(variable: str, name: str, options: dict[str, Any] | None) -> tuple[str, Any]:
    """Return a function that makes the processor that a configuration file names, with its options.

    The processor is made once as a test: errors in its options are raised here. ``variable`` is the one that would name
    it in the environment.
    """
    maker = _find(variable, name, strict=True)
    if maker is None:
        known = sorted(each.name for each in entry_points(group=_GROUPS[variable]))
        raise ValueError(f"processor '{name}' is unknown; known are {', '.join(known)}")
    made = partial(maker, **(options or {}))
    try:
        if variable == METRICS:
            made()
        else:
            made(None)
    except Exception as error:
        raise ValueError(f"processor '{name}': {error}") from None
    return name, made


def left_out(variable: str, name: str, error: Exception) -> None:
    """Print one line: a processor could not be made."""
    report.say(f"{variable}: processor '{name}' failed and is left out: {type(error).__name__}: {error}")
