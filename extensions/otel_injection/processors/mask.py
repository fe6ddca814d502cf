"""``mask``: replaces secrets in spans and log records.

Query parameters (``OTEL_INJECTION_MASK_QUERY``), headers (``_HEADERS``), user names and passwords in URLs, literals in
SQL (``_SQL``), attributes by their keys (``_ATTRIBUTES``) and anything by its text (``_VALUES``). What cannot be masked
is replaced as a whole: this one fails closed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry.sdk.trace import Event
from opentelemetry.trace import Status

from otel_injection.processors.base import LogStep, SpanStep
from otel_injection.processors.ended_spans import changed, sealed
from otel_injection.processors.mask_rules import MASKED, MYSQL, Rules

_DEEPEST = 20
"""Levels of nested values that are masked singly; what is nested deeper is replaced as a whole."""


class _Mask:
    """Masks values; ``_masks`` holds, by key, the function that masks a text under that key."""

    def __init__(self, **options: Any) -> None:
        self._rules = Rules(**options)
        self._masks: dict[str, Callable[[str], str]] = {}

    def attributes(self, values: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """Return the attributes masked, None if there is nothing to mask in them."""
        result: dict[str, Any] | None = None
        if not values:
            return None
        copied: dict[str, Any] = values.copy()  # type: ignore[attr-defined]
        mysql = copied.get("db.system", copied.get("db.system.name")) in MYSQL
        for key, value in copied.items():
            masked = self.value(key, value, mysql=mysql)
            if masked is not value:
                if result is None:
                    result = dict(copied)
                result[key] = masked
        return result

    def value(self, key: str, value: Any, *, mysql: bool = False) -> Any:
        """Return a value masked, the very same if there is nothing to mask; never raises."""
        try:
            mask = self._rules.for_mysql(key) if mysql else self._masks.get(key) or self._find(key)
            return _masked(mask, value, _DEEPEST)
        except Exception:  # fails closed
            return MASKED

    def text(self, value: str | None) -> str | None:
        """Return any other text masked; never raises."""
        if not value:
            return value
        try:
            return self._rules.in_text(value)
        except Exception:
            return MASKED

    def body(self, value: Any) -> Any:
        """Return a log record's body masked; keys in it are like keys of attributes."""
        if type(value) is str:
            return self.text(value)
        return self.value("", value) if not isinstance(value, Mapping) else self._mapping(value, _DEEPEST)

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> Any:
        return {
            key: self._mapping(each, depth - 1) if isinstance(each, Mapping) and depth else self.value(str(key), each)
            for key, each in value.items()
        }

    def _find(self, key: str) -> Callable[[str], str]:
        if len(self._masks) > 1000:  # an app makes up ever new keys
            self._masks.clear()
        mask = self._masks[key] = self._rules.for_key(key)
        return mask


def _masked(mask: Callable[[str], str], value: Any, depth: int) -> Any:
    kind = type(value)
    if kind is str:
        result = mask(value)
        return value if result == value else result
    if value is None or kind is bool or kind is int or kind is float:
        return MASKED if mask("") == MASKED and value is not None else value
    if not depth:
        return MASKED
    if isinstance(value, Mapping):
        pairs = {key: _masked(mask, each, depth - 1) for key, each in value.items()}
        return value if all(pairs[key] is each for key, each in value.items()) else pairs
    if isinstance(value, (list, tuple)):
        items = [_masked(mask, each, depth - 1) for each in value]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else tuple(items)
    return _masked(mask, str(value), depth - 1)


class MaskSpans(SpanStep):
    """``mask`` for spans: attributes, name, status, and the attributes of events."""

    fails_closed = True

    def __init__(self, following: Any, **options: Any) -> None:
        super().__init__(following)
        self._mask = _Mask(**options)

    def on_end(self, span: Any) -> None:
        """Hand the span on, masked."""
        changes: dict[str, Any] = {}
        attributes = self._mask.attributes(span.attributes)
        if attributes is not None:
            changes["attributes"] = attributes
        name = self._mask.text(span.name)
        if name != span.name:
            changes["name"] = name
        description = span.status.description
        if description and (masked := self._mask.text(description)) != description:
            changes["status"] = Status(span.status.status_code, masked)
        if span.events:
            events = [self._event(each) for each in span.events]
            if any(new is not old for new, old in zip(events, span.events, strict=True)):
                changes["events"] = events
        self.following.on_end(changed(span, **changes) if changes else span)

    def _event(self, event: Any) -> Any:
        attributes = self._mask.attributes(event.attributes)
        if attributes is None:
            return event
        return Event(event.name, sealed(attributes, event.dropped_attributes), event.timestamp)


class MaskLogs(LogStep):
    """``mask`` for log records: body and attributes."""

    fails_closed = True

    def __init__(self, following: Any, **options: Any) -> None:
        super().__init__(following)
        self._mask = _Mask(**options)

    def on_emit(self, log_record: Any) -> None:
        """Hand the record on, masked."""
        record = log_record.log_record
        record.body = self._mask.body(record.body)
        for key, value in (self._mask.attributes(record.attributes) or {}).items():
            if record.attributes[key] is not value:
                record.attributes[key] = value
        self.following.on_emit(log_record)
