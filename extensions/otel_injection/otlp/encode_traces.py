"""Spans as OTLP's ExportTraceServiceRequest (opentelemetry/proto/trace/v1/trace.proto)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk import trace
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util import BoundedList
from opentelemetry.trace import Link, SpanContext
from opentelemetry.trace.status import Status, StatusCode

from otel_injection.otlp import encode_common
from otel_injection.otlp._wire import FIXED64, LEN, VARINT, message, string, tag, time, uint, utf8, varint

_TRACE_ID = tag(1, LEN) + b"\x10"
_SPAN_ID = tag(2, LEN) + b"\x08"
_TRACE_STATE = tag(3, LEN)
_PARENT_SPAN_ID = tag(4, LEN) + b"\x08"
_NAME = tag(5, LEN)
_KINDS = tuple(tag(6, VARINT) + varint(kind + 1) for kind in range(5))
"""The API numbers the kinds from 0 (internal), OTLP from 1."""
_TIMES = struct.Struct("<BQBQ").pack
_START, _END = tag(7, FIXED64), tag(8, FIXED64)
_ATTRIBUTES = tag(9, LEN)
_DROPPED_ATTRIBUTES = tag(10, VARINT)
_EVENTS = tag(11, LEN)
_DROPPED_EVENTS = tag(12, VARINT)
_LINKS = tag(13, LEN)
_DROPPED_LINKS = tag(14, VARINT)
_STATUS = tag(15, LEN)
_FLAGS = b"\x85\x01"

_HAS_IS_REMOTE = b"\x00\x01\x00\x00"
_IS_REMOTE = b"\x00\x03\x00\x00"
"""SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK and, with it, SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK."""

_EVENT_TIME = tag(1, FIXED64)
_EVENT_NAME = tag(2, LEN)
_EVENT_ATTRIBUTES = tag(3, LEN)
_EVENT_DROPPED_ATTRIBUTES = tag(4, VARINT)

_LINK_ATTRIBUTES = tag(4, LEN)
_LINK_DROPPED_ATTRIBUTES = tag(5, VARINT)
_LINK_FLAGS = b"\x35"

_NAMES_KEPT = 256
_names: dict[str, bytes] = {}
_ways: dict[type, Callable[[Any], bytes]] = {}
_OF_CONTEXT = (ReadableSpan.get_span_context, trace.Span.get_span_context)

_STATUS_MESSAGE = tag(2, LEN)
_STATUS_CODE = tag(3, VARINT)


def encode_spans(spans: Sequence[ReadableSpan], skip: Callable[[Exception], None] = lambda _: None) -> bytes:
    """Return an ExportTraceServiceRequest.

    A span that cannot be encoded is left out, and ``skip`` is called with the reason.
    """
    return encode_common.request(((span.resource, span.instrumentation_scope, span) for span in spans), _encoded, skip)


def _encoded(span: ReadableSpan) -> bytes:
    encode = _ways.get(type(span))
    if encode is None:
        encode = _ways[type(span)] = _plain_span if _is_plain(type(span)) else _span
    return encode(span)


def _is_plain(kind: type) -> bool:
    """Return whether the fields of a class's spans can be read directly: its properties are the SDK's own."""
    return kind.get_span_context in _OF_CONTEXT and all(  # type: ignore[attr-defined]
        getattr(kind, each, None) is getattr(ReadableSpan, each)
        for each in (
            *("name", "parent", "kind", "start_time", "end_time", "attributes", "events", "links", "status"),
            *("dropped_attributes", "dropped_events", "dropped_links"),
        )
    )


def _plain_span(span: Any) -> bytes:
    """Return the same as ``_span``, for spans without events and links, as most are."""
    context, attributes, status = span._context, span._attributes, span._status
    start, end = span._start_time, span._end_time
    if (
        type(context) is not SpanContext
        or context[4]
        or not (type(attributes) is BoundedAttributes or isinstance(attributes, BoundedAttributes))
        or attributes.dropped
        or not (_is_empty(span._events) and _is_empty(span._links))
        or not (start and end)
        or type(status) is not Status
    ):
        return _span(span)
    parent, name = span._parent, span._name
    known = _names.get(name)
    if known is None:
        if len(_names) >= _NAMES_KEPT:
            _names.clear()
        known = _names[name] = string(_NAME, name)
    head: tuple[bytes, ...] = (_TRACE_ID, context[0].to_bytes(16, "big"), _SPAN_ID, context[1].to_bytes(8, "big"))
    if parent:
        head += (_PARENT_SPAN_ID, parent[1].to_bytes(8, "big"))
    return b"".join(
        (
            *head,
            known,
            _KINDS[span._kind._value_],
            _TIMES(0x39, start, 0x41, end),
            encode_common.attributes(_ATTRIBUTES, attributes._dict),
            message(_STATUS, _status(status)),
            _FLAGS,
            _flags(parent),
        )
    )


def _is_empty(items: Any) -> bool:
    """Return whether there are no events or links, and have never been."""
    return items == () or (type(items) is BoundedList and not items.dropped and not len(items))


def _span(span: ReadableSpan) -> bytes:
    context = span.get_span_context()
    if context is None:
        raise ValueError("span without a context")
    out = [_TRACE_ID, context.trace_id.to_bytes(16, "big"), _SPAN_ID, context.span_id.to_bytes(8, "big")]
    if context.trace_state:
        state = ",".join([f"{key}={value}" for key, value in context.trace_state.items()])
        out.append(message(_TRACE_STATE, utf8(state)))
    parent = span.parent
    if parent:
        out += (_PARENT_SPAN_ID, parent.span_id.to_bytes(8, "big"))
    out += (string(_NAME, span.name), _KINDS[span.kind.value])
    start, end = span.start_time, span.end_time
    out.append(_TIMES(0x39, start, 0x41, end) if start and end else time(_START, start) + time(_END, end))
    out.append(encode_common.attributes(_ATTRIBUTES, span.attributes))
    if span.dropped_attributes:
        out.append(uint(_DROPPED_ATTRIBUTES, span.dropped_attributes))
    if events := span.events:
        out += [message(_EVENTS, _event(each)) for each in events]
    if span.dropped_events:
        out.append(uint(_DROPPED_EVENTS, span.dropped_events))
    if links := span.links:
        out += [message(_LINKS, _link(each)) for each in links]
    if span.dropped_links:
        out.append(uint(_DROPPED_LINKS, span.dropped_links))
    if span.status is not None:
        out.append(message(_STATUS, _status(span.status)))
    out += (_FLAGS, _flags(parent))
    return b"".join(out)


def _event(event: Event) -> bytes:
    return b"".join(
        (
            time(_EVENT_TIME, event.timestamp),
            string(_EVENT_NAME, event.name),
            encode_common.attributes(_EVENT_ATTRIBUTES, event.attributes),
            uint(_EVENT_DROPPED_ATTRIBUTES, event.dropped_attributes),
        )
    )


def _link(link: Link) -> bytes:
    """Return a link, without its trace state: the official encoder leaves it out as well."""
    return b"".join(
        (
            _TRACE_ID,
            link.context.trace_id.to_bytes(16, "big"),
            _SPAN_ID,
            link.context.span_id.to_bytes(8, "big"),
            encode_common.attributes(_LINK_ATTRIBUTES, link.attributes),
            uint(_LINK_DROPPED_ATTRIBUTES, link.dropped_attributes),
            _LINK_FLAGS,
            _flags(link.context),
        )
    )


def _status(status: Status) -> bytes:
    if status.status_code is StatusCode.UNSET and not status.description:
        return b""
    return string(_STATUS_MESSAGE, status.description) + uint(_STATUS_CODE, status.status_code.value)


def _flags(context: SpanContext | None) -> bytes:
    return _IS_REMOTE if context and context.is_remote else _HAS_IS_REMOTE
