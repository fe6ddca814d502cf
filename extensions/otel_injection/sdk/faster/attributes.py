"""Attributes of spans and measurements.

They are most often a dictionary of texts and numbers; upstream looks at every value several times, recursively,
in case it is something else. Where something else is found here, upstream's own code runs.
"""

from __future__ import annotations

import sys
import threading
from abc import ABCMeta
from typing import Any

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk import trace
from opentelemetry.sdk.metrics._internal import _view_instrument_match, instrument
from opentelemetry.sdk.metrics._internal.measurement import Measurement

_SIMPLE = frozenset({str, int, float, bool, bytes, type(None)})


def use() -> None:
    """Put the replacements in place, each where what it replaces is built as is known here."""
    if hasattr(BoundedAttributes, "_setitem_locked") and hasattr(BoundedAttributes, "_set_items"):
        trace.BoundedAttributes = SpanAttributes  # type: ignore[attr-defined]
    if hasattr(_view_instrument_match, "_hash_attributes"):
        _view_instrument_match._hash_attributes = attributes_key  # type: ignore[assignment]
    if list(Measurement.__dataclass_fields__) == ["value", "time_unix_nano", "instrument", "context", "attributes"]:
        instrument.Measurement = QuickMeasurement  # type: ignore[attr-defined]


def is_plain(attributes: Any) -> bool:
    """Return whether these are a dictionary that upstream would copy as it is."""
    if type(attributes) is not dict:
        return False
    for key, value in attributes.items():  # noqa: SIM110 - all() takes twice as long
        if type(key) is not str or not key or type(value) not in _SIMPLE:
            return False
    return True


_hash_attributes = _view_instrument_match._hash_attributes


def attributes_key(attributes: Any) -> Any:
    """Return a key that is equal for equal attributes of the same types, in any order, and for no others."""
    if not is_plain(attributes):
        return _hash_attributes(attributes)
    return frozenset([(key, value, type(value)) for key, value in attributes.items()])


class QuickMeasurement(Measurement):
    """A measurement; see ``opentelemetry.sdk.metrics._internal.measurement.Measurement``."""

    def __init__(
        self, value: float, time_unix_nano: int, instrument: Any, context: Any, attributes: Any = None
    ) -> None:
        if attributes is not None and not is_plain(attributes):
            super().__init__(value, time_unix_nano, instrument, context, attributes)
            return
        own = self.__dict__  # upstream's class is frozen
        own["value"] = value
        own["time_unix_nano"] = time_unix_nano
        own["instrument"] = instrument
        own["context"] = context
        own["attributes"] = attributes and dict(attributes)


class _AnyBounded(ABCMeta):
    """Lets ``isinstance`` in the SDK accept upstream's class and the one here."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, BoundedAttributes)


class _Lock:
    """A lock that is made when it is first taken: few spans have attributes that need one."""

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return instance.__dict__.setdefault("_lock", threading.Lock())


class SpanAttributes(BoundedAttributes, metaclass=_AnyBounded):
    """The attributes of a span; see upstream's class."""

    __module__ = BoundedAttributes.__module__

    _lock = _Lock()
    dropped = 0
    _immutable = False

    def __init__(
        self,
        maxlen: int | None = None,
        attributes: Any = None,
        immutable: bool = True,
        max_value_len: int | None = None,
        extended_attributes: bool = False,
    ) -> None:
        if (maxlen is not None and maxlen < 0) or (max_value_len is not None and max_value_len < 0):
            super().__init__(maxlen, attributes, immutable, max_value_len, extended_attributes)  # raises
        self._dict = {}
        self.maxlen = maxlen
        self._room = sys.maxsize if maxlen is None else maxlen
        self.max_value_len = max_value_len
        if attributes:
            self._set_items(attributes)
        self._immutable = immutable

    def __setitem__(self, key: str, value: Any) -> None:
        if self._fits(key, value) and not self._immutable:
            with self._lock:
                own = self._dict
                if key in own:
                    del own[key]  # it moves to the end, as upstream has it
                elif self.maxlen is not None and len(own) >= self.maxlen:
                    self._setitem_locked(key, value)
                    return
                own[key] = value
        else:
            super().__setitem__(key, value)

    def _set_items(self, attributes: Any) -> None:
        room = self.maxlen is None or len(self._dict) + len(attributes) <= self.maxlen
        if room and not self._immutable and type(attributes) is dict:
            for key, value in attributes.items():
                if not self._fits(key, value):
                    break
            else:
                with self._lock:
                    own = self._dict
                    for key in attributes:
                        own.pop(key, None)
                    own.update(attributes)
                return
        super()._set_items(attributes)

    def _fits(self, key: Any, value: Any) -> bool:
        """Return whether upstream would keep the value as it is."""
        kind = type(value)
        if type(key) is not str or not key or kind not in _SIMPLE or self.maxlen == 0:
            return False
        return kind is not str or self.max_value_len is None or len(value) <= self.max_value_len
