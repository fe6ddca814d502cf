"""Sets the SDK up from a file: what ``configurator`` does from the environment.

Where something in the file cannot be made, nothing is: see ``configuration``. Our processors work in their order before
whatever exports, wherever they stand in the list; those that ``OTEL_INJECTION_*_PROCESSORS`` name come first.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from opentelemetry._logs import NoOpLoggerProvider
from opentelemetry.configuration import _logger_provider, _meter_provider, _resource, _tracer_provider, models
from opentelemetry.configuration._exceptions import ConfigurationError
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider, TraceBasedExemplarFilter
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.sampling import DEFAULT_ON
from opentelemetry.trace import NoOpTracerProvider

from otel_injection import ours, record, report
from otel_injection.lifecycle import supervisors
from otel_injection.processors import by_name, chain
from otel_injection.sdk import resource
from otel_injection.sdk.assembled import State
from otel_injection.sdk.faster.spans import Processors
from otel_injection.sdk.file_exporters import CONSOLES, exporter
from otel_injection.settings.file.loading import File

_KINDS: dict[str, tuple[Any, Any, int]] = {
    "traces": (BatchSpanProcessor, SimpleSpanProcessor, 5000),
    "logs": (BatchLogRecordProcessor, SimpleLogRecordProcessor, 1000),
}
"""By signal: what exports in batches, what does not, and the milliseconds between two exports."""
_QUEUE, _BATCH, _TIMEOUT, _INTERVAL = 2048, 512, 30_000, 60_000
_run_detectors = _resource._run_detectors


def build(file: File) -> State:
    """Return the SDK that a file describes; raises ``report.Refused``."""
    model = file.model
    used: dict[str, Any] = {}
    with file.at("resource"):
        shared = resource.create(_described(model.resource))
    meters, readers = _metrics(file, shared, used)
    tracers, spans, span_chain = _traces(file, shared, used, meters)
    loggers, records, log_chain = _logs(file, shared, used, meters)
    links = chain.metric_chain(meters, _metric_steps(file)) if model.meter_provider is not None else []
    chains = [each for each in (span_chain, log_chain) if each is not None]
    if chains or links:
        of_spans, of_logs = (each.links if each is not None else () for each in (span_chain, log_chain))
        chain.observe(meters, span=of_spans, log=of_logs, metric=links)
    record.sdk(
        service=shared.attributes.get("service.name"),
        instance=shared.attributes.get("service.instance.id"),
        sampler=tracers.sampler.get_description() if model.tracer_provider is not None else "",
        exporters=used,
        file=file.name,
    )
    batches = [each._batch_processor for each in (*spans, *records) if hasattr(each, "_batch_processor")]
    return State(shared, tracers, meters, loggers, batches, readers, chains)


def _described(config: models.Resource | None) -> Any:
    """Return the resource of the file; a detector that fails costs its own attributes."""
    _resource._RESOURCE_DETECTOR_REGISTRY["service"] = resource.service_of_the_environment
    _resource._run_detectors = _detect  # type: ignore[assignment]
    return _resource.create_resource(config)


def _detect(config: Any, found: dict[str, object]) -> None:
    try:
        _run_detectors(config, found)
    except ConfigurationError:
        raise
    except ours() as error:
        report.say(f"OTEL_CONFIG_FILE: a resource detector failed: {type(error).__name__}: {error}")


def _traces(file: File, shared: Any, used: dict[str, Any], meters: Any) -> tuple[Any, list[Any], Any]:
    config = file.model.tracer_provider
    if config is None:
        return _Absent(NoOpTracerProvider()), [], None
    with file.at("tracer_provider.sampler"):
        sampler = _tracer_provider._create_sampler(config.sampler) if config.sampler else DEFAULT_ON
    steps, exporting = _processors(file, "tracer_provider", "traces", used, meters)
    with file.at("tracer_provider"):
        chained = chain.span_chain(exporting, steps)
        generator, configurator = config.id_generator, config.tracer_configurator_development
        provider = TracerProvider(
            sampler=chained.sampler(sampler) if chained is not None else sampler,
            resource=shared,
            shutdown_on_exit=False,
            active_span_processor=Processors(),
            span_limits=_tracer_provider._create_span_limits(
                config.limits or models.SpanLimits(), file.model.attribute_limits
            ),
            id_generator=_tracer_provider._create_id_generator(generator) if generator else None,
            meter_provider=meters,
            _tracer_configurator=configurator and _tracer_provider._create_tracer_configurator(configurator),
        )
    for each in (chained,) if chained is not None else exporting:
        provider.add_span_processor(each)
    return provider, exporting, chained


def _logs(file: File, shared: Any, used: dict[str, Any], meters: Any) -> tuple[Any, list[Any], Any]:
    config = file.model.logger_provider
    if config is None:
        return _Absent(NoOpLoggerProvider()), [], None
    with file.at("logger_provider"):
        configurator = config.logger_configurator_development
        provider = LoggerProvider(
            resource=shared,
            shutdown_on_exit=False,
            meter_provider=meters,
            log_record_limits=_logger_provider._create_log_record_limits(
                config.limits or models.LogRecordLimits(), file.model.attribute_limits
            ),
            _logger_configurator=configurator and _logger_provider._create_logger_configurator(configurator),
        )
    steps, exporting = _processors(file, "logger_provider", "logs", used, meters)
    with file.at("logger_provider.processors"):
        chained = chain.log_chain(exporting, steps)
    for each in (chained,) if chained is not None else exporting:
        provider.add_log_record_processor(each)
    return provider, exporting, chained


def _processors(
    file: File, section: str, signal: str, used: dict[str, Any], meters: Any
) -> tuple[list[Any], list[Any]]:
    """Return our steps, by name and with their options, and the processors that export."""
    variable = by_name.SPANS if signal == "traces" else by_name.LOGS
    steps, exporting = [], []
    for position, each in enumerate(getattr(file.model, section).processors):
        with file.at(f"{section}.processors[{position}]"):
            if each.batch is not None:
                exporting.append(_batching(signal, each.batch, exporter(signal, each.batch.exporter, used), meters))
            elif each.simple is not None:
                exporting.append(_simple(signal, exporter(signal, each.simple.exporter, used), meters))
            elif each.additional_properties:
                steps.append(by_name.listed(variable, *next(iter(each.additional_properties.items()))))
            else:
                raise ValueError("is of no kind that is known here")
    return steps, exporting


def _batching(signal: str, config: Any, made: Any, meters: Any) -> Any:
    batching, _, delay = _KINDS[signal]
    queue = _QUEUE if config.max_queue_size is None else config.max_queue_size
    return batching(
        made,
        max_queue_size=queue,
        schedule_delay_millis=max(delay if config.schedule_delay is None else config.schedule_delay, 1),
        export_timeout_millis=config.export_timeout or _TIMEOUT,
        max_export_batch_size=min(_BATCH, queue)
        if config.max_export_batch_size is None
        else config.max_export_batch_size,
        meter_provider=meters,
    )


def _simple(signal: str, made: Any, meters: Any) -> Any:
    """Return what exports each item by itself: on the console at once, else in a thread, for which no app waits."""
    batching, simple, delay = _KINDS[signal]
    if isinstance(made, CONSOLES):
        return simple(made)
    return batching(
        made, max_queue_size=_QUEUE, schedule_delay_millis=delay, max_export_batch_size=1, meter_provider=meters
    )


def _metrics(file: File, shared: Any, used: dict[str, Any]) -> tuple[Any, list[Any]]:
    config = file.model.meter_provider
    if config is None:
        return _Absent(NoOpMeterProvider()), []
    readers = []
    for position, each in enumerate(config.readers):
        with file.at(f"meter_provider.readers[{position}]"):
            if each.periodic is not None:
                made = exporter("metrics", each.periodic.exporter, used)
                interval = _INTERVAL if each.periodic.interval is None else max(each.periodic.interval, 1)
                readers.append(PeriodicExportingMetricReader(made, interval, each.periodic.timeout or _TIMEOUT))
            elif not supervisors.supervises():  # it listens on a port, which is for a process that serves
                readers += _pulled(each.pull, used)
    with file.at("meter_provider"):
        views = [_view(each) for each in config.views or ()]
        exemplars: Any = TraceBasedExemplarFilter()
        if config.exemplar_filter:
            exemplars = _meter_provider._create_exemplar_filter(config.exemplar_filter)
        configurator = config.meter_configurator_development
        provider = MeterProvider(
            readers,
            shared,
            exemplar_filter=exemplars,
            shutdown_on_exit=False,
            views=views,
            _meter_configurator=configurator and _meter_provider._create_meter_configurator(configurator),
        )
    return provider, readers


def _pulled(config: Any, used: dict[str, Any]) -> list[Any]:
    try:
        made = [_meter_provider._create_pull_metric_exporter(config.exporter)]
    except OSError as error:  # the port is another process's
        report.say(f"OTEL_CONFIG_FILE: a pull reader is left out: {error}")
        return []
    used.setdefault("metrics", []).append({"exporter": "prometheus"})
    return made


def _metric_steps(file: File) -> list[Any]:
    place = "distribution.autoinstrumentation-python"
    with file.at(place):
        section = file.distribution()
        given = section.pop("metric_processors", None) or []
        if (
            section
            or not isinstance(given, list)
            or not all(isinstance(each, dict) and len(each) == 1 for each in given)
        ):
            raise ValueError("may hold metric_processors alone, a list of mappings with one entry each")
    steps = []
    for position, each in enumerate(given):
        with file.at(f"{place}.metric_processors[{position}]"):
            steps.append(by_name.listed(by_name.METRICS, *next(iter(each.items()))))
    return steps


def _view(config: Any) -> Any:
    """Make a view; upstream leaves out which attributes are excluded, and patterns."""
    keys, config.stream.attribute_keys = config.stream.attribute_keys, None
    view = _meter_provider._create_view(config)
    config.stream.attribute_keys = keys
    if keys is not None:
        view._attribute_keys = _Keys(keys.included, keys.excluded)  # type: ignore[assignment]
    return view


class _Keys:
    """The keys of attributes that a view keeps; ``*`` and ``?`` in a pattern stand for any."""

    def __init__(self, included: list[str] | None, excluded: list[str] | None) -> None:
        self._included = included
        self._excluded = excluded or ()

    def __contains__(self, key: str) -> bool:
        if any(fnmatchcase(key, each) for each in self._excluded):
            return False
        return self._included is None or any(fnmatchcase(key, each) for each in self._included)


class _Absent:
    """A provider for a signal of which the file says nothing: it does nothing."""

    def __init__(self, provider: Any) -> None:
        self._provider = provider

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)

    def force_flush(self, _timeout_millis: float = 0) -> bool:
        """Have nothing to send."""
        return True
