"""The faster spans are equal to the SDK's own, whatever an app does with them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import trace as api
from opentelemetry.context import Context, attach, detach, get_current
from opentelemetry.sdk.trace import (
    ReadableSpan,
    SpanLimits,
    SpanProcessor,
    SynchronousMultiSpanProcessor,
    Tracer,
    TracerProvider,
)
from opentelemetry.sdk.trace import _Span as UpstreamsSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    DEFAULT_OFF,
    DEFAULT_ON,
    AlwaysRecordSampler,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    StaticSampler,
    TraceIdRatioBased,
)
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, TraceFlags, TraceState
from opentelemetry.trace.status import Status, StatusCode

from otel_injection.sdk.faster import current_context, sampling, spans
from otel_injection.sdk.faster.deferred_attributes import Later, Plain
from tests.unit.examples import examples


class _Ids(IdGenerator):
    """Numbers in a row, random as far as anybody is told."""

    def __init__(self, first: int = 1, random: bool = True) -> None:
        self._last = first - 1
        self._random = random

    def generate_span_id(self) -> int:
        self._last += 1
        return self._last

    def generate_trace_id(self) -> int:
        return self.generate_span_id() << 64 | 0x9999_9999_9999_9999

    def is_trace_id_random(self) -> bool:
        return self._random


class _Adding(Sampler):
    """A sampler that is known to nobody, adds an attribute and a trace state."""

    def should_sample(
        self,
        parent_context: Any,  # noqa: ARG002
        trace_id: int,  # noqa: ARG002
        name: str,
        kind: Any = None,
        attributes: Any = None,
        links: Any = None,
        trace_state: Any = None,  # noqa: ARG002
    ) -> SamplingResult:
        told = {**(attributes or {}), "sampler.kind": str(kind), "sampler.links": len(links)}
        decision = Decision.RECORD_ONLY if name == "b" else Decision.RECORD_AND_SAMPLE
        return SamplingResult(decision, told, TraceState([("s", "1")]))

    def get_description(self) -> str:
        return "adding"


class _Telling(SpanProcessor):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        span.set_attribute("told", True)
        self.told.append(("start", span.name, span.get_span_context(), repr(parent_context)))

    def _on_ending(self, span: Any) -> None:
        self.told.append(("ending", span.name, span.is_recording()))

    def on_end(self, span: ReadableSpan) -> None:
        self.told.append(("end", type(span), _seen(span)))


def _seen(span: Any) -> Any:
    """Return all that can be read of a span."""
    return (
        span.to_json(),
        [(key, type(value), value) for key, value in (span._attributes or {}).items()],
        [(each.name, each.timestamp, dict(each.attributes), each.dropped_attributes) for each in span.events],
        [(each.context, dict(each.attributes), each.dropped_attributes) for each in span.links],
        (span.dropped_attributes, span.dropped_events, span.dropped_links),
        span.get_span_context(),
        span.parent,
        span.kind,
        (span.status.status_code, span.status.description),
        (span.start_time, span.end_time),
        span.instrumentation_scope,
        span.resource,
    )


STATE = TraceState([("vendor", "x")])
PARENTS = st.sampled_from(
    [
        None,
        *(
            SpanContext(7 << 64 | low, 8, remote, TraceFlags(flags), state)
            for low in (1, 0x9999_9999_9999_9999)
            for remote in (True, False)
            for flags in (0, 1, 2, 3)
            for state in (None, STATE)
        ),
        SpanContext(0, 8, True, TraceFlags(1)),
        SpanContext(1, 0, False, TraceFlags(1)),
    ]
)
SAMPLERS = st.sampled_from(
    [
        ALWAYS_ON,
        ALWAYS_OFF,
        DEFAULT_ON,
        DEFAULT_OFF,
        TraceIdRatioBased(0.3),
        TraceIdRatioBased(0.8),
        ParentBased(TraceIdRatioBased(0.5), remote_parent_not_sampled=ALWAYS_ON, local_parent_sampled=ALWAYS_OFF),
        ParentBased(TraceIdRatioBased(0.7), local_parent_not_sampled=_Adding()),
        StaticSampler(Decision.RECORD_ONLY),
        AlwaysRecordSampler(TraceIdRatioBased(0.5)),
        _Adding(),
    ]
)
KEYS = st.sampled_from(["a", "b", "c", "told"]) | st.sampled_from(["", None, 1])
PLAIN = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.5, "", "text", "longer text"])
VALUES: Any = PLAIN | st.lists(PLAIN, max_size=2) | st.just(object())
ATTRIBUTES: Any = (
    st.none() | st.dictionaries(KEYS, VALUES, max_size=4) | st.dictionaries(st.sampled_from("abcd"), PLAIN)
)
LIMITS = st.sampled_from(
    [
        SpanLimits(),
        SpanLimits(max_attributes=2, max_events=1, max_links=1, max_span_attribute_length=5, max_attribute_length=4),
        SpanLimits(max_span_attributes=0, max_events=0, max_links=0),
        SpanLimits(max_attributes=SpanLimits.UNSET, max_events=SpanLimits.UNSET),
    ]
)
CONTEXTS = st.sampled_from([SpanContext(5, 6, True), SpanContext(0, 0, False), SpanContext(5, 7, False)])
STATUSES = st.sampled_from([Status(StatusCode.OK), Status(StatusCode.ERROR, "no"), *StatusCode])
STEPS: Any = st.lists(
    st.tuples(st.just("set_attribute"), KEYS, VALUES)
    | st.tuples(st.just("set_attributes"), st.dictionaries(KEYS, VALUES, max_size=4))
    | st.tuples(st.just("add_event"), st.just("event"), ATTRIBUTES, st.integers(1, 9))
    | st.tuples(st.just("add_link"), CONTEXTS, ATTRIBUTES)
    | st.tuples(st.just("update_name"), st.sampled_from(["other", ""]))
    | st.tuples(st.just("set_status"), STATUSES, st.none() | st.just("why"))
    | st.tuples(st.just("record_exception"), st.just(ValueError("wrong")), ATTRIBUTES, st.just(5), st.booleans())
    | st.tuples(st.just("is_recording"))
    | st.tuples(st.just("end"), st.just(9)),
    max_size=7,
)
STARTS = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from(SpanKind),
        "attributes": ATTRIBUTES,
        "links": st.none() | st.lists(st.builds(Link, CONTEXTS, ATTRIBUTES), max_size=2),
    },
)


@pytest.fixture(scope="module", autouse=True)
def _fields() -> Iterator[None]:
    Tracer._decide = None  # type: ignore[attr-defined]
    yield
    del Tracer._decide  # type: ignore[attr-defined]


def _plain() -> SynchronousMultiSpanProcessor:
    return SynchronousMultiSpanProcessor()  # type: ignore[no-untyped-call]


def _play(start: Any, processors: Any, case: Any, caplog: Any) -> Any:
    """Play a case by one of the two ways; return all that came of it."""
    sampler, limits, parent, explicit, name, keywords, steps = case
    telling, exporter = _Telling(), InMemorySpanExporter()
    provider = TracerProvider(
        sampler, shutdown_on_exit=False, active_span_processor=processors, id_generator=_Ids(), span_limits=limits
    )
    provider.add_span_processor(telling)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test", "1", "https://schema", {"scope": 1})
    context = Context({"other": 1})
    if parent is not None:
        context = api.set_span_in_context(NonRecordingSpan(parent), context)
    token = None if explicit else attach(context)
    caplog.clear()
    links = [Link(each.context, each.attributes) for each in keywords.get("links") or ()]
    results: list[Any] = []
    try:
        span = start(tracer, name, context if explicit else None, **{**keywords, "links": links, "start_time": 3})
        for method, *arguments in steps:
            results.append(getattr(span, method)(*arguments))
    finally:
        if token is not None:
            detach(token)
    outcome = _seen(span) if isinstance(span, ReadableSpan) else repr(span)
    exported = [_seen(each) for each in exporter.get_finished_spans()]
    shown = (repr(span), span.get_span_context(), type(span).__name__, type(span).__module__)
    logged = [(each.name, each.levelno, each.getMessage()) for each in caplog.records]
    return outcome, results, telling.told, exported, shown, logged, bool(span.is_recording())


@settings(max_examples=examples(250), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.tuples(SAMPLERS, LIMITS, PARENTS, st.booleans(), st.sampled_from(["a", "b"]), STARTS, STEPS))
def test_a_span_is_the_same(caplog: pytest.LogCaptureFixture, case: Any) -> None:
    caplog.set_level(logging.DEBUG)
    theirs = _play(spans._start_span, _plain(), case, caplog)
    assert _play(spans.start_span, spans.Processors(), case, caplog) == theirs


@given(SAMPLERS)
def test_what_is_decided_by_itself_is_said(sampler: Sampler) -> None:
    """Otherwise the test above might compare upstream's code with upstream's code."""
    known = not isinstance(sampler, _Adding | AlwaysRecordSampler) and sampler.get_description() != "adding"
    unknown_delegate = isinstance(sampler, ParentBased) and isinstance(sampler._local_parent_not_sampled, _Adding)
    records_only = isinstance(sampler, StaticSampler) and sampler._decision is Decision.RECORD_ONLY
    assert (sampling.compiled(sampler) is not None) is (known and not unknown_delegate and not records_only)


def _tracer(processors: Any, *more: SpanProcessor, **keywords: Any) -> Any:
    provider = TracerProvider(ALWAYS_ON, shutdown_on_exit=False, active_span_processor=processors, **keywords)
    for each in more:
        provider.add_span_processor(each)
    return provider.get_tracer("test")


def test_the_current_span_is_the_parent() -> None:
    tracer = _tracer(spans.Processors())
    with spans.start_as_current_span(tracer, "outer") as outer:
        assert api.get_current_span() is outer
        inner = spans.start_span(tracer, "inner")
        assert inner.parent == outer.get_span_context()
        assert inner.parent is outer.get_span_context()
        theirs: Any = spans._start_span(tracer, "theirs")
        assert theirs.parent is outer.get_span_context()
        with api.use_span(UpstreamsSpan("foreign", SpanContext(5, 6, False)), end_on_exit=False):
            assert spans.start_span(tracer, "below").parent == SpanContext(5, 6, False)
    assert api.get_current_span() is api.INVALID_SPAN
    assert not outer.is_recording()


@pytest.mark.parametrize("records", [True, False])
@pytest.mark.parametrize("marks", [True, False])
@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize("error", [None, ValueError("wrong"), KeyboardInterrupt(), StopIteration(1)])
def test_a_block_leaves_the_span_as_upstreams_does(records: bool, marks: bool, ends: bool, error: Any) -> None:
    def play(start: Any, tracer: Any) -> Any:
        before, raised = get_current(), None
        arguments = {"record_exception": records, "set_status_on_exception": marks, "end_on_exit": ends}
        try:
            with start(tracer, "name", **arguments) as span:
                _raise(error)
        except (ValueError, StopIteration, KeyboardInterrupt) as caught:
            raised = caught
        assert get_current() is before
        status = (span.status.status_code, span.status.description)
        return raised, status, [each.name for each in span.events], span.is_recording()

    theirs = play(Tracer.start_as_current_span, _tracer(_plain()))
    assert play(spans.start_as_current_span, _tracer(spans.Processors())) == theirs
    assert play(spans._start_block, _tracer(spans.Processors())) == theirs


def _raise(error: BaseException | None) -> None:
    if error is not None:
        raise error


def test_a_decorated_function_has_a_span_for_each_call() -> None:
    import asyncio

    exporter = InMemorySpanExporter()
    tracer = _tracer(spans.Processors(), SimpleSpanProcessor(exporter))

    @spans.start_as_current_span(tracer, "plain")
    def plain() -> Any:
        return api.get_current_span()

    @spans.start_as_current_span(tracer, "coroutine")
    async def coroutine() -> Any:
        await asyncio.sleep(0.01)
        return api.get_current_span()

    assert plain() is not plain()
    assert plain.__name__ == "plain"
    span = asyncio.run(coroutine())
    assert span.end_time - span.start_time > 5_000_000
    assert [each.name for each in exporter.get_finished_spans()] == ["plain", "plain", "coroutine"]


def test_sampled_spans_reach_the_queue_and_others_do_not() -> None:
    exporter = InMemorySpanExporter()
    batch = BatchSpanProcessor(exporter)
    tracer = _tracer(spans.Processors(), batch)
    spans.start_span(tracer, "sampled").end()
    tracer.sampler = StaticSampler(Decision.RECORD_ONLY)
    spans.start_span(tracer, "recorded").end()
    batch.force_flush()
    assert [each.name for each in exporter.get_finished_spans()] == ["sampled"]
    batch.shutdown()  # type: ignore[no-untyped-call]


def test_many_threads_may_use_one_span() -> None:
    span = spans.start_span(_tracer(spans.Processors()), "name")

    def work(number: int) -> None:
        for each in range(300):
            span.set_attribute(f"{number}", each)
            span.add_event("event")
            dict(span.attributes)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert dict(span.attributes) == {f"{number}": 299 for number in range(8)}
    assert len(span.events) + span.dropped_events == 8 * 300


def test_ids_are_valid_and_those_that_are_not_are_told() -> None:
    tracer = _tracer(spans.Processors(), id_generator=RandomIdGenerator())
    assert spans.start_span(tracer, "name").get_span_context().is_valid
    tracer = _tracer(spans.Processors(), id_generator=_Ids(first=1 << 64, random=False))
    context = spans.start_span(tracer, "name").get_span_context()
    assert not context.is_valid
    assert context.trace_flags == 1


def test_a_disabled_tracer_makes_no_span() -> None:
    tracer = _tracer(spans.Processors())
    tracer._tracer_config.is_enabled = False
    assert spans.start_span(tracer, "name").is_recording() is False


def test_the_api_is_known() -> None:
    assert current_context.is_known()


def _counted(made: list[Any]) -> Later:
    def make() -> dict[str, Any]:
        made.append(None)
        return Plain({"a": 1, "b": "two"})

    return Later(make)


@pytest.mark.parametrize(
    ("sampler", "times"), [(ALWAYS_OFF, 0), (DEFAULT_OFF, 0), (ALWAYS_ON, 1), (TraceIdRatioBased(0), 0), (_Adding(), 1)]
)
def test_attributes_are_made_where_they_are_needed(sampler: Sampler, times: int) -> None:
    """For a span that records, and for a sampler that may look at them."""
    tracer = _tracer(spans.Processors())
    tracer.sampler = sampler
    made: list[Any] = []
    span = spans.start_span(tracer, "name", attributes=_counted(made))
    assert len(made) == times
    if span.is_recording():
        assert {"a": 1, "b": "two"}.items() <= dict(span.attributes).items()


@pytest.mark.parametrize("limit", [None, 1, 2])
def test_attributes_that_are_given_away_obey_the_limits(limit: int | None) -> None:
    tracer = _tracer(spans.Processors())
    tracer._span_limits = SpanLimits(max_span_attributes=limit or SpanLimits.UNSET)
    span = spans.start_span(tracer, "name", attributes=_counted([]))
    assert len(span.attributes) == (limit or 2)
    assert span.dropped_attributes == (1 if limit == 1 else 0)


def test_a_processor_that_acts_at_the_start_does_not_change_what_was_given() -> None:
    processors = spans.Processors()
    processors.add_span_processor(_Telling())
    later = _counted([])
    span = spans.start_span(_tracer(processors), "name", attributes=later)
    assert "told" in span.attributes
    assert later.value == {"a": 1, "b": "two"}


def test_a_tracer_that_is_disabled_is_given_the_attributes_themselves() -> None:
    tracer = _tracer(spans.Processors())
    tracer._tracer_config.is_enabled = False
    made: list[Any] = []
    assert spans.start_span(tracer, "name", attributes=_counted(made)).is_recording() is False
    assert len(made) == 1


@pytest.mark.parametrize(
    ("sampler", "sampled", "unsampled"),
    [(ALWAYS_ON, False, False), (ALWAYS_OFF, True, True), (DEFAULT_ON, False, True), (_Adding(), False, False)],
)
def test_which_children_would_not_record(sampler: Sampler, sampled: bool, unsampled: bool) -> None:
    tracer = _tracer(spans.Processors())
    tracer.sampler = sampler
    spans.start_span(tracer, "looks at the sampler")
    for flags, expected in ((1, sampled), (0, unsampled)):
        parent = SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(flags))
        assert spans._skips(tracer, parent) is expected
        if expected:
            context = api.set_span_in_context(NonRecordingSpan(parent), Context())
            assert not spans.start_span(tracer, "child", context).is_recording()


class _Own(InMemorySpanExporter):
    """An exporter that counts as ours, by its module."""

    __module__ = "otel_injection.otlp.test"


def test_our_exporter_is_given_the_spans_and_a_queue_that_is_full_drops_the_oldest(
    caplog: pytest.LogCaptureFixture,
) -> None:
    exporter = _Own()
    batch = BatchSpanProcessor(exporter, max_queue_size=3, max_export_batch_size=3, schedule_delay_millis=60_000)
    queued = batch._batch_processor
    processors = spans.Processors()
    tracer = _tracer(processors, batch)
    queued._worker_awaken.set = lambda: None  # type: ignore[method-assign]
    for number in range(4):
        spans.start_span(tracer, str(number)).end()
    assert [each.name for each in queued._queue] == ["3", "2", "1"]
    assert "Queue full" in caplog.text
    del queued._worker_awaken.set
    batch.force_flush()
    assert [each.name for each in exporter.get_finished_spans()] == ["1", "2", "3"]
    tracer.sampler = StaticSampler(Decision.RECORD_ONLY)
    spans.start_span(tracer, "recorded").end()
    assert not queued._queue
    tracer.sampler = ALWAYS_ON
    replaced: list[Any] = []
    queued.emit = replaced.append  # type: ignore[assignment, method-assign]
    spans.start_span(tracer, "replaced").end()
    assert [each.name for each in replaced] == ["replaced"]
    processors.add_span_processor(SimpleSpanProcessor(InMemorySpanExporter()))
    assert processors._batch is None
    batch.shutdown()  # type: ignore[no-untyped-call]
