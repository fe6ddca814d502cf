"""Log records as OTLP's ExportLogsServiceRequest (opentelemetry/proto/logs/v1/logs.proto)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry.sdk._logs import ReadableLogRecord

from otel_injection.otlp import encode_common
from otel_injection.otlp._wire import FIXED32, FIXED64, LEN, VARINT, message, string, tag, time, uint

_TIME = tag(1, FIXED64)
_SEVERITY_NUMBER = tag(2, VARINT)
_SEVERITY_TEXT = tag(3, LEN)
_BODY = tag(5, LEN)
_ATTRIBUTES = tag(6, LEN)
_DROPPED_ATTRIBUTES = tag(7, VARINT)
_FLAGS = tag(8, FIXED32)
_TRACE_ID = tag(9, LEN) + b"\x10"
_SPAN_ID = tag(10, LEN) + b"\x08"
_OBSERVED_TIME = tag(11, FIXED64)
_EVENT_NAME = tag(12, LEN)
_fixed32 = struct.Struct("<I").pack


def encode_logs(batch: Sequence[ReadableLogRecord], skip: Callable[[Exception], None] = lambda _: None) -> bytes:
    """Return an ExportLogsServiceRequest.

    A record that cannot be encoded is left out, and ``skip`` is called with the reason.
    """
    return encode_common.request(((each.resource, each.instrumentation_scope, each) for each in batch), _record, skip)


def _record(readable: ReadableLogRecord) -> bytes:
    record = readable.log_record
    out = [
        time(_TIME, record.timestamp),
        uint(_SEVERITY_NUMBER, getattr(record.severity_number, "value", None)),
        string(_SEVERITY_TEXT, record.severity_text),
        message(_BODY, _body(record.body)),
        encode_common.attributes(_ATTRIBUTES, record.attributes),
        uint(_DROPPED_ATTRIBUTES, readable.dropped_attributes),
    ]
    if record.trace_flags:
        out += (_FLAGS, _fixed32(record.trace_flags))
    if record.trace_id:
        out += (_TRACE_ID, record.trace_id.to_bytes(16, "big"))
    if record.span_id:
        out += (_SPAN_ID, record.span_id.to_bytes(8, "big"))
    out += (time(_OBSERVED_TIME, record.observed_timestamp), string(_EVENT_NAME, record.event_name))
    return b"".join(out)


def _body(value: Any) -> bytes:
    """Return a body; one that OTLP has no form for as text, where the official encoder loses the whole batch."""
    try:
        return encode_common.any_value(value)
    except Exception:
        return encode_common.any_value(str(value))
