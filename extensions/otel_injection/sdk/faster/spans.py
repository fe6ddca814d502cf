"""Spans that start and end in fewer steps than the SDK's own, and are the same."""

from __future__ import annotations

import sys
import threading
from functools import partial
from time import time_ns
from types import MappingProxyType
from typing import Any

from opentelemetry.sdk import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, SynchronousMultiSpanProcessor, Tracer
from opentelemetry.sdk.trace._tracer_metrics import NoOpTracerMetrics, noop
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.util import BoundedList
from opentelemetry.trace import DEFAULT_TRACE_STATE, NonRecordingSpan, SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

from otel_injection.sdk.faster import current_context, sampling
from otel_injection.sdk.faster.attributes import SpanAttributes, is_plain
from otel_injection.sdk.faster.deferred_attributes import Later, Plain
from otel_injection.sdk.faster.span_blocks import CurrentSpan
from otel_injection.stand_ins import for_random

_new = object.__new__
_new_tuple = tuple.__new__
_UNSET = Status(StatusCode.UNSET)
_FLAGS = tuple(TraceFlags(each) for each in range(4))
"""By sampled (1) and random (2)."""

_start_span = Tracer.start_span


def use() -> None:
    """Put the replacements in place, where the API's spans are built as is known here."""
    if current_context.is_known():
        Tracer._decide = None  # type: ignore[attr-defined]
        Tracer.takes_later = True  # type: ignore[attr-defined]
        Tracer.skips = _skips  # type: ignore[attr-defined]
        Tracer.start_span = start_span  # type: ignore[method-assign]
        Tracer._start_block = _start_block  # type: ignore[attr-defined]
        Tracer.start_as_current_span = start_as_current_span  # type: ignore[method-assign, assignment]


class Processors(SynchronousMultiSpanProcessor):
    """The processors of a provider; calls only those methods that do something."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.starting: tuple[Any, ...] = ()
        self.ending: tuple[Any, ...] = ()
        self._batch: Any = None
        """The method of the only processor that queues a span, if its exporter is ours and can read the span itself."""

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Add a processor behind the others."""
        super().add_span_processor(span_processor)
        self.starting = tuple(each for each in self._span_processors if _does(each, "on_start"))
        self.ending = tuple(each for each in self._span_processors if _does(each, "_on_ending"))
        alone = len(self._span_processors) == 1 and type(span_processor) is BatchSpanProcessor
        exporter = span_processor.span_exporter if alone else None  # type: ignore[attr-defined]
        sends = type(exporter).__module__.startswith("otel_injection.otlp.")
        self._batch = span_processor._batch_processor if sends else None  # type: ignore[attr-defined]

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        """Tell those that act at the start."""
        for each in self.starting:
            each.on_start(span, parent_context=parent_context)

    def _on_ending(self, span: Any) -> None:
        for each in self.ending:
            each._on_ending(span)

    def on_end(self, span: Any) -> None:
        """Hand the span on."""
        for each in self._span_processors:
            if type(each) is not BatchSpanProcessor:
                each.on_end(span)
            elif span._context[3] & 1:
                each._batch_processor.emit(span)

    def take(self, span: _Span) -> None:
        """Hand on a span that has ended."""
        batch = self._batch
        if batch is None:
            self.on_end(span._readable_span())
        elif span._context[3] & 1:  # type: ignore[index]
            queue = batch._queue
            waiting = len(queue) + 1
            if batch._shutdown or waiting > batch._max_queue_size or "emit" in batch.__dict__:
                batch.emit(span)
                return
            queue.appendleft(span)
            if waiting >= batch._max_export_batch_size and not batch._worker_awaken.is_set():
                batch._worker_awaken.set()


def _does(processor: Any, method: str) -> bool:
    """Return whether a method is not one of the two that are known to do nothing."""
    if method in vars(processor):
        return True
    return getattr(type(processor), method) not in (getattr(SpanProcessor, method), getattr(BatchSpanProcessor, method))


