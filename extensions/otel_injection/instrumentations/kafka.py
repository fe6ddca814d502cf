"""Keeps headers of Kafka messages from growing.

Upstream adds the context of a trace to the app's own list of headers. Where an app sends the same list again, it would
grow with each message.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

_SETTERS = {"aiokafka": "AIOKafkaContextSetter", "confluent_kafka": "KafkaContextSetter", "kafka": "KafkaContextSetter"}
"""By instrumentation: the class that adds the context."""


def instrument(name: str, act: Callable[[], None]) -> None:
    """Let one of the instrumentations act; a list holds the context of its newest message only."""
    act()
    from opentelemetry import instrumentation

    utils = sys.modules.get(f"{instrumentation.__name__}.{name}.utils")
    setter: Any = getattr(utils, _SETTERS[name], None)
    if setter is not None:
        setter.set = _once(setter.set)


def _once(append: Callable[..., None]) -> Callable[..., None]:
    def put(self: Any, carrier: Any, key: Any, value: Any) -> None:
        if isinstance(carrier, list):
            carrier[:] = [each for each in carrier if each[0] != key]
        append(self, carrier, key, value)

    return put
