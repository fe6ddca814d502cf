"""Builds the SDK from a plan, whether that comes from the environment or from a configuration file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opentelemetry._logs import NoOpLoggerProvider
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.trace import NoOpTracerProvider

from otel_injection import record
from otel_injection.sdk import processor_chains
from otel_injection.sdk.assembled import State
from otel_injection.sdk.excluded_sampler import drop_under_any
from otel_injection.sdk.faster.spans import Processors
from otel_injection.sdk.plan import Export, Plan, Reader

_SPANS = (BatchSpanProcessor, SimpleSpanProcessor)
_LOGS = (BatchLogRecordProcessor, SimpleLogRecordProcessor)
"""The SDK's processor that exports log records in batches, and the one that exports each by itself."""


def assemble(plan: Plan) -> State:
    """Return the SDK, and record it for the doctor. ``plan.at`` gives errors their place in the configuration file."""
    used: dict[str, list[Any]] = {}
    meters, readers, links = _metrics(plan, used)
    tracers, spans, span_chain = _traces(plan, meters, used)
    loggers, records, log_chain = _logs(plan, meters, used)
    processor_chains.observe(meters, span_chain, log_chain, links)
    facts: dict[str, Any] = {"file": plan.file} if plan.file else {}
    record.sdk(
        service=plan.resource.attributes.get("service.name"),
        instance=plan.resource.attributes.get("service.instance.id"),
        sampler=tracers.sampler.get_description() if plan.traces is not None else "",
        exporters=used,
        **facts,
    )
    batches = [each._batch_processor for each in (*spans, *records) if hasattr(each, "_batch_processor")]
    chains = [each for each in (span_chain, log_chain) if each is not None]
    return State(plan.resource, tracers, meters, loggers, batches, readers, chains)


def _metrics(plan: Plan, used: dict[str, list[Any]]) -> tuple[Any, list[Any], Sequence[Any]]:
    """Return the provider, its readers, and the links of our processors."""
    metrics = plan.metrics
    if metrics is None:
        return _Absent(NoOpMeterProvider()), [], ()
    readers = [each.reader for each in metrics.readers]
    with plan.at("meter_provider"):
        provider = MeterProvider(
            readers,
            plan.resource,
            exemplar_filter=metrics.exemplar_filter,
            shutdown_on_exit=False,
            views=metrics.views,
            _meter_configurator=metrics.configurator,
        )
    _note("metrics", metrics.readers, used)
    return provider, readers, processor_chains.of_metrics(provider, metrics.steps)


def _traces(plan: Plan, meters: Any, used: dict[str, list[Any]]) -> tuple[Any, list[Any], Any]:
    """Return the provider, what exports, and the chain of our processors before that."""
    traces = plan.traces
    if traces is None:
        return _Absent(NoOpTracerProvider()), [], None
    exporting = _exporting(plan, traces.exports, _SPANS, meters)
    chain = processor_chains.of_spans(exporting, traces.steps)
    with plan.at("tracer_provider"):
        provider = TracerProvider(
            sampler=drop_under_any(traces.sampler if chain is None else chain.sampler(traces.sampler)),
            resource=plan.resource,
            shutdown_on_exit=False,
            active_span_processor=Processors(),
            id_generator=traces.id_generator,
            span_limits=traces.limits,
            meter_provider=meters,
            _tracer_configurator=traces.configurator,
        )
    for each in exporting if chain is None else (chain,):
        provider.add_span_processor(each)
    if exporting:
        _note("traces", traces.exports, used)
    return provider, exporting, chain


def _logs(plan: Plan, meters: Any, used: dict[str, list[Any]]) -> tuple[Any, list[Any], Any]:
    """Return the provider, what exports, and the chain of our processors before that."""
    logs = plan.logs
    if logs is None:
        return _Absent(NoOpLoggerProvider()), [], None
    exporting = _exporting(plan, logs.exports, _LOGS, meters)
    chain = processor_chains.of_logs(exporting, logs.steps)
    with plan.at("logger_provider"):
        provider = LoggerProvider(
            resource=plan.resource,
            shutdown_on_exit=False,
            meter_provider=meters,
            log_record_limits=logs.limits,
            _logger_configurator=logs.configurator,
        )
    for each in exporting if chain is None else (chain,):
        provider.add_log_record_processor(each)
    if exporting:
        _note("logs", logs.exports, used)
    return provider, exporting, chain


def _exporting(plan: Plan, exports: Sequence[Export], kinds: tuple[Any, Any], meters: Any) -> list[Any]:
    """Return the SDK's processors that export."""
    batching, simple = kinds
    made = []
    for each in exports:
        with plan.at(each.place):
            if each.batching is None:
                made.append(simple(each.exporter))
            else:
                made.append(batching(each.exporter, meter_provider=meters, **each.batching))
    return made


def _note(signal: str, parts: Sequence[Export | Reader], used: dict[str, list[Any]]) -> None:
    if parts:
        used[signal] = [each.facts for each in parts]


class _Absent:
    """A provider for a signal of which a configuration file says nothing: it does nothing."""

    def __init__(self, provider: Any) -> None:
        self._provider = provider

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)

    def force_flush(self, _timeout_millis: float = 0) -> bool:
        """Have nothing to send."""
        return True
