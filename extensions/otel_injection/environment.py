"""The environment as the SDK's private copy sees it: an empty variable is not set, and one that is absurd neither.

The specification wants both so. Upstream raises for some, which would leave the process without any telemetry.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from otel_injection import report

_EXEMPLAR_FILTERS = ("always_on", "always_off", "trace_based")


def _number(least: float, kind: type[float] = int) -> Callable[[str], bool]:
    def usable(text: str) -> bool:
        try:
            return least <= kind(text) < 1e12
        except ValueError:
            return False

    return usable


def _batch(prefix: str) -> dict[str, Callable[[str], bool]]:
    def fits(text: str) -> bool:
        queue = ENVIRON.get(f"{prefix}_MAX_QUEUE_SIZE", "2048")
        return _number(1)(text) and int(text) <= int(queue or 2048)

    return {
        f"{prefix}_SCHEDULE_DELAY": _number(1),
        f"{prefix}_EXPORT_TIMEOUT": _number(1),
        f"{prefix}_MAX_QUEUE_SIZE": _number(512),
        f"{prefix}_MAX_EXPORT_BATCH_SIZE": fits,
    }


def _limit(text: str) -> bool:
    return text.lower() == "none" or _number(0)(text)


_USABLE: dict[str, Callable[[str], bool]] = {
    **_batch("OTEL_BSP"),
    **_batch("OTEL_BLRP"),
    "OTEL_METRIC_EXPORT_INTERVAL": _number(1, float),
    "OTEL_METRIC_EXPORT_TIMEOUT": _number(1, float),
    "OTEL_METRICS_EXEMPLAR_FILTER": lambda text: text in _EXEMPLAR_FILTERS,
}


class Environ:
    """What the SDK uses of ``os.environ``; ``hidden`` variables are as if not set."""

    def __init__(self, *hidden: str) -> None:
        self._hidden = hidden

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return a variable's value, or the default if it has none that is usable."""
        value = os.environ.get(name, "").strip()
        if not value or name in self._hidden:
            return default
        usable = _limit if name.startswith("OTEL_") and name.endswith("_LIMIT") else _USABLE.get(name)
        if usable is not None and not usable(value):
            report.say(f"{name}: '{value}' cannot be used; the default is")
            return default
        return value

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value


ENVIRON = Environ()
