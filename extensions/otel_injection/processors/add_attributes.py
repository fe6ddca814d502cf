"""Adds attributes to spans and log records: fixed ones, ones from the environment, ones from the baggage.

``OTEL_INJECTION_ATTRIBUTES`` is a list of ``key=value``, ``OTEL_INJECTION_ATTRIBUTES_FROM_ENV`` of ``key=VARIABLE``,
``OTEL_INJECTION_ATTRIBUTES_FROM_BAGGAGE`` of baggage keys, or of ``key=baggage key``. What is there already stays.
"""

from __future__ import annotations

import os
from typing import Any

from opentelemetry import baggage

from otel_injection.processors.base import LogStep, SpanStep
from otel_injection.processors.options import names, pairs


class _Additions:
    def __init__(self, attributes: Any = None, from_env: Any = None, from_baggage: Any = None) -> None:
        self._fixed = pairs("OTEL_INJECTION_ATTRIBUTES", attributes)
        for key, variable in pairs("OTEL_INJECTION_ATTRIBUTES_FROM_ENV", from_env).items():
            value = os.environ.get(variable)
            if value:
                self._fixed[key] = value
        self._baggage = []
        for each in names("OTEL_INJECTION_ATTRIBUTES_FROM_BAGGAGE", from_baggage):
            key, equals, entry = (part.strip() for part in each.partition("="))
            self._baggage.append((key, entry if equals else key))

    def to(self, present: Any, context: Any) -> dict[str, Any]:
        """Return what to add to the attributes that are present."""
        found = {key: value for key, value in self._fixed.items() if key not in present}
        for key, entry in self._baggage:
            value = baggage.get_baggage(entry, context)
            if value is not None and key not in present:
                found[key] = str(value)
        return found


class AddToSpans(SpanStep):
    """``add_attributes`` for spans, when they start: what the app sets later wins."""

    def __init__(self, following: Any, **options: Any) -> None:
        super().__init__(following)
        self._additions = _Additions(**options)

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        """Add the attributes."""
        span.set_attributes(self._additions.to(span.attributes, parent_context))


class AddToLogs(LogStep):
    """``add_attributes`` for log records."""

    def __init__(self, following: Any, **options: Any) -> None:
        super().__init__(following)
        self._additions = _Additions(**options)

    def on_emit(self, log_record: Any) -> None:
        """Add the attributes and hand the record on."""
        record = log_record.log_record
        for key, value in self._additions.to(record.attributes, record.context).items():
            record.attributes[key] = value
        self.following.on_emit(log_record)
