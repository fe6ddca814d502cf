"""Base classes of processors: each is a step in a chain, which gets each item and hands it on or drops it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.sdk._logs import LogRecordProcessor
from opentelemetry.sdk.trace import SpanProcessor


class SpanStep(SpanProcessor):
    """A processor of spans in the chain; this one hands every span on.

    ``on_start`` is called on every step, in their order. ``on_end`` is called on the first: a step hands a span on by
    ``self.following.on_end(span)``, and drops it by ``self.drop(1)``. A step that raises is passed over.
    """

    name = ""
    """What the settings call it; set by the chain."""

    fails_closed = False
    """Whether nothing may be exported without it: where it cannot be made, or raises."""

    def __init__(self, following: Any) -> None:
        self.following = following
        self.dropped = 0

    def sampler(self, following: Any) -> Any:
        """Return a sampler that decides before ``following`` does, or ``following`` itself."""
        return following

    def drop(self, count: int) -> None:
        """Count spans that are not handed on; shown as the metric ``otel_injection.processor.span.dropped``."""
        self.dropped += count

    def on_end(self, span: Any) -> None:
        """Hand the span on."""
        self.following.on_end(span)

    def abandon(self) -> None:
        """Drop, in a forked child, what belongs to the parent. Wait for no lock: a thread of the parent may hold it."""


class LogStep(LogRecordProcessor):
    """A processor of log records in the chain; this one hands every record on.

    A step hands a record on by ``self.following.on_emit(record)``, and drops it by ``self.drop(1)``. It may change
    ``record.log_record``. A step that raises is passed over.
    """

    name = ""
    """What the settings call it; set by the chain."""

    fails_closed = False
    """Whether nothing may be exported without it: where it cannot be made, or raises."""

    def __init__(self, following: Any) -> None:
        self.following = following
        self.dropped = 0

    def drop(self, count: int) -> None:
        """Count records that are not handed on; shown as the metric ``otel_injection.processor.log.dropped``."""
        self.dropped += count

    def on_emit(self, log_record: Any) -> None:
        """Hand the record on."""
        self.following.on_emit(log_record)

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002 - the interface's
        """Hand on what is held back: nothing."""
        return True

    def shutdown(self) -> None:
        """End: there is nothing to do."""


class MetricStep:
    """A processor of measurements in the chain; this one leaves them as they are.

    It gives the attributes with which a measurement is aggregated. A step that raises is passed over.
    """

    name = ""
    """What the settings call it; set by the chain."""

    def __init__(self) -> None:
        self.dropped = 0

    def drop(self, count: int) -> None:
        """Count measurements whose attributes are lost; shown as ``otel_injection.processor.metric.dropped``."""
        self.dropped += count

    def attributes(self, instrument: str, attributes: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG002
        """Return the attributes of a measurement by the instrument of this name; never change what is given."""
        return attributes