class _Span(trace._Span):
    """A span; see upstream's class."""

    __module__ = trace._Span.__module__

    # Most spans never have these.
    _events: Any = ()
    _links: Any = ()
    _trace_config = None
    _end_time = None
    _status = _UNSET
    _record_exception = _set_status_on_exception = True

    def set_attribute(self, key: str, value: Any) -> None:
        with self._lock:
            if self._end_time is None:
                attributes: Any = self._attributes
                own = attributes._dict
                if key not in own and len(own) < attributes._room and attributes._fits(key, value):
                    own[key] = value
                else:
                    attributes[key] = value
                return
        super().set_attribute(key, value)

    def add_event(self, name: str, attributes: Any = None, timestamp: int | None = None) -> None:
        self._have("_events", self._limits.max_events)
        super().add_event(name, attributes, timestamp)

    def add_link(self, context: Any, attributes: Any = None) -> None:
        self._have("_links", self._limits.max_links)
        super().add_link(context, attributes)

    def _have(self, name: str, limit: int | None) -> None:
        """Give this span a list of its own for events or links."""
        if name not in self.__dict__:
            with self._lock:
                self.__dict__.setdefault(name, BoundedList(limit))

    def _readable_span(self) -> ReadableSpan:
        span = _new(ReadableSpan)
        span._name = self._name
        span._context = self._context
        span._kind = self._kind
        span._instrumentation_info = self._instrumentation_info
        span._instrumentation_scope = self._instrumentation_scope
        span._parent = self._parent
        span._start_time = self._start_time
        span._end_time = self._end_time
        span._attributes = self._attributes
        span._events = self._events
        span._links = self._links
        span._resource = self._resource
        span._status = self._status
        return span

    def end(self, end_time: int | None = None) -> None:
        with self._lock:
            ends = self._end_time is None and self._start_time is not None
            if ends:
                self._end_time = time_ns() if end_time is None else end_time
                self._attributes._immutable = True  # type: ignore[union-attr]
        if not ends:
            super().end(end_time)
            return
        record = self._record_end_metrics
        if record is not None and record is not noop:
            record()
        processor: Any = self._span_processor
        if type(processor) is Processors:
            if processor.ending:
                processor._on_ending(self)
            processor.take(self)
        else:
            processor._on_ending(self)
            processor.on_end(self._readable_span())


current_context.KNOWN.add(_Span)


def start_span(  # noqa: C901 - one function: each further call is a part of what it costs
    self: Any,
    name: str,
    context: Any = None,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Any = None,
    links: Any = (),
    start_time: int | None = None,
    record_exception: bool = True,
    set_status_on_exception: bool = True,
) -> Any:
    """See ``opentelemetry.sdk.trace.Tracer.start_span``."""
    parent = current_context.span_context(current_context.get_current() if context is None else context)
    if type(parent) is not SpanContext or not self._tracer_config.is_enabled:
        if type(attributes) is Later:
            attributes = attributes.made()
        return _start_span(
            self, name, context, kind, attributes, links, start_time, record_exception, set_status_on_exception
        )
    generator = self.id_generator
    usual = type(generator) is RandomIdGenerator
    if parent[5]:
        trace_id, state = parent[0], parent[4]
        flags = parent[3] & 2
    else:
        parent = state = None
        if usual:
            trace_id, flags = for_random.known().getrandbits(128) or 1, 2
        else:
            trace_id = generator.generate_trace_id()
            flags = 2 if generator.is_trace_id_random() else 0

    decide = self._decide
    if decide is None or decide[0] is not self.sampler:
        decide = self._decide = (self.sampler, sampling.compiled(self.sampler))
    if decide[1] is not None:
        decision = None
        sampled = records = decide[1](parent, trace_id)
    else:
        if type(attributes) is Later:
            attributes = attributes.made()
        result = self.sampler.should_sample(context, trace_id, name, kind, attributes, links or ())
        decision, state = result.decision, result.trace_state
        sampled, records = decision.is_sampled(), decision.is_recording()
        attributes = result.attributes and dict(result.attributes)
    if sampled:
        flags |= 1

    span_id = (for_random.known().getrandbits(64) or 1) if usual else generator.generate_span_id()
    if state is None:
        state = DEFAULT_TRACE_STATE
    if usual or (0 < span_id < 1 << 64 and 0 < trace_id < 1 << 128):
        made = _new_tuple(SpanContext, (trace_id, span_id, False, _FLAGS[flags], state, True))
    else:
        made = SpanContext(trace_id, span_id, is_remote=False, trace_flags=_FLAGS[flags], trace_state=state)
    ended = noop
    if type(self._tracer_metrics) is not NoOpTracerMetrics:
        decision = decision or sampling.decision(sampled)
        ended = self._tracer_metrics.start_span(parent, decision)
    if not records:
        return NonRecordingSpan(made)
    if type(attributes) is Later:
        attributes = attributes.made()

    span = _new(_Span)
    span._name = name
    span._context = made
    span._kind = kind
    span._instrumentation_info = self.instrumentation_info
    span._instrumentation_scope = self._instrumentation_scope
    span._parent = parent
    span._resource = self.resource
    span._sampler = self.sampler
    if not (record_exception and set_status_on_exception):
        span._record_exception = record_exception
        span._set_status_on_exception = set_status_on_exception
    span._span_processor = processor = self.span_processor
    span._limits = limits = self._span_limits
    span._lock = threading.Lock()
    span._record_end_metrics = ended
    span._attributes = own = _new(SpanAttributes)
    own.maxlen = most = limits.max_span_attributes
    own.max_value_len = length = limits.max_span_attribute_length
    own._room = room = sys.maxsize if most is None else most
    if not attributes:
        own._dict = {}
    elif length is None and len(attributes) <= room and (type(attributes) is Plain or is_plain(attributes)):
        keeps = type(attributes) is Plain and type(processor) is Processors and not processor.starting
        own._dict = attributes if keeps else dict(attributes)
    else:
        own._dict = {}
        own._set_items(attributes if type(attributes) in (dict, Plain) else MappingProxyType(attributes))
    if links:
        span._links = span._new_links(links)
    span._start_time = time_ns() if start_time is None else start_time
    if type(processor) is not Processors or processor.starting:
        processor.on_start(span, parent_context=context)
    return span


def _skips(self: Any, parent: Any) -> bool:
    """Return whether a child of a span would neither record nor be counted."""
    decide = self._decide
    return (
        decide is not None
        and decide[0] is self.sampler
        and decide[1] is not None
        and type(self._tracer_metrics) is NoOpTracerMetrics
        and parent[5]
        and not decide[1](parent, parent[0])
    )


def start_as_current_span(self: Any, *arguments: Any, **keywords: Any) -> CurrentSpan:
    """See ``opentelemetry.sdk.trace.Tracer.start_as_current_span``."""
    return CurrentSpan(partial(_Current, self), arguments, keywords)


def _start_block(self: Any, *arguments: Any, **keywords: Any) -> _Current:
    return _Current(self, *arguments, **keywords)


class _Current:
    """A span in the block that it is current in; see ``opentelemetry.trace.use_span``."""

    def __init__(
        self,
        tracer: Any,
        name: str,
        context: Any = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Any = None,
        links: Any = (),
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        end_on_exit: bool = True,
    ) -> None:
        self._span = tracer.start_span(
            name, context, kind, attributes, links, start_time, record_exception, set_status_on_exception
        )
        self._records = record_exception
        self._marks = set_status_on_exception
        self._ends = end_on_exit

    def __enter__(self) -> Any:
        self._token = current_context.attach(current_context.with_current(self._span))
        return self._span

    def __exit__(self, *raised: object) -> None:
        current_context.detach(self._token)
        span, error = self._span, raised[1]
        try:
            if isinstance(error, Exception) and span.is_recording():
                if self._records:
                    span.record_exception(error)
                if self._marks:
                    span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
        finally:
            if self._ends:
                span.end()
